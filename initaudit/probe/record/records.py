"""The recorded life of a storage: its allocation, its writes, and the sources of its values."""

from __future__ import annotations

from initaudit.probe.record.lines import Caused
from initaudit.probe.record.storages import StorageReference
from initaudit.schemes import Distribution


class Written:
    """One write.

    ``shape`` is that of the tensor it was given, ``whole`` says whether that was the whole storage, ``overwrites``
    whether it replaced what was there, ``distribution`` what it left there, and ``copied`` what had made the values
    that it copied.
    """

    __slots__ = ("by", "caused", "copied", "distribution", "overwrites", "shape", "whole")

    def __init__(
        self,
        by: str,
        caused: Caused,
        shape: tuple[int, ...],
        *,
        whole: bool,
        overwrites: bool,
        distribution: Distribution | None,
        copied: str | None = None,
    ) -> None:
        self.by = by
        self.caused = caused
        self.copied = copied
        self.shape = shape
        self.whole = whole
        self.overwrites = overwrites
        self.distribution = distribution


class Record:
    """One storage.

    ``raw`` says that its allocation wrote nothing, ``distribution`` what its allocation wrote, and ``inherited`` is
    the record of raw memory from which its values were computed. ``copying`` is who made it as a copy of another one.
    ``origin`` is the memory whose elements it was made of, ``unread`` the last write that nothing has read. ``lent``
    says that numpy was given the memory, whose writes are not seen.
    """

    __slots__ = (
        "call", "caused", "copying", "distribution", "inherited", "lent", "origin", "raw", "reference", "unread",
        "writes",
    )  # fmt: skip

    def __init__(self, reference: StorageReference, call: str, caused: Caused, *, raw: bool) -> None:
        self.reference = reference
        self.call = call
        self.caused = caused
        self.copying: Caused | None = None
        self.raw = raw
        self.distribution: Distribution | None = None
        self.inherited: Record | None = None
        self.writes: list[Written] = []
        self.origin: Record | None = None
        self.unread: Written | None = None
        self.lent = False

    def copied(self, reference: StorageReference, by: Caused) -> Record:
        """The life of a copy: all that led to its values."""
        copy = Record(reference, self.call, self.caused, raw=self.raw)
        copy.distribution = self.distribution
        copy.inherited = self.inherited
        copy.copying = by
        copy.writes = list(self.writes)
        copy.lent = self.lent
        return copy

    @property
    def overwritten(self) -> bool:
        """Whether some write replaced all elements."""
        return any(write.whole and write.overwrites for write in self.writes)

    @property
    def garbage(self) -> Record | None:
        """The raw memory whose content may be in here: this, unless some write replaced all of it, or another."""
        return self.inherited or (self if self.raw and not self.overwritten else None)

    def wrote(self, write: Written, garbage: Record | None) -> None:
        """Take note of a write, with values that may come from raw memory."""
        if write.whole and write.overwrites:
            self.inherited = garbage
        else:
            self.inherited = self.inherited or garbage
        self.writes.append(write)
        self.unread = write

    @property
    def made_by(self) -> str:
        """The call that the present values come from."""
        return (self.writes[-1].copied or self.writes[-1].by) if self.writes else self.call

    def layers(self) -> tuple[Written | None, tuple[Written, ...]]:
        """The last write of all elements, if there was one, and the writes of parts after it."""
        last = next((index for index in reversed(range(len(self.writes))) if self.writes[index].whole), None)
        if last is None:
            return None, tuple(self.writes)
        return self.writes[last], tuple(self.writes[last + 1 :])

    def known(self) -> Distribution | None:
        """What all elements were drawn from, when that is one thing."""
        whole, parts = self.layers()
        if parts:
            return None
        return whole.distribution if whole is not None else self.distribution
