"""The cache: results of earlier runs, which are reused while they are valid.

A result is valid as long as the content of the files that it depends on is the same, nothing appeared at or disappeared
from its paths, and its searches find the same files. There is one file per kind of run, which is replaced as a whole:
runs that share a folder, or are killed, lose at most their own results.
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
from stat import S_ISREG

import msgspec

from initaudit.analyzer.file.layout import python_files, what_is_at
from initaudit.analyzer.file.reading import Answer, Reading, Search
from initaudit.observation import Observation, Question
from initaudit.version import own_digest

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Kept by initaudit; safe to remove. See https://bford.info/cachedir/\n"
MARKS = {".gitignore": "*\n", "CACHEDIR.TAG": TAG}
OWN = "initaudit-"
_OWN_FILE = re.compile(OWN + r"([0-9a-f]{32}\.msgpack|[a-z0-9_]+\.tmp)")
"""The names of the cache's own files; the folder may contain others."""
DIGEST_SIZE = 16
SETTLED = 2_000_000_000
"""Nanoseconds: a file that was written this shortly before it was read may change again without a new time stamp."""
MAX_KINDS = 32
"""Maximum number of kinds of run in a folder; the oldest are removed first."""
ABANDONED = 3600
"""Seconds after which an unfinished file counts as left behind by a killed run."""


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """The state of a file; size -1 if it is missing or unreadable.

    ``time`` and ``changed`` are the modification and inode change times, in nanoseconds.
    """

    time: int = 0
    size: int = -1
    inode: int = 0
    changed: int = 0
    digest: bytes = b""

    @property
    def status(self) -> tuple[int, int, int, int]:
        """Return what identifies an unchanged file without reading it."""
        return self.time, self.size, self.inode, self.changed

    @property
    def written(self) -> int:
        """Return the time when it was written or moved to its place."""
        return max(self.time, self.changed)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The result of a file, and the numbers of the files, places and searches that it depends on."""

    observation: Observation | None
    files: tuple[int, ...]
    places: tuple[int, ...]
    searches: tuple[int, ...]


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A search, and the numbers of the files that it found."""

    search: Search
    found: frozenset[int]


class Store(msgspec.Struct, array_like=True):
    """The stored data: results, files, places and searches, referred to by number."""

    written: int = 0
    names: list[str] = []
    stamps: list[Stamp] = []
    places: list[tuple[str, int]] = []
    folders: dict[str, tuple[int, ...]] = {}
    searches: list[Asked] = []
    entries: dict[str, Entry] = {}


class Cache:
    """The results of one kind of run: the same questions, roots, working folder and links, and the same initaudit."""

    def __init__(
        self,
        folder: Path,
        roots: Sequence[Path],
        questions: frozenset[Question],
        initializers: Sequence[str] = (),
        linked: Sequence[str] = (),
    ) -> None:
        own = own_digest(), sys.version_info
        kind = repr((own, str(Path.cwd()), [str(root) for root in roots], sorted(questions), initializers, linked))
        self._kind = _digest(os.fsencode(kind))
        self._path = folder / f"{OWN}{self._kind.hex()}.msgpack"
        self._began = _now()
        self._changed = False
        self._late: set[int] = set()  # files that were written or moved there during the run
        self._store = self._read()
        self._number_all()
        self._drop_what_no_longer_holds()

    def __contains__(self, filename: str) -> bool:
        """Whether the result of a file is valid."""
        return filename in self._store.entries

    def reading(self, filename: str) -> Reading:
        """Return the result of a file."""
        return Reading(filename=filename, observation=self._store.entries[filename].observation)

    def keep(self, readings: Iterable[Reading]) -> None:
        """Add new results, and write the store if anything is new."""
        unsettled = set()
        for reading in readings:
            self._changed = True
            own, *others = (self._number(name) for name in (reading.filename, *reading.files))
            answers = tuple(self._search(answer) for answer in reading.answers)
            places = tuple(self._place(path, there) for path, there in reading.places.items())
            self._store.entries[reading.filename] = Entry(reading.observation, tuple(others), places, answers)
            failed = reading.observation is not None and reading.observation.error is not None
            seen = list(reading.places.items())
            moved = [self._store.places[place] for place in places] != seen
            if failed or moved or not self._late.isdisjoint((own, *others)):
                unsettled.add(reading.filename)
        if self._changed:
            self._write(without=unsettled)

    # Invalid results

    def _drop_what_no_longer_holds(self) -> None:
        store = self._store
        changed = {number for number in range(len(store.names)) if self._has_changed(number)}
        elsewhere = {number for number, place in enumerate(store.places) if self._is_another(number, place)}
        answers = self._answered_otherwise(changed)
        if changed or elsewhere or answers:
            self._changed = True
            store.entries = {
                name: entry
                for name, entry in store.entries.items()
                if self._numbers[name] not in changed
                and changed.isdisjoint(entry.files)
                and elsewhere.isdisjoint(entry.places)
                and answers.isdisjoint(entry.searches)
            }
            self._forget_the_rest()

    def _has_changed(self, number: int) -> bool:
        """Whether the content of a file changed; if only its stamp changed, the new stamp is stored."""
        store, old = self._store, self._store.stamps[number]
        if _status(store.names[number]) == old.status and old.written < store.written - SETTLED:
            return False
        new = _stamp(store.names[number])
        if new != old or old.written >= store.written - SETTLED:
            store.stamps[number] = new
            self._changed = True
        return new.digest != old.digest or new.size != old.size

    def _is_another(self, number: int, place: tuple[str, int]) -> bool:
        """Whether something appeared at a path or disappeared from it."""
        path, before = place
        if (now := what_is_at(path)) == before:
            return False
        self._store.places[number] = path, now
        return True

    def _answered_otherwise(self, changed: set[int]) -> set[int]:
        """Return the searches that find other files than before."""
        store = self._store
        suspects: dict[str, set[int]] = {}
        for folder, before in store.folders.items():
            below = tuple(self._number(entry.path) for entry in python_files(folder))
            suspects[folder] = set(before).symmetric_difference(below) | changed.intersection(below)
            store.folders[folder] = below
        numbers = set().union(*suspects.values())
        contents = {number: _bytes(store.names[number]) for number in numbers}
        there = {folder: set(below) for folder, below in store.folders.items()}
        return {
            position
            for position, asked in enumerate(store.searches)
            for number in suspects[asked.search.folder]
            if (number in there[asked.search.folder] and asked.search.finds(contents[number]))
            != (number in asked.found)
        }

    def _forget_the_rest(self) -> None:
        """Remove the files, places and searches that no result depends on any longer."""
        old, entries = self._store, self._store.entries
        self._store = store = Store(written=old.written)
        searches = {number for entry in entries.values() for number in entry.searches}
        folders = {old.searches[number].search.folder for number in searches}
        files = {number for folder in folders for number in old.folders[folder]}
        files.update(number for name, entry in entries.items() for number in (self._numbers[name], *entry.files))
        places = {number for entry in entries.values() for number in entry.places}
        file, place, search = (
            {number: position for position, number in enumerate(sorted(kept))} for kept in (files, places, searches)
        )
        store.names = [old.names[number] for number in file]
        store.stamps = [old.stamps[number] for number in file]
        store.places = [old.places[number] for number in place]
        store.folders = {folder: tuple(file[number] for number in old.folders[folder]) for folder in folders}
        store.searches = [
            Asked(asked.search, frozenset(file[number] for number in asked.found))
            for asked in (old.searches[number] for number in search)
        ]
        store.entries = {
            name: Entry(
                entry.observation,
                tuple(file[number] for number in entry.files),
                tuple(place[number] for number in entry.places),
                tuple(search[number] for number in entry.searches),
            )
            for name, entry in entries.items()
        }
        self._number_all()

    # Numbers

    def _number_all(self) -> None:
        store = self._store
        self._numbers = {name: number for number, name in enumerate(store.names)}
        self._places = {path: number for number, (path, _) in enumerate(store.places)}
        self._positions = {asked.search: position for position, asked in enumerate(store.searches)}

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = number = len(self._store.names)
            self._store.names.append(name)
            self._store.stamps.append(stamp := _stamp(name))
            if stamp.written >= self._began:
                self._late.add(number)
        return self._numbers[name]

    def _place(self, path: str, there: int) -> int:
        if path not in self._places:
            self._places[path] = len(self._store.places)
            self._store.places.append((path, there))
        return self._places[path]

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
        """Return the stored data; an empty store if it is unreadable or damaged."""
        raw = memoryview(_bytes(str(self._path)))
        content, digest = raw[:-DIGEST_SIZE], raw[-DIGEST_SIZE:]
        if _digest(content, self._kind) != digest:
            return Store()
        try:
            store = msgspec.msgpack.decode(content, type=Store)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return Store()
        return store if _is_sound(store) else Store()

    def _write(self, without: set[str]) -> None:
        """Replace the file as a whole; a folder that cannot be written is no error.

        Results that depend on files that changed during the run are left out.
        """
        entries = {name: entry for name, entry in self._store.entries.items() if name not in without}
        store = msgspec.structs.replace(self._store, written=self._began, entries=entries)
        with contextlib.suppress(OSError, UnicodeEncodeError):  # the latter for file names that are no text
            make_folder(self._path.parent)
            content = msgspec.msgpack.encode(store)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=OWN, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.write(_digest(content, self._kind))
                os.replace(temporary, self._path)  # noqa: PTH105
            except BaseException:
                os.unlink(temporary)  # noqa: PTH108
                raise
            _tidy(self._path.parent)


def _is_sound(store: Store) -> bool:
    """Whether every number in a store refers to something in it."""
    files, places, searches = len(store.names), len(store.places), len(store.searches)
    own = set(store.names)
    return (
        len(store.stamps) == files
        and all(_below(files, numbers) for numbers in store.folders.values())
        and all(asked.search.folder in store.folders and _below(files, asked.found) for asked in store.searches)
        and all(
            name in own
            and _below(files, entry.files)
            and _below(places, entry.places)
            and _below(searches, entry.searches)
            and (entry.observation is None or entry.observation.source == name)
            for name, entry in store.entries.items()
        )
    )


def _below(count: int, numbers: Iterable[int]) -> bool:
    return all(0 <= number < count for number in numbers)


def _tidy(folder: Path) -> None:
    """Remove unfinished files of killed runs, and the oldest results if there are too many kinds of run."""
    files = [(path.stat().st_mtime, path) for path in folder.iterdir() if _OWN_FILE.fullmatch(path.name)]
    results = sorted((one for one in files if one[1].suffix == ".msgpack"), reverse=True)
    unfinished = [path for written, path in files if path.suffix == ".tmp" and written < time.time() - ABANDONED]
    for path in (*unfinished, *(path for _, path in results[MAX_KINDS:])):
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create the folder; an empty one is marked to be ignored by version control and backups."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for name, text in MARKS.items():
            (folder / name).write_text(text, encoding="utf-8")


def remove(folder: Path) -> bool:
    """Remove the files of the cache, and the folder if it is empty then. Returns whether there were any."""
    own = [path for path in folder.iterdir() if _OWN_FILE.fullmatch(path.name)]
    if marked := _bytes(str(folder / "CACHEDIR.TAG")) == TAG.encode():
        own += [folder / name for name, text in MARKS.items() if _bytes(str(folder / name)) == text.encode()]
    for path in own:
        path.unlink(missing_ok=True)
    if marked and not any(folder.iterdir()):
        folder.rmdir()
    return bool(own)


def _now() -> int:
    """Return the time in nanoseconds by the clock of file systems, which is up to ten milliseconds behind."""
    clock = getattr(time, "CLOCK_REALTIME_COARSE", None)
    return time.time_ns() if clock is None else time.clock_gettime_ns(clock)


def _status(name: str) -> tuple[int, int, int, int]:
    try:
        status = os.stat(name)  # noqa: PTH116 (called for every file of a run)
    except (OSError, ValueError):
        return Stamp().status
    if not S_ISREG(status.st_mode):
        return Stamp().status
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns


def _stamp(name: str) -> Stamp:
    """Return the present stamp of a file. An unreadable file counts as missing, since it may become readable."""
    status = _status(name)
    if status == Stamp().status:
        return Stamp()
    try:
        return Stamp(*status, _digest(Path(name).read_bytes()))
    except OSError:
        return Stamp()


def _bytes(name: str) -> bytes:
    """Return the content of a file; empty if it is no file or unreadable."""
    try:
        return Path(name).read_bytes() if what_is_at(name) == 1 else b""
    except OSError:
        return b""


def _digest(content: bytes | memoryview, key: bytes = b"") -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE, key=key).digest()
