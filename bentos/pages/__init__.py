"""The cards of the published models as pages under docs/models: `python -m bentos.pages`."""
