"""A model for tests."""
