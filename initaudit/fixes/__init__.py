"""Fixes: turn the remedies of a rule into text edits with libcst, and prove them by reading the result.

Knows findings and text, and neither rules nor observers.
"""

from __future__ import annotations


class NoFixError(Exception):
    """A remedy does not fit the code; the message says why."""
