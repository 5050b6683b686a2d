"""What many examples have in common is done once, and each goes on from there in a process of its own: a fork of this
one, whose memory is a copy, with the folder put back afterwards as it was."""

import os
import pickle
import traceback
import warnings
from collections.abc import Callable
from shutil import copytree, rmtree
from typing import TypeVar

from tests.properties.protocol_world import World

T = TypeVar("T")


def from_here(world: World, go_on: Callable[[], T]) -> T:
    """What ``go_on`` returns, which may do anything to ``world``: here it is as it was. Raises AssertionError with the
    traceback of whatever it raises."""
    kept = world.root.with_name(f"{world.root.name}-kept")
    # No file is written in its place, so that a second name for it is a copy, which even keeps its inode.
    copytree(world.root, kept, copy_function=os.link)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on: that there are threads. Those of the world are its loop's, which the child makes anew.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _answer(world, go_on, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    rmtree(world.root, ignore_errors=True)
    kept.rename(world.root)
    assert status == 0, f"the process ended with {status}"
    result, error = pickle.loads(answer)  # noqa: S301 - from our own process
    assert error is None, f"in a process of its own:\n{error}"
    found: T = result
    return found


def _answer(world: World, go_on: Callable[[], object], writing: int) -> None:
    """In the child; it never returns."""
    try:
        world.is_forked()
        answer: tuple[object, str | None]
        try:
            answer = go_on(), None
        except BaseException:
            answer = None, traceback.format_exc()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    finally:
        os._exit(1)
