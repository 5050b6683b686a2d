"""How many control calls a whole run makes, to Prefect and to Gemini together: with many records in ten batches as with
few. Left out is what a record has by its nature, its upload and its delete, and what goes by the clock: Prefect's log
lines, events, renewals of leases, and the bars of steps that take long.

    python -m benchmarks.control_calls RECORDS
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measuring import measured
from benchmarks.rows import Bar, Row, Taken

BATCHES = 10
NOT_COUNTED = re.compile(
    r"^(POST|PUT) /upload/|^DELETE /v1(beta)?/files/|^POST /api/logs|^POST /api/.*/leases/.*/renew$|/api/events|"
    r"^PATCH /api/artifacts/|record_failure_counts_\d+"
)

ROWS = [
    Row(
        name="control-calls",
        work="control calls, 10,000 records in 10 batches",
        against="100 records in 10 batches",
        bars=(
            Bar(1.1, of="calls"),
            Bar(200, of="calls", taken=Taken.ALONE, unit="calls"),
        ),
        ours=("-m", "benchmarks.control_calls", "{records}"),
        theirs=("-m", "benchmarks.control_calls", "{few}"),
        size={"records": 10_000, "few": 100},
        quick={"records": 500, "few": 50},
        repeats=1,
        quick_repeats=1,
    )
]


def main(records: int) -> None:
    from benchmarks.servers import running_place
    from benchmarks.whole_run import make, settings

    with running_place(with_prefect=True) as place:
        images = place.folder / "images"
        make(images, records)
        config, said = place.folder / "quire.yaml", place.folder / "calls.json"
        config.write_text(yaml.safe_dump(settings(images, place.gemini_url, records // BATCHES)))
        command = [sys.executable, "-m", "benchmarks.control_calls", "run", str(config), str(said)]
        with measured() as figures:
            subprocess.run(command, env=place.environment, check=True, stdout=sys.stderr)
            found: dict[str, int] = json.loads(said.read_text())
            figures["calls"] = sum(found.values())
        for call, count in sorted(found.items(), key=lambda each: -each[1]):
            print(f"{count:5} {call}", file=sys.stderr)


def run_counted(config: str, said: str) -> None:
    """`quire run --watch` in this process, with each request counted as it leaves."""
    import httpx
    import httpx2

    counts: Counter[str] = Counter()

    def counted(transport: Any) -> None:
        handle = transport.handle_async_request

        async def count(self: Any, request: Any) -> Any:
            call = f"{request.method} {request.url.path}"
            if not NOT_COUNTED.search(call):
                counts[re.sub(r"[0-9a-f-]{36}|batch(es/|-).*", "*", call)] += 1
            return await handle(self, request)

        transport.handle_async_request = count

    counted(httpx.AsyncHTTPTransport)
    counted(httpx2.AsyncHTTPTransport)
    from flows.cli import main as quire

    sys.argv = ["quire", "run", "--watch", "--quiet", "--config", config]
    try:
        quire()
    finally:
        Path(said).write_text(json.dumps(counts))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run_counted(*sys.argv[2:])
    else:
        main(int(sys.argv[1]))
