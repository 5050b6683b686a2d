"""Names as archives have them, scanned by the command as it is: the table of docs/collections.md, made and held.

To renew it after a change: python -m tests.flows.terminal.test_collections_page
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from assets.domain.page_orders import PAGE_ORDER_NAMES, PageOrder
from assets.page_order import Gap, OrderRules
from assets.plain_rows import plain_rows
from assets.scan_notes import found_gaps, order_notes
from tests.command import commands, run_quire
from tests.images import gradient, jpeg, tiff

PAGE = Path(__file__).parents[3] / "docs/collections.md"
BEGIN, END = "<!-- names, by their test -->\n", "<!-- end of names -->"
PATTERN = "(?P<page>[0-9]+[a-z]?|[ivxlc]+|cover|back|map-[0-9]+|[A-Z][0-9]+)"


@dataclass(frozen=True)
class Group:
    """Documents that are read with the same settings. ``files``: of each document, its files; a number behind a name is
    how many pages the file has."""

    said: str
    settings: Mapping[str, Any]
    files: Sequence[str]


GROUPS = (
    Group(
        "as it is",
        {},
        (
            "0001, 0002, 0010",
            "0000, 0001",
            "8, 9, 10, 11",
            "012r, 012v, 013r, 013v",
            "012r, 013r, 014r",
            "012, 012a, 012b, 013",
            "001-002, 003-004, 005",
            "012v-013r, 013v-014r",
            "i, ii, iii, iv, 1, 2",
            "XIX, XX, XXI",
            "iii, iiii, v",
            "1, 2, 5, 6",
            "20231124101500, 20231124101730",
            "0001.tif*3",
            "0001.tif*2, 0002.tif*2, 0003.tif*2",
            "0001.tif*2, 0003.tif*2",
            "0001.tif*2, 0002.tif*1, 0003.tif*2, 0004.tif*1",
            "04, 4, 05",
            "cover, 1, 2",
            "1, map-2, 2",
            "A1, A2, B1",
            "page_0001, page_0002",
            "IMG_4711_a, IMG_4712_b",
            "a, b, c, d",
            "1.5, 2",
            "12_left, 12_right",
            "-5, 5",
            "٣, 3",
            "4 copy",
        ),
    ),
    Group(
        f"`page_pattern: '{PATTERN}'`, `page_order: roman_first`",
        {"record": {"page_pattern": PATTERN, "page_order": "roman_first"}},
        ("cover, i, ii, 1, 2, back", "1, 2, map-2, map-10, 3", "A1, A2, B1", "1, A2", "a, b, c, d"),
    ),
    Group(
        "`page_pattern: '(?P<page>.+)'`, `page_order: file_name`",
        {"record": {"page_pattern": "(?P<page>.+)", "page_order": "file_name"}},
        ("001_front, 002_ii, 003_1, 010_spine", ".-5, =5, 5-"),
    ),
    Group("`context.at_gap: break`", {"context": {"at_gap": "break"}}, ("1, 2, 5, 6", "002-003, 004")),
)


def named(file: str) -> tuple[str, int]:
    """The name of a file, and how many pages it has."""
    name, _, count = file.partition("*")
    return name if "." in name[1:] and name.rpartition(".")[2] in ("jpg", "tif") else f"{name}.jpg", int(count or 1)


def make(folder: Path, document: str, files: str) -> None:
    place = folder / document
    place.mkdir(parents=True)
    for number, (name, count) in enumerate(map(named, files.split(", "))):
        drawn = [gradient(60, 80 + number + at) for at in range(count)]
        content = tiff(*drawn) if name.endswith(".tif") else jpeg(drawn[0])
        (place / name).write_bytes(content)


async def scanned(folder: Path, group: Group) -> tuple[list[str], list[str]]:
    """The rows of the table, and what the scan tells of the whole group."""
    images = folder / "images"
    for at, files in enumerate(group.files):
        make(images, f"{at:02}", files)
    record = {"document_fields": ["volume"], **group.settings.get("record", {})}
    settings = {**group.settings, "record": record, "images": {"min_side_pixels": 0}}
    settings |= {"paths": {"page_images": "images", "manifests": "manifests", "output_results": "results"}}
    (folder / "quire.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    theirs = ("PREFECT_", "QUIRE_", "GEMINI_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    ended = await run_quire("scan", env=env, cwd=folder)
    assert (ended.code, ended.said) == (0, []), ended
    manifest = pq.read_table(folder / "manifests/records.parquet")
    path = folder / "manifests/left_out.parquet"
    left_out = plain_rows(pq.read_table(path)) if path.exists() else []
    rules = OrderRules(PageOrder(record.get("page_order", "natural")), PAGE_ORDER_NAMES)
    rows = []
    for at, files in enumerate(group.files):
        table = manifest.filter(pc.equal(manifest["volume"], f"{at:02}"))
        told = [
            f"{Path(row['path']).name}: {row['reason'].partition('; ')[0]}"
            for row in left_out
            if row["path"].startswith(f"images/{at:02}/")
        ]
        rows.append(_row(files, table, told, rules))
    return rows, [line for line in ended.out.splitlines()[4:] if not line.startswith("By the files alone")]


def _row(files: str, table: pa.Table, told: Sequence[str], rules: OrderRules) -> str:
    cells = [f"{each.count} {Gap(kind).said}" for kind, each in found_gaps(table).items()]
    cut = [row["page_label"] for row in plain_rows(table)[1:] if row["predecessor"] is None]
    cells += [f"no page before {', '.join(cut)}"] * bool(cut)
    cells += ["the order is a guess"] * bool(order_notes(table, rules))
    seen: dict[str, list[str]] = {}
    for each in told:
        name, _, reason = each.partition(": ")
        seen.setdefault(reason, []).append(name)
    cells += [f"{', '.join(names)}: {reason}" for reason, names in seen.items()]
    names = ", ".join(f"`{each.replace('*', '` × ')}" + "`" * ("*" not in each) for each in files.split(", "))
    pages = ", ".join(table["page_label"].to_pylist())
    return f"| {names} | {pages or '-'} | {'; '.join(cells) or '-'} |"


async def made(folder: Path) -> str:
    """The section of the page."""
    lines = []
    for at, group in enumerate(GROUPS):
        place = folder / str(at)
        place.mkdir()
        rows, told = await scanned(place, group)
        head = f"With the settings {group.said}:" if group.settings else "With the settings as they are:"
        lines += [head, "", "| files | pages, in their order | what is told |", "|---|---|---|", *rows, ""]
        if not at:
            lines += ["What `quire scan` says of all these together:", "", *(f"- {each}" for each in told), ""]
    return "\n".join(lines)


async def test_names_as_archives_have_them_become_what_the_page_says(tmp_path: Path) -> None:
    assert sum(len(group.files) for group in GROUPS) >= 22
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == await made(tmp_path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, commands():
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        section = asyncio.run(made(Path(temporary)))
        PAGE.write_text(f"{before}{BEGIN}{section}{END}{rest.partition(END)[2]}", encoding="utf-8")
