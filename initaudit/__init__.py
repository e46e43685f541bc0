"""initaudit finds wrong or missing parameter initialization in PyTorch, in source and in the built model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from initaudit.engine import Report
    from initaudit.finding import Finding

__version__ = "0.1.0"
__all__ = ["Finding", "Report", "__version__", "check"]


def check(
    paths: Iterable[str],
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
        paths=tuple(paths),
        overrides=overrides,
        config=config,
        isolated=isolated,
        probe=probe,
        jobs=jobs,
        cache=cache,
        read=True,
    )
    with prepare(asked) as prepared:
        return prepared.with_errors(run(prepared.task, prepared.watches))


def __getattr__(name: str) -> object:
    """Finding and Report, imported when they are asked for: starting stays quick."""
    if name == "Finding":
        from initaudit.finding import Finding

        return Finding
    if name == "Report":
        from initaudit.engine import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
