"""What was measured, as it is kept in ``results.json``, held against the last kept, and shown in
docs/performance.md."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import CPU, PEAK, WALL, Bar, Row, Taken

ROOT = Path(__file__).parents[1]
FILE = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
ALLOWED = 0.25
"""How much worse than the kept one a figure may be: chance on a shared machine is less in the median of pairs."""
FULL, QUICK = "full", "quick"
Kept = dict[str, dict[str, Any]]
"""FULL or QUICK -> the name of a row -> what was measured."""


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        all_of_them = list(values)
        return cls(median(all_of_them), min(all_of_them), max(all_of_them))

    def kept(self) -> list[float]:
        return [float(f"{value:.4g}") for value in (self.median, self.lowest, self.highest)]


def figure(bar: Bar, ours: list[Mapping[str, float]], theirs: list[Mapping[str, float]]) -> Spread:
    """What a bar is held against. ``ours``, ``theirs``: what was measured in each pair."""
    if bar.taken is Taken.ALONE:
        return Spread.of(each[bar.of] for each in ours)
    pairs = [(a[bar.of], b[bar.of]) for a, b in zip(ours, theirs, strict=True)]
    return Spread.of(a / b if bar.taken is Taken.TIMES else b / a for a, b in pairs)


def measured_row(
    row: Row, ours: list[Mapping[str, float]], theirs: list[Mapping[str, float]], *, size: Mapping[str, int]
) -> dict[str, Any]:
    """An entry of results.json: of each side median, lowest and highest, and of each bar likewise."""
    sides = {"ours": ours} | ({"theirs": theirs} if theirs else {})
    kept: dict[str, Any] = {"size": dict(size), "pairs": len(ours), "machine": machine()}
    for name, runs in sides.items():
        names = sorted({key for run in runs for key, value in run.items() if isinstance(value, int | float)})
        kept[name] = {key: Spread.of(run[key] for run in runs).kept() for key in names}
    kept["bars"] = {bar.name: figure(bar, ours, theirs).kept() for bar in row.bars}
    return kept


def troubles(row: Row, kept: Mapping[str, Any], before: Mapping[str, Any] | None, *, is_quick: bool) -> list[str]:
    """What makes the runner end with 1, in words. A bar is said of the full size, so a quick run is only held against
    the last quick one. ``before``: the committed entry, which counts where it is of the same size."""
    found = []
    for bar in row.bars:
        value = kept["bars"][bar.name][0]
        if not is_quick and not bar.is_met(value):
            found.append(f"{row.name}: {shown(bar, value)}, the bar is {said(bar)}")
        if before is None or before["size"] != kept["size"] or bar.name not in before["bars"]:
            continue
        last = before["bars"][bar.name][0]
        if bar.is_much_worse(value, last, allowed=ALLOWED):
            found.append(f"{row.name}: {shown(bar, value)}, was {shown(bar, last)} in the committed results")
    return found


def read_kept() -> Kept:
    return json.loads(FILE.read_text()) if FILE.exists() else {FULL: {}, QUICK: {}}


def read_committed() -> Kept:
    """As it is in the last commit, so that a second run is not held against the first; without git, the file."""
    shown_by_git = subprocess.run(
        ["git", "show", f"HEAD:{FILE.relative_to(ROOT)}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return json.loads(shown_by_git.stdout) if shown_by_git.returncode == 0 else read_kept()


def write_kept(kept: Kept) -> None:
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def machine() -> dict[str, Any]:
    """Cores that this process may use, model of the CPU, Python, system: nothing that tells whose machine it is."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": models[0] if models else platform.machine(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on, as mount says it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    place = folder.resolve()
    found = [(at, kind) for at, kind in mounts if place.is_relative_to(at)]
    return max(found, key=lambda each: len(each[0]))[1] if found else "unknown"


def said(bar: Bar) -> str:
    return f"{bar.sense.value} {shown(bar, bar.value)}"


def shown(bar: Bar, value: float) -> str:
    """A value as a person reads it: peaks in MB, all else in the bar's unit."""
    if bar.taken is Taken.ALONE and bar.of == PEAK:
        return f"{value / 1e6:,.0f} MB"
    what = {WALL: "", CPU: " of CPU", PEAK: " of memory"}.get(bar.of, f" of {bar.of}") if bar.unit == "times" else ""
    return f"{value:,.3g} {bar.unit}{what}" if value < 1000 else f"{value:,.0f} {bar.unit}{what}"


def table(rows: Iterable[Row], kept: Mapping[str, Any]) -> str:
    """The Markdown table of all rows, with a dash for one that was not measured."""
    lines = ["| row | work | against | bar | measured | |", "|---|---|---|---|---|---|"]
    for row in rows:
        entry = kept.get(row.name)
        for number, bar in enumerate(row.bars):
            sides = (row.work.format(**row.size), row.against.format(**row.size))
            first = (f"`{row.name}`", *sides) if number == 0 else ("", "", "")
            values = entry["bars"].get(bar.name) if entry else None
            found = f"{shown(bar, values[0])} ({_range(bar, values)})" if values else "–"
            met = "" if values is None else "met" if bar.is_met(values[0]) else "**not met**"
            lines.append("| " + " | ".join((*first, said(bar), found, met)) + " |")
    return "\n".join(lines)


def sides_table(rows: Iterable[Row], kept: Mapping[str, Any]) -> str:
    """What each side took, as medians."""
    lines = ["| row | size | pairs | side | wall | CPU | peak |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        if (entry := kept.get(row.name)) is None:
            continue
        size = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in sorted(entry["size"].items()))
        for side in ("ours", "theirs"):
            if side not in entry:
                continue
            wall, cpu, peak = (entry[side][name][0] for name in (WALL, CPU, PEAK))
            first = (f"`{row.name}`", size, str(entry["pairs"])) if side == "ours" else ("", "", "")
            lines.append(f"| {' | '.join(first)} | {side} | {wall:.3g} s | {cpu:.3g} s | {peak / 1e6:,.0f} MB |")
    return "\n".join(lines)


def machines(kept: Mapping[str, Any]) -> str:
    found = {json.dumps(entry["machine"], sort_keys=True): entry["machine"] for entry in kept.values()}
    return "\n".join(
        f"- {each['cores']} cores, {each['cpu']}, Python {each['python']}, {each['system']}, "
        f"{each.get('file_system', 'unknown')}"
        for each in found.values()
    )


def _range(bar: Bar, values: list[float]) -> str:
    in_mb = bar.taken is Taken.ALONE and bar.of == PEAK
    lowest, highest = (f"{value / 1e6:,.0f}" if in_mb else f"{value:.3g}" for value in values[1:])
    return f"{lowest} to {highest}"


def page_with(text: str, parts: Mapping[str, str]) -> str:
    """``text`` with each part between its markers, ``<!-- bench: NAME -->`` and ``<!-- bench end -->``. Raises
    ValueError for a marker that is not there."""
    for name, part in parts.items():
        start, end = f"<!-- bench: {name} -->\n", "<!-- bench end -->"
        head, _, rest = text.partition(start)
        if not rest:
            raise ValueError(f"{PAGE.name}: there is no line {start.strip()}")
        text = head + start + "\n" + part + "\n\n" + end + rest.partition(end)[2]
    return text


def page_parts(rows: Iterable[Row], kept: Kept) -> dict[str, str]:
    every = list(rows)
    return {
        "rows": table(every, kept[FULL]),
        "sides": sides_table(every, kept[FULL]),
        "machines": machines(kept[FULL]),
    }
