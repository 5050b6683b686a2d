"""What a process has started, and the memory that all of it takes, as Linux tells in /proc."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SAMPLE_SECONDS = 0.03


def descendants(pid: int) -> list[int]:
    """Children, their children and so on that run; what has ended and waits to be noticed does not count."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name may hold blanks and brackets.
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def renderers(pid: int) -> list[int]:
    """Those of its descendants that render PDFs."""
    return [each for each in descendants(pid) if _is_renderer(each)]


def resident_bytes(pid: int) -> int:
    """What a process takes in memory, pages that it shares with others included; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _is_renderer(pid: int) -> bool:
    with suppress(OSError):
        return b"gateways/pdf/pages.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


class Peak:
    """``bytes``: the most that a process and all below it took together."""

    bytes = 0


@contextmanager
def peak_memory(pid: int, which: Callable[[int], list[int]] | None = None) -> Iterator[Peak]:
    """Look thirty times a second while the block runs. ``which``: those below ``pid`` that count alone."""
    peak, ended = Peak(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            peak.bytes = max(peak.bytes, sum(map(resident_bytes, which(pid) if which else [pid, *descendants(pid)])))
            time.sleep(SAMPLE_SECONDS)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
