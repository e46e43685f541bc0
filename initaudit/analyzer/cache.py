"""What earlier runs read, by content: what still holds need not be read again.

A result holds while no file it was decided by changed, no search behind it finds other files, and no file came to or
went from the folders it was looked for in. One file per kind of run, replaced as a whole: runs that share a folder, or
are killed, lose at most their own results.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from stat import S_ISDIR

import msgspec

from initaudit.analyzer.layout import python_files
from initaudit.analyzer.reading import Answer, Reading, Search
from initaudit.observation import Observation, Question

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Kept by initaudit; safe to remove. See https://bford.info/cachedir/\n"
MARKS = {".gitignore": "*\n", "CACHEDIR.TAG": TAG}
OWN = "initaudit-"
_OWN_FILE = re.compile(OWN + r"([0-9a-f]{32}\.msgpack|[a-z0-9_]+\.tmp)")
"""How files of results are called: a folder may hold other things besides."""
DIGEST_SIZE = 16
SETTLED = 2_000_000_000
"""Nanoseconds: a file that was written later than this before it was read may change without a new time."""


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was: its time, its size and its digest. A file that is not there has size -1.

    Of a folder, in which a name ended, it is the digest of what an import finds there.
    """

    time: int
    size: int
    digest: bytes = b""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What a file showed, and the numbers of the files and searches that decided it."""

    observation: Observation | None
    files: tuple[int, ...]
    searches: tuple[int, ...]

    @property
    def linked(self) -> bool:
        return bool(self.files or self.searches)


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A search, and the numbers of the files it found."""

    search: Search
    found: frozenset[int]


class Store(msgspec.Struct, array_like=True):
    """The file: everything that is known, with files and searches by number."""

    written: int = 0
    names: list[str] = []
    stamps: list[Stamp] = []
    listings: dict[str, tuple[str, ...]] = {}
    folders: dict[str, tuple[int, ...]] = {}
    searches: list[Asked] = []
    entries: dict[str, Entry] = {}


class Cache:
    """The results of one kind of run: the same questions, roots and working folder, and the same initaudit."""

    def __init__(
        self, folder: Path, roots: Sequence[Path], questions: frozenset[Question], initializers: Sequence[str] = ()
    ) -> None:
        kind = repr((_own_version(), str(Path.cwd()), [str(root) for root in roots], sorted(questions), initializers))
        self._path = folder / f"{OWN}{_digest(os.fsencode(kind)).hex()}.msgpack"
        self._roots = [str(root) for root in roots]
        self._began = time.time_ns()
        self._changed = False
        self._late: set[int] = set()  # files that were written, or put there, since the run began
        self._store = self._read()
        self._numbers = {name: number for number, name in enumerate(self._store.names)}
        self._positions = {asked.search: position for position, asked in enumerate(self._store.searches)}
        self._drop_what_no_longer_holds()

    def __contains__(self, filename: str) -> bool:
        """Whether a file needs no reading."""
        return filename in self._store.entries

    def reading(self, filename: str) -> Reading:
        """What a file shows."""
        return Reading(filename=filename, observation=self._store.entries[filename].observation)

    def keep(self, readings: Iterable[Reading]) -> None:
        """Take in what was read, and write everything down if anything is new."""
        unsettled = set()
        for reading in readings:
            self._changed = True
            own, *others = (self._number(name) for name in (reading.filename, *reading.files))
            answers = tuple(self._search(answer) for answer in reading.answers)
            self._store.entries[reading.filename] = Entry(reading.observation, tuple(others), answers)
            failed = reading.observation is not None and reading.observation.error is not None
            if failed or not self._late.isdisjoint((own, *others)):
                unsettled.add(reading.filename)
        if self._changed:
            self._write(without=unsettled)

    # What no longer holds

    def _drop_what_no_longer_holds(self) -> None:
        store = self._store
        changed = {number for number in range(len(store.names)) if self._has_changed(number)}
        listings = {root: _listing(root) for root in self._roots}
        moved = any(listings[root] != store.listings.get(root) for root in self._roots) or any(
            tuple(entry.path for entry in python_files(folder)) != tuple(store.names[n] for n in numbers)
            for folder, numbers in store.folders.items()
        )
        if moved:
            store.listings, store.folders, store.searches, self._positions = listings, {}, [], {}
        elif not changed:
            return
        self._changed = True
        answers = set() if moved else self._answered_otherwise(changed)
        store.entries = {
            name: entry
            for name, entry in store.entries.items()
            if self._numbers[name] not in changed
            and not (moved and entry.linked)
            and changed.isdisjoint(entry.files)
            and answers.isdisjoint(entry.searches)
        }

    def _has_changed(self, number: int) -> bool:
        """Whether a file's content is another; a new time alone is noted and forgiven."""
        store, old = self._store, self._store.stamps[number]
        now = _status(store.names[number])
        if now == (old.time, old.size) and old.time < store.written - SETTLED:
            return False
        new = _stamp(store.names[number])
        if new != old or old.time >= store.written - SETTLED:
            store.stamps[number] = new
            self._changed = True
        return new.digest != old.digest or new.size != old.size

    def _answered_otherwise(self, changed: set[int]) -> set[int]:
        """The searches that one of the changed files now answers in another way."""
        store = self._store
        contents = {number: _bytes(store.names[number]) for number in changed}
        below = {folder: changed.intersection(numbers) for folder, numbers in store.folders.items()}
        return {
            position
            for position, asked in enumerate(store.searches)
            for number in below.get(asked.search.folder, ())
            if asked.search.finds(contents[number]) != (number in asked.found)
        }

    # Numbers

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = number = len(self._store.names)
            self._store.names.append(name)
            self._store.stamps.append(_stamp(name))
            if _put_there(name) >= self._began:
                self._late.add(number)
        return self._numbers[name]

    def _search(self, answer: Answer) -> int:
        search = answer.search
        if search not in self._positions:
            if search.folder not in self._store.folders:
                below = tuple(self._number(entry.path) for entry in python_files(search.folder))
                self._store.folders[search.folder] = below
            self._positions[search] = len(self._store.searches)
            self._store.searches.append(Asked(search, frozenset(self._number(name) for name in answer.found)))
        return self._positions[search]

    # The file

    def _read(self) -> Store:
        """What is stored; nothing when it cannot be read, or is not what was written, whatever the reason."""
        try:
            raw = memoryview(self._path.read_bytes())
        except OSError:
            return Store()
        content, digest = raw[:-DIGEST_SIZE], raw[-DIGEST_SIZE:]
        return msgspec.msgpack.decode(content, type=Store) if _digest(content) == digest else Store()

    def _write(self, without: set[str]) -> None:
        """Replace the file as a whole. A folder that cannot be written costs the next run its time, and nothing else.

        Left out is what was decided by files that changed meanwhile.
        """
        entries = {name: entry for name, entry in self._store.entries.items() if name not in without}
        store = msgspec.structs.replace(self._store, written=self._began, entries=entries)
        store.listings = {root: _listing(root) for root in self._roots}
        with contextlib.suppress(OSError, UnicodeEncodeError):  # the latter for file names that are no text
            make_folder(self._path.parent)
            content = msgspec.msgpack.encode(store)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=OWN, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.write(_digest(content))
                os.replace(temporary, self._path)  # noqa: PTH105
            except BaseException:
                os.unlink(temporary)  # noqa: PTH108
                raise


def make_folder(folder: Path) -> None:
    """A folder that tells version control and backups to leave it alone; nothing is said for what else lies there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for name, text in MARKS.items():
            (folder / name).write_text(text, encoding="utf-8")


def remove(folder: Path) -> bool:
    """Remove what a cache wrote, and the folder when nothing else is in it; False when nothing here is of a cache."""
    own = [path for path in folder.iterdir() if _OWN_FILE.fullmatch(path.name)]
    if marked := _bytes(str(folder / "CACHEDIR.TAG")) == TAG.encode():
        own += [folder / name for name, text in MARKS.items() if _bytes(str(folder / name)) == text.encode()]
    for path in own:
        path.unlink(missing_ok=True)
    if marked and not any(folder.iterdir()):
        folder.rmdir()
    return bool(own)


def _own_version() -> tuple[object, ...]:
    """What results depend on besides the code that was read: initaudit as it is, and Python."""
    package = Path(__file__).parent.parent
    own = [entry.stat() for entry in python_files(str(package))]
    return len(own), max(status.st_mtime_ns for status in own), sum(status.st_size for status in own), sys.version_info


def _listing(folder: str) -> tuple[str, ...]:
    """The names in a folder that an import could lead to."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return ()
    return tuple(sorted(name for name in names if name.endswith(".py") or ("." not in name and name != "__pycache__")))


def _status(name: str) -> tuple[int, int]:
    try:
        status = os.stat(name)  # noqa: PTH116 (called for every file of a run)
    except OSError:
        return 0, -1
    return status.st_mtime_ns, 0 if S_ISDIR(status.st_mode) else status.st_size


def _put_there(name: str) -> int:
    """When a file was written, or an older one was moved to its place."""
    try:
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return 0
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _stamp(name: str) -> Stamp:
    """The stamp of a file as it is now. One that cannot be read is as good as gone: it may become readable."""
    time_and_size = _status(name)
    try:
        is_folder = os.path.isdir(name)  # noqa: PTH112
        content = os.fsencode("\n".join(_listing(name))) if is_folder else Path(name).read_bytes()
        return Stamp(*time_and_size, _digest(content))
    except OSError:
        return Stamp(0, -1)


def _bytes(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError:
        return b""


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
