"""Run the benchmarks: ``make bench``, ``make bench QUICK=1``, ``make bench ROWS=scan,settle``, ``make bench
DATA=/a/disk``.

    python -m benchmarks.run [--quick] [--rows NAME,NAME] [--data FOLDER] [--page]

Each row (`rows`) runs both of its sides in turn, in fresh processes, on the same data. What was measured goes into
``results.json`` and the tables of docs/performance.md; ``--page`` only writes the tables anew. Ends with 1 when a bar
is not met, a figure is more than a quarter worse than in the last commit, or a side fails, and says which.

``--rows``: names of rows, or beginnings of them up to a hyphen (``scan`` is every ``scan-...``). ``--data``: where
the data is made, and stays for the next time; without it, in a temporary folder that is removed.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.results import (
    FULL,
    PAGE,
    QUICK,
    ROOT,
    file_system,
    measured_row,
    page_parts,
    page_with,
    read_committed,
    read_kept,
    said,
    shown,
    troubles,
    write_kept,
)
from benchmarks.rows import Row

MODULES: tuple[str, ...] = (
    "benchmarks.scan",
    "benchmarks.plan",
    "benchmarks.idle",
    "benchmarks.questions",
    "benchmarks.viewer",
    "benchmarks.settle",
    "benchmarks.rendering",
    "benchmarks.waves",
    "benchmarks.whole_run",
    "benchmarks.uploads",
    "benchmarks.control_calls",
)
"""Every module with rows, in the order of the table."""
PATIENCE_SECONDS = 3600


class SideError(Exception):
    """A side did not end well, or both did not do the same."""


def all_rows() -> list[Row]:
    return [row for name in MODULES for row in import_module(name).ROWS]


def chosen(rows: list[Row], names: str | None) -> list[Row]:
    """Raises SystemExit for a name that no row has."""
    if not names:
        return rows
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not any(_is_called(row, name) for row in rows):
            raise SystemExit(f"there is no row {name!r}; there are: {', '.join(row.name for row in rows)}")
    return [row for row in rows if any(_is_called(row, name) for name in wanted)]


def _is_called(row: Row, name: str) -> bool:
    return row.name == name or row.name.startswith(f"{name}-")


def run_row(row: Row, folder: Path, *, is_quick: bool) -> dict[str, Any]:
    """Prepare and run all pairs of a row. Raises SideError."""
    size = row.size_of(is_quick=is_quick)
    data = _prepared(row, folder, size)
    found: dict[str, list[Mapping[str, float]]] = {"ours": [], "theirs": []}
    sides = {"ours": row.ours} | ({"theirs": row.theirs} if row.theirs else {})
    for number in range(row.quick_repeats if is_quick else row.repeats):
        for side in sorted(sides, reverse=number % 2 == 1):
            found[side].append(_run(row, sides[side], data, size))
            _tell(f"  {side}: {found[side][-1]['wall_seconds']:.2f} s, CPU {found[side][-1]['cpu_seconds']:.2f} s")
        if row.theirs and found["ours"][-1].get("n") != found["theirs"][-1].get("n"):
            raise SideError(f"ours did {found['ours'][-1].get('n')}, theirs {found['theirs'][-1].get('n')}")
    kept = measured_row(row, found["ours"], found["theirs"], size=size)
    kept["machine"]["file_system"] = file_system(folder)
    return kept


def _prepared(row: Row, folder: Path, size: Mapping[str, int]) -> Path:
    """The folder of the row's data, made if need be. A note beside it says that it is whole."""
    if row.prepare is None:
        data = folder / row.name
        data.mkdir(exist_ok=True)
        return data
    command = [part for part in row.prepare if part != "{data}"]
    name = hashlib.sha256(json.dumps([command, dict(size)]).encode()).hexdigest()[:12]
    data, made = folder / name, folder / f"{name}.made"
    if not made.exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        started = time.monotonic()
        _run(row, row.prepare, data, size)
        made.write_text(f"{row.name} {dict(size)}\n")
        _tell(f"  data made in {time.monotonic() - started:.0f} s")
    return data


def _run(row: Row, command: tuple[str, ...], data: Path, size: Mapping[str, int]) -> dict[str, Any]:
    arguments = [part.format(data=data, **size) for part in command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QUIRE_", "PREFECT_"))}
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(data.parent)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    ended = subprocess.run(
        [sys.executable, "benchmarks/measuring.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if ended.returncode != 0:
        raise SideError(f"python {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _data_folder(given: str | None) -> Iterator[Path]:
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as made:
        yield Path(made)


def write_page(kept: dict[str, dict[str, Any]]) -> None:
    PAGE.write_text(page_with(PAGE.read_text(), page_parts(all_rows(), kept)))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.run")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", default="")
    parser.add_argument("--data", default="")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args(arguments)
    kept, committed = read_kept(), read_committed()
    if options.page:
        write_page(kept)
        return 0
    mode, found = (QUICK if options.quick else FULL), []
    with _data_folder(options.data) as folder:
        for row in chosen(all_rows(), options.rows):
            _tell(f"{row.name}: {row.work}")
            try:
                entry = run_row(row, folder, is_quick=options.quick)
            except (SideError, subprocess.TimeoutExpired) as error:
                found.append(f"{row.name}: {error}")
                continue
            for bar in row.bars:
                print(f"{row.name}: {shown(bar, entry['bars'][bar.name][0])} (bar: {said(bar)})", flush=True)
            found += troubles(row, entry, committed[mode].get(row.name), is_quick=options.quick)
            kept[mode][row.name] = entry
            write_kept(kept)
    write_page(kept)
    for trouble in found:
        print(trouble)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
