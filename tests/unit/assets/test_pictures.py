"""The pictures of a report: well-formed SVG, bounded, with words of others as words."""

import base64
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from assets.pictures import MAX_BARS, MAX_POINTS, as_markdown_image, bars_svg, progress_svg

BEGIN = datetime(2026, 11, 26, 8, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def points_of(svg: str) -> list[tuple[float, float]]:
    line = ElementTree.fromstring(svg).find(f"{SVG}polyline")  # noqa: S314 - our own
    assert line is not None
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_line_goes_from_the_first_time_to_the_last_and_from_none_to_how_many_were_read() -> None:
    svg = progress_svg([(BEGIN, 0), (BEGIN + timedelta(hours=1), 50), (BEGIN + timedelta(hours=4), 100)], 100)

    first, middle, last = points_of(svg)
    assert first[0] < middle[0] < last[0]
    assert middle[0] - first[0] == (last[0] - first[0]) / 4, "time is the width"
    assert middle[1] == (first[1] + last[1]) / 2, "pages are the height"
    assert "2026-11-26 08:00" in svg


def test_a_long_history_has_a_bounded_line_that_ends_where_it_ended() -> None:
    points = [(BEGIN + timedelta(minutes=minute), minute) for minute in range(100_000)]

    drawn = points_of(progress_svg(points, 100_000))

    assert len(drawn) <= 2 * MAX_POINTS
    assert drawn[-1] == points_of(progress_svg([points[0], points[-1]], 100_000))[-1]


def test_where_nothing_can_be_drawn_there_is_no_picture() -> None:
    assert progress_svg([], 10) == progress_svg([(BEGIN, 0)], 10) == progress_svg([(BEGIN, 0), (BEGIN, 5)], 10) == ""
    assert progress_svg([(BEGIN, 0), (BEGIN + timedelta(hours=1), 5)], 0) == bars_svg({}) == ""


def test_bars_are_as_long_as_they_count_and_their_words_are_text() -> None:
    svg = bars_svg({"<script>alert(1)</script>": 10, "blocked": 5} | {f"kind {number}": 1 for number in range(20)})

    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own
    widths = [float(each.attrib["width"]) for each in tree.findall(f"{SVG}rect")[1:]]
    assert len(widths) == MAX_BARS
    assert widths[0] == 2 * widths[1]
    assert tree.find(f".//{SVG}script") is None
    assert "<script>alert(1)</script>" in {each.text for each in tree.findall(f"{SVG}text")}


def test_the_address_holds_the_whole_picture() -> None:
    found = re.fullmatch(
        r"!\[words\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", as_markdown_image("<svg/>", "words")
    )
    assert found is not None
    assert base64.b64decode(found[1]) == b"<svg/>"
