"""How much memory the conversion of a large image takes: measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.images import tiff_of

MEASURE = """
import sys
from pathlib import Path
from flows.gateways.images.preparing import prepare
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024
before = peak()
side = int(sys.argv[2]) or None
prepare(Path(sys.argv[1]), 0, max_side_pixels=side, jpeg_quality=90, max_pixels=150_000_000, send_blank=True)
print(before, peak())
"""


@pytest.mark.parametrize(("bits", "side", "bytes_a_pixel"), [(8, 0, 1), (8, 3000, 1), (16, 0, 3), (16, 3000, 3)])
def test_a_hundred_million_pixels_take_little_more_than_themselves(
    tmp_path: Path, bits: int, side: int, bytes_a_pixel: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "1.tif"
    path.write_bytes(tiff_of(10_000, 10_000, bits=bits, content=bytes(100_000_000 * bits // 8)))
    command = [sys.executable, "-c", MEASURE, str(path), str(side)]
    before, after = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    with capsys.disabled():
        sys.stdout.write(f"\n{bits} bits, longest side {side or 10_000}: {before} MB -> {after} MB at the peak\n")
    # What the pixels take, before and after, a strip as 8-byte numbers, the encoded bytes.
    assert after - before < 100 * bytes_a_pixel + 250
