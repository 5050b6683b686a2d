"""The tables under manifests/ that are derived from batch manifests and outcomes: they can be deleted, and are made
again. How their rows are made stands in `derived_rows`.

They grow by what was closed since they were last written, a part at a time; each part names in its metadata the
outcomes files that it goes by. Parts that cannot be read are made anew from everything. One that goes by outcomes which
are not there any more is a witness: a closed submission must not look like one that a person has let go of.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from assets.attempts import ATTEMPTS_SCHEMA
from assets.domain.errors import WAY_BACK, ManifestError
from assets.domain.outcome import OutcomeKind
from assets.history import HISTORY_SCHEMA, has_succeeded
from assets.numbering import Pages
from assets.outcomes import KINDS_SCHEMA
from assets.places import PLACE, documents_of, in_order, latest_rows, without
from assets.provenance import RESULTS_SCHEMA
from assets.spending import SUBMISSIONS_SCHEMA
from flows.gateways.files.parquet import Rows
from flows.gateways.files.parts import Part
from flows.gateways.files.presence import is_there
from flows.gateways.files.storage import Storage
from flows.tables.derived_rows import attempts, history, kinds, results, submissions
from flows.tables.merging import parts_to_merge
from flows.tables.settlements import in_order_of_settlement, settlement_of
from flows.tables.single_files import from_single_file, single_file_goes_by

AT_ONCE = 1_000
"""So many outcomes files are read for a part: what is made anew fits the memory."""
TRIES = 5
"""How often a table is looked at while another process merges its parts."""


@dataclass(frozen=True, slots=True)
class _Derived:
    """``rows``: what outcomes add, given by the names of their files in the order in which they were settled, and by
    how to look up rows of before; ``is_latest``: a newer row of a record takes the place of an older one; otherwise all
    rows count. ``order``: which columns a table of all rows is sorted by, where it is not by the record's place."""

    name: str
    schema: pa.Schema
    rows: Callable[[Storage, Sequence[str], Callable[[Collection[str]], pa.Table]], pa.Table]
    is_latest: bool = False
    order: tuple[str, ...] = ()


@dataclass(slots=True)
class _Standing:
    """The table as it stands: ``parts`` on the disk, and ``fresh`` ones that are not."""

    parts: list[Part] = field(default_factory=list)
    fresh: list[pa.Table] = field(default_factory=list)
    goes_by: set[str] = field(default_factory=set)


def results_table(
    storage: Storage,
    columns: Sequence[str] = RESULTS_SCHEMA.names,
    *,
    keys: Collection[str] | None = None,
    write: bool = True,
) -> pa.Table:
    """`manifests/results`, brought up to date. ``columns``: of RESULTS_SCHEMA; ``keys``: of these records alone;
    ``write``: keep it so; False: only look. Raises ManifestError, OSError."""
    return _table(storage, _RESULTS, columns, keys, write=write)


def history_table(storage: Storage, *, keys: Collection[str] | None = None, write: bool = True) -> pa.Table:
    """`manifests/history`, likewise. Columns: HISTORY_SCHEMA. Raises ManifestError, OSError."""
    return _table(storage, _HISTORY, HISTORY_SCHEMA.names, keys, write=write)


def attempts_table(
    storage: Storage,
    columns: Sequence[str] = ATTEMPTS_SCHEMA.names,
    *,
    keys: Collection[str] | None = None,
    write: bool = True,
) -> pa.Table:
    """`manifests/attempts`, likewise. ``columns``: of ATTEMPTS_SCHEMA. Raises ManifestError, OSError."""
    return _table(storage, _ATTEMPTS, columns, keys, write=write)


def submissions_table(
    storage: Storage, columns: Sequence[str] = SUBMISSIONS_SCHEMA.names, *, write: bool = True
) -> pa.Table:
    """`manifests/submissions`, likewise, by submission. ``columns``: of SUBMISSIONS_SCHEMA. Raises ManifestError,
    OSError."""
    return _table(storage, _SUBMISSIONS, columns, write=write)


def kinds_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/outcome_kinds`, likewise. Columns: KINDS_SCHEMA. Raises ManifestError, OSError."""
    return _table(storage, _KINDS, KINDS_SCHEMA.names, write=write)


def succeeded_pages(storage: Storage) -> Pages:
    """The records whose last outcome was a success. Writes nothing. Raises ManifestError, OSError."""
    made, been = last_rows(storage, PLACE)
    return Pages.joined([Pages.of_places(made), Pages.of_places(been.filter(has_succeeded(been)))])


def last_rows(storage: Storage, columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The rows of `results_table` of records of which the history has none, and those of `history_table`: together one
    for each record that ever had an outcome. ``columns``: of RESULTS_SCHEMA, of the former. Writes nothing. Raises
    ManifestError, OSError."""
    been = history_table(storage, write=False)
    return without(placed_results(storage, columns), been), been


def placed_results(storage: Storage, columns: Sequence[str]) -> pa.Table:
    """``columns`` of `results_table` with PLACE, and with record_key where a page has no number. Writes nothing. Raises
    ManifestError, OSError."""
    made = results_table(storage, [*columns, *(name for name in PLACE if name not in columns)], write=False)
    if made["page"].null_count and "record_key" not in columns:
        made = results_table(storage, [*made.column_names, "record_key"], write=False)
    return made


def last_submissions(storage: Storage, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Record key -> the submission and the kind of its last outcome, of those ``keys`` that have one. Raises
    ManifestError, OSError."""
    made = results_table(storage, ["record_key", "submission_id"], keys=keys, write=False)
    been = history_table(storage, keys=keys, write=False)
    found = {
        key: (submission_id, OutcomeKind.SUCCESS.value)
        for key, submission_id in zip(*(made[name].to_pylist() for name in made.column_names), strict=True)
    }
    rows = been.select(["record_key", "submission_id", "kind"]).to_pylist()
    return found | {row["record_key"]: (row["submission_id"], row["kind"]) for row in rows}


def refresh_derived(storage: Storage) -> None:
    """Bring all of them up to date. Raises ManifestError, OSError."""
    for each in _ALL:
        _brought_up_to_date(storage, each, write=True)


def check_outcomes(storage: Storage) -> None:
    """Raise ManifestError for outcomes that were there when `manifests/submissions` was written, and are not."""
    goes_by = single_file_goes_by(storage, _SUBMISSIONS.name)
    with suppress(ManifestError):
        goes_by = goes_by.union(*(part.goes_by for part in storage.parts(_SUBMISSIONS.name).all()))
    _check_there(storage, _SUBMISSIONS.name, goes_by)


def _check_there(storage: Storage, table: str, goes_by: Collection[str]) -> None:
    if gone := set(goes_by).difference(storage.outcome_files()):
        others = f", like {len(gone) - 1} others," if len(gone) > 1 else ""
        raise ManifestError(
            storage.outcomes_path(min(gone)),
            f"is gone,{others[1:]} though {storage.parts(table).folder} goes by it: what was closed would be sent "
            f"again; restore it from a backup, or {WAY_BACK}",
        )


def _table(
    storage: Storage,
    derived: _Derived,
    columns: Sequence[str],
    keys: Collection[str] | None = None,
    *,
    write: bool,
) -> pa.Table:
    for number in range(TRIES):
        standing = _brought_up_to_date(storage, derived, write=write)
        with suppress(ManifestError):
            return _read(storage, derived, standing, columns, keys)
        # Merged meanwhile by another process; or damaged, where it is not whole the next time either.
        if write and number:
            storage.parts(derived.name).remove_parts()
    standing = _Standing()
    _grow(storage, derived, standing, list(storage.outcome_files()), write=False)
    return _read(storage, derived, standing, columns, keys)


def _brought_up_to_date(storage: Storage, derived: _Derived, *, write: bool) -> _Standing:
    standing, names = _Standing(_parts(storage, derived, write=write)), storage.outcome_files()
    parts = storage.parts(derived.name)
    if parts.complete is not None and parts.complete[1] is names and parts.complete[0] == standing.parts:
        return standing
    standing.goes_by.update(name for part in standing.parts for name in part.goes_by)
    if not standing.parts and (before := from_single_file(storage, derived.name, derived.schema)) is not None:
        table, goes_by = before
        _check_there(storage, derived.name, goes_by)
        _add(storage, derived, standing, table, sorted(goes_by), write=write)
    _check_there(storage, derived.name, standing.goes_by)
    if missing := [each for each in names if each not in standing.goes_by]:
        _grow(storage, derived, standing, missing, write=write)
        _merge(storage, derived, standing, write=write)
    _remove_single_file(storage, derived, standing, write=write)
    if not standing.fresh:
        parts.complete = list(standing.parts), names
    return standing


def _remove_single_file(storage: Storage, derived: _Derived, standing: _Standing, *, write: bool) -> None:
    """What an earlier version wrote, once its rows stand in parts."""
    path = storage.derived_path(derived.name)
    if write and standing.parts and not standing.fresh and is_there(path):
        path.unlink()


def _parts(storage: Storage, derived: _Derived, *, write: bool) -> list[Part]:
    """None where they cannot be used."""
    parts = storage.parts(derived.name)
    for _ in range(TRIES):
        with suppress(ManifestError):
            return parts.all()
    if write:
        parts.remove_parts()
    return []


def _grow(storage: Storage, derived: _Derived, standing: _Standing, missing: list[str], *, write: bool) -> None:
    """Add the rows of those outcomes files."""
    names = in_order_of_settlement(storage, missing)
    if standing.goes_by and names and settlement_of(storage, names[0]) <= len(standing.goes_by):
        # Settled before what stands there: what is the latest goes by the order.
        if write:
            storage.parts(derived.name).remove_parts()
        standing.parts, standing.fresh, standing.goes_by = [], [], set()
        missing = list(storage.outcome_files())
        names = in_order_of_settlement(storage, missing)
    # A late job that has answered nothing has no row; from now on nobody has to look.
    without_rows = sorted(set(missing).difference(names))
    for start in range(0, max(1, len(names)), AT_ONCE):
        some = names[start : start + AT_ONCE]
        table = derived.rows(storage, some, partial(_before, storage, derived, standing))
        is_last = start + AT_ONCE >= len(names)
        _add(storage, derived, standing, table, some + (without_rows if is_last else []), write=write)


def _before(storage: Storage, derived: _Derived, standing: _Standing, keys: Collection[str]) -> pa.Table:
    return _read(storage, derived, standing, derived.schema.names, keys)


def _add(
    storage: Storage, derived: _Derived, standing: _Standing, table: pa.Table, goes_by: Sequence[str], *, write: bool
) -> None:
    table = _sorted(derived, table)
    part = None
    if write and not standing.fresh:
        part = storage.parts(derived.name).write_part(table, goes_by, after=standing.parts)
    if part is not None:
        standing.parts.append(part)
    else:
        # Not to be written, or another process has written one meanwhile.
        standing.fresh.append(table)
    standing.goes_by.update(goes_by)


def _merge(storage: Storage, derived: _Derived, standing: _Standing, *, write: bool) -> None:
    """Make one of many parts, where it is time."""
    count = parts_to_merge([part.rows for part in standing.parts])
    if not write or standing.fresh or not count:
        return
    merged, parts = standing.parts[-count:], storage.parts(derived.name)
    try:
        table = _together(derived, [parts.read(part, derived.schema) for part in merged])
    except ManifestError:
        # The next time all of it is made anew.
        parts.remove_parts()
        raise
    goes_by = [name for part in merged for name in part.goes_by]
    part = parts.write_part(table, goes_by, after=standing.parts, merged=count)
    if part is not None:
        standing.parts[-count:] = [part]


def _read(
    storage: Storage, derived: _Derived, standing: _Standing, columns: Sequence[str], keys: Collection[str] | None
) -> pa.Table:
    wanted = dict.fromkeys([*columns, *derived.order, *(("record_key",) if keys is not None else ())])
    if derived.is_latest:
        wanted |= dict.fromkeys(PLACE)
    tables = _tables(storage, derived, standing, list(wanted), keys)
    if (
        derived.is_latest
        and "record_key" not in wanted
        and len(tables) > 1
        and any(each["page"].null_count for each in tables)
    ):
        tables = _tables(storage, derived, standing, [*wanted, "record_key"], keys)
    table = _together(derived, tables)
    if keys is not None:
        table = table.filter(pc.is_in(table["record_key"], value_set=pa.array(keys, pa.string())))
    return table.select(columns)


def _tables(
    storage: Storage, derived: _Derived, standing: _Standing, columns: Sequence[str], keys: Collection[str] | None
) -> list[pa.Table]:
    """What each part has of ``columns``, and of ``keys`` at least; one table at least."""
    schema = pa.schema([derived.schema.field(name) for name in columns])
    rows = None if keys is None else Rows("document", documents_of(keys))
    parts = storage.parts(derived.name)
    tables = [parts.read(part, schema, rows) for part in standing.parts]
    return tables + [each.select(columns) for each in standing.fresh] or [schema.empty_table()]


def _together(derived: _Derived, tables: Sequence[pa.Table]) -> pa.Table:
    if derived.is_latest:
        return latest_rows(tables)
    return tables[0] if len(tables) == 1 else _sorted(derived, pa.concat_tables(tables))


def _sorted(derived: _Derived, table: pa.Table) -> pa.Table:
    if not derived.order:
        return in_order(table) if "document" in table.column_names else table
    return table.sort_by([(name, "ascending") for name in derived.order]).combine_chunks()


_RESULTS = _Derived("results", RESULTS_SCHEMA, results, is_latest=True)
_HISTORY = _Derived("history", HISTORY_SCHEMA, history, is_latest=True)
_ATTEMPTS = _Derived("attempts", ATTEMPTS_SCHEMA, attempts)
_SUBMISSIONS = _Derived("submissions", SUBMISSIONS_SCHEMA, submissions, order=("submission_id",))
_KINDS = _Derived("outcome_kinds", KINDS_SCHEMA, kinds, order=("submission_id", "kind"))
_ALL = (_RESULTS, _SUBMISSIONS, _HISTORY, _KINDS, _ATTEMPTS)
