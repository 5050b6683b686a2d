"""What people read: the Markdown report of a settled batch. Record keys and messages are untrusted text (a folder's
name, a model's words) and are escaped here.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from assets.answered_by import other_models
from assets.domain.money import dollars
from assets.domain.outcome import ANSWERED_WELL, COUNTED, HELD, is_dead
from assets.graph import asset

MAX_TABLE_ROWS = 200
"""Prefect sets no limit to an artifact's size (3.9.1, read in its source), so the report sets its own."""
MAX_CELL_CHARS = 200
_ASCII_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


@asset()
def batch_report(
    record_outcomes: pa.Table,
    output_results: pa.Table,
    *,
    max_retries: int,
    cost: Mapping[str, Any] | None = None,
    view_url: str | None = None,
) -> str:
    """Markdown: the sentence of totals, the cost, the failed records, the dead letters.

    ``record_outcomes``: as committed, with counts. ``cost``: the submission's row of `assets.spending`. ``view_url``:
    of a viewer, to whose pages the failed records link.
    """
    kinds = record_outcomes["kind"].to_pylist()
    good = sum(kind in ANSWERED_WELL for kind in kinds)
    counted = sum(kind in COUNTED for kind in kinds)
    held = sum(kind in HELD for kind in kinds)
    freed = len(kinds) - good - counted - held
    lines = [
        f"Processed {len(kinds)} records. {good} Success, {counted} Failed."
        + (f" {freed} freed without counting." if freed else "")
        + (f" {held} held for a person." if held else "")
    ]
    if cost is not None and cost["usd"] is not None:
        lines += ["", f"Cost {dollars(cost['usd'])}, estimated {dollars(cost['estimated_usd'] or 0.0)}."]
    for name, answers in other_models(record_outcomes).items():
        asked = escape(record_outcomes["model"][0].as_py())
        lines += ["", f"{answers} answers are of {escape(name)}, though {asked} was asked for: its price counts."]
    if cost is not None and cost["unsure"]:
        most = "" if cost["unsure_usd"] is None else f" They count with {dollars(cost['unsure_usd'])}, their most."
        lines += ["", f"Unsure: of {cost['unsure']} records nobody knows what they cost.{most}"]
    bad = record_outcomes.filter(pc.invert(pc.is_in(record_outcomes["kind"], value_set=pa.array(list(ANSWERED_WELL)))))
    rows = bad.select(["record_key", "kind", "message", "count_after"]).to_pylist()
    dead = [row for row in rows if row["count_after"] is not None and _is_dead(row, max_retries)]
    if rows:
        # The message last: it is long, and what does not fit the UI's width has to be scrolled to.
        lines += ["", "| Record | Kind | Next | Message |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {_linked(row['record_key'], view_url)} | {escape(row['kind'])} | {_what_next(row, max_retries)} "
            f"| {escape(row['message'])} |"
            for row in rows[:MAX_TABLE_ROWS]
        ]
        if len(rows) > MAX_TABLE_ROWS:
            lines += ["", f"... and {len(rows) - MAX_TABLE_ROWS} more: see the outcomes file."]
    if dead:
        lines += ["", f"### Dead letters: {len(dead)}", ""]
        lines += [f"- {_linked(row['record_key'], view_url)}" for row in dead[:MAX_TABLE_ROWS]]
        lines += ["", "They are not sent again until their count is reset in `record_failure_counts`."]
    return "\n".join(lines) + "\n"


def totals(record_outcomes: pa.Table) -> dict[str, int]:
    """kind -> how many, most frequent first."""
    counted = record_outcomes["kind"].value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: (-row["counts"], row["values"]))}


def escape(text: str) -> str:
    """Untrusted text for one cell of a Markdown table: one line, bounded, neither Markdown nor HTML."""
    # Half a character, or a control character, is more than some databases take.
    one_line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    if len(one_line) > MAX_CELL_CHARS:
        one_line = one_line[: MAX_CELL_CHARS - 1] + "…"
    # Backslashes, which CommonMark takes before each of these, and not entities: Prefect's V1 UI shows those as they
    # are written. With backslashes both its UIs show the character, in tables and lists too (3.8.8, seen in a browser).
    return _ASCII_PUNCTUATION.sub(r"\\\1", one_line)


def page_address(view_url: str, record_key: str) -> str:
    """Where ``quire view``, served at ``view_url``, shows a page. Without the token: who follows it has been there."""
    return f"{view_url.rstrip('/')}/page/{quote(record_key, safe=':')}"


def _linked(record_key: str, view_url: str | None) -> str:
    text = escape(record_key)
    if view_url is None:
        return text
    # What the address itself may hold must not end it: a bracket, a bar between cells.
    address = re.sub(r"[()|<>\\\s]", lambda found: quote(found[0]), page_address(view_url, record_key))
    return f"[{text}]({address})"


def _is_dead(row: Mapping[str, int], max_retries: int) -> bool:
    return is_dead(row["count_after"], max_retries=max_retries)


def _what_next(row: Mapping[str, int], max_retries: int) -> str:
    if row["count_after"] is None:
        return "sent again, not counted"
    if _is_dead(row, max_retries):
        return "dead letter"
    return f"retry {row['count_after']}/{max_retries}"
