"""Programs: the code of a project that builds a model, hands it on, initializes it, loads it, and uses it."""
