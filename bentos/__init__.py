"""Models: what they are, how they are trained, exported and kept."""
