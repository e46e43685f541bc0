"""Fixes: what a rule wants done to a statement, as edits of the text, made by libcst and proved by reading the result.

Knows findings and text, and neither rules nor observers.
"""

from __future__ import annotations


class NoFixError(Exception):
    """A remedy that does not fit the code, and why."""
