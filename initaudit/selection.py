"""Which rules run: what "ALL", "INI1", "correctness", "INI101" and "uninitialized-parameter" mean.

Later layers (flags) override earlier ones (a configuration); within a layer the more specific selector wins. A rule
that runs ``always`` is turned off by its own code or name only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from initaudit.finding import Applicability, Category, Finding
from initaudit.naming import near
from initaudit.patterns import PathPatterns
from initaudit.rules.base import AnyRule, Default
from initaudit.settings import Configuration, Located


class SelectionError(Exception):
    """A selector matches no rule."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """The selection of one source of settings; ``select`` None keeps the earlier selection."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def select(
    rules: Mapping[str, AnyRule], layers: Iterable[Layer], *, preview: bool = False, replays: bool = False
) -> frozenset[str]:
    """Return the codes of the rules that run; ``replays`` says that a model is built on the meta device as well."""
    selected = {
        code for code, rule in rules.items() if runs_unasked(rule, preview=preview) or (replays and rule.on_replay)
    }
    always = {code for code, rule in rules.items() if rule.always}
    for layer in layers:
        if layer.select is not None:
            selected &= always
        wanted = [(selector, True) for selector in (*(layer.select or ()), *layer.extend_select)]
        unwanted = [(selector, False) for selector in layer.ignore]
        for selector, include in sorted(wanted + unwanted, key=lambda item: (specificity(item[0], rules), not item[1])):
            if include:
                selected |= matching(selector, rules, preview=preview)
            else:
                selected -= turned_off(selector, rules)
    return frozenset(selected)


def turned_off(selector: str, rules: Mapping[str, AnyRule]) -> frozenset[str]:
    """Return the codes that a selector turns off when it is ignored."""
    named = _named(selector, rules)
    return named or frozenset(code for code in matching(selector, rules) if not rules[code].always)


def _named(selector: str, rules: Mapping[str, AnyRule]) -> frozenset[str]:
    """Return the rule whose code or name equals the selector."""
    return frozenset(code for code, rule in rules.items() if selector.upper() == code or selector.lower() == rule.name)


def runs_unasked(rule: AnyRule, *, preview: bool) -> bool:
    """Whether a rule runs by default."""
    return rule.default is Default.ON or (preview and rule.default is Default.PREVIEW)


def matching(selector: str, rules: Mapping[str, AnyRule], *, preview: bool = True) -> frozenset[str]:
    """Return the codes that a selector matches; raises SelectionError if there are none.

    A preview rule is matched by its own code or name, or by a wider selector together with ``preview``.
    """
    if exact := _named(selector, rules):
        return exact
    wide = {code: rule for code, rule in rules.items() if _covers(selector, rule)}
    if not wide:
        meant = near(selector, _selectors(rules))
        hint = f"did you mean `{meant}`?" if meant is not None else "`initaudit rule --all` lists them"
        raise SelectionError(f"unknown rule `{selector}`; {hint}")
    return frozenset(code for code, rule in wide.items() if preview or rule.default is not Default.PREVIEW)


def specificity(selector: str, rules: Mapping[str, AnyRule]) -> int:
    """Return the specificity of a selector: ALL, then categories, then prefixes by length, then a single rule."""
    if selector.upper() == "ALL":
        return 0
    if selector.lower() in {category.value for category in Category}:
        return 1
    names_one = selector.upper() in rules or any(rule.name == selector.lower() for rule in rules.values())
    return 100 if names_one else 1 + len(selector)


def _covers(selector: str, rule: AnyRule) -> bool:
    return (
        selector.upper() == "ALL"
        or selector.lower() == rule.category.value
        or (selector.upper().startswith("INI") and rule.code.startswith(selector.upper()))
    )


def _selectors(rules: Mapping[str, AnyRule]) -> Iterator[str]:
    """Yield the selectors to suggest for a misspelt one."""
    yield "ALL"
    yield from (category.value for category in Category)
    for code, rule in rules.items():
        yield code
        yield rule.name


class Selected:
    """The rules that run on each file."""

    def __init__(self, configuration: Configuration, rules: Mapping[str, AnyRule], *, replays: bool = False) -> None:
        self.configuration = configuration
        self.replays = replays
        self.rules = rules
        self._codes: dict[int, frozenset[str]] = {}
        self._ignores: dict[int, tuple[tuple[PathPatterns, frozenset[str]], ...]] = {}
        self._located: dict[str, Located] = {}
        self._flags = tuple(
            (PathPatterns(os.path.realpath(Path.cwd()), [pattern]), self._turned_off(selectors))
            for pattern, selectors in configuration.overrides.per_file_ignores.items()
        )
        self._of(configuration.root)  # so that a misspelt selector is an error even when no file is checked

    def anywhere(self, filenames: Iterable[str]) -> frozenset[str]:
        """Return the codes that run on any of these files, or on files that only the probe sees."""
        located = {id(one): one for filename in filenames if (one := self._settings(filename))}
        return self._of(self.configuration.root).union(*(self._of(one) for one in located.values()))

    def codes(self, filename: str) -> frozenset[str]:
        """Return the codes that run on a file."""
        located = self._settings(filename)
        codes = self._of(located)
        if located.settings.per_file_ignores or self._flags:
            real = os.path.realpath(filename)
            ignores = (*self._ignores[id(located)], *self._flags)
            codes = codes.difference(*(ignored for patterns, ignored in ignores if patterns.cover(real)))
        return codes

    def fixing(self, finding: Finding) -> Finding:
        """Return a finding whose fix is only displayed if its rule is not fixable."""
        flags = self.configuration.overrides
        wanted = self.rules.keys() if flags.fixable is None else self._matching(flags.fixable)
        if finding.fix is None or finding.code in wanted - self._matching(flags.unfixable):
            return finding
        return msgspec.structs.replace(
            finding, fix=msgspec.structs.replace(finding.fix, applicability=Applicability.DISPLAY)
        )

    def _matching(self, selectors: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(matching(selector, self.rules) for selector in selectors))

    def covers(self, finding: Finding) -> bool:
        """Whether the rule of a finding runs on its file."""
        return finding.code in self.codes(finding.place.filename)

    def _settings(self, filename: str) -> Located:
        folder = filename.rpartition(os.sep)[0]
        if folder not in self._located:
            self._located[folder] = self.configuration.for_file(filename)
        return self._located[folder]

    def _of(self, located: Located) -> frozenset[str]:
        if id(located) not in self._codes:
            settings, flags = located.settings, self.configuration.overrides
            preview = settings.preview if flags.preview is None else flags.preview
            layers = (
                Layer(select=settings.select, extend_select=settings.extend_select, ignore=settings.ignore),
                Layer(select=flags.select, extend_select=flags.extend_select, ignore=flags.ignore),
            )
            self._codes[id(located)] = select(self.rules, layers, preview=preview, replays=self.replays)
            self._ignores[id(located)] = tuple(
                (PathPatterns(os.path.realpath(located.folder), [pattern]), self._turned_off(selectors))
                for pattern, selectors in settings.per_file_ignores.items()
            )
        return self._codes[id(located)]

    def _turned_off(self, selectors: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(turned_off(selector, self.rules) for selector in selectors))
