"""Observer 2: builds the model in a child process and sees what really happens. Imports no torch itself.

The child isolates crashes, time-outs and output, not malice: a model that is probed is code that is run.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from initaudit.facts import Observation
from initaudit.probe.child import Child
from initaudit.probe.request import ProbeUnavailable, Target, TargetError

__all__ = ["ProbeUnavailable", "Target", "TargetError", "probe"]


def probe(target: Target) -> Observation:
    """Build the target in a child process and observe it.

    Raises TargetError when it cannot be imported, and ProbeUnavailable without torch. A constructor that raises,
    hangs or kills its process is an observation.
    """
    target.parts()
    if importlib.util.find_spec("torch") is None:
        raise ProbeUnavailable
    with tempfile.TemporaryDirectory(prefix="initaudit-") as folder:
        return Child(target, Path(folder)).run()
