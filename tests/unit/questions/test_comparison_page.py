"""The page of a comparison shows what others wrote as they wrote it, and loads nothing."""

from datetime import UTC, datetime

from assets.comparing import compared
from flows.gateways.files.runs import Run, Side
from flows.questions.comparison import Findings, SideFindings
from flows.questions.comparison_page import html_page

HOSTILE = "<script>alert(1)</script> \x1b[31mred\u202egnp"


def side(name: str, text: str) -> SideFindings:
    texts = {'<b>"key"</b>:1': text}
    return SideFindings(name, "<i>words</i>", 1, 1, {}, 0.1, 1, 2, 3, 4.0, 0, texts)


def test_hostile_text_shows_as_text() -> None:
    run = Run("run", datetime(2026, 11, 27, tzinfo=UTC), 0, 1, (Side("a", "x", {}, None), Side("b", "y", {}, None)))
    sides = side("A", f"{HOSTILE} one"), side("B", f"{HOSTILE} two")
    for truth in ({}, {'<b>"key"</b>:1': "<img src=x onerror=alert(2)> one"}):
        page = html_page(Findings(run, sides, compared([each.texts for each in sides], truth), truth))
        for evil in ("<script", "<img", "<b>", "<i>", "\x1b", "\u202e"):
            assert evil not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "default-src 'none'" in page
        assert "<ins>two</ins>" in page or "<ins>" in page
        assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
