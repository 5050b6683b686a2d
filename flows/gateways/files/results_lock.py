"""Who may put results in their places at a moment: settlements, of which the pass lock lets only one run, or a person
who corrects one. A correction must not be overwritten by an answer that was held against what lay there before.

The lock is the system's on a file of the collection, and ends with its process. Where a file system knows none, those
who write look again just before.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from assets.domain.errors import LockBusyError
from flows.gateways.files.atomic import naming
from flows.gateways.files.creation import LOCK_NAME
from flows.gateways.files.refusals import NOT_LOCKED

PATIENCE_SECONDS = 10.0
"""An answer, or a group of them, is in its place within a moment; a slow share may take some seconds."""
_ASKED_AGAIN_SECONDS = 0.05


@contextmanager
def placing_answers(manifests: Path) -> Iterator[None]:
    """For a settlement: while it looks what lies there and puts an answer in its place. Waits for whoever corrects.
    Raises OSError."""
    with _opened(manifests) as file:
        _flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def correcting(manifests: Path, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """For a person's correction: nobody else writes a result meanwhile. Raises LockBusyError, OSError."""
    with _opened(manifests) as file:
        until = time.monotonic() + patience_seconds
        while True:
            try:
                _flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise LockBusyError(
                        "results", "results are being written by a pass, or by another person; save it again"
                    ) from None
            time.sleep(_ASKED_AGAIN_SECONDS)
        yield


@contextmanager
def _opened(manifests: Path) -> Iterator[IO[bytes]]:
    """The file of the lock; its bytes mean nothing."""
    path = manifests / LOCK_NAME
    with naming(path), path.open("ab") as file:
        yield file


def _flock(file: IO[bytes], how: int) -> None:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NOT_LOCKED:
            raise
