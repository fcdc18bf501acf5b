"""A disk that may lose its power: what was written and what was synced, kept apart.

Files are known by number, as a file system knows them; names lead to them and have to be synced as well. Until a sync a change
is only on its way: when the power fails, any part of it may have arrived, in any order, torn at a sector's edge. A write never
damages bytes beside it (SQLite calls that powersafe overwrite, and counts on it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

__all__ = ["EVERYTHING", "NOTHING", "Change", "Forget", "Name", "Platter", "Sync", "SyncNames", "Truncate", "Write"]

NOTHING: Final = 0
"""The seed with which nothing survives that was not synced."""

EVERYTHING: Final = 1
"""The seed with which everything survives that was written."""

_SHARES: Final = (0.1, 0.5, 0.9, 0.98)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset of a file."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file's new, smaller size."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name in the folder leads to this file from now on, or to none."""

    name: str
    file: int | None


@dataclass(frozen=True, slots=True)
class Sync:
    """A file's contents are on the disk; its names need not be."""

    file: int


@dataclass(frozen=True, slots=True)
class SyncNames:
    """The folder's names are on the disk."""


@dataclass(frozen=True, slots=True)
class Forget:
    """A sync of a file that failed, after which the system takes what it could not write for written: it never will be."""

    file: int


Change: TypeAlias = Write | Truncate | Name | Sync | SyncNames | Forget
_Piece: TypeAlias = Write | Truncate | Name


@dataclass(slots=True)
class Platter:
    """What is on the disk for good, what running programs see, and in order what lies between."""

    durable: dict[int, bytearray] = field(default_factory=dict)
    durable_names: dict[str, int] = field(default_factory=dict)
    seen: dict[int, bytearray] = field(default_factory=dict)
    seen_names: dict[str, int] = field(default_factory=dict)
    pending: list[_Piece] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Mapping[str, bytes]) -> Platter:
        """One with these files on it, for good."""
        files = {number: bytearray(content) for number, content in enumerate(folder.values())}
        names = {name: number for number, name in enumerate(folder)}
        return cls(files, names, deepcopy(files), dict(names))

    def copy(self) -> Platter:
        """Another one, with the same on it."""
        return deepcopy(self)

    def apply(self, change: Change) -> None:
        """Lets one thing happen."""
        match change:
            case Sync(file) | Forget(file):
                ours = [each for each in self.pending if not isinstance(each, Name) and each.file == file]
                self._settle(ours, last=isinstance(change, Sync))
            case SyncNames():
                self._settle([each for each in self.pending if isinstance(each, Name)], last=True)
            case _:
                _put(change, self.seen, self.seen_names)
                self.pending.append(change)

    def _settle(self, pieces: Sequence[_Piece], *, last: bool) -> None:
        """What is no longer on its way: it lasts, or it never will."""
        settled = {id(piece) for piece in pieces}
        self.pending = [piece for piece in self.pending if id(piece) not in settled]
        for piece in pieces if last else ():
            _put(piece, self.durable, self.durable_names)

    def visible(self) -> dict[str, bytes]:
        """The folder as running programs see it: after a process was killed nothing is lost."""
        return _folder(self.seen, self.seen_names)

    def after_power_loss(self, seed: int) -> dict[str, bytes]:
        """The folder after the power failed; the seed chooses what of the unsynced has survived."""
        files, names = {number: bytearray(content) for number, content in self.durable.items()}, dict(self.durable_names)
        if seed != NOTHING:
            draw = Random(seed)
            for piece, has_survived in self._fates(seed, draw):
                if has_survived:
                    _put(piece, files, names)
                elif seed % 3 == 0 and isinstance(piece, Write):
                    _grow(piece, files.setdefault(piece.file, bytearray()), draw)
        return _folder(files, names)

    def _fates(self, seed: int, draw: Random) -> Iterator[tuple[_Piece, bool]]:
        sector = draw.choice([512, 4096])
        pieces = [piece for each in self.pending for piece in _torn(each, sector)]
        if seed == EVERYTHING:
            return ((piece, True) for piece in pieces)
        if seed % 3 == 1:  # in order, up to some moment
            end = draw.randint(0, len(pieces))
            return ((piece, number < end) for number, piece in enumerate(pieces))
        share = draw.choice(_SHARES)
        return ((piece, draw.random() < share) for piece in pieces)


def _torn(change: _Piece, sector: int) -> Iterator[_Piece]:
    """A write as the device does it: sector by sector."""
    if not isinstance(change, Write):
        yield change
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        edge = min(end, (start // sector + 1) * sector)
        yield Write(change.file, start, change.data[start - change.offset : edge - change.offset])
        start = edge


def _put(piece: _Piece, files: dict[int, bytearray], names: dict[str, int]) -> None:
    match piece:
        case Write(file, offset, data):
            content = files.setdefault(file, bytearray())
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data
        case Truncate(file, size):
            del files.setdefault(file, bytearray())[size:]
        case Name(name, None):
            names.pop(name, None)
        case Name(name, int(file)):
            names[name] = file


def _grow(lost: Write, content: bytearray, draw: Random) -> None:
    """A write beyond a file's end that was lost, though the file's new size was not: zeros are there, or what was before."""
    end = lost.offset + len(lost.data)
    if end > len(content) and draw.random() < 0.5:
        missing = end - len(content)
        content.extend(bytes(missing) if draw.random() < 0.5 else draw.randbytes(missing))


def _folder(files: Mapping[int, bytearray], names: Mapping[str, int]) -> dict[str, bytes]:
    return {name: bytes(files.get(number, b"")) for name, number in names.items()}
