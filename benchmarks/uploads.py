"""Uploads of many images to a service that takes 50 ms over each call (`benchmarks.slow_service`), against the ideal:
16 streams that never wait for anything but the service. An upload is two calls.

    python -m benchmarks.uploads IMAGES
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.measuring import measured
from benchmarks.rows import Bar, Row, Sense, Taken

STREAMS = 16
CALL_SECONDS = 0.05
CALLS = 2

ROWS = [
    Row(
        name="uploads",
        work="2,000 uploads, 50 ms a call",
        against=f"the ideal of {STREAMS} streams",
        bars=(Bar(90, Sense.AT_LEAST, of="percent_of_ideal", taken=Taken.ALONE, unit="%"),),
        ours=("-m", "benchmarks.uploads", "{images}"),
        size={"images": 2000},
        quick={"images": 400},
        repeats=3,
        quick_repeats=1,
    )
]


async def upload(paths: list[Path], url: str) -> float:
    """Seconds."""
    from flows.gateways.gemini.client import GoogleGemini
    from flows.gateways.gemini.uploads import UploadItem, upload_with_retries
    from flows.gateways.images.preparing import prepare
    from flows.gateways.ports import Prepared

    async def prepared(item: UploadItem) -> Prepared:
        how = partial(prepare, max_side_pixels=None, jpeg_quality=90, max_pixels=200_000_000)
        return await asyncio.to_thread(how, item.path, 0)

    gateway = GoogleGemini(api_key="bench-key", base_url=url, max_concurrent_calls=STREAMS)
    items = [UploadItem(key=str(n), path=path, frame=0, mime_type="image/jpeg", n=n) for n, path in enumerate(paths)]
    started = time.perf_counter()
    report = await upload_with_retries(
        gateway,
        items,
        prepare=prepared,
        submission_id="bench",
        attempts=1,
        backoff_seconds=1,
        concurrency=STREAMS,
    )
    seconds = time.perf_counter() - started
    await gateway.close()
    if len(report.uploaded) != len(paths):
        raise SystemExit(f"{len(report.uploaded)} of {len(paths)} went up; {next(iter(report.failed.values()), None)}")
    return seconds


def main(images: int) -> None:
    from benchmarks.whole_run import make

    command = [sys.executable, "-m", "benchmarks.slow_service", str(CALL_SECONDS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service,
    ):
        make(Path(folder), images)
        url = service.stdout.readline().strip() if service.stdout is not None else ""
        try:
            with measured() as figures:
                seconds = asyncio.run(upload(sorted(Path(folder).rglob("*.jpg")), url))
                figures["n"] = images
                figures["percent_of_ideal"] = 100 * images * CALLS * CALL_SECONDS / STREAMS / seconds
        finally:
            service.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]))
