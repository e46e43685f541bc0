"""initaudit makes wrong or missing parameter initialization in PyTorch impossible to ship."""

__version__ = "0.1.0"
