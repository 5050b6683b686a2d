"""Ten million pages in 50,000 documents, read in minutes: how long it takes, and how well the places are used.

    python -m benchmarks.simulation.run [way ...] [documents] [pages] [hours between passes]

Each way of context runs on a collection of its own, all with the same seeded chance: jobs take 2 hours in the median,
spread as a lognormal of sigma 0.8 (one in twenty over 7.5 hours), one in 200 expires after 48 hours, one in 200 fails
as a whole, and one answer in 100 is no result and is asked for again. 100 jobs at once of 500 pages, 20 GB of images
at 400 KB each, a billion tokens. Writes the table of docs/performance.md, ``results.json`` beside this file and
docs/images/simulation.svg.
"""

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.candidates import RunRules
from assets.context import ContextMode
from assets.pictures import progress_svg
from benchmarks.results import PAGE, ROOT, page_with
from benchmarks.simulation.world import Course, Quotas, Service, World, collection

FILE = Path(__file__).with_name("results.json")
PICTURE = ROOT / "docs" / "images" / "simulation.svg"
SERVICE = Service(median_hours=2.0, sigma=0.8, expiring=0.005, failing=0.005, bad_answers=0.01)
WAYS: dict[str, tuple[str, int | None]] = {
    "previous_image": ("previous_image", None),
    "max_chain": ("previous_result", 20),
    "previous_result": ("previous_result", None),
}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def table(found: dict[str, Any]) -> str:
    """The Markdown table of what is kept."""
    names = (
        "context | pages | waves | makespan | passes | batches | places in use | read | bad answers | expired | failed"
    )
    lines = [f"| {names} |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for way in (each for each in WAYS if each in found):
        each, name = found[way], " ".join(str(part) for part in WAYS[way] if part is not None)
        kinds = each["kinds"]
        bad = [kinds.get(kind, 0) for kind in ("schema_mismatch", "batch_expired", "batch_failed")]
        cells = [
            f"`{name}`",
            f"{each['documents'] * each['pages']:,}",
            f"{each['waves']:,}",
            f"{each['hours'] / 24:.1f} days",
            f"{each['passes']:,}",
        ]
        cells += [
            f"{each['batches']:,}",
            f"{each['busy']:.0%}",
            f"{each['done']:,}",
            *(f"{records:,}" for records in bad),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(ways: list[str], documents: int, pages: int, pass_hours: float) -> None:
    size = {"documents": documents, "pages": pages, "pass_hours": pass_hours}
    for way in ways:
        started = time.perf_counter()
        mode, max_chain = WAYS[way]
        rules = RunRules(3, ContextMode(mode), "wait", max_chain)
        course = World(collection(documents, pages), rules, SERVICE, Quotas(), pass_hours=pass_hours).run()
        took = time.perf_counter() - started
        print(f"{way}: {course.hours:,.0f} h, {course.passes:,} passes, {took:.0f} s", file=sys.stderr)
        kept = json.loads(FILE.read_text()) if FILE.exists() else {}
        FILE.write_text(json.dumps(kept | {way: {**size, **_kept(course)}}, indent=1) + "\n")
        if way == next(iter(WAYS)):
            points = [(BEGIN + timedelta(hours=hours), read) for hours, read in course.read]
            PICTURE.write_text(progress_svg(points, documents * pages))
    write_page()


def write_page() -> None:
    PAGE.write_text(page_with(PAGE.read_text(), {"simulation": table(json.loads(FILE.read_text()))}))


def _kept(course: Course) -> dict[str, Any]:
    kept = asdict(course)
    del kept["read"]
    return kept


if __name__ == "__main__":
    names, numbers = (
        [each for each in sys.argv[1:] if each in WAYS],
        [each for each in sys.argv[1:] if each not in WAYS],
    )
    documents, pages, pass_hours = [*numbers, *("50000", "200", "1")[len(numbers) :]]
    main(names or list(WAYS), int(documents), int(pages), float(pass_hours))
