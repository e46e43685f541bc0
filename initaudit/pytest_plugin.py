"""The fixture `initaudit`: a test says that a model is initialized well, and fails with what is wrong.

    def test_init(initaudit):
        initaudit.assert_clean(Net, inputs=(torch.randn(32, 8),))

What counts is, first of all, what the call says; then the marker `@pytest.mark.initaudit(...)`, whose arguments are
those of the call; then the options `initaudit_...` of pytest; then the project's configuration of initaudit.
Nothing heavy is imported before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from initaudit.engine import Report
    from initaudit.finding import Severity

LISTS = ("select", "ignore")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the configuration file."""
    parser.addini("initaudit_select", "Rules of initaudit to run: codes, prefixes or categories.", "args")
    parser.addini("initaudit_ignore", "Rules of initaudit not to run.", "args")
    parser.addini("initaudit_fail_on", "The least severity that fails a test: error, warning or note.")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "initaudit(inputs, seed, seeds, select, ignore, preview, fail_on): how models of this test are judged.",
    )


@pytest.fixture
def initaudit(request: pytest.FixtureRequest) -> Initaudit:
    """Audits models in this process."""
    settings: dict[str, Any] = {name: request.config.getini(f"initaudit_{name}") for name in (*LISTS, "fail_on")}
    settings = {name: value for name, value in settings.items() if value}
    for marker in reversed(list(request.node.iter_markers("initaudit"))):
        settings |= marker.kwargs
    return Initaudit(settings)


class Initaudit:
    """What the fixture gives: the settings of a test, and what is done with a model."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def audit(self, model: Any, **settings: Any) -> Report:
        """The report on a class, a factory or an instance; keyword arguments are those of `initaudit.audit`."""
        return self._audit(model, {**self._settings, **settings})

    def assert_clean(self, model: Any, **settings: Any) -> Report:
        """Fail for findings of at least the severity ``fail_on``; the report if there are none."""
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
    """From which severity on a finding fails a test."""
    from initaudit.finding import Severity
    from initaudit.settings import load

    said = settings.get("fail_on")
    if said is None:
        return load(config=settings.get("config"), isolated=settings.get("isolated", False)).run.fail_on
    try:
        return Severity(said)
    except ValueError as error:
        raise pytest.UsageError(f"fail_on is error, warning or note, not {said!r}") from error


def _text(findings: tuple[Any, ...]) -> str:
    from initaudit.presentation import as_text

    return as_text(findings)
