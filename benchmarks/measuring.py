"""What one process takes: wall clock, CPU and the most memory.

    python benchmarks/measuring.py ARGUMENTS OF PYTHON

runs Python with these arguments and prints, as its last line, what that took, or what the process itself printed as its
own last line by ``with measured() as figures:``. Wall and CPU are in seconds; CPU is that of the process and of all its
children that it has waited for; the peak in bytes is that of the largest single process among them.

A process of its own, and small: a process inherits the peak of the one that starts it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


@contextmanager
def measured() -> Iterator[Figures]:
    """Measure what stands in the block and print it as one line; for the part of a process that is compared.
    The caller may add figures of its own: ``n``, how much was done, or ``calls``."""
    figures: Figures = {}
    wall, cpu = time.perf_counter(), _cpu_seconds()
    yield figures
    taken = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": _cpu_seconds() - cpu}
    print(json.dumps({**taken, "peak_bytes": _peak_bytes(), **figures}), flush=True)


def _cpu_seconds() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _peak_bytes() -> int:
    """Of the process since it began, or of the largest child."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    status = Path("/proc/self/status")
    if not status.exists():
        return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return max(children, int(line.split()[1]) * 1024)


def main(arguments: list[str]) -> int:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures: Figures = {
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }
    *before, last = said.splitlines() or [""]
    try:
        own = json.loads(last)
    except ValueError:
        own = None
    if isinstance(own, dict):
        figures |= own
    else:
        before.append(last)
    sys.stderr.write("".join(f"{line}\n" for line in before if line))
    print(json.dumps(figures))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
