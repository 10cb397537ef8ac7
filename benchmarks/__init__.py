"""Our service side by side with others that serve the same models: `make bench`."""
