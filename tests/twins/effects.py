"""What a process does to the world outside, effect by effect, so that a test can step in between any two of them: end
the process there, or let somebody else act. The twins count their calls here; effects on files come from `os` itself,
which `file_effects` wraps for the time of a run.
"""

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flows.gateways.files import syncing

FILE_EFFECTS = ("replace", "link", "unlink", "fsync")
SYNCS = ("fsync", "syncfs")


class Crash(BaseException):
    """The process has ended. No ``except Exception`` stops it, and no effect comes after it: what a ``finally`` still
    tries leaves no trace either, as after a kill."""


class When(StrEnum):
    """What must hold for an interruption to strike; until then it waits for a later effect."""

    ANY = "any"
    BETWEEN_CHANGES = "between changes"  # nobody holds the ledger lock: not within a change of the Variables
    AT_A_CALL = "at a call"  # before a call of Gemini's, where an action can wait for others


Action = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Point:
    """Before the effect ``number`` of a run, counted from 1; with ``what``, of those by that name."""

    number: int
    what: str | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """``at``: where it strikes, or at the first effect after it at which it can."""

    at: Point
    action: Action
    when: When = When.ANY


class Effects:
    """``log``: the effects since the run began, by name; ``is_dead``: the process has ended; ``is_running``: a run is
    under way; ``is_changing``: whether a change of the Variables is."""

    def __init__(self, is_changing: Callable[[], bool]) -> None:
        self.log: list[str] = []
        self.is_dead = False
        self.is_running = False
        self._is_changing = is_changing
        self._waiting: list[Interruption] = []
        self._due: list[Interruption] = []
        self._is_paused = True

    def begin(self, interruptions: Sequence[Interruption]) -> None:
        """A new run of a new process."""
        self.log, self.is_dead, self.is_running, self._is_paused = [], False, True, False
        self._waiting, self._due = list(interruptions), []

    def end(self) -> None:
        """The run is over: what comes now is not counted. What did not strike never will."""
        self.is_running, self._is_paused = False, True

    def crash(self) -> None:
        """The action of an interruption: the process ends here."""
        self.is_dead = True

    def before(self, what: str) -> None:
        """An effect is about to happen that nobody can wait at."""
        if self._is_paused:
            return
        self._step(what)
        for each in self._striking(When.ANY, When.BETWEEN_CHANGES):
            self._act(each)
        self._check()

    async def before_call(self, what: str) -> None:
        """A call is about to be made."""
        if self._is_paused:
            return
        self._step(what)
        for each in self._striking(*When):
            done = self._act(each)
            if done is not None:
                self._is_paused = True
                try:
                    await done
                finally:
                    self._is_paused = False
        self._check()

    @property
    def count(self) -> int:
        """The number of the effect that is about to happen, or happened last."""
        return len(self.log)

    def _step(self, what: str) -> None:
        self._check()
        self.log.append(what)
        if self._waiting:
            counts = {None: len(self.log), what: self.log.count(what)}
            self._due += [each for each in self._waiting if counts.get(each.at.what) == each.at.number]
            self._waiting = [each for each in self._waiting if each not in self._due]

    def _check(self) -> None:
        if self.is_dead:
            raise Crash

    def _striking(self, *kinds: When) -> list[Interruption]:
        if not self._due:
            return []
        can = [kind for kind in kinds if kind is When.ANY or not self._is_changing()]
        striking = [each for each in self._due if each.when in can]
        self._due = [each for each in self._due if each not in striking]
        return striking

    def _act(self, interruption: Interruption) -> Awaitable[None] | None:
        self._is_paused = True
        try:
            return interruption.action()
        finally:
            self._is_paused = False


@contextmanager
def file_effects(effects: Effects) -> Iterator[None]:
    """For the time of the block, what this process does to files counts. Nothing is synced: memory needs none. Two
    results are a group, as hundreds are elsewhere."""
    places: list[tuple[Any, str]] = [(os, name) for name in FILE_EFFECTS] + [(syncing, "syncfs")]
    before = [(module, name, getattr(module, name)) for module, name in (*places, (syncing, "FEWEST"))]

    def wrapped(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def effect(*args: object, **options: object) -> object:
            effects.before(name)
            return None if name in SYNCS else call(*args, **options)

        return effect

    for module, name in places:
        setattr(module, name, wrapped(name, getattr(module, name)))
    syncing.FEWEST = 2
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
