"""Small pictures for reports, as SVG that is written here: how far a collection came over time, and what went wrong how
often. No library: what draws well is no part of what runs a collection, and these are lines and bars.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

MAX_POINTS = 120
"""So many points a line has at most: it is 550 pixels wide, and each pass that changed something leaves a report."""
MAX_BARS = 8
_WIDTH, _HEIGHT, _LEFT, _TOP, _BAR = 640, 200, 70, 24, 24
_TEXT = 'font-family="sans-serif" font-size="12" fill="#5b6472"'


def progress_svg(points: Sequence[tuple[datetime, int]], total: int) -> str:
    """A line of what was read over time. ``points``: in order of time, each with how many pages were read by then;
    ``total``: how many there are. Without two different times there is no line, and "" comes back."""
    if len(points) < 2 or points[0][0] == points[-1][0] or not total:
        return ""
    thinned = [*points[: -1 : max(1, len(points) // MAX_POINTS)], points[-1]]
    begin, end = thinned[0][0], thinned[-1][0]
    wide, high = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - 30

    def place(at: datetime, count: int) -> str:
        x = _LEFT + wide * ((at - begin) / (end - begin))
        return f"{x:.1f},{_TOP + high * (1 - min(1.0, count / total)):.1f}"

    line = " ".join(place(*point) for point in thinned)
    floor = _TOP + high
    return _svg(
        _HEIGHT,
        f'<text x="{_LEFT}" y="14" {_TEXT}>pages read</text>',
        *(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d5dae1"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{count:,}</text>'
            for y, count in ((float(_TOP), total), (_TOP + high / 2, total // 2), (float(floor), 0))
        ),
        f'<polygon points="{_LEFT},{floor} {line} {_WIDTH - 20},{floor}" fill="#2f6fdb" fill-opacity="0.15"/>',
        f'<polyline points="{line}" fill="none" stroke="#2f6fdb" stroke-width="2"/>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" {_TEXT}>{begin:%Y-%m-%d %H:%M}</text>',
        f'<text x="{_WIDTH - 20}" y="{_HEIGHT - 8}" text-anchor="end" {_TEXT}>{end:%Y-%m-%d %H:%M} UTC</text>',
    )


def bars_svg(counts: Mapping[str, int]) -> str:
    """A bar for each of the first MAX_BARS, in their order. ``counts``: what -> how often; "" if there is none."""
    shown = list(counts.items())[:MAX_BARS]
    if not shown:
        return ""
    most, left = max(count for _, count in shown) or 1, 160
    rows = []
    for at, (what, count) in enumerate(shown):
        y, wide = 4 + at * _BAR, (_WIDTH - left - 80) * count / most
        rows.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end" {_TEXT}>{escape(what)}</text>')
        rows.append(f'<rect x="{left}" y="{y}" width="{max(wide, 2):.1f}" height="{_BAR - 6}" fill="#d2603a"/>')
        rows.append(f'<text x="{left + wide + 8:.1f}" y="{y + 14}" {_TEXT}>{count:,}</text>')
    return _svg(len(shown) * _BAR + 8, *rows)


def _svg(height: int, *parts: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">'
    )
    return "".join([head, f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>', *parts, "</svg>"])


def as_markdown_image(svg: str, words: str) -> str:
    """The picture within Markdown, as an address that holds it whole. ``words``: for whoever does not see it."""
    return f"![{words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
