"""The report of a batch: the sentence of totals, the tables, and that untrusted text stays text."""

import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assets.domain.outcome import OutcomeKind
from assets.outcomes import output_results, uniform_outcomes, with_counts, with_superseded
from assets.reports import MAX_CELL_CHARS, MAX_TABLE_ROWS, batch_report, escape, totals
from tests.unit.assets.tables import NOW, facts, outcomes_of, verdicts


def keys(count: int) -> list[str]:
    return [f"A:b:c:{page}" for page in range(1, count + 1)]


def report(outcomes: pa.Table, counts: dict[str, int] | None = None, *, max_retries: int = 3) -> str:
    return batch_report(with_counts(outcomes, counts or {}), output_results(outcomes), max_retries=max_retries)


def rendered(text: str) -> str:
    """As a renderer shows it: a backslash before a punctuation mark goes, and takes the mark's meaning with it."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def bare(text: str) -> set[str]:
    """The punctuation marks in ``text`` that still mean something."""
    return set(re.findall(r"[!-/:-@\[-`{-~]", re.sub(r"\\[!-/:-@\[-`{-~]", "", text)))


def cells(markdown: str) -> list[list[str]]:
    """The table's rows as they are rendered."""
    rows = [line for line in markdown.splitlines() if line.startswith("| ")][2:]
    return [[rendered(cell) for cell in row[2:-2].split(" | ")] for row in rows]


def test_the_first_line_says_how_many_came_and_how_many_failed() -> None:
    lines = [{"record_key": key, "kind": "empty" if at < 5 else "success"} for at, key in enumerate(keys(500))]
    markdown = report(outcomes_of(keys(500), verdicts(*lines)))
    assert markdown.splitlines()[0] == "Processed 500 records. 495 Success, 5 Failed."
    assert len(cells(markdown)) == 5


def test_a_batch_without_failures_is_one_sentence() -> None:
    table = outcomes_of(keys(2), verdicts(*({"record_key": key} for key in keys(2))))
    assert report(with_superseded(table, keys(1))) == "Processed 2 records. 2 Success, 0 Failed.\n"


def test_what_it_cost_has_a_paragraph_of_its_own() -> None:
    table = outcomes_of(keys(1), verdicts({"record_key": keys(1)[0]}))
    for estimated, words in ((0.5, "$0.5000"), (None, "$0.00")):
        cost = {"usd": 0.25, "estimated_usd": estimated, "unsure": 0}
        markdown = batch_report(with_counts(table, {}), output_results(table), max_retries=3, cost=cost)
        assert markdown.splitlines()[1:3] == ["", f"Cost $0.2500, estimated {words}."]


def test_answers_of_another_model_are_told() -> None:
    lines = verdicts({"record_key": keys(1)[0], "model_version": "models/gemini-3.5-flash-lite"})
    said = report(outcomes_of(keys(1), lines)).replace("\\", "")
    assert "1 answers are of gemini-3.5-flash-lite, though gemini-3.5-flash was asked for: its price counts." in said


def test_records_of_which_nobody_knows_what_they_cost_are_told() -> None:
    table = outcomes_of(keys(1), verdicts({"record_key": keys(1)[0], "unsure": True}))
    for most, words in ((0.5, " They count with $0.5000, their most."), (None, "")):
        cost = {"usd": None, "estimated_usd": None, "unsure": 1, "unsure_usd": most}
        markdown = batch_report(with_counts(table, {}), output_results(table), max_retries=3, cost=cost)
        assert markdown.splitlines()[1:] == ["", f"Unsure: of 1 records nobody knows what they cost.{words}"]


def test_each_failed_record_stands_there_with_kind_message_and_what_is_next() -> None:
    a, b, c, d = keys(4)
    lines = verdicts(
        {"record_key": a, "kind": "not_json", "message": "not JSON"},
        {"record_key": b, "kind": "api_error", "message": "500: internal"},
        {"record_key": c, "kind": "empty", "message": "no text"},
        {"record_key": d},
    )
    markdown = report(outcomes_of(keys(4), lines), {b: 1, c: 3})
    assert cells(markdown) == [
        [a, "not_json", "retry 1/3", "not JSON"],
        [b, "api_error", "retry 2/3", "500: internal"],
        [c, "empty", "dead letter", "no text"],
    ]
    assert "### Dead letters: 1\n" in markdown
    assert f"- {c}" in rendered(markdown)
    assert "`record_failure_counts`" in markdown, "how to get out of it"


def test_freed_records_are_told_and_not_called_failed() -> None:
    freed = uniform_outcomes(
        keys(3), OutcomeKind.BATCH_FAILED, messages="it ended FAILED", batch_id=None, facts=facts(), settled_at=NOW
    )
    markdown = report(freed)
    assert markdown.startswith("Processed 3 records. 0 Success, 0 Failed. 3 freed without counting.")
    assert cells(markdown)[0] == [keys(1)[0], "batch_failed", "sent again, not counted", "it ended FAILED"]
    assert "Dead letters" not in markdown


def test_a_long_table_is_cut_and_says_so() -> None:
    failed = outcomes_of(keys(MAX_TABLE_ROWS + 7), verdicts())
    markdown = report(failed, max_retries=0)
    assert len(cells(markdown)) == MAX_TABLE_ROWS
    assert "... and 7 more: see the outcomes file." in markdown
    assert f"### Dead letters: {MAX_TABLE_ROWS + 7}" in markdown
    assert len(re.findall(r"^- ", markdown, re.M)) == MAX_TABLE_ROWS


def test_hostile_keys_and_messages_stay_text_in_their_cells() -> None:
    key = "A:<b>|`x`*_[y](z):A&lt;M:1"
    message = 'pipe | and\nnewline and &#10;|x| </td><script>alert("1")</script> ![i](http://e) $$x$$ &amp; \\'
    markdown = report(outcomes_of([key], verdicts({"record_key": key, "kind": "api_error", "message": message})))
    assert cells(markdown) == [[key, "api_error", "retry 1/3", message.replace("\n", " ")]]
    row = next(line for line in markdown.splitlines() if "script" in line)
    assert bare(row) == {"|", "/"}, "nothing in it is markup but the table's own; the slash is retry 1/3"
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_failed_records_link_to_their_page_in_the_viewer() -> None:
    odd = "A:<b>|`x`*_[y](z):A&lt;M:1"
    table = outcomes_of([odd, "CA:Lincoln:2023:4"], verdicts({"record_key": odd, "kind": "api_error"}))
    markdown = batch_report(
        with_counts(table, {}), output_results(table), max_retries=0, view_url="http://127.0.0.1:8600/"
    )
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    links = dict(re.findall(r'<a href="([^"]*)">(.*?)</a>', html))
    assert links.keys() == {
        "http://127.0.0.1:8600/page/CA:Lincoln:2023:4",
        "http://127.0.0.1:8600/page/A:%3Cb%3E%7C%60x%60%2A_%5By%5D%28z%29:A%26lt%3BM:1",
    }
    assert links["http://127.0.0.1:8600/page/CA:Lincoln:2023:4"] == "CA:Lincoln:2023:4"
    assert cells(markdown)[0][0] != odd, "a link stands in the cell"
    assert "### Dead letters: 2" in markdown


@given(st.text())
def test_escaped_text_is_one_bounded_line_that_renders_as_it_was(text: str) -> None:
    escaped = escape(text)
    seen = rendered(escaped)
    assert escaped.isprintable()
    assert bare(escaped) == set()
    assert len(seen) <= MAX_CELL_CHARS
    shown = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    assert seen == shown or (seen.endswith("…") and shown.startswith(seen[:-1]))


def test_very_long_text_is_cut() -> None:
    assert escape("a" * 10_000) == "a" * (MAX_CELL_CHARS - 1) + "…"


def test_totals_are_by_kind_most_frequent_first() -> None:
    table = outcomes_of(keys(4), verdicts({"record_key": "A:b:c:2"}, {"record_key": "A:b:c:3", "kind": "empty"}))
    assert totals(table) == {"missing": 2, "empty": 1, "success": 1}
