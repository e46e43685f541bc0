"""The pytest fixture `initaudit`: assert in a test that a model is initialized correctly.

    def test_init(initaudit):
        initaudit.assert_clean(Net, inputs=(torch.randn(32, 8),))

Settings come from the call, then from the marker `@pytest.mark.initaudit(...)`, which takes the same arguments, then
from pytest's options `initaudit_...`, then from the project's configuration of initaudit. Nothing heavy is imported
before a test requests the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from initaudit.engine import Report
    from initaudit.finding import Severity

LISTS = ("select", "ignore")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of pytest's configuration file."""
    parser.addini("initaudit_select", "Rules of initaudit to run: codes, prefixes or categories.", "args")
    parser.addini("initaudit_ignore", "Rules of initaudit not to run.", "args")
    parser.addini("initaudit_fail_on", "Minimum severity that fails a test: error, warning or note.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "initaudit(inputs, seed, seeds, select, ignore, preview, fail_on): settings of the `initaudit` fixture.",
    )


@pytest.fixture
def initaudit(request: pytest.FixtureRequest) -> Initaudit:
    """Audit models in this process."""
    settings: dict[str, Any] = {name: request.config.getini(f"initaudit_{name}") for name in (*LISTS, "fail_on")}
    settings = {name: value for name, value in settings.items() if value}
    for marker in reversed(list(request.node.iter_markers("initaudit"))):
        settings |= marker.kwargs
    return Initaudit(settings)


class Initaudit:
    """The value of the fixture: audits models with the settings of a test."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def audit(self, model: Any, **settings: Any) -> Report:
        """Return the report on a class, a factory or an instance; takes the keyword arguments of `initaudit.audit`."""
        return self._audit(model, {**self._settings, **settings})

    def assert_clean(self, model: Any, **settings: Any) -> Report:
        """Fail the test on findings of at least the severity ``fail_on``, else return the report."""
        __tracebackhide__ = True
        together = {**self._settings, **settings}
        report = self._audit(model, together)
        least = _severity(together)
        wrong = tuple(finding for finding in report.findings if finding.severity.rank >= least.rank)
        if wrong or report.errors:
            pytest.fail("\n".join(["initialization is not clean", *report.errors, _text(wrong)]), pytrace=False)
        return report

    @staticmethod
    def _audit(model: Any, settings: dict[str, Any]) -> Report:
        import initaudit

        return initaudit.audit(model, **{name: value for name, value in settings.items() if name != "fail_on"})


def _severity(settings: dict[str, Any]) -> Severity:
    """Return the minimum severity that fails a test."""
    from initaudit.finding import Severity
    from initaudit.settings import load

    said = settings.get("fail_on")
    if said is None:
        return load(config=settings.get("config"), isolated=settings.get("isolated", False)).run.fail_on
    try:
        return Severity(said)
    except ValueError as error:
        raise pytest.UsageError(f"fail_on must be error, warning or note, not {said!r}") from error


def _text(findings: tuple[Any, ...]) -> str:
    from initaudit.presentation import as_text

    return as_text(findings)
