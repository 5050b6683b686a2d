"""The graph of assets as a picture, in SVG that is written here: a box for each asset, below what it is made from. What
is true of an asset comes from outside; how other pictures are drawn stands in `pictures`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from assets.graph import AssetGraph

MAX_LINE_CHARS = 34
"""What fits into a box."""
_BOX_WIDTH, _BOX_HEIGHT, _GAP, _STEP, _EDGE = 208, 46, 24, 74, 12
_TEXT = 'font-family="sans-serif" text-anchor="middle"'
_COLOURS = {
    "stands": ("#e3f1e6", "#3c8a52"),
    "observed": ("#eef0f3", "#7a8493"),
    "nothing yet": ("#ffffff", "#b6bdc8"),
    "not kept": ("#e8eefb", "#2f6fdb"),
    "broken": ("#fbe3dc", "#d2603a"),
    "unknown": ("#fdf3d6", "#b98a16"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """``look``: one of the six that the picture's legend names; ``line``: a few words below the asset's name."""

    look: str
    line: str


def graph_svg(graph: AssetGraph, boxes: Mapping[str, Box]) -> str:
    """``boxes``: one for each asset. All words are escaped and cut to what fits."""
    rows = _rows(graph)
    wide = max(len(row) for row in rows)
    width = wide * (_BOX_WIDTH + _GAP) + 2 * 60
    places = {
        name: (width / 2 + (at - (len(row) - 1) / 2) * (_BOX_WIDTH + _GAP), _EDGE + deep * _STEP)
        for deep, row in enumerate(rows)
        for at, name in enumerate(row)
    }
    depth = {name: deep for deep, row in enumerate(rows) for name in row}
    edges = [_arrow(places[up], places[down], depth[down] - depth[up]) for up, down in sorted(graph.edges())]
    height = _EDGE * 2 + (len(rows) - 1) * _STEP + _BOX_HEIGHT + 26
    drawn = [_box(name, boxes[name], *places[name]) for name in graph]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#7a8493"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "".join([head, marker, ground, *edges, *drawn, _legend(width, height), "</svg>"])


def _rows(graph: AssetGraph) -> list[list[str]]:
    """Each asset as far down as its longest line of upstreams is; one that has none, right above what is made of it."""
    depth: dict[str, int] = {}
    for name in graph:
        depth[name] = 1 + max((depth[each] for each in graph[name].upstream), default=-1)
    for name in graph:
        below = [depth[down] for up, down in graph.edges() if up == name]
        if not graph[name].upstream and below:
            depth[name] = min(below) - 1
    rows: list[list[str]] = [[] for _ in range(1 + max(depth.values()))]
    for name in graph:
        rows[depth[name]].append(name)
    return rows


def _arrow(up: tuple[float, float], down: tuple[float, float], steps: int) -> str:
    """From the lower edge to the upper one; around what stands between them, where something does."""
    style = 'fill="none" stroke="#7a8493" marker-end="url(#tip)"'
    if steps == 1 or up[0] != down[0]:
        return f'<path d="M{up[0]:.0f},{up[1] + _BOX_HEIGHT:.0f} L{down[0]:.0f},{down[1]:.0f}" {style}/>'
    x, above, below = up[0] + _BOX_WIDTH / 2, up[1] + _BOX_HEIGHT / 2, down[1] + _BOX_HEIGHT / 2
    out = x + 26 * min(steps, 3)
    return f'<path d="M{x:.0f},{above:.0f} C{out:.0f},{above:.0f} {out:.0f},{below:.0f} {x:.0f},{below:.0f}" {style}/>'


def _box(name: str, box: Box, x: float, y: float) -> str:
    fill, line = _COLOURS[box.look]
    left = x - _BOX_WIDTH / 2
    return (
        f'<rect x="{left:.0f}" y="{y:.0f}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="{line}"/><text x="{x:.0f}" y="{y + 19:.0f}" {_TEXT} font-size="13" fill="#1c2330">'
        f'{escape(_cut(name))}</text><text x="{x:.0f}" y="{y + 36:.0f}" {_TEXT} font-size="11" fill="#5b6472">'
        f"{escape(_cut(box.line))}</text>"
    )


def _legend(width: float, height: float) -> str:
    looks, each = list(_COLOURS), width / len(_COLOURS)
    return "".join(
        f'<rect x="{at * each + 10:.0f}" y="{height - 22:.0f}" width="12" height="12" fill="{_COLOURS[look][0]}" '
        f'stroke="{_COLOURS[look][1]}"/><text x="{at * each + 28:.0f}" y="{height - 12:.0f}" font-family="sans-serif" '
        f'font-size="11" fill="#5b6472">{look}</text>'
        for at, look in enumerate(looks)
    )


def _cut(text: str) -> str:
    one_line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    return one_line if len(one_line) <= MAX_LINE_CHARS else one_line[: MAX_LINE_CHARS - 1] + "…"


LOOKS: Sequence[str] = tuple(_COLOURS)
