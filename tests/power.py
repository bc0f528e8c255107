"""Power cuts: a journal of all that a service did to its files, and the disk as a cut at any moment would leave it."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.servers import Barograph

SOURCE = Path(__file__).with_name("powercut.c")
_HEAD = struct.Struct("<cIQI")
SECTOR = 512


def compile_shim(cc: str, folder: Path) -> Path:
    """The shared object for LD_PRELOAD."""
    made = folder / "powercut.so"
    argv = [cc, "-O1", "-shared", "-fPIC", "-w", "-o", str(made), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(argv, check=True, timeout=60)
    return made


@contextmanager
def journalled(home: Path, shim: Path, config: str, **options: Any) -> Iterator[tuple[Barograph, Path]]:
    """A service, not started, that writes down what it does to the files of its folder, and where; killed at the end.

    While there is a file `trouble` in its folder its disk fails, as powercut.c says.
    """
    home.mkdir(exist_ok=True)
    service, log = Barograph(home, config, **options), home / "journal"
    service.env |= {
        "LD_PRELOAD": str(shim),
        "POWERCUT_FOLDER": str(home),
        "POWERCUT_LOG": str(log),
        "POWERCUT_TROUBLE": str(home / "trouble"),
    }
    try:
        yield service, log
    finally:
        service.kill9()
        sys.stdout.write(service.log[-20_000:])


@dataclass(frozen=True, slots=True)
class Act:
    """One record of the journal: what was done to which file, where, with which bytes; `place` is its own in it."""

    what: str
    file: int
    at: int
    content: bytes
    place: int


def journal(path: Path) -> list[Act]:
    """All that was done, in order; a record that the end of the process cut off is left out."""
    raw, at, acts = path.read_bytes(), 0, []
    while at + _HEAD.size <= len(raw):
        what, file, offset, length = _HEAD.unpack_from(raw, at)
        content = raw[at + _HEAD.size : at + _HEAD.size + length]
        if len(content) < length:
            break
        acts.append(Act(what.decode(), file, offset, content, at))
        at += _HEAD.size + length
    return acts


@dataclass(slots=True)
class Platter:
    """One file: what a sync has made sure of, and what was done to it since."""

    sure: bytearray
    since: list[Act] = field(default_factory=list)

    def sync(self, upto: int) -> None:
        """All that was done before this place of the journal is sure."""
        for act in [a for a in self.since if a.place < upto]:
            _do(self.sure, act)
        self.since = [a for a in self.since if a.place >= upto]

    def after_a_cut(self, chance: random.Random | None) -> bytes:
        """What is on the disk: what is sure, and, given a chance, any of the sectors that were written since."""
        left = bytearray(self.sure)
        for act in self.since if chance else ():
            assert chance is not None
            if act.what == "t":
                if chance.random() < 0.5:
                    _do(left, act)
                continue
            for start in range(0, len(act.content), SECTOR):
                if chance.random() < 0.5:
                    part = act.content[start : start + SECTOR]
                    _do(left, Act("w", act.file, act.at + start, part, act.place))
        return bytes(left)


def _do(content: bytearray, act: Act) -> None:
    if act.what == "t":
        del content[act.at :]
        content.extend(bytes(act.at - len(content)))
        return
    content.extend(bytes(max(0, act.at - len(content))))
    content[act.at : act.at + len(act.content)] = act.content


class Disk:
    """The files of a folder, played forward act by act."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` are what was there, and sure, before the first act; names are whole paths."""
        self.files = {name: Platter(bytearray(content)) for name, content in files.items()}
        self.acknowledged: list[str] = []
        self._names: dict[int, str] = {}

    def do(self, act: Act) -> None:
        """One act."""
        if act.what == "a":
            self.acknowledged.append(act.content.decode())
        elif act.what == "o":
            name = self._names[act.file] = act.content.decode()
            platter = self.files.setdefault(name, Platter(bytearray()))
            if act.at:
                platter.since.append(Act("t", act.file, 0, b"", act.place))
        elif act.what == "u":
            self.files.pop(act.content.decode(), None)
        elif (platter_of := self.files.get(self._names[act.file])) is not None:
            if act.what == "s":
                platter_of.sync(act.at)
            else:
                platter_of.since.append(act)

    def leave(self, folder: Path, chance: random.Random | None) -> None:
        """Write into a folder what a power cut at this moment leaves; all mapped memory is gone."""
        for name, platter in self.files.items():
            if not name.endswith("-shm"):
                (folder / Path(name).name).write_bytes(platter.after_a_cut(chance))


@dataclass(frozen=True, slots=True)
class Run:
    """What a service did between two moments, and the files that it began with."""

    began_with: Mapping[str, bytes]
    acts: list[Act]

    @classmethod
    def of(cls, began_with: Mapping[str, bytes], path: Path) -> Self:
        """Read from the journal of a service that has ended."""
        return cls(began_with, journal(path))

    def cuts(self, count: int, chance: random.Random) -> Iterator[Disk]:
        """The disk at so many moments drawn at random, in their order: look at each before the next is asked for."""
        moments = sorted(chance.sample(range(1, len(self.acts)), min(count, len(self.acts) - 1)))
        disk, done = Disk(self.began_with), 0
        for moment in moments:
            for act in self.acts[done:moment]:
                disk.do(act)
            done = moment
            yield disk
