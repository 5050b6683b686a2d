"""How far each document is: counts, what it cost, and who stands first."""

import pyarrow as pa

from assets.documents import documents_table
from tests.unit.assets.tables import states_with

STATES = {
    "CA:done:1:1": "done",
    "CA:done:1:2": "done",
    "CA:begun:1:1": "done",
    "CA:begun:1:2": "inflight",
    "CA:begun:1:3": "waiting",
    "CA:fails:1:1": "dead",
    "CA:fails:1:2": "held",
    "CA:fails:1:3": "runnable",
    "CA:new:1:1": "runnable",
}


def documents(results: dict[str, str]) -> list[dict[str, object]]:
    """``results``: record key -> the submission that made its result."""
    made = {"record_key": list(results), "submission_id": list(results.values())}
    schema = pa.schema([("record_key", pa.string()), ("submission_id", pa.string())])
    submissions = {"submission_id": ["s1", "s2", "s3"], "answers": [4, 1, 2], "usd": [2.0, 0.25, None]}
    table = documents_table(states_with(STATES), pa.table(made, schema=schema), pa.table(submissions))
    found: list[dict[str, object]] = table.to_pylist()
    return found


def test_those_that_fail_stand_first_then_those_that_are_begun_then_the_rest_and_the_done_last() -> None:
    rows = documents({"CA:done:1:1": "s1", "CA:done:1:2": "s2", "CA:begun:1:1": "s3", "CA:gone:1:1": "s1"})

    assert [row["document"] for row in rows] == ["CA:fails:1", "CA:begun:1", "CA:new:1", "CA:done:1"]
    fails, begun, new, done = rows
    counts = {"pages": 3, "done": 1, "in_flight": 1, "failing": 0, "left": 2}
    assert begun == {"document": "CA:begun:1", **counts, "usd": None}, "what the third submission cost is not known"
    assert (fails["failing"], fails["left"]) == (2, 1)
    assert (done["left"], done["usd"]) == (0, 0.75), "a quarter of the first batch, and the second one"
    assert new["usd"] == 0.0


def test_without_records_and_results_there_is_nothing() -> None:
    empty = pa.table({"record_key": pa.array([], pa.string()), "submission_id": pa.array([], pa.string())})
    submissions = pa.table(
        {
            "submission_id": pa.array([], pa.string()),
            "answers": pa.array([], pa.int64()),
            "usd": pa.array([], pa.float64()),
        }
    )
    assert documents_table(states_with({}), empty, submissions).to_pylist() == []
