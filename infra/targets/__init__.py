"""Kinds of places: each turns its part of the configuration into hosts."""
