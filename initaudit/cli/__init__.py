"""The command line: what the flags ask for, what each command does, and what is printed."""

from initaudit.cli.command_line import main

__all__ = ["main"]
