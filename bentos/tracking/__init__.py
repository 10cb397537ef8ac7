"""Every training as a run of MLflow, in a SQLite file beside the model store."""
