"""``quire view --edit``: a page is corrected in a form, marked as checked, and nothing of that goes wrong quietly."""

import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from assets.domain.home import HomeFile
from config.schemas.page_entries import PageEntries
from config.schemas.page_transcript import PageTranscript
from tests.unit.exports.shelf import Shelf, block, transcript
from tests.unit.viewer.looking import HOST, TOKEN, fail, look_again, room_of, words
from viewer.app import create_app
from viewer.edit_routes import form_token
from viewer.editing import Editor, compared
from viewer.form import FormField, empty_of, form_of, result_of
from viewer.room import Room

DOCUMENT = "CA:Lincoln:2023"
FROM_HERE = {"origin": f"http://{HOST}"}
BOXED = PageTranscript.with_options(PageTranscript.Options(boxes=True, rotation=True))


def inputs_of(fields: tuple[FormField, ...]) -> Iterator[tuple[str, str]]:
    """What a browser sends of a form."""
    for each in fields:
        if each.kind == "group":
            yield from inputs_of(each.fields)
        elif each.kind == "list":
            yield f"L:{each.name}", ""
            for item in each.items:
                yield f"k:{each.name}", item.name
                yield from inputs_of(item.fields)
        elif each.kind == "yes":
            yield from ([(each.name, "")] + [(each.name, "1")] * bool(each.value))
        else:
            yield each.name, each.value.replace("\n", "\r\n")


class Town(BaseModel):
    name: str
    people: int | None


class Odd(BaseModel):
    names: list[str]
    towns: list[Town]
    home: Town
    share: float
    is_true: bool
    anything: dict[str, int] | list[int]


@pytest.mark.parametrize(
    ("model", "result"),
    [
        (PageTranscript, transcript(block("a\nb", "list"), block('<"&> é', "heading", level=2))),
        (BOXED, {**transcript(block("x", box_2d=[1, 2, 3, 4]), block("", box_2d=None)), "rotation_degrees": 90}),
        (PageTranscript, transcript(block("\u202e hidden \x00 and half \ud800"), printed_page_number="iv")),
        (PageTranscript, {"another": {"schema": [1, None]}, "a/b:c~d": "text"}),
        (PageEntries, {"printed_page_number": None, "entries": []}),
        (
            Odd,
            {
                "names": ["a", "b c"],
                "towns": [{"name": "Lincoln", "people": None}, {"name": "", "people": -3}],
                "home": {"name": "x\n", "people": 10**20},
                "share": 0.5,
                "is_true": True,
                "anything": {"a": 1},
            },
        ),
        (Odd, {"names": ["two\nlines"], "towns": "of another schema", "home": None, "share": 1, "is_true": "yes"}),
    ],
)
def test_what_is_not_changed_comes_back_as_it_was(model: type[BaseModel], result: dict[str, Any]) -> None:
    schema = model.model_json_schema()
    fields = form_of(schema, result)
    assert fields is not None
    read = result_of(list(inputs_of(fields)))
    assert read.problems == []
    # With the fields of the schema that it lacks.
    assert json.dumps({**read.result, **result}) == json.dumps(read.result)
    assert read.result.keys() == schema["properties"].keys() | result.keys()


def test_items_are_left_out_added_and_kept_in_order() -> None:
    inputs = [
        ("L:blocks", ""),
        ("k:blocks", "0"),
        ("s:blocks/0/text", "a"),
        ("k:blocks", "1"),
        ("s:blocks/1/text", "b"),
    ]
    inputs += [("x:blocks/0", "1"), ("k:blocks", "new0"), ("s:blocks/new0/text", "c")]
    assert result_of(inputs).result == {"blocks": [{"text": "b"}, {"text": "c"}]}


def test_what_cannot_be_is_told_and_shown_again_as_it_was_typed() -> None:
    read = result_of([("i:home/people", "12a"), ("j:anything", "[1,"), ("s:home/name", "x")])
    assert read.problems[0] == "home › people: this is no whole number"
    assert read.problems[1].startswith("anything: this is no JSON (")
    fields = form_of(Odd.model_json_schema(), read.result)
    assert fields is not None
    shown = dict(inputs_of(fields))
    assert shown["i:home/people"] == "12a"
    assert shown["j:anything"] == "[1,"


def test_an_empty_result_has_the_fields_of_the_schema() -> None:
    empty = empty_of(BOXED.model_json_schema())
    assert empty["blocks"] == []
    assert empty["printed_page_number"] is None
    assert form_of({"type": "array", "items": {}}, None) is None


def test_lines_that_differ_are_marked() -> None:
    same = "\n".join("123456789")
    theirs, mine = compared(f"{same}\na\nb", f"{same}\na\nB\nc")
    assert theirs == (("…", False), ("8", False), ("9", False), ("a", False), ("b", True))
    assert mine == (("…", False), ("8", False), ("9", False), ("a", False), ("B", True), ("c", True))


# --- served


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path, execution={"max_retries": 0})
    shelf.storage.home.create(HomeFile("a" * 32, None))
    shelf.add(DOCUMENT, {"1": transcript(block("The Scool")), "2": None})
    fail(shelf, {f"{DOCUMENT}:2": ("blocked", "SAFETY")})
    return shelf


@pytest.fixture
def room(shelf: Shelf) -> Room:
    return room_of(shelf)


@pytest.fixture
def client(room: Room) -> Iterator[TestClient]:
    yield from editing(room, "Ada")


def editing(room: Room, person: str) -> Iterator[TestClient]:
    app = create_app(room, token=TOKEN, hosts=[HOST], cookie="quire", editor=Editor.of(room, person))
    with TestClient(app, f"http://{HOST}", follow_redirects=False, headers=FROM_HERE) as client:
        client.cookies.set("quire", TOKEN)
        yield client


class Form(HTMLParser):
    """The inputs of the form of a page, as a browser would send them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.inputs: list[tuple[str, str]] = []
        self._within, self._template, self._area, self._select = False, 0, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self._template += tag == "template"
        self._within |= tag == "form" and "data-form" in said
        if not self._within or self._template or ("name" not in said and tag != "option"):
            return
        if tag == "input" and (said.get("type") != "checkbox" or "checked" in said):
            self.inputs.append((said["name"], said.get("value", "")))
        elif tag == "textarea":
            self._area = said["name"]
            self.inputs.append((said["name"], ""))
        elif tag == "select":
            self._select = said["name"]
        elif tag == "option" and "selected" in said:
            self.inputs.append((self._select, said["value"]))

    def handle_endtag(self, tag: str) -> None:
        self._template -= tag == "template"
        if tag == "textarea":
            self._area = ""
        if tag == "form":
            self._within = False

    def handle_data(self, data: str) -> None:
        if self._area:
            name, text = self.inputs[-1]
            # The first line break within the tag is no part of the text.
            self.inputs[-1] = name, (text + data).removeprefix("\n") if not text else text + data


def typed(client: TestClient, key: str, changes: Mapping[str, str], asked: str = "") -> list[tuple[str, str]]:
    """The form of a page with some of it changed."""
    html = client.get(f"/edit/{key}{asked}").text
    return [(name, changes.get(name, text)) for name, text in Form(html).inputs]


def post(client: TestClient, place: str, inputs: list[tuple[str, str]]) -> Any:
    from urllib.parse import urlencode

    headers = {"content-type": "application/x-www-form-urlencoded"}
    return client.post(place, content=urlencode(inputs), headers=headers)


def result_of_page(shelf: Shelf, key: str) -> Any:
    return json.loads(shelf.storage.read_result(key) or b"null")


def test_a_text_is_corrected_beside_its_image(shelf: Shelf, room: Room, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    answer = post(client, f"/edit/{key}", typed(client, key, {"s:blocks/0/text": "The School"}))
    assert answer.status_code == 303
    assert answer.headers["location"] == f"../page/{key}?saved=corrected"
    assert result_of_page(shelf, key) == transcript(block("The School"))
    said = words(client.get(f"/page/{key}?saved=corrected").text)
    assert "Saved: corrected by Ada." in said
    assert "done corrected" in said
    look_again(room)
    assert "edited 0" not in words(client.get("/").text)
    assert "corrected 1" in words(client.get("/").text)
    assert f"{DOCUMENT} 1" in words(client.get("/search?q=school").text)


def test_a_page_is_marked_as_good_without_a_change(shelf: Shelf, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    before = shelf.storage.read_result(key)
    seen = dict(Form(client.get(f"/edit/{key}").text).inputs)["seen"]
    answer = post(client, f"/check/{key}", [("token", form_token(TOKEN)), ("seen", seen)])
    assert answer.headers["location"] == f"../page/{key}?saved=checked"
    assert shelf.storage.read_result(key) == before
    assert "Noted: checked and good, by Ada." in words(client.get(f"/page/{key}?saved=checked").text)
    assert "done checked" in words(client.get(f"/page/{key}").text)


def test_a_page_that_no_model_could_read_is_typed_in(shelf: Shelf, client: TestClient) -> None:
    key = f"{DOCUMENT}:2"
    assert "Type it in" in client.get(f"/page/{key}").text
    own = typed(client, key, {"s:language": "en"})
    own += [("k:blocks", "new0"), ("j:blocks/new0/kind", '"heading"'), ("s:blocks/new0/text", "A Hand")]
    assert post(client, f"/edit/{key}", own).status_code == 303
    assert result_of_page(shelf, key)["blocks"] == [block("A Hand", "heading")]
    assert "The page" not in words(client.get(f"/page/{key}").text)
    assert "A Hand" in words(client.get(f"/page/{key}").text)


def test_what_the_schema_does_not_take_is_told_and_stays_in_the_form(shelf: Shelf, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    before = shelf.storage.read_result(key)
    changes = {"s:blocks/0/text": "typed with care", "s:language": "no language!"}
    answer = post(client, f"/edit/{key}", typed(client, key, changes))
    assert answer.status_code == 422
    assert "language: String should match pattern" in words(answer.text)
    assert "typed with care" in dict(Form(answer.text).inputs)["s:blocks/0/text"]
    assert shelf.storage.read_result(key) == before
    broken = post(client, f"/edit/{key}", typed(client, key, {"json": "{broken"}, "?as=json"))
    assert broken.status_code == 422
    assert "is not JSON" in words(broken.text)
    assert "{broken" in broken.text


def test_the_later_of_two_editors_is_told_and_sees_both_texts(shelf: Shelf, room: Room, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    mine = typed(client, key, {"s:blocks/0/text": "mine"})
    for other in editing(room, "Grace"):
        assert post(other, f"/edit/{key}", typed(other, key, {"s:blocks/0/text": "theirs"})).status_code == 303
    answer = post(client, f"/edit/{key}", mine)
    assert answer.status_code == 409
    said = words(answer.text)
    assert "Grace has saved another result" in said
    assert "What lies there now" in said
    assert '"text": "theirs"' in said
    assert '"text": "mine"' in said
    assert result_of_page(shelf, key)["blocks"][0]["text"] == "theirs"
    assert dict(Form(answer.text).inputs)["s:blocks/0/text"] == "mine"
    assert post(client, f"/edit/{key}", Form(answer.text).inputs).status_code == 303
    assert result_of_page(shelf, key)["blocks"][0]["text"] == "mine"
    late = post(client, f"/check/{key}", [("token", form_token(TOKEN)), ("seen", dict(mine)["seen"])])
    assert late.status_code == 409
    assert "Ada has saved another result" in words(late.text)


def test_a_form_of_another_site_changes_nothing(shelf: Shelf, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    before = shelf.storage.read_result(key)
    own = typed(client, key, {"s:blocks/0/text": "evil"})
    for origin in ("http://evil.example", "null", f"http://{HOST}:81", ""):
        client.headers["origin"] = origin
        assert post(client, f"/edit/{key}", own).status_code == 403, origin
    client.headers["origin"] = f"http://{HOST}"
    assert post(client, f"/edit/{key}", [each for each in own if each[0] != "token"]).status_code == 403
    assert post(client, f"/edit/{key}", [("token", "x"), *own[1:]]).status_code == 403
    assert post(client, f"/edit/{key}", [*own, ("s:x", "y" * 9_000_000)]).status_code == 413
    assert client.get(f"/check/{key}").status_code == 405
    assert post(client, "/edit/CA:Lincoln:2023:99", own).status_code == 404
    client.cookies.clear()
    assert post(client, f"/edit/{key}", own).status_code == 403
    assert shelf.storage.read_result(key) == before


def test_hidden_characters_survive_an_edit_of_something_else(shelf: Shelf, client: TestClient) -> None:
    key = f"{DOCUMENT}:1"
    odd = transcript(block("\u202eodd\u200b \x01"), block("second"), block("</textarea><script>alert(1)</script>"))
    shelf.write(key, odd)
    html = client.get(f"/edit/{key}").text
    assert "\u202e" not in html
    assert "<script>alert" not in html
    assert post(client, f"/edit/{key}", typed(client, key, {"s:blocks/1/text": "SECOND"})).status_code == 303
    odd["blocks"][1]["text"] = "SECOND"
    assert result_of_page(shelf, key) == odd
