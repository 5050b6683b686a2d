"""``quire view --static``: the pages as files, for somebody without Quire."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from assets.domain.errors import QuireError
from assets.selection import Selection
from tests.unit.exports.shelf import Shelf, block, transcript
from tests.unit.viewer.looking import fail, words
from viewer.static_site import Written, write_static

DOCUMENT = "CA:Lincoln:2023"
HOSTILE = "</script><script>alert(1)</script> \u202e \u2028"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("static"), execution={"max_retries": 0})
    shelf.add(DOCUMENT, {"1": transcript(block("The School")), "2": transcript(block(HOSTILE)), "3": None})
    shelf.add("TX:Austin:2023", {"iv": transcript(block("four")), "v": transcript(block("five"))})
    fail(shelf, {f"{DOCUMENT}:3": ("blocked", "SAFETY")})
    return shelf


def written(shelf: Shelf, to: Path, *entries: str) -> Written:
    return write_static(str(shelf.config), to, Selection(entries=entries))


@pytest.fixture(scope="module")
def site(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("site") / "out"
    assert written(shelf, to).faults == []
    return to


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src", "action") and value]


def test_each_link_leads_to_a_file_of_the_copy(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 9
    for path in pages:
        links = Links()
        links.feed(path.read_text(encoding="utf-8"))
        assert links.found
        for each in links.found:
            parts = urlsplit(each)
            assert not parts.scheme
            assert not each.startswith("/")
            if parts.path:
                assert (path.parent / parts.path).resolve().is_file(), (path, each)
                assert (path.parent / parts.path).resolve().is_relative_to(site)


def test_it_shows_what_the_viewer_shows(site: Path) -> None:
    assert "4 of 5 pages read" in words((site / "index.html").read_text())
    first = words((site / "pages/1.html").read_text())
    assert "The School" in first
    assert "success" in first
    assert "SAFETY" in words((site / "failures/blocked.html").read_text())
    assert (site / "full/1.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_its_text_is_there_for_the_search_and_nothing_in_it_is_run(site: Path) -> None:
    script = (site / "search-text.js").read_text(encoding="ascii")
    found = re.fullmatch(r"window\.quireText = \[\n((?:.*\n)*)\];\n", script)
    assert found is not None
    lines = [json.loads(line.rstrip(",")) for line in found[1].splitlines()]
    assert lines[1] == [2, f"{DOCUMENT}:2", HOSTILE]
    html = (site / "pages/2.html").read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "\u202e" not in html


def test_a_selection_has_its_pages_alone(shelf: Shelf, tmp_path: Path) -> None:
    done = written(shelf, tmp_path / "out", "TX:Austin:2023:v", f"{DOCUMENT}:1-2")
    assert (done.pages, done.documents) == (3, 2)
    everything = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.html"))
    assert "TX:Austin:2023:iv" not in everything
    assert "TX:Austin:2023:v" in everything
    assert len(list((tmp_path / "out/pages").iterdir())) == 3
    assert "3 of 3 pages read" in words((tmp_path / "out/index.html").read_text())


def test_it_is_whole_or_absent_and_takes_no_folder_of_others(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(QuireError, match="is there already; name a new folder with --static"):
        written(shelf, tmp_path / "mine")
    with pytest.raises(QuireError, match="which is the collection's own"):
        written(shelf, shelf.root / "manifests" / "site")
    with pytest.raises(QuireError, match="there is no such record here; nothing is done"):
        written(shelf, tmp_path / "out", f"{DOCUMENT}:99")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_image_that_cannot_be_shown_is_told_and_the_rest_is_written(shelf: Shelf, tmp_path: Path) -> None:
    image = shelf.root / "dataset/page_images/TX/Austin/2023/v.jpg"
    content = image.read_bytes()
    image.unlink()
    done = written(shelf, tmp_path / "out", "TX:Austin:2023")
    image.write_bytes(content)
    assert len(done.faults) == 1
    assert done.faults[0].startswith("TX:Austin:2023:v: its image cannot be read: No such file")
    assert "front/no_picture.svg" in (tmp_path / "out/pages/2.html").read_text()
