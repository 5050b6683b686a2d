"""``quire sample``: pages drawn for a person to check, so that a few tell of all. How they are drawn stands in
`assets.sampling`.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import QuireError
from assets.plain_rows import plain_rows
from assets.quality.kinds import kind_of, script_of
from assets.sampling import UNKNOWN, Stratum, decade_of, sample, strata_of
from config.settings import Settings, load_settings
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.storage import Storage
from flows.runtime.printable import printable
from flows.runtime.progress import tell_step
from flows.runtime.wiring import config_path, make_storage
from flows.tables.gold import PageText, read_gold, text_of

OF_RESULTS = ("script", "kind")
"""What is told by the text of a page, beside the fields of its result; the results are read for it."""
OF_NAMES = ("document", "decade")
MAX_STRATA = 20
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


def sample_text(config: str | None, count: int, *, by: list[str], seed: int, to: Path | None) -> str:
    """``by``: what the strata are made of; ``to``: a file that gets a row for each page. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    records = _with_result(storage)
    if not len(records):
        raise QuireError("no page has a result yet, so that none could be checked; run quire run")
    names = [_strata_name(settings, storage, records, each) for each in by]
    strata = [" ".join(parts) for parts in zip(*names, strict=True)] if names else ["all"] * len(records)
    drawn = sample(strata, count, seed=seed)
    rows = plain_rows(records.take(pa.array(drawn)))
    keys = [row["record_key"] for row in rows]
    gold = dict(zip(*(read_gold(storage)[name].to_pylist() for name in ("record_key", "kind")), strict=True))
    if to is not None:
        columns = {name: [values[at] for at in drawn] for name, values in zip(by, names, strict=True)}
        _write(to, storage, rows, columns, gold)
    lines = keys if to is None else [f"{len(keys)} pages are in {to}"]
    by_what = f" by {' and '.join(by)}" if by else ""
    lines += ["", f"{len(keys)} of {len(records):,} pages with a result, drawn{by_what}; --seed {seed} draws the same"]
    lines += _strata_lines(strata_of(strata, drawn)) if by else []
    done = sum(key in gold for key in keys)
    lines += [f"{done} of them are gold already"] if done else []
    lines.append("look at each beside its image (quire view --edit, or quire correct), then: quire quality")
    return "\n".join(printable(line) for line in lines)


def _with_result(storage: Storage) -> pa.Table:
    """Of the record manifest, in its order."""
    records = storage.read_records()
    if records is None:
        raise QuireError("nobody has looked which pages there are; run quire scan first")
    present = pa.array(storage.find_results().present, pa.string())
    return records.filter(pc.is_in(records["record_key"], value_set=present)).combine_chunks()


def _strata_name(settings: Settings, storage: Storage, records: pa.Table, by: str) -> list[str]:
    """Of each page what it has of ``by``."""
    fields = settings.record.document_fields
    if by in fields:
        found: list[str] = records[by].to_pylist()
        return found
    columns = [records[name].to_pylist() for name in fields]
    documents = list(zip(*columns, strict=True)) if fields else [()] * len(records)
    match by:
        case "document":
            return [":".join(values) for values in documents]
        case "decade":
            return [decade_of(values) for values in documents]
        case _:
            values = [_of_result(page, by) for page in _pages(storage, records["record_key"].to_pylist())]
            if by not in OF_RESULTS and all(value == UNKNOWN for value in values):
                names = ", ".join([*OF_NAMES, *OF_RESULTS, *fields])
                raise QuireError(f"no result has a field {by!r}; say one of {names}, or a field of the results")
            return values


def _pages(storage: Storage, keys: list[str]) -> Iterator[PageText | None]:
    for at, key in enumerate(keys):
        content = storage.read_result(key)
        yield None if content is None else text_of(content)
        tell_step("Reading results", at + 1, len(keys))


def _of_result(page: PageText | None, by: str) -> str:
    if page is None:
        return UNKNOWN
    if by == "script":
        return script_of(page.body)
    if by == "kind":
        return kind_of(page.content)
    value = page.result.get(by) if isinstance(page.result, dict) else None
    return str(value) if isinstance(value, str | int | float | bool) else UNKNOWN


def _strata_lines(strata: list[Stratum]) -> list[str]:
    lines = [f"  {each.name}: {each.drawn} of {each.pages:,}" for each in strata[:MAX_STRATA]]
    if len(strata) > MAX_STRATA:
        lines.append(f"  ... and {len(strata) - MAX_STRATA} more")
    if missed := sum(not each.drawn for each in strata):
        lines.append(f"of {missed} of these no page was drawn: they are too small for so few pages")
    return lines


def _write(
    to: Path,
    storage: Storage,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, list[str]],
    gold: Mapping[str, str],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["record_key", *columns, "image", "result", "gold"])
    for at, row in enumerate(rows):
        key = row["record_key"]
        cells = [key, *(values[at] for values in columns.values()), row["image_path"], str(storage.result_path(key))]
        writer.writerow([_defused(each) for each in [*cells, gold.get(key, "")]])
    replace_text(to, text.getvalue())


def _defused(cell: str) -> str:
    """A spreadsheet would run what begins so."""
    return f"'{cell}" if cell.startswith(_RUN_BY_SPREADSHEETS) else cell
