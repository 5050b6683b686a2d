"""What ``quire estimate`` takes beside a scan of the same tree: ratios, all measured in one run.

    python -m benchmarks.estimate [pages]

The estimate reads sizes from the record manifest, so it takes a small part of even a rescan, which looks at each file.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.scan import FIELDS, make_tree, scan, timed
from config.settings import load_settings
from flows.gateways.files.storage import Storage
from flows.questions.estimate import estimate_of
from flows.questions.status import ledger_of_files


def main(pages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_tree(root / "images", pages)
        (root / "quire.yaml").write_text("paths: {page_images: images, output_results: results, manifests: .}\n")
        settings = load_settings(root / "quire.yaml", environ={})
        storage = Storage(root=root, manifests=root, output_results=root / "results", document_fields=FIELDS)
        first = timed(lambda: scan(storage, root / "images"))
        again = timed(lambda: scan(storage, root / "images"))
        ledger = ledger_of_files(storage)
        estimate = timed(lambda: estimate_of(settings, storage, ledger))
        found = estimate_of(settings, storage, ledger).estimate
        assert found.records == pages
        tokens = found.input_tokens + found.output_tokens
        print(f"{pages} pages; a rescan takes {again:.2f} s; {tokens:,} tokens are estimated")
        print(f"first scan      {first / again:5.2f} x the rescan")
        print(f"quire estimate  {estimate / again:5.2f} x the rescan")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
