"""A whole run over one-page records, from images to results, against a bare script with the SDK and no safety at all:
no manifest, no retry, no lock, no check of an answer, nothing deleted.

Both read the same images and talk to a local Gemini of their own (``script`` engine, no latency), each as a command in
a process of its own; Quire has a Prefect server with its database in a file beside it, which is not measured but takes
its share of the machine.

    python -m benchmarks.whole_run make FOLDER RECORDS
    python -m benchmarks.whole_run ours|theirs FOLDER BATCH_SIZE
"""

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.measuring import measured
from benchmarks.rows import Bar, Row

PAGES_A_DOCUMENT = 100
BASELINE = "benchmarks.baselines.whole_run"


def _row(name: str, records: int, batch: int, quick: int, times: float) -> Row:
    return Row(
        name=name,
        work=f"whole run, {records:,} one-page records",
        against="a bare script with the SDK",
        bars=(Bar(times),),
        ours=("-m", "benchmarks.whole_run", "ours", "{data}", "{batch}"),
        theirs=("-m", "benchmarks.whole_run", "theirs", "{data}", "{batch}"),
        prepare=("-m", "benchmarks.whole_run", "make", "{data}", "{records}"),
        size={"records": records, "batch": batch},
        quick={"records": quick, "batch": quick // 10},
        repeats=3,
        quick_repeats=1,
    )


ROWS = [_row("whole-run", 10_000, 1000, 1000, 1.5), _row("whole-run-small", 1000, 100, 300, 2.0)]


def make(folder: Path, records: int) -> None:
    """Light JPEGs, each another, with as much on them as a page has."""
    from PIL import Image

    chance = random.Random(1)  # noqa: S311 - what is on the pages
    for n in range(records):
        place = folder / "CA" / "Lincoln" / str(1000 + n // PAGES_A_DOCUMENT)
        place.mkdir(parents=True, exist_ok=True)
        page = Image.frombytes("L", (60, 80), chance.randbytes(60 * 80))
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=60)
        (place / f"{n % PAGES_A_DOCUMENT + 1}.jpg").write_bytes(buffer.getvalue())


def settings(images: Path, gemini_url: str, batch_size: int) -> dict[str, object]:
    return {
        "collection": "bench",
        "gemini": {"base_url": gemini_url},
        "paths": {"page_images": str(images.absolute()), "output_results": "results", "manifests": "manifests"},
        "context": {"mode": "none"},
        "images": {"min_side_pixels": 0},
        "execution": {"batch_size_limit": batch_size, "max_concurrent_batches": 100},
        "batch": {"poll_interval_seconds": 0.1},
        "limits": {"tier": 3},
    }


def ours(images: Path, batch_size: int) -> None:
    from benchmarks.servers import QUIRE, running_place

    with running_place(with_prefect=True) as place:
        config = place.folder / "quire.yaml"
        config.write_text(yaml.safe_dump(settings(images, place.gemini_url, batch_size)))
        command = [sys.executable, *QUIRE, "run", "--watch", "--quiet", "--config", str(config)]
        with measured() as figures:
            subprocess.run(command, env=place.environment, cwd=place.folder, check=True, stdout=sys.stderr)
            figures["n"] = sum(1 for _ in (place.folder / "results").rglob("*.json"))


def theirs(images: Path, batch_size: int) -> None:
    from benchmarks.servers import running_place
    from config.settings import load_settings
    from flows.runtime.wiring import make_template

    with running_place(with_prefect=False) as place:
        config = place.folder / "quire.yaml"
        config.write_text(yaml.safe_dump(settings(images, place.gemini_url, batch_size)))
        loaded = load_settings(config)
        _, template = make_template(loaded)
        told = {"prompt": template.prompt, "config": template.config(), "model": loaded.model.name}
        (place.folder / "template.json").write_text(json.dumps(told))
        paths = [str(images.absolute()), str(place.folder / "out"), str(place.folder / "template.json")]
        command = [sys.executable, "-m", BASELINE, place.gemini_url, *paths, str(batch_size)]
        with measured() as figures:
            subprocess.run(command, env=place.environment, cwd=place.folder, check=True, stdout=sys.stderr)
            figures["n"] = sum(1 for _ in (place.folder / "out").rglob("*.json"))


if __name__ == "__main__":
    what, folder, number = sys.argv[1:]
    {"make": make, "ours": ours, "theirs": theirs}[what](Path(folder), int(number))
