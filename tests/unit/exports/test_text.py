"""``quire export text|markdown``: documents as one text, read by a Markdown parser that is not ours."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from assets.domain.errors import QuireError
from assets.selection import Selection
from tests.unit.exports.shelf import Shelf, block, transcript

GOES_ON = {"continues_on_next_page": True}
GOES_ON_FROM = {"continues_previous_page": True}
HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/a.png) [y](javascript:alert(1))",
    "# no heading",
    "1. no list",
    "- no list",
    "+ no list",
    "> no quote",
    "```no code```",
    "    no code",
    "=====",
    "-----",
    "***",
    "a | b",
    "&lt;b&gt; &#106;",
    "~~~",
    "$x$",
    "\\",
    "http://evil.example www.evil.example HTTPS://evil.example",
    "[ref]: http://evil.example",
    "Setext\n===",
    "\x1b[31mred\x07",
    "abc\u202edcb\u202c",
    "<!-- c -->",
    "<a@b.example>",
    "^1^ ~1~ ==m== :smile:",
)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, ("book",))


def text_of(shelf: Shelf, name: str = "text", **asked: object) -> str:
    shelf.export(name, shelf.root / f"out-{name}", **asked)
    (path,) = (path for path in (shelf.root / f"out-{name}").glob("[!.]*"))
    return path.read_text(encoding="utf-8")


class TestOverPages:
    def test_a_paragraph_goes_on_and_its_footnote_comes_behind_it(self, shelf: Shelf) -> None:
        first = transcript(
            block("Head", "running_head"),
            block("Of the gar-"),
            block("1 A note.", "footnote"),
            block("12", "page_number"),
            **GOES_ON,
        )
        second = transcript(block("Head", "running_head"), block("den and the house."), block("Next."), **GOES_ON_FROM)
        shelf.add("b", {"12v": first, "13r": second})

        assert text_of(shelf) == "[page 12v]\n\nOf the garden [page 13r] and the house.\n\n1 A note.\n\nNext.\n"
        assert text_of(shelf, "markdown") == (
            "*\\[p. 12v\\]*\n\nOf the garden *\\[p. 13r\\]* and the house.\n\n> 1 A note.\n\nNext.\n"
        )

    def test_over_three_pages(self, shelf: Shelf) -> None:
        middle = transcript(block("two"), block("note", "footnote"), **GOES_ON, **GOES_ON_FROM)
        shelf.add(
            "b",
            {"1": transcript(block("one"), **GOES_ON), "2": middle, "3": transcript(block("three"), **GOES_ON_FROM)},
        )
        assert text_of(shelf) == "[page 1]\n\none [page 2] two [page 3] three\n\nnote\n"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (transcript(block("one-")), transcript(block("two"), **GOES_ON_FROM)),
            (transcript(block("one-"), **GOES_ON), transcript(block("two"))),
            (transcript(block("one-"), **GOES_ON), transcript(block("two", "heading"), **GOES_ON_FROM)),
            (transcript(block("one-"), **GOES_ON), transcript(block("two", "list"), **GOES_ON_FROM)),
        ],
        ids=["only the second says so", "only the first", "a heading", "another kind"],
    )
    def test_nothing_is_joined_that_the_answers_do_not_say(
        self, shelf: Shelf, first: dict[str, object], second: dict[str, object]
    ) -> None:
        shelf.add("b", {"1": first, "2": second})
        assert text_of(shelf) == "[page 1]\n\none-\n\n[page 2]\n\ntwo\n"

    def test_pages_that_are_no_neighbours_are_not_joined(self, shelf: Shelf) -> None:
        ends = transcript(block("one"), **GOES_ON)
        shelf.add("b", {"1": ends, "2": transcript(), "3": transcript(block("three"), **GOES_ON_FROM)})
        asked = Selection(("b:1", "b:3"))
        assert text_of(shelf, selection=asked) == "[page 1]\n\none\n\n[page 3]\n\nthree\n"

    def test_a_page_without_a_result_is_marked(self, shelf: Shelf) -> None:
        shelf.add("b", {"1": transcript(block("one"), **GOES_ON), "2": None, "3": transcript(block("three"))})
        assert text_of(shelf) == "[page 1]\n\none\n\n[page 2: not read]\n\n[page 3]\n\nthree\n"

    def test_a_hyphen_before_a_capital_stays(self, shelf: Shelf) -> None:
        shelf.add(
            "b", {"1": transcript(block("Anglo-"), **GOES_ON), "2": transcript(block("Saxon times"), **GOES_ON_FROM)}
        )
        assert text_of(shelf) == "[page 1]\n\nAnglo- [page 2] Saxon times\n"

    def test_tables_and_lists_go_on_row_by_row(self, shelf: Shelf) -> None:
        first = transcript(block("Name\tSum\npaper\t1", "table"), **GOES_ON)
        second = transcript(block("ink\t2", "table"), block("a\nb", "list"), block("c", "list"), **GOES_ON_FROM)
        shelf.add("b", {"1": first, "2": second})

        assert text_of(shelf) == "[page 1]\n\nName\tSum\npaper\t1\n[page 2]\nink\t2\n\na\nb\n\nc\n"
        html = MarkdownIt("commonmark").enable("table").render(text_of(shelf, "markdown"))
        assert html.count("<table>") == 1
        assert "<td><em>[p. 2]</em> ink</td>\n<td>2</td>" in html
        assert html.count("<ul>") == 2


def test_entries_go_on_under_their_heading(shelf: Shelf) -> None:
    def entry(text: str, before: bool = False, after: bool = False) -> dict[str, object]:
        flags = {"continues_previous_page": before, "continues_on_next_page": after}
        return {"heading": "A", "text": text, **flags}

    first = {"printed_page_number": "1", "entries": [entry("Abel, smith"), entry("Adam,", after=True)]}
    second = {"printed_page_number": "2", "entries": [entry("baker", before=True), entry("Alt, cook")]}
    shelf.add("b", {"1": first, "2": second})

    assert text_of(shelf) == "[page 1]\n\nA\n\nAbel, smith\n\nAdam, [page 2] baker\n\nAlt, cook\n"


class TestHostileText:
    @pytest.mark.parametrize("kind", ["paragraph", "heading", "list", "table", "footnote", "caption"])
    def test_it_shows_as_text_whatever_block_it_stands_in(self, shelf: Shelf, kind: str) -> None:
        blocks = [block(text, kind) for text in HOSTILE]
        shelf.add("b", {"1": transcript(*blocks)})

        source = text_of(shelf, "markdown")
        parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").enable("strikethrough")
        html = parser.render(source)

        tags = set(re.findall(r"<(/?\w+|!--)", html)) - {"!--"}
        wanted: dict[str, set[str]] = {
            "paragraph": set(),
            "caption": set(),
            "heading": {"h1", "/h1"},
            "footnote": {"blockquote", "/blockquote"},
        }
        wanted["list"] = {"ul", "/ul", "li", "/li"}
        wanted["table"] = {
            f"{slash}{name}" for name in ("table", "thead", "tr", "th", "td", "tbody") for slash in ("", "/")
        }
        assert tags - {"p", "/p", "em", "/em", "br"} <= wanted[kind]
        assert "\x1b" not in source
        assert "\u202e" not in source
        shown = parser.render(source)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "&amp;lt;b&amp;gt;" in shown

    def test_nothing_of_it_moves_a_terminal(self, shelf: Shelf) -> None:
        shelf.add("b", {"1": transcript(*(block(text) for text in HOSTILE))})
        text = text_of(shelf)
        assert "\ufffd[31mred\ufffd" in text
        assert all(each.isprintable() or each in "\n\t\ufffd" for each in text)


MODEL = "from pydantic import BaseModel\n\nclass Card(BaseModel):\n    {}\n"


class TestASchemaOfOnesOwn:
    def make(self, root: Path, field: str) -> Shelf:
        (root / "schemas").mkdir()
        name = f"cards_of_export_{field.split(':')[0]}"
        (root / "schemas" / f"{name}.py").write_text(MODEL.format(field))
        return Shelf(root, ("box",), schema=f"{name}:Card", paths={"schemas": str(root / "schemas")})

    def test_its_text_is_taken(self, tmp_path: Path) -> None:
        shelf = self.make(tmp_path, "transcription: str")
        shelf.add("A", {"1": {"transcription": "first\nsecond\n\nthird"}, "2": {"name": "of another schema"}})

        assert text_of(shelf) == "[page 1]\n\nfirst\nsecond\n\nthird\n\n[page 2]\n"
        assert "1 page whose result has no field of text" in shelf.export("text", tmp_path / "again").text()
        html = MarkdownIt().render(text_of(shelf, "markdown"))
        assert "<p>first<br />\nsecond</p>\n<p>third</p>" in html

    def test_without_one_it_is_refused_with_the_way(self, tmp_path: Path) -> None:
        shelf = self.make(tmp_path, "title: str")
        shelf.add("A", {"1": {"title": "x"}})
        with pytest.raises(
            QuireError, match=r"Card has no field of text \(text, transcript, .*jsonl, csv and parquet hold"
        ):
            shelf.export("text", tmp_path / "out")
