"""Records by number, of any collection and with labels of all kinds, against lists of keys: from a table, and from
a file in groups of any size. And the states that come of it, against a reference that goes record by record."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from assets.candidates import RecordState, RunRules, record_states
from assets.context import ContextMode
from assets.domain.page_orders import AtGap, PageOrder
from assets.domain.record import entry_of
from assets.numbering import Numbering, Pages, Records
from assets.page_order import OrderRules
from assets.plain_rows import plain_rows
from flows.gateways.files.records import read_numbered, write_records
from tests.unit.assets.tables import FIELDS, ledger_of, manifest_of, results_of

LABELS = [*map(str, range(7)), "10", "11", "2147483647", "2147483648", "0xF4240", "1000000"]
LABELS += ["2a", "3r", "3v", "4r", "12-13", "iv", "v", "c", "cover", "back-2", "Blatt ä", "99999999999999999999"]
DOCUMENTS = ["A:x:1", "A:x:10", "A:x:2", "B:ä:1"]
keys = st.builds("{}:{}".format, st.sampled_from(DOCUMENTS), st.sampled_from(LABELS))
some_keys = st.lists(keys, max_size=20)
orders = st.builds(OrderRules, st.sampled_from(PageOrder))
manifests = st.builds(
    manifest_of, st.lists(keys, max_size=40, unique=True), order=orders, at_gap=st.sampled_from(AtGap)
)


def by_file(manifest: pa.Table, *, group_rows: int) -> tuple[Records, pa.Table]:
    """What a file tells of all records, and all its rows, when another one has taken its place."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "records.parquet"
        write_records(manifest, path, group_rows=group_rows)
        records = read_numbered(path, FIELDS)
        path.unlink()
        return records, records.read(np.arange(len(records)))


@given(manifests, st.integers(1, 9))
def test_a_file_tells_the_same_records_as_its_table(manifest: pa.Table, group_rows: int) -> None:
    records, rows = by_file(manifest, group_rows=group_rows)

    assert records.pages.keys().to_pylist() == manifest["record_key"].to_pylist()
    assert records.predecessors(np.arange(len(records))).to_pylist() == manifest["predecessor"].to_pylist()
    assert plain_rows(rows) == plain_rows(manifest.select(rows.column_names))
    assert records.follows.tolist() == Records.of(manifest).follows.tolist()


@given(manifests, st.lists(keys, max_size=20))
def test_each_key_has_the_number_of_its_row_and_back(manifest: pa.Table, wanted: list[str]) -> None:
    known: list[str] = manifest["record_key"].to_pylist()
    numbering: Numbering = Records.of(manifest)

    numbers = numbering.numbers_of_keys([*wanted, "no key", "A:x:7:1", ":", ""])
    assert numbers.tolist() == [known.index(key) if key in known else -1 for key in wanted] + [-1] * 4
    assert numbering.keys(numbers[numbers >= 0]).to_pylist() == [key for key in wanted if key in known]
    assert numbering.mask(Pages.of_keys(wanted)).tolist() == [key in wanted for key in known]
    for document in (*DOCUMENTS, "A:x", "A"):
        its = [key for key in known if key.rpartition(":")[0] == document]
        assert numbering.keys_of_document(document) == its


@given(some_keys, st.data())
def test_pages_are_what_they_were_made_of(wanted: list[str], data: Any) -> None:
    pages = Pages.of_keys(wanted)
    assert pages.keys().to_pylist() == wanted
    assert pages.labels().to_pylist() == [key.rpartition(":")[2] for key in wanted]
    assert pages.have_twins() == (len(set(wanted)) < len(wanted))
    at = data.draw(st.lists(st.integers(0, max(0, len(wanted) - 1)), max_size=9 * bool(wanted)))
    assert pages.take(np.array(at, dtype=np.int64)).keys().to_pylist() == [wanted[each] for each in at]
    assert Pages.joined([pages, Pages.of_keys(["B:ä:1:iv"]), pages]).keys().to_pylist() == [
        *wanted,
        "B:ä:1:iv",
        *wanted,
    ]


@given(
    manifests,
    st.lists(keys, max_size=20, unique=True),
    st.lists(keys, max_size=5),
    st.lists(keys, max_size=5),
    st.lists(keys, max_size=5),
    st.dictionaries(keys, st.integers(1, 4), max_size=12),
    st.sampled_from(ContextMode),
    st.sampled_from(["wait", "proceed"]),
    st.integers(1, 9),
)
def test_states_are_those_of_a_reference_that_goes_by_the_keys(
    manifest: pa.Table,
    done: list[str],
    inflight: list[str],
    held: list[str],
    postponed: list[str],
    counts: dict[str, int],
    mode: ContextMode,
    on_dead: str,
    group_rows: int,
) -> None:
    dead = {key for key, count in counts.items() if count > 2}
    passed = {*done, *(dead if on_dead == "proceed" else ())}
    expected = {}
    for row in manifest.select(["record_key", "predecessor"]).to_pylist():
        key, before = row.values()
        waits = mode.waits_for_result and before is not None and before not in passed
        sets = [(RecordState.DONE, done), (RecordState.INFLIGHT, inflight), (RecordState.DEAD, dead)]
        sets += [(RecordState.HELD, held), (RecordState.WAITING, [key] if waits else [])]
        sets += [(RecordState.POSTPONED, postponed), (RecordState.RUNNABLE, [key])]
        expected[key] = next(state.value for state, those in sets if key in those)

    records, _ = by_file(manifest, group_rows=group_rows)
    rules = RunRules(max_retries=2, context_mode=mode, on_dead_dependency=on_dead)
    who: dict[str, Any] = {"inflight": inflight, "held": held, "postponed": postponed, "rules": rules}
    states = record_states(
        records, results_of(done), ledger_of({entry_of(key): count for key, count in counts.items()}), **who
    )

    found = {state.value: set(states.keys(state)) for state in RecordState}
    assert {key: state for state, those in found.items() for key in those} == expected
    assert states.failures.tolist() == [counts.get(key, 0) for key in expected]
