"""The artifact of the status: what it says, that it is bounded, and that words of others stay words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
from markdown_it import MarkdownIt

from assets.candidates import STATES
from assets.pace import Pace
from assets.spending import Cap
from flows.questions.glance import MAX_BATCHES, MAX_DOCUMENTS, MAX_LETTERS, Glance, document_rows, status_markdown
from flows.questions.status import BatchStatus, Status
from tests.unit.assets.tables import NOW, states_with

HOSTILE = "A:<img src=x onerror=alert(1)>|**b**`c`:1:1"
_COUNTS = ("pages", "done", "in_flight", "failing", "left")
DOCUMENTS = pa.schema([("document", pa.string()), *((name, pa.int64()) for name in _COUNTS), ("usd", pa.float64())])


def status(**changes: Any) -> Status:
    states = {state.value: 0 for state in STATES} | {"done": 412, "inflight": 20, "waiting": 60, "dead": 1}
    nothing: dict[str, Any] = {
        "waves_by_mode": {},
        "model_notes": (),
        "batches": (),
        "failures": {},
        "dead_letters": {},
    }
    nothing |= {"held": (), "unjudged": (), "causes": {}, "next_try_at": None, "breaker": None, "blocking": {}}
    nothing |= {"left_out": 0, "outdated": 0, "outdated_by": {}, "not_compared": 0, "rerun": 0, "edited": 0}
    nothing |= {"corrected": 0, "checked": 0}
    nothing |= {"no_json": (), "results_not_compared": 0, "open_usd": 0.5, "unsure_usd": 0.0, "unsure": 0}
    values = {"collection": "ca", "records": 493, "states": states, "waves_left": 3, "spent_usd": 12.0, **nothing}
    return Status(**values | changes)


def glance(found: Status, **changes: Any) -> Glance:
    values: dict[str, Any] = {"made_at": {}, "caps": (), "pace": Pace(40.0, 1800.0), "points": ()}
    values["states"] = states_with({})
    return Glance(found, NOW, **values | {"documents": DOCUMENTS.empty_table()} | changes)


def markdown(found: Glance) -> str:
    return status_markdown(found, "1 batch settled (3 success)", "/data/manifests", documents="ca-documents")


def test_it_says_how_far_it_is_when_it_ends_what_is_left_of_the_caps_and_what_the_pass_did() -> None:
    batch = BatchStatus("batches/abc", "01jd", "active", 20)
    said = markdown(
        glance(
            status(batches=(batch,)),
            made_at={"batches/abc": NOW - timedelta(minutes=95)},
            caps=(Cap("budget.max_usd_total", 20.0, 12.0, 0.5),),
        )
    )

    assert said.startswith("**Collection ca: 412 of 493 pages done.** The rest may be done by 2026-11-24 14:00 UTC")
    assert "This pass: 1 batch settled \\(3 success\\)." in said
    assert "| Left of budget\\.max\\_usd\\_total | $7.50 of $20.00 |" in said
    assert "| batches\\/abc | active | 20 | 1 h 35 min ago |" in said
    assert "needs a person" not in said


def test_what_needs_a_person_says_why_and_what_to_do() -> None:
    stuck = BatchStatus("batches/abc", "01jd", "stuck", 20, "Gemini does not know it; run quire release batches/abc")
    found = status(
        batches=(stuck,),
        dead_letters={"A:b:1:1": 4},
        held=("A:b:1:2",),
        causes={"A:b:1:1": "blocked (SAFETY)"},
        blocking={"A:b:1:1": 60},
        breaker="too much failed",
        no_json=("A:b:1:3",),
        kept_back={"A:b:1:4": "its folder cannot be written"},
    )
    said = markdown(glance(found))

    for line in (
        "### What needs a person",
        "- Nothing is sent: too much failed",
        "cannot be settled: Gemini does not know it\\; run quire release batches\\/abc",
        "1 results are no JSON",
        "- Page A\\:b\\:1\\:4 is kept back: its folder cannot be written",
        "| A\\:b\\:1\\:1 | dead letter | 4 failures | 60 | blocked \\(SAFETY\\) |",
        "| A\\:b\\:1\\:2 | held | batch after batch brought no answer | 0 |  |",
        "run the deployment `unblock`",
    ):
        assert line in said
    assert glance(found).left == 0, "nobody waits for what is behind a dead letter, or in a batch that is stuck"
    assert glance(replace(found, batches=())).left == 20


def test_without_answers_and_without_pages_it_says_so() -> None:
    assert "not known before the first answers" in markdown(glance(status(), pace=Pace(None, None)))
    nothing = status(collection="", records=0, states=dict.fromkeys((each.value for each in STATES), 0))
    assert markdown(glance(nothing)).startswith("**The collection: 0 of 0 pages done.**\n")


def test_words_of_others_are_text_whatever_they_are() -> None:
    stuck = BatchStatus(HOSTILE, None, "unknown", None, HOSTILE)
    found = status(
        dead_letters={HOSTILE: 4},
        causes={HOSTILE: HOSTILE},
        batches=(stuck,),
        breaker=HOSTILE,
        no_json=(HOSTILE,),
        kept_back={HOSTILE: HOSTILE},
        model_notes=(HOSTILE,),
    )

    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown(glance(found)))

    inner = [token for block in tokens for token in [block, *(block.children or [])]]
    assert not {token.type for token in inner} & {"html_block", "html_inline"}
    said = ["".join(child.content for child in block.children or []) for block in tokens if block.type == "inline"]
    assert sum(HOSTILE in each for each in said) == 8, "each time it is shown as it is"
    assert [token.content for token in inner if token.type == "code_inline"] == [
        "rerun",
        "edited",
        "unblock",
        "quire unblock KEY",
    ]


def test_it_stays_short_and_names_the_file_with_the_rest() -> None:
    many = [f"A:b:1:{number}" for number in range(1, 10_001)]
    batches = tuple(BatchStatus(f"batches/{number}", None, "active", 1, "x" * 5000) for number in range(1000))
    found = status(dead_letters=dict.fromkeys(many, 4), causes=dict.fromkeys(many, "y" * 5000), batches=batches)
    points = [(NOW + timedelta(minutes=minute), minute) for minute in range(10_000)]
    row = {"document": "d", "pages": 3, "done": 1, "in_flight": 0, "failing": 0, "left": 2, "usd": None}
    table = pa.Table.from_pylist([row] * 10_000, schema=DOCUMENTS)
    said = markdown(glance(found, points=points, documents=table))

    assert len(said) < 60_000
    assert f"... and {10_000 - MAX_LETTERS:,} more: \\/data\\/manifests/history has all." in said
    assert f"... and {1000 - MAX_BATCHES} more" in said
    assert len(document_rows(glance(found, documents=table))) == MAX_DOCUMENTS


def test_documents_say_what_they_cost_and_when_they_may_be_done() -> None:
    done = {"document": "A:b:1", "pages": 2, "done": 2, "in_flight": 0, "failing": 0, "left": 0, "usd": 0.02}
    begun = {"document": "A:<b>\n:2", "pages": 9, "done": 1, "in_flight": 1, "failing": 0, "left": 8, "usd": None}
    found = glance(status(), documents=pa.Table.from_pylist([begun, done], schema=DOCUMENTS))

    first, second = document_rows(found)

    assert first == {
        "document": "A:<b> :2",
        "pages": 9,
        "done": 1,
        "in flight": 1,
        "failing": 0,
        "cost, about": "not known",
        "may be done by": "2026-11-24 13:30 UTC",
    }, "three rounds, half an hour each: no document takes more of them than the collection"
    assert (second["cost, about"], second["may be done by"]) == ("$0.0200", "")
    one_wave = replace(found, status=status(waves_left=1))
    assert document_rows(one_wave)[0]["may be done by"] == "2026-11-24 12:30 UTC"
