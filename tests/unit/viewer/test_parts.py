"""The pure parts of the viewer: what is hidden in a text, which pages are odd, what a query means."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from viewer.blocks import fields_of, searchable
from viewer.charts import bar, line
from viewer.finding import snippet_parts
from viewer.index import CLOSE_MARK, OPEN_MARK
from viewer.odd_words import oddness
from viewer.query import fts_query
from viewer.rendering import share
from viewer.shown import marked, marked_key, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a[U+202E]b"),
        ("a\x1b[0m", "a[U+001B][0m"),
        ("soft\u00adhyphen", "soft[U+00AD]hyphen"),
        ("half\ud800", "half[U+D800]"),
        ("line\nbreak\ttab\u00a0space", "line\nbreak\ttab\u00a0space"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_is_hidden_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown
    marked(text).encode()


def test_what_is_marked_is_escaped() -> None:
    assert marked("<b>\u2066") == '&lt;b&gt;<span class="control" title="U+2066 left-to-right isolate">U+2066</span>'


def test_the_fields_of_a_key_keep_their_order_whatever_way_they_are_read() -> None:
    assert marked_key("CA:Lincoln") == "<bdi>CA:Lincoln</bdi>"
    assert marked_key("AL:שלום:<b>") == '<bdi dir="ltr"><bdi>AL</bdi>:<bdi>שלום</bdi>:<bdi>&lt;b&gt;</bdi></bdi>'


def test_odd_pages_stand_out_and_usual_ones_do_not() -> None:
    rng = np.random.default_rng(1)
    words = rng.normal(300, 40, 60).astype(np.int64)
    words[[7, 20, 41]] = 3, 2_000, -1
    found = oddness(words)
    assert np.flatnonzero(found).tolist() == [7, 20]
    assert found[[7, 20]].tolist() == [-1, 1]
    assert not oddness(np.array([300] * 30)).any()
    assert not oddness(np.array([5, 900, 3])).any()


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("school house", '"school" AND "house"'),
        ('"the school" -lincoln', '("the school") NOT ("lincoln")'),
        ("scho*", '"scho"*'),
        ("NOT OR (", '"NOT" AND "OR"'),
        ('a"b', '"a""b"'),
        ("-only", ""),
        ("*** ---", ""),
    ],
)
def test_a_query_means_words_and_nothing_else(typed: str, query: str) -> None:
    assert fts_query(typed) == query
    if query:
        with closing(sqlite3.connect(":memory:")) as base:
            base.execute("CREATE VIRTUAL TABLE t USING fts5(text)")
            base.execute("SELECT * FROM t WHERE t MATCH ?", (query,)).fetchall()


def test_a_snippet_tells_what_was_looked_for() -> None:
    text = f"the {OPEN_MARK}school{CLOSE_MARK} of {OPEN_MARK}art{CLOSE_MARK}"
    assert snippet_parts(text) == (("the ", False), ("school", True), (" of ", False), ("art", True))
    assert snippet_parts(f"a{CLOSE_MARK}b") == ((f"a{CLOSE_MARK}b", False),)


def test_the_text_of_a_result_without_fields_for_text_is_all_it_says() -> None:
    assert searchable({"name": "Ada", "lives": [{"town": "London", "year": 1842}]}) == "Ada\nLondon"
    assert searchable({"text": "all", "note": "no"}) == "all"


def test_fields_are_tables_where_they_are_flat() -> None:
    name, rows, deep = fields_of(
        {"name": None, "rows": [{"a": 1, "b": True}, {"a": 2}], "deep": {"x": [[1], {"y": []}]}}
    )
    assert (name.name, name.text) == ("name", "")
    assert (rows.columns, rows.rows) == (("a", "b"), (("1", "yes"), ("2", "")))
    assert deep.fields[0].items[0].text == "1"
    nested: object = "bottom"
    for _ in range(200):
        nested = {"x": nested}
    assert fields_of(nested)


def test_a_bar_shows_what_is_there_at_all() -> None:
    parts = bar({"done": 999_999, "failing": 1, "waiting": 0})
    assert [part.name for part in parts] == ["done", "failing"]
    assert parts[1].width > 5
    assert round(sum(part.width for part in parts)) == 1000
    assert bar({"done": 0}) == []


def test_a_line_needs_two_times() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    assert line([(begin, 0), (begin, 5)], 10) is None
    drawn = line([(begin + timedelta(hours=at), at) for at in range(1_000)], 999)
    assert drawn is not None
    assert len(drawn.points.split()) < 200
    assert drawn.points.endswith("640.0,0.0")


def test_a_share_is_never_whole_before_all_is() -> None:
    assert [share(count, 10_000) for count in (0, 1, 9_999, 10_000)] == ["0 %", "0.1 %", "99.9 %", "100 %"]
