"""What it costs that results are on the disk before a submission is closed: ratios, all measured in one run.

    python -m benchmarks.durability [results] [folder]

Writes results twice into ``folder`` (the system's temporary one, which may be no real disk), as a settlement does: once
as it is, once with ``os.fsync`` doing nothing. Each is a transcript of some 2 KB.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from benchmarks.scan import timed
from flows.gateways.files.storage import Storage

FIELDS = ("state", "document", "year")
CONTENT = json.dumps({"blocks": [{"text": "All men by these presents. " * 76}]}).encode()


def main(results: int, folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        calls: list[int] = []
        fsync = os.fsync

        def counted(descriptor: int) -> None:
            calls.append(descriptor)
            fsync(descriptor)

        with patch.object(os, "fsync", counted):
            durable = timed(_writer(Path(made) / "durable", results))
        with patch.object(os, "fsync", lambda _: None):
            hasty = timed(_writer(Path(made) / "hasty", results))
        print(f"{results} results of {len(CONTENT)} bytes, {len(calls) / results:.1f} syncs each")
        print(f"written durably in {1000 * durable / results:.2f} ms each, {durable / hasty:.1f} x as long as without")


def _writer(root: Path, results: int) -> Callable[[], None]:
    storage = Storage(root=root, manifests=root, output_results=root / "results", document_fields=FIELDS)

    def write() -> None:
        for page in range(1, results + 1):
            storage.write_result(f"CA:Lincoln:{1900 + page // 100}:{page}", CONTENT)

    return write


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2] if len(sys.argv) > 2 else None)
