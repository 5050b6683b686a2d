"""Gutters of two-page spreads: where one is, and that nothing else is taken for one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.gateways.images.preparing import prepare
from flows.gateways.images.spreads import find_gutter, gutter_in
from tests.damaged import put
from tests.images import Drawn, deep, jpeg, tiff, with_orientation
from tests.spreads import line_in_the_middle, one_wide_page, spread, table, two_columns, two_leaves

MAX_PIXELS = 10**8
DOCS = Path(__file__).parents[4] / "docs" / "collections.md"
BEGIN, END = "<!-- spreads, by their test -->\n", "<!-- end of spreads -->"
SHELF: dict[str, Callable[[], Drawn]] = {
    "two pages, a shadow between them": spread,
    "the same, a little off the middle": lambda: spread(0.45),
    "the same, leaning": lambda: spread(0.52, slant=14),
    "two leaves on a dark desk": two_leaves,
    "one wide page of text": one_wide_page,
    "two columns with white between them": two_columns,
    "two columns with a printed line between them": line_in_the_middle,
    "a form with lines from top to bottom": table,
}


def rows() -> str:
    """The table of docs/collections.md."""
    lines = ["| scan | with `images.split_spreads: auto` |", "|---|---|"]
    for name, draw in SHELF.items():
        gutter = gutter_in(draw()[::2, ::2])
        found = f"cut at {gutter:.0%} of its width" if gutter is not None else "stays one page, and is told"
        lines.append(f"| {name} | {found} |")
    return "\n".join(lines) + "\n"


def test_what_becomes_of_wide_scans_is_what_the_page_says() -> None:
    assert DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] == rows()


def gutter_of(tmp_path: Path, content: bytes) -> float | None:
    return find_gutter(put(tmp_path / "1.jpg", content), 0, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("gutter", [0.44, 0.5, 0.55])
@pytest.mark.parametrize("slant", [0, 14, -14])
def test_a_shadow_from_top_to_bottom_near_the_middle_is_the_gutter(tmp_path: Path, gutter: float, slant: int) -> None:
    found = gutter_of(tmp_path, jpeg(spread(gutter, slant=slant), 85))
    assert found == pytest.approx(gutter, abs=0.01)


def test_so_is_the_gap_between_two_leaves(tmp_path: Path) -> None:
    assert gutter_of(tmp_path, jpeg(two_leaves(), 85)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("encode", [lambda drawn: tiff(deep(drawn)), lambda drawn: tiff(drawn, compression="lzw")])
def test_it_is_found_in_whatever_file(tmp_path: Path, encode: Callable[[Drawn], bytes]) -> None:
    assert gutter_of(tmp_path, encode(spread(0.53))) == pytest.approx(0.53, abs=0.01)


@pytest.mark.parametrize("draw", [one_wide_page, two_columns, table, line_in_the_middle])
def test_what_only_looks_like_one_is_none(draw: Callable[[], Drawn]) -> None:
    assert gutter_in(draw()[::2, ::2]) is None
    assert gutter_in(np.full((500, 800), 20, np.uint8)) is None, "nor is all of a black page"


def test_it_is_told_of_the_image_as_it_stands_upright(tmp_path: Path) -> None:
    upside_down = np.ascontiguousarray(np.rot90(spread(0.45), 2))
    content = with_orientation(jpeg(upside_down, 85), 3)
    assert gutter_of(tmp_path, content) == pytest.approx(0.45, abs=0.01)
    lying = np.ascontiguousarray(np.rot90(spread(0.45, width=1400)))
    assert gutter_of(tmp_path, with_orientation(jpeg(np.rot90(lying).copy(), 85), 6)) == 0, "it stands"


@pytest.mark.parametrize("orientation", [1, 3])
@pytest.mark.parametrize("max_side_pixels", [None, 400])
def test_each_half_goes_up_by_itself(tmp_path: Path, orientation: int, max_side_pixels: int | None) -> None:
    drawn = np.full((900, 1400), 250, np.uint8)
    drawn[:, :600] = 90
    drawn[100:200, 100:200] = 0
    stored = drawn if orientation == 1 else np.ascontiguousarray(np.rot90(drawn, 2))
    path = put(tmp_path / "1.jpg", with_orientation(jpeg(stored, 95), orientation))
    shades, sizes = [], []
    for columns in ((0, 600), (600, 1400)):
        found = prepare(
            path,
            0,
            max_side_pixels=max_side_pixels,
            jpeg_quality=95,
            max_pixels=MAX_PIXELS,
            send_blank=True,
            columns=columns,
        )
        assert isinstance(found.source, bytes)
        image = np.asarray(Image.open(io.BytesIO(found.source)).convert("L")).astype(int)
        shades.append(round(float(np.median(image))))
        sizes.append((found.width, found.height))
        assert ", cut" in found.conversion
    assert np.abs(np.subtract(shades, [90, 250])).max() <= 2
    assert sizes == ([(600, 900), (800, 900)] if max_side_pixels is None else [(267, 400), (356, 400)])


if __name__ == "__main__":
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    DOCS.write_text(before + BEGIN + rows() + END + rest.partition(END)[2], encoding="utf-8")
