"""Each module holds one kind of facts against what the stack wants: facts in, findings out."""
