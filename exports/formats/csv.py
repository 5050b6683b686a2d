"""CSV: a row a page, for spreadsheets and whatever else reads nothing better.

A text that a spreadsheet would run as a formula gets an apostrophe before it: results are the words of scanned pages
and of a model, and a cell such as ``=HYPERLINK(...)`` would send away what stands beside it (OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exports.columns import as_json, row_of, table_schema
from exports.pages import Page
from exports.registry import Job, RowFormat

_BEGINS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last four are their full-width twins, which some spreadsheets take for them."""


@dataclass(frozen=True)
class Csv(RowFormat):
    def head(self, job: Job) -> bytes:
        return _line(table_schema(job.schema, job.document_fields).names)

    def row(self, job: Job, page: Page) -> bytes:
        return _line(row_of(page, job.columns, job.document_fields).values())


def _line(values: Iterable[Any]) -> bytes:
    with io.StringIO(newline="") as line:
        csv.writer(line, lineterminator="\r\n").writerow([_cell(value) for value in values])
        return line.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else as_json(value)
    return defused(text)


def defused(text: str) -> str:
    """With an apostrophe before it, if a spreadsheet would run it. Blanks before a formula do not stop all of them."""
    return f"'{text}" if text.lstrip(" ")[:1] in _BEGINS_FORMULA else text


FORMAT = Csv("a row a page, its lists as JSON", ".csv")
