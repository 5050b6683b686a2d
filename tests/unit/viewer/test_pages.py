"""What the pages of the viewer show of a small collection, and what they do not."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from assets.reports import page_address
from tests.unit.exports.shelf import Shelf, block, transcript
from tests.unit.viewer.looking import HOST, TOKEN, fail, look_again, looking, room_of, words
from viewer.room import Room

DOCUMENT = "CA:Lincoln:2023"
HOSTILE = "<script>alert(1)</script> & \u202egnp.exe \x1b[31m red\x07 “quoted”"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("viewer"), collection="main", execution={"max_retries": 1})
    first = transcript(
        block("The School", "heading", level=1, box_2d=[0, 100, 100, 900]),
        block("of Lincoln, founded by the Élèves.", box_2d=[200, 100, 300, 900]),
        block("one\ntwo", "list"),
        block("name\tage\nAda\t36", "table"),
        printed_page_number="10",
    )
    shelf.add(DOCUMENT, {"1": first, "2": transcript(block(HOSTILE)), "3": None, "4": None, "12r": transcript()})
    shelf.add("TX:Austin:2023", {"iv": transcript(block("A list of scholars, and of their school"))})
    fail(shelf, {f"{DOCUMENT}:3": ("blocked", "SAFETY: <b>no</b>"), f"{DOCUMENT}:4": ("not_json", "cut")}, count=2)
    shelf.write("TX:Austin:2023:iv", transcript(block("A list of scholars, corrected")))
    return shelf


@pytest.fixture(scope="module")
def room(shelf: Shelf) -> Room:
    return room_of(shelf)


@pytest.fixture(scope="module")
def client(room: Room) -> Iterator[TestClient]:
    with looking(room) as client:
        yield client


def test_nobody_without_the_token_sees_anything(room: Room) -> None:
    places = ["/", f"/page/{DOCUMENT}:1", f"/small/{DOCUMENT}:1", "/front/view.css", "/search?q=school", "/nowhere"]
    with looking(room, has_token=False) as stranger:
        assert {place: stranger.get(place).status_code for place in places} == dict.fromkeys(places, 403)
        assert "Lincoln" not in stranger.get(f"/page/{DOCUMENT}:1").text
        assert stranger.get("/", params={"token": TOKEN + "x"}).status_code == 403
        stranger.cookies.set("quire", TOKEN + "x")
        assert stranger.get("/").status_code == 403


def test_the_token_goes_from_the_address_into_a_cookie_that_no_script_reads(room: Room) -> None:
    with looking(room, has_token=False) as visitor:
        answer = visitor.get(f"/page/{DOCUMENT}:1", params={"token": TOKEN, "x": "1"})
        assert answer.status_code == 303
        assert answer.headers["location"] == f"./{DOCUMENT}:1?x=1"
        assert answer.headers["set-cookie"] == f"quire={TOKEN}; HttpOnly; Path=/; SameSite=strict"
        assert visitor.get(f"/page/{DOCUMENT}:1").status_code == 200
        line_break = visitor.get("/page/a%0d%0aset-cookie:b", params={"token": TOKEN})
        assert line_break.headers["location"] == "./a%0D%0Aset-cookie:b"


def test_another_name_for_this_address_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"host": f"{HOST}:81"}).status_code == 403


def test_it_only_shows(client: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, f"/page/{DOCUMENT}:1", headers={"origin": f"http://{HOST}"}).status_code == 405


def test_each_page_forbids_what_it_does_not_need(client: TestClient) -> None:
    for place in ("/", f"/page/{DOCUMENT}:2", f"/small/{DOCUMENT}:1", "/nowhere"):
        headers = client.get(place).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; img-src 'self'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    html = client.get(f"/page/{DOCUMENT}:2").text
    assert not re.search(r"<script(?! src=)|\sstyle=|\son[a-z]+=|https?://", html)


def test_the_collection_tells_how_far_it_is(client: TestClient) -> None:
    said = words(client.get("/").text)
    assert "4 of 6 pages read, 66.7 %" in said
    assert "done 4 in flight 0 failing 2 waiting 0" in said
    assert "CA:Lincoln:2023 5" in said
    assert "blocked 1" in said
    assert "By hand 1 edited 1" in said


def test_its_documents_are_found_by_name_and_by_what_is_in_them(client: TestClient) -> None:
    def names(**asked: str) -> list[str]:
        return re.findall(r"data-open><bdi>([^<]*)</bdi>", client.get("/", params=asked).text)

    assert names() == [DOCUMENT, "TX:Austin:2023"]
    assert names(sort="document", order="down") == ["TX:Austin:2023", DOCUMENT]
    assert names(sort="pages") == ["TX:Austin:2023", DOCUMENT]
    assert names(named="aust") == ["TX:Austin:2023"]
    assert names(showing="failing") == [DOCUMENT]
    assert names(showing="edited") == ["TX:Austin:2023"]
    assert names(named="nothing") == []
    assert names(sort="'; drop", page="999999999999") == [DOCUMENT, "TX:Austin:2023"]


def test_a_document_has_its_pages_with_states_and_words(client: TestClient) -> None:
    html = client.get(f"/document/{DOCUMENT}").text
    said = words(html)
    assert "3 of 5 pages read" in said
    assert "1 14 words" in said
    assert "3 blocked" in said
    assert html.count('loading="lazy"') == 5
    assert client.get("/document/CA:Lincoln:1999").status_code == 404


def test_a_page_has_its_text_set_and_its_boxes_drawn(client: TestClient) -> None:
    html = client.get(f"/page/{DOCUMENT}:1").text
    assert '<h3 class="block level-1" dir="auto" data-block="0">The School</h3>' in html
    assert '<li dir="auto">two</li>' in html
    assert re.search(r'<td dir="auto">Ada</td><td dir="auto">36</td>', html)
    assert 'x="100" y="200" width="800" height="100"' in html
    said = words(html)
    assert "page number 10" in said
    assert "1 of 5" in said
    assert "success" in said
    assert "gemini-3.5-flash" in said
    assert f'rel="next" href="../page/{DOCUMENT}:2"' in html


def test_a_page_that_failed_says_why(client: TestClient) -> None:
    said = words(client.get(f"/page/{DOCUMENT}:3").text)
    assert "This page has no result yet." in said
    assert "dead letter: 2 failures, and max_retries is 1" in said
    assert "SAFETY: <b>no</b>" in said


def test_hostile_text_shows_as_text(client: TestClient) -> None:
    for place in (f"/page/{DOCUMENT}:2", "/search?q=red"):
        html = client.get(place).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "<script>alert" not in html
        assert "\u202e" not in html
        assert "\x1b" not in html
        assert '<span class="control" title="U+202E right-to-left override">U+202E</span>' in html


def test_a_page_without_a_name_in_the_record_manifest_is_not_there(client: TestClient, shelf: Shelf) -> None:
    (shelf.root / "secret.json").write_text('{"text": "secret"}')
    for key in (
        "CA:Lincoln:2023:99",
        "../../secret",
        "..%2f..%2fsecret",
        "CA:..:..:secret",
        "%00",
        "secret",
        "a:b:c:%ff",
    ):
        for place in ("page", "json", "small", "full"):
            answer = client.get(f"/{place}/{key}")
            assert answer.status_code == 404, (place, key)
            assert '"secret"' not in answer.text
    assert client.get("/front/..%2fapp.py").status_code == 404


def test_kinds_of_failures_list_their_pages_with_the_last_message(client: TestClient) -> None:
    assert "blocked 1" in words(client.get("/failures").text)
    html = client.get("/failures/blocked").text
    assert "SAFETY: &lt;b&gt;no&lt;/b&gt;" in html
    assert f"{DOCUMENT}:3" in words(html)
    assert f"{DOCUMENT}:4" not in words(html)
    assert client.get("/failures/nonsense").status_code == 404


def found(client: TestClient, **asked: str) -> list[str]:
    html = client.get("/search", params=asked).text
    return [
        f"{document}:{label}" for document, label in re.findall(r"data-open><bdi>([^<]*)</bdi> <b><bdi>([^<]*)<", html)
    ]


def test_a_search_finds_words_whatever_their_accents_and_marks_them(client: TestClient) -> None:
    assert found(client, q="eleves") == [f"{DOCUMENT}:1"]
    assert "<mark>Élèves</mark>" in client.get("/search", params={"q": "eleves"}).text
    assert sorted(found(client, q="scho*")) == [f"{DOCUMENT}:1", "TX:Austin:2023:iv"]
    assert found(client, q="scho* -lincoln") == ["TX:Austin:2023:iv"]
    assert found(client, q='"list of scholars"') == ["TX:Austin:2023:iv"]
    assert found(client, q='NEAR( OR " AND *') == []
    assert "Nothing is found" in words(client.get("/search", params={"q": "school NOT"}).text)


def test_a_search_is_narrowed_by_state_document_model_and_prompt(client: TestClient) -> None:
    assert found(client, q="scho*", document="austin") == ["TX:Austin:2023:iv"]
    assert found(client, state="dead") == [f"{DOCUMENT}:3", f"{DOCUMENT}:4"]
    assert found(client, kind="not_json") == [f"{DOCUMENT}:4"]
    assert found(client, state="edited") == ["TX:Austin:2023:iv"]
    assert len(found(client, model="gemini-3.5-flash", prompt="page_transcript v1")) == 4
    assert found(client, model="another") == []


def test_the_index_follows_the_results(shelf: Shelf, room: Room, client: TestClient) -> None:
    key = f"{DOCUMENT}:12r"
    before = shelf.storage.read_result(key)
    assert before is not None
    shelf.write(key, transcript(block("a marigold")))
    look_again(room)
    assert found(client, q="marigold") == [key]
    shelf.storage.result_path(key).unlink()
    look_again(room)
    assert found(client, q="marigold") == []
    shelf.write(key, before and transcript())
    look_again(room)


def test_images_come_as_a_browser_shows_them(client: TestClient, shelf: Shelf) -> None:
    for place in ("small", "full"):
        answer = client.get(f"/{place}/{DOCUMENT}:1")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content[:3] == b"\xff\xd8\xff"
        assert "immutable" in answer.headers["cache-control"]
    image = shelf.root / "dataset/page_images/CA/Lincoln/2023/4.jpg"
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    said = client.get(f"/full/{DOCUMENT}:4")
    assert said.headers["content-type"] == "image/svg+xml"
    assert "cut short or damaged" in words(said.text)
    image.unlink()
    assert "its image file is gone" in words(client.get(f"/full/{DOCUMENT}:4").text)
    image.write_bytes(content)


def test_a_report_links_to_the_page_that_the_viewer_has(client: TestClient) -> None:
    address = page_address(f"http://{HOST}/", f"{DOCUMENT}:1")
    assert urljoin(f"http://{HOST}/", f"/page/{DOCUMENT}:1") == address
    assert client.get(address).status_code == 200


def test_a_result_that_is_no_json_is_told_in_its_place(shelf: Shelf, client: TestClient) -> None:
    path = shelf.storage.result_path(f"{DOCUMENT}:12r")
    content = path.read_bytes()
    path.write_bytes(b"{broken")
    assert "its result is no JSON" in words(client.get(f"/page/{DOCUMENT}:12r").text)
    path.write_bytes(content)


def test_a_collection_without_a_scan_says_what_to_do(tmp_path: Path) -> None:
    from assets.domain.errors import ManifestError

    with pytest.raises(ManifestError, match="quire scan looks which pages there are"):
        room_of(Shelf(tmp_path))
