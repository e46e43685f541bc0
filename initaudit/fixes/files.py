"""Apply fixes to files: whole fixes or none, in the file's encoding and newlines, and only if the result parses.

Knows edits of text, and no rules.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import errno
import io
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from initaudit.finding import Applicability, Edit, Finding, Fix, Place
from initaudit.sources.files import decode_source
from initaudit.sources.newer_python import is_newer_python
from initaudit.sources.source import SourceFile, line_starts, newline_of

ANY_MAY_WRITE = 0o222
"""The bits of a mode that let anybody write: who runs as root may write a file that is meant to stay as it is."""
_NEEDS_QUOTES = re.compile(rb'[\x00-\x1f\x7f"\\]')
"""What would end a name in a patch, or mean something else."""


class FixError(Exception):
    """A file was not changed; the message says why."""


class Mended(msgspec.Struct, frozen=True):
    """A file, its new text, and the findings whose fixes the text contains."""

    source: SourceFile
    text: str
    fixed: tuple[Finding, ...]


def applicable(finding: Finding, *, unsafe: bool) -> bool:
    """Whether a finding has a fix that may be applied."""
    allowed = (Applicability.SAFE, Applicability.UNSAFE) if unsafe else (Applicability.SAFE,)
    return finding.fix is not None and bool(finding.fix.edits) and finding.fix.applicability in allowed


def mend(source: SourceFile, findings: Iterable[Finding], *, unsafe: bool = False) -> Mended:
    """Apply the fixes of findings in one file; of overlapping fixes, the first wins and the others wait."""
    accepted: list[Edit] = []
    fixed: list[Finding] = []
    for finding in findings:
        if finding.fix is not None and applicable(finding, unsafe=unsafe) and _fits(finding.fix, accepted):
            accepted += [edit for edit in finding.fix.edits if edit not in accepted]
            fixed.append(finding)
    return Mended(source, apply_edits(source, accepted), tuple(fixed))


def _fits(fix: Fix, accepted: Sequence[Edit]) -> bool:
    """Whether no edit of a fix overlaps another edit of it."""
    return not overlapping(fix.edits, accepted)


def overlapping(edits: Iterable[Edit], accepted: Sequence[Edit]) -> bool:
    """Whether some edits overlap others. Equal edits count as one."""
    return any(_overlap(edit.place, other.place) for edit in edits for other in accepted if edit != other)


def _overlap(one: Place, other: Place) -> bool:
    """Whether two spans overlap; insertions at one point do, since their order is undefined."""
    if one.cell != other.cell:
        return False
    starts, ends = (one.row, one.column), (one.end_row, one.end_column)
    other_starts, other_ends = (other.row, other.column), (other.end_row, other.end_column)
    return starts == other_starts or (starts < other_ends and other_starts < ends)


def apply_edits(source: SourceFile, edits: Iterable[Edit]) -> str:
    """What is in a file after edits that do not overlap; raises FixError when it no longer is Python."""
    by_cell: dict[int | None, list[Edit]] = {}
    for edit in edits:
        by_cell.setdefault(edit.place.cell, []).append(edit)
    texts = {cell: edited(source.part(cell), group) for cell, group in by_cell.items()}
    whole = _put_back(source, {cell: text for cell, text in texts.items() if text != source.part(cell)})
    if whole != source.whole and not _as_readable(source, whole):
        why = "the fixes would break the syntax" if parses(source.text) else "its syntax is already invalid"
        raise FixError(f"{source.filename}: {why}; nothing was changed")
    return whole


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with non-overlapping edits applied."""
    starts, newline = line_starts(text), newline_of(text)
    for edit in sorted(edits, key=_span, reverse=True):
        place = edit.place
        if place.end_row > len(starts):
            raise FixError(f"{place.filename}: changed while it was being checked; nothing was changed")
        start = starts[place.row - 1] + place.column - 1
        end = starts[place.end_row - 1] + place.end_column - 1
        text = text[:start] + edit.content.replace("\n", newline) + text[end:]
    return text


def _span(edit: Edit) -> tuple[int, int, int, int]:
    """Return where an edit begins and ends in its text."""
    place = edit.place
    return place.row, place.column, place.end_row, place.end_column


def _put_back(source: SourceFile, texts: Mapping[int | None, str]) -> str:
    """What is in the file with other texts in some of its parts."""
    if not texts:
        return source.whole
    if None in texts:
        return texts[None]
    from initaudit.sources.notebook import rewritten

    try:
        return rewritten(source, texts)
    except ValueError as error:
        raise FixError(f"{source.filename}: {error}; nothing was changed") from error


def _as_readable(source: SourceFile, whole: str) -> bool:
    """Whether all that could be read of a file can still be read, with this in it."""
    if not source.parts:
        return parses(whole)
    after = decode_source(source.filename, whole.encode(source.encoding))
    unread, unread_before = (len(one.faults) + len(one.skipped) for one in (after, source))
    return unread <= unread_before and parses(after.text)


def parses(text: str) -> bool:
    """Whether this Python, or libcst with the grammars that it knows, can parse the text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            return is_newer_python(text)
        except (RecursionError, MemoryError):
            return False
    return True


def encoded(mended: Mended) -> bytes:
    """The new text as bytes of its file; raises FixError when it cannot be written in the encoding of that."""
    source = mended.source
    try:
        return source.encode(mended.text)
    except UnicodeEncodeError as error:
        raise FixError(f"{source.filename}: the fix does not fit its encoding, {source.encoding}") from error


def write(mended: Mended) -> None:
    """Replace a file by its new text at once; raises FixError when it cannot be, or is not what was read."""
    source, content = mended.source, encoded(mended)
    if not _round_trips(source):
        raise FixError(f"{source.filename}: {source.encoding} does not reproduce its bytes; nothing was changed")
    target = Path(os.path.realpath(source.filename))
    try:
        if target.read_bytes() != source.raw:
            raise FixError(f"{source.filename}: changed while it was being checked; nothing was changed")
        if not (target.stat().st_mode & ANY_MAY_WRITE and os.access(target, os.W_OK)):
            raise FixError(f"{source.filename}: {os.strerror(errno.EACCES)}: it is read-only; nothing was changed")
        if target.stat().st_nlink > 1:
            _overwrite(target, content)
        else:
            _replace(target, content)
    except OSError as error:
        raise FixError(f"{source.filename}: {error.strerror or error}") from error


def _round_trips(source: SourceFile) -> bool:
    """Whether what is not mended keeps its bytes."""
    try:
        return source.encode(source.whole) == source.raw
    except UnicodeError:
        return False


def _overwrite(target: Path, content: bytes) -> None:
    """Write into a file that has several names, which a new file in its place would part."""
    with target.open("r+b") as stream:
        stream.write(content)
        stream.truncate()


def _replace(target: Path, content: bytes) -> None:
    """Write beside the target, then rename: whoever reads it sees the old file or the new one, never a half.

    Mode and owner stay, the latter as far as whoever runs this may give files away.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        _keep_owner(target, name)
        shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _keep_owner(target: Path, name: str) -> None:
    """Give a new file the owner and the group of the old one, or else the group alone."""
    if sys.platform == "win32":
        return
    old = target.stat()
    try:
        os.chown(name, old.st_uid, old.st_gid)
    except OSError:
        with contextlib.suppress(OSError):
            os.chown(name, -1, old.st_gid)


def unified_diff(before: SourceFile, after: SourceFile) -> bytes:
    """What changes in a file, as a patch of its bytes for `git apply -p0` and `patch -p0`; empty when nothing does."""
    name = _name_in_patch(before.filename)
    # A patch ends lines at "\n" only, whatever Python thinks.
    old, new = (list(io.BytesIO(source.raw)) for source in (before, after))
    pieces = []
    for line in difflib.diff_bytes(difflib.unified_diff, old, new, fromfile=name, tofile=name):
        pieces.append(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n")
    return b"".join(pieces)


def _name_in_patch(filename: str) -> bytes:
    """A file as it is called from the current folder, where it lies there. Blanks are ended by a tab, others quoted."""
    path, here = Path(filename), Path.cwd()
    name = os.fsencode(path.relative_to(here) if path.is_relative_to(here) else path)
    if _NEEDS_QUOTES.search(name):
        return b'"' + _NEEDS_QUOTES.sub(lambda match: b"\\%03o" % match[0][0], name) + b'"'
    return name + b"\t" if b" " in name else name
