"""The project around a file: modules, names and classes across files, and who mentions what."""
