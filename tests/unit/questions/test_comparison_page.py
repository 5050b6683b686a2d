"""The page of a comparison shows what others wrote as they wrote it, and loads nothing."""

from datetime import UTC, datetime

from assets.comparing import compared
from flows.gateways.files.runs import Run, Side
from flows.questions.comparison import Findings, SideFindings
from flows.questions.comparison_page import MAX_PAGES, html_page

RUN = Run("run", datetime(2026, 11, 27, tzinfo=UTC), 0, 1, (Side("a", "x", {}, None), Side("b", "y", {}, None)))
HOSTILE = "<script>alert(1)</script> \x1b[31mred\u202egnp"


def side(name: str, text: str) -> SideFindings:
    texts = {'<b>"key"</b>:1': text}
    return SideFindings(name, "<i>words</i>", 1, 1, {}, 0.1, 1, 2, 3, 4.0, 0, texts)


def test_hostile_text_shows_as_text() -> None:
    sides = side("A", f"{HOSTILE} one"), side("B", f"{HOSTILE} two")
    for truth in ({}, {'<b>"key"</b>:1': "<img src=x onerror=alert(2)> one"}):
        page = html_page(Findings(RUN, sides, compared([each.texts for each in sides], truth), truth))
        for evil in ("<script", "<img", "<b>", "<i>", "\x1b", "\u202e"):
            assert evil not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "default-src 'none'" in page
        assert "<ins>two</ins>" in page or "<ins>" in page
        assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")


def test_of_many_pages_those_are_shown_that_differ_most() -> None:
    texts = {f"d:{page}": "the same text" for page in range(MAX_PAGES + 50)}
    others = {key: "another" if key == "d:7" else text for key, text in texts.items() if key != "d:9"}
    sides = [
        SideFindings(name, "x", len(texts), len(of_side), {}, 0.1, 1, 2, 3, 4.0, 0, of_side)
        for name, of_side in (("A", texts), ("B", others))
    ]
    page = html_page(Findings(RUN, (sides[0], sides[1]), compared([texts, others], {}), {}))
    assert page.count("<section>") == MAX_PAGES
    assert "50 more are not shown" in page
    assert "<h2>d:7</h2>" in page
    assert "<h2>d:9</h2>" in page
    assert "It has no result." in page
