"""What the program declares: one class per resource of our provider."""
