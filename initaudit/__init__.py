"""initaudit finds wrong or missing parameter initialization in PyTorch, in source and in the built model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from initaudit.version import __version__

if TYPE_CHECKING:
    from initaudit.engine import Report
    from initaudit.finding import Finding

__all__ = ["Finding", "Report", "__version__", "audit", "check"]


def check(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preview: bool | None = None,
    config: str | None = None,
    isolated: bool = False,
    probe: bool = False,
    jobs: int | None = None,
    cache: bool = False,
) -> Report:
    """Check files and folders, as the command does; ``probe`` also builds the models that the configuration names.

    Nothing is kept of what was read, unless ``cache`` says so.
    """
    from initaudit.engine import run
    from initaudit.session import Asked, prepare
    from initaudit.settings import Overrides

    overrides = Overrides(select=None if select is None else tuple(select), ignore=tuple(ignore), preview=preview)
    asked = Asked(
        paths=tuple(os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)),
        overrides=overrides,
        config=config,
        isolated=isolated,
        probe=probe,
        jobs=jobs,
        cache=cache,
        read=True,
    )
    prepared = prepare(asked)
    return prepared.with_errors(run(prepared.task, prepared.watches))


def audit(
    model: Callable[[], Any] | Any,
    inputs: Any = None,
    *,
    seed: int = 0,
    seeds: int = 1,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preview: bool | None = None,
    config: str | None = None,
    isolated: bool = False,
) -> Report:
    """Build a model in this process, watch, and report; the configuration of the current folder holds.

    ``model`` is a class, or a factory that takes no arguments: it is called for every build. Of an instance, the values
    are audited, and with ``inputs`` a forward of a copy; where several ranks hold it, each has to call, and all get one
    report. ``inputs`` are those of a forward: a tensor, a tuple of them, or a dictionary by name.
    ``seeds`` counts the seeds, from ``seed`` on, that a forward and a backward are measured for. What was seen is in
    ``observations`` of the report. Raises ``initaudit.probe.TargetError`` for a factory that gives no model.
    """
    from initaudit.engine import Task, building_here, run
    from initaudit.settings import Overrides, load

    overrides = Overrides(select=None if select is None else tuple(select), ignore=tuple(ignore), preview=preview)
    task = Task(configuration=load((), overrides, config=config, isolated=isolated))
    return run(task, [building_here(model, inputs, seed=seed, seeds=seeds)])


def __getattr__(name: str) -> object:
    """Finding and Report, imported when they are asked for: starting stays quick."""
    if name == "Finding":
        from initaudit.finding import Finding

        return Finding
    if name == "Report":
        from initaudit.engine import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
