"""The base of facts. A fact is something in the source or in a run, which an observer states once for all rules.

A fact says what is there, never whether it is wrong; that is for the rules.
"""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True, tag=True):
    """The base of all facts. A class that derives from it, in any file of this folder, is a kind of subject."""
