"""Prove fixes: reading the fixed text must show that a fix helps, does no harm, and keeps every comment."""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from initaudit.finding import Edit, Finding, Severity
from initaudit.fixes import NoFixError
from initaudit.fixes.files import edited, overlapping, parses
from initaudit.observation import ProvedFix

Identity = tuple[str, str | None, str | None, str]
MAX_FIXES = 200
"""Maximum number of fixes made for one file; a later run makes more."""
MAX_ALONE = 24
"""Maximum number of fixes of one file tried one by one, each by reading the file again; others become advice."""
MAX_READ = 1_000_000
"""Maximum number of characters read to try the fixes of one file one by one."""
_NUMBER = re.compile(r"\d+")


class Read(msgspec.Struct, frozen=True):
    """The result of reading a text: the findings, and the number of undecided cases."""

    findings: tuple[Finding, ...]
    undecided: int


class _Candidate(msgspec.Struct, frozen=True):
    finding: Finding
    edits: tuple[Edit, ...]


def proved(text: str, before: Read, read: Callable[[str], Read]) -> tuple[ProvedFix, ...]:
    """Return the fixes of findings in a text that prove to help. ``read`` reads the fixed text.

    Fixes are tried together first, as most of them help, and then one by one.
    """
    candidates = list(_candidates(text, before.findings))
    together: list[_Candidate] = []
    for each in candidates:
        if not overlapping(each.edits, [edit for other in together for edit in other.edits]):
            together.append(each)
    if len(together) < 2 or not _helps(text, together, before, read):
        together = []
    left = [each for each in candidates if each not in together][: min(MAX_ALONE, MAX_READ // (len(text) + 1))]
    alone = [each for each in left if _helps(text, [each], before, read)]
    return tuple(
        ProvedFix(code=each.finding.code, place=each.finding.place, edits=each.edits)
        for each in candidates
        if each in together or each in alone
    )


def _candidates(text: str, findings: Sequence[Finding]) -> Iterator[_Candidate]:
    """Yield the findings with remedies, and the edits made from these."""
    mendable = [each for each in dict.fromkeys(findings) if each.fix is not None and each.fix.remedies]
    if not mendable:
        return
    from initaudit.fixes.transforms import edits_of  # late: libcst takes long to load, and few files need it

    for finding in mendable[:MAX_FIXES]:
        if finding.fix is not None and finding.fix.remedies:
            try:
                edits = edits_of(text, finding.fix.remedies)
            except NoFixError:
                continue
            if edits:
                yield _Candidate(finding, edits)


def _helps(text: str, tried: Sequence[_Candidate], before: Read, read: Callable[[str], Read]) -> bool:
    """Whether edits remove their findings, cause no new warning or error, and keep the comments."""
    mended = edited(text, dict.fromkeys(edit for each in tried for edit in each.edits))
    if not parses(mended) or (_touches_comments(text, tried) and _comments(text) - _comments(mended)):
        return False
    after = read(mended)
    old, new = Counter(map(_identity, before.findings)), Counter(map(_identity, after.findings))
    gone = Counter(_identity(each.finding) for each in tried)
    if after.undecided > before.undecided or any(new[each] > old[each] - count for each, count in gone.items()):
        return False
    heavy = (each for each in after.findings if each.severity.rank >= Severity.WARNING.rank)
    return not any(new[each] > old[each] for each in map(_identity, heavy))


def _touches_comments(text: str, tried: Sequence[_Candidate]) -> bool:
    """Whether a row that some edits change may hold a comment, or a string that looks like one."""
    rows = text.split("\n")
    places = [edit.place for each in tried for edit in each.edits]
    return any("#" in row for place in places for row in rows[place.row - 1 : place.end_row])


def _identity(finding: Finding) -> Identity:
    """What a finding is about, wherever it stands: a parameter, or what its message says."""
    message = "" if finding.parameter is not None else _NUMBER.sub("0", finding.message)
    return finding.code, finding.model, finding.parameter, message


def _comments(text: str) -> Counter[str]:
    """Return the comments of a text, as far as it can be taken apart, and how often each stands there."""
    found: Counter[str] = Counter()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found[token.string] += 1
    except (tokenize.TokenError, SyntaxError):
        pass
    return found
