"""Gold: what people say that stands on pages, by which readings are measured. A page that a person has corrected or
checked is gold, and so is a truth that was brought from elsewhere. And which page a file from elsewhere is of.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import latest
from assets.domain.errors import RecordKeyError
from assets.domain.labels import canonical_label
from assets.sources import join_key


class GoldKind(StrEnum):
    CORRECTED = "corrected"
    CHECKED = "checked"
    IMPORTED = "imported"


IMPORT_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("import_id", pa.string(), nullable=False),
        pa.field("imported_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("imported_by", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_sha256", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
    ]
)
"""Described in manifests/README.md."""

GOLD_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("result_sha256", pa.string()),
        pa.field("answer_sha256", pa.string()),
        pa.field("source", pa.string()),
    ]
)
"""One row for each page that has gold. ``result_sha256``: of the result that a person has vouched for,
``answer_sha256``: of what the model had answered then; both null of what was imported, and ``source`` of all else."""


def gold_of(corrections: pa.Table, imported: pa.Table) -> pa.Table:
    """What there is, by record key. What was said here counts before what comes from elsewhere, as it has the fields of
    the result, too; of each the newest. ``corrections``: CORRECTION_SCHEMA of `corrections`; ``imported``:
    IMPORT_SCHEMA, the oldest first. Columns: GOLD_SCHEMA."""
    said = latest(corrections)
    names = ["record_key", "kind", "corrected_at", "corrected_by", "result_sha256", "answer_sha256"]
    said = said.select(names).rename_columns(GOLD_SCHEMA.names[:-1])
    said = said.append_column("source", pa.nulls(len(said), pa.string()))
    brought = _last_of_each(imported)
    brought = brought.filter(pc.invert(pc.is_in(brought["record_key"], value_set=said["record_key"].combine_chunks())))
    nothing = pa.nulls(len(brought), pa.string())
    kinds = pa.array([GoldKind.IMPORTED.value] * len(brought), pa.string())
    columns = [brought["record_key"], kinds, brought["imported_at"], brought["imported_by"], nothing, nothing]
    brought = pa.table([*columns, brought["source"]], names=GOLD_SCHEMA.names)
    both = pa.concat_tables([said.cast(GOLD_SCHEMA), brought.cast(GOLD_SCHEMA)])
    return both.sort_by("record_key").combine_chunks()


def _last_of_each(imported: pa.Table) -> pa.Table:
    """Of each record the row that comes last."""
    at = {key: row for row, key in enumerate(imported["record_key"].to_pylist())}
    return imported.take(pa.array(list(at.values()), pa.int64()))


def pages_of_files(
    paths: Sequence[str], keys: pa.ChunkedArray, image_paths: pa.ChunkedArray, *, depth: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Which page each file is of: path -> record key; and path -> why it is of none. A file that lies as a result does
    (``CA/Lincoln/2023/4.txt``) is of that page; any other of the page whose image has its name (``scan_0004.xml``,
    ``scan_0004.jpg``), if that is one page alone.

    ``paths``: below their folder, with forward slashes; ``keys``, ``image_paths``: of the record manifest; ``depth``:
    how many fields a document has.
    """
    known, by_stem = set(keys.to_pylist()), _by_stem(keys.to_pylist(), image_paths.to_pylist(), paths)
    found: dict[str, str] = {}
    problems: dict[str, str] = {}
    for path in paths:
        key, named = _by_place(path, depth), by_stem.get(_stem(path), set())
        if key is not None and key in known:
            page = key
        elif len(named) == 1:
            (page,) = named
        else:
            problems[path] = f"{len(named)} pages have an image of that name" if named else "no page is called so"
            continue
        if (other := next((each for each, its in found.items() if its == page), None)) is not None:
            problems[path] = f"{other} is of that page, too"
            continue
        found[path] = page
    return found, problems


def _by_place(path: str, depth: int) -> str | None:
    parts = path.split("/")
    if len(parts) != depth + 1:
        return None
    try:
        return join_key(parts[:-1], canonical_label(_stem(path)))
    except RecordKeyError:
        return None


def _by_stem(keys: Iterable[str], image_paths: Iterable[str], paths: Iterable[str]) -> Mapping[str, set[str]]:
    """Only of names that are asked for: a collection has a million."""
    wanted = {_stem(path) for path in paths}
    found: dict[str, set[str]] = {}
    for key, path in zip(keys, image_paths, strict=True):
        stem = _stem(path)
        if stem in wanted:
            found.setdefault(stem, set()).add(key)
    return found


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name
