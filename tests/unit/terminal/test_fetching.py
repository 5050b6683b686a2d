"""``quire fetch`` against a IIIF server: what lies there afterwards, what was asked for, and what is said."""

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from assets.domain.labels import USUAL_PAGES
from assets.domain.page_names import PageNames
from assets.page_order import OrderRules
from flows.cli import app
from flows.fetch import DocumentReport, Fetching, FetchRules, Naming, Wanted
from flows.gateways.files.trees import KnownFiles, walk_images
from flows.gateways.iiif.client import open_iiif
from flows.gateways.images.headers import read_header
from tests.iiif_server import HEIGHT, RIGHTS, WIDTH, Fault, IiifServer, iiif_server
from tests.images import png_of


@pytest.fixture
def server() -> Iterator[IiifServer]:
    with iiif_server() as found:
        yield found


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, **iiif: Any) -> None:
    iiif = {"allow_private_addresses": True, "requests_per_second": 1000, "max_side_pixels": 300, **iiif}
    settings = {
        "record": {"document_fields": ["book"]},
        "paths": {"page_images": "scans"},
        "retries": {"attempts": 2, "backoff_seconds": 0},
        "iiif": iiif,
    }
    (folder / "quire.yaml").write_text(yaml.safe_dump(settings))


def fetch(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["fetch", "--config", str(folder / "quire.yaml"), *arguments])


def said(result: Result) -> str:
    return " ".join(result.output.split())


def sizes(folder: Path) -> list[tuple[int, int]]:
    return [Image.open(path).size for path in sorted(folder.glob("*.jpg"))]


def notes(folder: Path, name: str = "document.json") -> Any:
    return json.loads((folder / ".iiif" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("api", [2, 3])
@pytest.mark.parametrize("level", [0, 2])
def test_a_manifest_becomes_a_document_that_a_scan_finds(shelf: Path, server: IiifServer, api: int, level: int) -> None:
    result = fetch(shelf, server.manifest_url(api, level))

    assert result.exit_code == 0, result.output
    book = shelf / "scans" / f"book-{api}-{level}"
    title = "Ein Buch" if api == 2 else "A book"
    assert f'book-{api}-{level}: 5 images of "{title}", 0 there already, 5 fetched into ' in said(result)
    assert f"rights: {RIGHTS}; The Archive" in said(result)
    assert "next: quire scan" in said(result)
    assert sizes(book) == [(200, 300)] * 5
    walk = walk_images(
        shelf / "scans",
        root=shelf,
        depth=1,
        known=KnownFiles(),
        read_header=read_header,
        page_pattern="(?P<page>[0-9]+)",
        max_pixels=10**6,
    )
    assert sorted(image.path for image in walk.images) == [f"scans/{book.name}/000{page}.jpg" for page in range(1, 6)]
    assert walk.problems == []
    # One request for the manifest, and two for each image: nothing was asked for twice.
    assert len(server.asked) == len(set(server.asked)) == 11


def test_what_the_images_are_is_kept_beside_them(shelf: Path, server: IiifServer) -> None:
    fetch(shelf, server.manifest_url(3, 2))

    book = shelf / "scans" / "book-3-2"
    assert json.loads((book / ".iiif/manifest.json").read_bytes()) == server.manifest_3(2)
    document = notes(book)
    assert document["address"] == document["id"] == server.manifest_url(3, 2)
    assert (document["label"], document["rights"], document["attribution"]) == ("A book", RIGHTS, "The Archive")
    lines = (book / ".iiif/pages.jsonl").read_text().splitlines()
    pages = [json.loads(line) for line in lines]
    assert [(page["page"], page["file"], page["label"]) for page in pages] == [
        (number, f"000{number}.jpg", label) for number, label in enumerate(server.labels, start=1)
    ]
    for line in (book / ".iiif/SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((book / ".iiif" / name).read_bytes()).hexdigest() == digest
    assert [page["sha256"] for page in pages] == [
        hashlib.sha256((book / page["file"]).read_bytes()).hexdigest() for page in pages
    ]


@pytest.mark.parametrize(
    ("side", "api", "level", "size"),
    [
        (3072, 2, 2, (WIDTH, HEIGHT)),
        (3072, 3, 0, (WIDTH, HEIGHT)),
        (None, 2, 0, (WIDTH, HEIGHT)),
        (450, 3, 2, (300, 450)),
        (450, 2, 0, (200, 300)),
        # The largest that lies there and fits has less than half of what is wanted.
        (256, 3, 0, (100, 150)),
    ],
)
def test_an_image_has_the_size_that_is_wanted_or_the_nearest_that_there_is(
    shelf: Path, server: IiifServer, side: int | None, api: int, level: int, size: tuple[int, int]
) -> None:
    server.labels = ("1",)
    configure(shelf, max_side_pixels=side)

    assert fetch(shelf, server.manifest_url(api, level)).exit_code == 0

    assert sizes(shelf / "scans" / f"book-{api}-{level}") == [size]


def test_what_is_there_is_not_fetched_again(shelf: Path, server: IiifServer) -> None:
    missing = "/image/2/2/3/full/200,/0/default.jpg"
    server.faults[missing] = Fault(status=404, times=1)
    server.faults["/image/2/2/3/full/200,300/0/default.jpg"] = Fault(status=404, times=1)
    first = fetch(shelf, server.manifest_url(2, 2))
    assert first.exit_code == 1
    assert "4 fetched" in said(first)
    assert "page 3: http" in said(first)
    assert "the server does not have it (404)" in said(first)
    assert "1 fault; what is there stays, and the same command fetches what is missing" in said(first)
    book = shelf / "scans/book-2-2"
    before = {path.name: path.stat().st_mtime_ns for path in book.glob("*.jpg")}
    server.asked.clear()

    second = fetch(shelf, server.manifest_url(2, 2))

    assert second.exit_code == 0
    assert "4 there already, 1 fetched" in said(second)
    assert server.images_asked() == [missing]
    after = {path.name: path.stat().st_mtime_ns for path in book.glob("*.jpg")}
    assert {name: after[name] for name in before} == before
    server.asked.clear()
    assert fetch(shelf, server.manifest_url(2, 2)).exit_code == 0
    assert server.images_asked() == []


def test_an_image_that_a_person_has_changed_stays_and_is_told(shelf: Path, server: IiifServer) -> None:
    fetch(shelf, server.manifest_url(3, 2))
    book = shelf / "scans/book-3-2"
    (book / "0002.jpg").write_bytes(b"cropped by hand")
    (book / "0004.jpg").unlink()

    result = fetch(shelf, server.manifest_url(3, 2))

    assert result.exit_code == 0
    assert "3 there already, 1 fetched" in said(result)
    assert "0002.jpg: not as it was fetched (edited or damaged); stays as it is, --replace fetches" in said(result)
    assert (book / "0002.jpg").read_bytes() == b"cropped by hand"
    assert fetch(shelf, server.manifest_url(3, 2), "--replace").exit_code == 0
    assert sizes(book) == [(200, 300)] * 5


def test_images_that_are_others_at_the_server_by_now(shelf: Path, server: IiifServer) -> None:
    fetch(shelf, server.manifest_url(3, 2))
    book = shelf / "scans/book-3-2"
    before = [path.read_bytes() for path in sorted(book.glob("*.jpg"))]
    # Nothing has changed: the server is asked, and sends no image.
    same = fetch(shelf, server.manifest_url(3, 2), "--replace")
    assert "5 there already, 0 fetched" in said(same)
    server.edition = 2

    assert "5 there already, 0 fetched" in said(fetch(shelf, server.manifest_url(3, 2)))
    assert [path.read_bytes() for path in sorted(book.glob("*.jpg"))] == before
    assert "0 there already, 5 fetched" in said(fetch(shelf, server.manifest_url(3, 2), "--replace"))
    assert [path.read_bytes() for path in sorted(book.glob("*.jpg"))] == [
        server.image(page, 200, 300) for page in range(1, 6)
    ]


def test_another_size_is_told_before_anything_is_exchanged(shelf: Path, server: IiifServer) -> None:
    fetch(shelf, server.manifest_url(3, 2))
    configure(shelf, max_side_pixels=600)

    result = fetch(shelf, server.manifest_url(3, 2))

    told = "0001.jpg, 0002.jpg, 0003.jpg and 2 more: fetched with iiif.max_side_pixels 300; stays as it is, --replace"
    assert told in said(result)
    assert sizes(shelf / "scans/book-3-2") == [(200, 300)] * 5


def test_a_manifest_whose_pages_have_moved(shelf: Path, server: IiifServer) -> None:
    manifest = shelf / "m.json"
    tree = server.manifest_3(2)
    manifest.write_text(json.dumps(tree))
    assert fetch(shelf, str(manifest)).exit_code == 0
    tree["items"].insert(1, tree["items"].pop())
    manifest.write_text(json.dumps(tree))

    result = fetch(shelf, str(manifest))

    assert result.exit_code == 1
    assert "the manifest has changed: what was page 2 is page 3 now, like 3 more that have moved" in said(result)
    assert "--replace takes the new order" in said(result)
    assert fetch(shelf, str(manifest), "--replace").exit_code == 0
    assert (shelf / "scans/book-3-2/0002.jpg").read_bytes() == server.image(5, 200, 300)


def test_a_folder_of_ones_own_is_left_alone(shelf: Path, server: IiifServer) -> None:
    own = shelf / "scans/book-3-2"
    own.mkdir(parents=True)
    (own / "0001.jpg").write_bytes(b"mine")

    result = fetch(shelf, server.manifest_url(3, 2))

    assert result.exit_code == 1
    assert "holds files that were not fetched; name another document with --document" in said(result)
    assert [path.name for path in own.iterdir()] == ["0001.jpg"]
    assert fetch(shelf, server.manifest_url(3, 2), "--document", "other").exit_code == 0
    assert len(list((shelf / "scans/other").glob("*.jpg"))) == 5
    taken = fetch(shelf, server.manifest_url(2, 2), "--document", "other")
    assert f"holds what was fetched from {server.manifest_url(3, 2)}" in said(taken)


def test_a_dry_run_asks_for_the_manifest_alone(shelf: Path, server: IiifServer) -> None:
    result = fetch(shelf, server.manifest_url(3, 2), "--dry-run")

    assert result.exit_code == 0
    assert "5 images of" in said(result)
    assert "5 to be fetched into" in said(result)
    assert "nothing is done" in said(result)
    assert not (shelf / "scans").exists()
    assert len(server.asked) == 1


def test_a_list_and_a_collection(shelf: Path, server: IiifServer) -> None:
    listed = shelf / "list.txt"
    listed.write_text(f"# two\n{server.manifest_url(3, 2)} one\n{server.manifest_url(2, 0)}\ttwo\n\n")
    assert fetch(shelf, "--list", str(listed)).exit_code == 0
    assert sorted(path.name for path in (shelf / "scans").iterdir()) == ["one", "two"]

    result = fetch(shelf, f"{server.url}/collection.json", "--json")

    assert [each["document"] for each in json.loads(result.stdout)["documents"]] == ["book-2-2", "book-3-2"]
    assert len(list((shelf / "scans/book-2-2").glob("*.jpg"))) == 5


def test_documents_of_several_fields_are_named_by_a_person(shelf: Path, server: IiifServer) -> None:
    settings = yaml.safe_load((shelf / "quire.yaml").read_text())
    settings["record"]["document_fields"] = ["state", "school", "year"]
    (shelf / "quire.yaml").write_text(yaml.safe_dump(settings))

    refused = fetch(shelf, server.manifest_url(3, 2))
    assert "documents have 3 fields here (state, school, year): say which with --document" in said(refused)
    wrong = fetch(shelf, server.manifest_url(3, 2), "--document", "CA:Lincoln")
    assert "the document 'CA:Lincoln' must have 3 fields (state, school, year)" in said(wrong)
    out = fetch(shelf, server.manifest_url(3, 2), "--document", "CA:..:2023")
    assert "is a way out of the folder" in said(out)
    assert fetch(shelf, server.manifest_url(3, 2), "--document", "CA:Lincoln:2023").exit_code == 0
    assert len(list((shelf / "scans/CA/Lincoln/2023").glob("*.jpg"))) == 5


def test_without_a_configuration_images_go_into_a_folder(
    tmp_path: Path, server: IiifServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere = CliRunner().invoke(app, ["fetch", server.manifest_url(3, 2)])
    assert isinstance(nowhere.exception, Exception)
    assert "have the images fetched into a folder first, with --into scans" in str(nowhere.exception)
    monkeypatch.setenv("QUIRE__IIIF__ALLOW_PRIVATE_ADDRESSES", "true")
    (tmp_path / "quire.yaml").write_text("iiif: {requests_per_second: 1000}")

    result = CliRunner().invoke(app, ["fetch", server.manifest_url(3, 2), "--into", "scans"])

    assert result.exit_code == 0, result.output
    assert "next: quire init" in result.output
    assert len(list((tmp_path / "scans/book-3-2").glob("*.jpg"))) == 5


def test_each_command_of_the_page_fetches_the_book(
    shelf: Path, server: IiifServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shelf)
    theirs, ours = "https://example.org/iiif/book1/manifest.json", server.manifest_url(3, 2)
    (shelf / "manifests.txt").write_text(f"{server.manifest_url(2, 0)} old\n")
    page = (Path(__file__).parents[3] / "docs/iiif.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    quire (fetch .*)$", page, re.MULTILINE)
    assert len(commands) == 4

    for command in commands:
        result = CliRunner().invoke(app, command.replace(theirs, ours).split())
        assert result.exit_code == 0, result.output

    assert len(list((shelf / "scans").rglob("*.jpg"))) == 10


IMAGE = "/image/3/2/2/full/200,300/0/default.jpg"


@pytest.mark.parametrize(
    ("path", "fault", "words"),
    [
        (IMAGE, Fault(cut_at=500), "page 2: {}: no whole answer: peer closed connection"),
        (IMAGE, Fault(body=b"\xff\xd8\xff" + bytes(900), announced=False), "page 2: {}: the image is cut off"),
        (IMAGE, Fault(body=b"<html>login</html>"), "the image cannot be used: it does not begin like a JPEG"),
        (IMAGE, Fault(body=png_of(20_000, 20_000)), "20000 x 20000 pixels, more than safety.max_image_pixels"),
        (IMAGE, Fault(status=403), "the server does not give it to us (403)"),
        (IMAGE, Fault(status=500), "page 2: {}: the server answers 500"),
        (
            IMAGE,
            Fault(status=302, headers={"Location": "file:///etc/passwd"}),
            "/etc/passwd: is no address that begins",
        ),
        (IMAGE, Fault(status=302, headers={"Location": IMAGE}), "is redirected more than 5 times"),
        (IMAGE, Fault(headers={"Content-Encoding": "br"}), "comes in a compression that was not asked for"),
    ],
)
def test_a_page_that_cannot_be_had_is_one_line_and_the_others_are_fetched(
    shelf: Path, server: IiifServer, path: str, fault: Fault, words: str
) -> None:
    server.faults[path] = fault

    result = fetch(shelf, server.manifest_url(3, 2))

    assert result.exit_code == 1
    assert words.format(server.url + path) in said(result), result.output
    assert "4 fetched" in said(result)
    names = sorted(path.name for path in (shelf / "scans/book-3-2").glob("*.*g"))
    assert names == [f"000{page}.jpg" for page in (1, 3, 4, 5)]


def test_a_fault_that_passes_is_not_seen(shelf: Path, server: IiifServer) -> None:
    server.faults[IMAGE] = Fault(cut_at=500, times=1)
    server.faults["/book-3-2/manifest.json"] = Fault(status=503, times=1)

    assert fetch(shelf, server.manifest_url(3, 2)).exit_code == 0
    assert sizes(shelf / "scans/book-3-2") == [(200, 300)] * 5


def one_image(address: str) -> bytes:
    body = {"type": "Image", "id": address}
    return json.dumps({"type": "Manifest", "items": [{"items": [{"items": [{"body": body}]}]}]}).encode()


DEEP = b'{"items":' * 100_000
MANIFEST = "/book-3-2/manifest.json"
HOSTILE = {
    "no JSON": (b"\xff\xfe<html>", "is no JSON, so no IIIF manifest"),
    "nested": (DEEP, "is no JSON, so no IIIF manifest"),
    "something else": (b"[1, 2]", "is no IIIF manifest"),
    "an info.json": (b'{"width": 1, "profile": "level2"}', "the address of the manifest is wanted"),
    "no pages": (b'{"type": "Manifest", "items": []}', "the manifest has no pages"),
    "odd types": (
        b'{"type": "Manifest", "items": [1, null, {"type": 7}], "label": {"en": {"x": 1}}}',
        "without an image",
    ),
    "a file": (
        one_image("file:///etc/passwd"),
        "file:///etc/passwd: is no address that begins with http:// or https://",
    ),
    "a password": (one_image("http://a:b@x.org"), "http://...@x.org: holds a name or a password"),
    "huge": (b" " * 64_000_001, "has more than 64,000,000 bytes"),
    "endless collections": (
        b'{"type": "Collection", "items": [{"type": "Collection", "id": "%s"}, {"type": "Manifest", "id": "%s"}]}',
        "1 fault",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_one_line(shelf: Path, server: IiifServer, name: str) -> None:
    body, words = HOSTILE[name]
    url = server.manifest_url(3, 2)
    server.faults[MANIFEST] = Fault(body=body.replace(b"%s", url.encode(), 1).replace(b"%s", b"/../../etc"))

    result = fetch(shelf, url)

    assert words in said(result), result.output
    assert not list((shelf / "scans").rglob("*.jpg"))


def test_images_are_called_by_the_labels_of_the_manifest_where_that_is_wanted(shelf: Path, server: IiifServer) -> None:
    server.labels = ("[f. 1 recto]", "f. 1v", "fol. 2 r", "f. 12r")
    fetch(shelf, server.manifest_url(3, 2))
    configure(shelf, page_names="label")

    again = fetch(shelf, server.manifest_url(3, 2))

    told = "0001.jpg, 0002.jpg, 0003.jpg and 1 more: called otherwise by now (iiif.page_names); stays as it is"
    assert told in said(again)
    assert fetch(shelf, server.manifest_url(3, 2), "--replace").exit_code == 0
    book = shelf / "scans/book-3-2"
    assert sorted(path.name for path in book.glob("*.jpg")) == ["0001r.jpg", "0001v.jpg", "0002r.jpg", "0012r.jpg"]
    walk = walk_images(
        shelf / "scans",
        root=shelf,
        depth=1,
        known=KnownFiles(),
        read_header=read_header,
        page_pattern=USUAL_PAGES,
        max_pixels=10**6,
    )
    assert sorted(image.label for image in walk.images) == ["12r", "1r", "1v", "2r"]
    assert "4 there already, 0 fetched" in said(fetch(shelf, server.manifest_url(3, 2)))


def test_a_new_name_that_was_another_pages_keeps_both(shelf: Path, server: IiifServer) -> None:
    """By their places 0001 to 0005, by their labels 0002 to 0006."""
    server.labels = tuple(str(page + 1) for page in range(1, 6))
    fetch(shelf, server.manifest_url(3, 2))
    configure(shelf, page_names="label")

    assert fetch(shelf, server.manifest_url(3, 2), "--replace").exit_code == 0

    book = shelf / "scans/book-3-2"
    assert {path.name: path.read_bytes() for path in book.glob("*.jpg")} == {
        f"000{page + 1}.jpg": server.image(page, 200, 300) for page in range(1, 6)
    }


def test_labels_that_cannot_be_names_are_told_and_places_are_taken(shelf: Path, server: IiifServer) -> None:
    configure(shelf, page_names="label")

    result = fetch(shelf, server.manifest_url(3, 2))

    told = (
        "images are called by their places, and not by their labels: page 1 is called 'cover', which is no page label"
    )
    assert told in said(result)
    assert (shelf / "scans/book-3-2/0001.jpg").exists()


def test_labels_are_text_and_never_a_path(shelf: Path, server: IiifServer) -> None:
    server.labels = ("../../up", "a\x1b[31mred", "x" * 10_000)

    result = fetch(shelf, server.manifest_url(3, 2), "--json")

    assert result.exit_code == 0
    book = shelf / "scans/book-3-2"
    assert sorted(path.name for path in book.iterdir()) == [".iiif", "0001.jpg", "0002.jpg", "0003.jpg"]
    lines = (book / ".iiif/pages.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["label"]) for line in lines] == [8, 9, 2_000]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "file"]
)
def test_a_private_address_is_refused_unless_it_is_allowed(tmp_path: Path, server: IiifServer, host: str) -> None:
    """Whatever its spelling. The manifest of a public server may name one: here it comes from a file."""
    configure(tmp_path, allow_private_addresses=False)
    tree = server.manifest_3(2)
    (tmp_path / "m.json").write_text(json.dumps(tree))
    address = server.manifest_url(3, 2).replace("127.0.0.1", host) if host != "file" else str(tmp_path / "m.json")

    result = fetch(tmp_path, address)

    assert result.exit_code == 1
    assert "is an address of this network; set iiif.allow_private_addresses: true if it is meant" in said(result)
    assert server.asked == []


# --- with a time of the test's own


async def run(
    folder: Path, server: IiifServer, slept: list[float], *addresses: str, **options: Any
) -> list[DocumentReport]:
    begun = datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    naming = Naming(PageNames.NUMBER, lambda stem: stem, OrderRules())
    rules = FetchRules(folder, ("book",), 300, 10**8, naming)
    async with open_iiif(
        requests_per_second=options.get("requests_per_second", 1e6),
        attempts=options.get("attempts", 3),
        backoff_seconds=2,
        allow_private=True,
        version="1",
        sleep=sleep,
        now=lambda: begun + timedelta(seconds=sum(slept)),
        monotonic=lambda: sum(slept),
    ) as client:
        return await Fetching(client, rules, lambda report: None).run([Wanted(each) for each in addresses])


@pytest.mark.parametrize("asked", ["7", "Thu, 01 Jan 2026 00:00:07 GMT"])
async def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(
    tmp_path: Path, server: IiifServer, asked: str
) -> None:
    server.faults[IMAGE] = Fault(status=429, headers={"Retry-After": asked}, times=1)
    slept: list[float] = []

    reports = await run(tmp_path, server, slept, server.manifest_url(3, 2))

    assert [round(each) for each in slept if each > 0.1] == [7]
    assert (reports[0].fetched, reports[0].failed) == (5, [])


async def test_one_that_asks_to_wait_for_long_is_asked_by_the_next_run(tmp_path: Path, server: IiifServer) -> None:
    server.faults[IMAGE] = Fault(status=503, headers={"Retry-After": "7200"})
    slept: list[float] = []

    reports = await run(tmp_path, server, slept, server.manifest_url(3, 2), server.manifest_url(2, 2))

    assert reports[0].fetched == 1
    assert reports[0].failed == [f"{server.url}{IMAGE}: the server asks to be left alone for 120 minutes"]
    assert "is not asked any more in this run" in reports[1].failed[0]
    assert [each for each in slept if each > 0.1] == []
    assert server.asked[-1] == IMAGE


async def test_so_many_requests_a_second_and_no_more(tmp_path: Path, server: IiifServer) -> None:
    slept: list[float] = []

    await run(tmp_path, server, slept, server.manifest_url(3, 2), requests_per_second=0.5)

    assert len(server.asked) == 11
    assert sum(slept) == pytest.approx(20)
    assert {headers["User-Agent"] for headers in server.headers} == {"quire/1"}


async def test_pauses_double_and_a_server_that_is_gone_is_not_asked_on(tmp_path: Path, server: IiifServer) -> None:
    slept: list[float] = []

    reports = await run(tmp_path, server, slept, "http://127.0.0.1:9/a/manifest.json", "http://127.0.0.1:9/b.json")

    assert [round(each) for each in slept if each > 0.1] == [2, 4]
    assert [len(report.failed) for report in reports] == [1, 1]
    assert "no whole answer" in reports[0].failed[0]
    assert "is not asked any more" in reports[1].failed[0]


async def test_many_failures_in_a_row_end_a_document(tmp_path: Path, server: IiifServer) -> None:
    server.labels = [str(page) for page in range(1, 31)]
    for page in range(3, 31):
        server.faults[f"/image/3/2/{page}/full/200,300/0/default.jpg"] = Fault(status=403)

    reports = await run(tmp_path, server, [], server.manifest_url(3, 2))

    assert reports[0].fetched == 2
    assert len(reports[0].failed) == 11
    assert "10 images in a row have failed; 18 more are not asked for" in reports[0].failed[-1]
