"""What ``quire estimate`` takes beside a scan of the same tree: ratios, all measured in one run.

    python -m benchmarks.estimate [pages]

The estimate reads sizes from the record manifest, so it takes a small part of even a rescan, which asks for each file.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.scan import prepare, ready
from config.settings import load_settings
from flows.questions.estimate import estimate_of
from flows.questions.status import ledger_of_files
from flows.runtime.wiring import make_storage

PAGES = 100
"""Of each document."""


def main(pages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(root, pages // PAGES, PAGES)
        settings = load_settings(root / "quire.yaml", environ={})
        storage, scan = make_storage(settings), ready(root / "quire.yaml")
        again = timed(lambda: scan(full=True))
        ledger = ledger_of_files(storage)
        estimate = timed(lambda: estimate_of(settings, storage, ledger))
        found = estimate_of(settings, storage, ledger).estimate
        assert found.records == pages
        tokens = found.input_tokens + found.output_tokens
        print(f"{pages} pages; a rescan that asks for each file takes {again:.2f} s; {tokens:,} tokens are estimated")
        print(f"quire estimate  {estimate / again:5.2f} x the rescan")


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
