"""The version of initaudit, for whatever prints it."""

__version__ = "0.1.0"
