"""Pure functions: facts in, command lines and file contents out. Nothing here runs anything."""
