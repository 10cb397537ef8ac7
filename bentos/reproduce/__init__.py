"""Makes published models again and compares: `python -m bentos.reproduce`."""
