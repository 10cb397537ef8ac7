"""The service: takes a model's input over HTTP, checks it, runs the model, answers."""
