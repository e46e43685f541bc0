"""Targets: the class, factory or library model that is named, and the arguments that build it."""
