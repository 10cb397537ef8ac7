"""Measures fp32, fp16 and int8 forms of the published models: which is worth serving?"""
