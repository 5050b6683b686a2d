"""The demo's corpus: the same from the same seed, shaped as documented, and fit to be checked against."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from assets.domain.record import parse_key
from flows.demo.catalogue import catalogues
from flows.demo.corpus import Corpus, make_corpus
from flows.demo.typeset import PAGE_SIZE, typeset


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("clean"), seed=1, degrade=False)


@pytest.fixture(scope="module")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("degraded"), seed=1, document_count=1)


def _bytes(corpus: Corpus) -> dict[str, bytes]:
    return {page.path.relative_to(corpus.folder).as_posix(): page.path.read_bytes() for page in corpus.pages.values()}


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_text(degraded: Corpus, tmp_path: Path) -> None:
    again = make_corpus(tmp_path / "again", seed=1, document_count=1)
    other = make_corpus(tmp_path / "other", seed=6, document_count=1, degrade=False)
    assert _bytes(degraded) == _bytes(again)
    assert degraded.texts == again.texts
    assert degraded.texts != other.texts


def test_degraded_and_clean_pages_have_the_same_names_and_text(clean: Corpus, degraded: Corpus) -> None:
    assert degraded.texts == {key: clean.texts[key] for key in degraded.pages}
    assert not set(_bytes(degraded).values()) & set(_bytes(clean).values())
    assert set(_bytes(degraded)) < set(_bytes(clean))


def test_four_documents_of_six_pages_lie_where_the_scanner_looks(clean: Corpus) -> None:
    assert len(clean.pages) == 24
    assert len({parse_key(key).document for key in clean.pages}) == 4
    for key, page in clean.pages.items():
        state, school, year, name = page.path.relative_to(clean.folder).parts
        number = int(name.split(".")[0])
        assert key == f"{state}:{school}:{year}:{number}" == str(parse_key(key))
        assert unicodedata.is_normalized("NFC", key)
        with Image.open(page.path) as image:
            assert image.size == PAGE_SIZE
            assert image.format == {".jpg": "JPEG", ".png": "PNG"}[page.path.suffix]


def test_names_with_leading_zeros_png_and_unicode_are_among_them(clean: Corpus) -> None:
    paths = [page.path for page in clean.pages.values()]
    assert any(path.name == "0001.jpg" for path in paths)
    assert any(path.suffix == ".png" for path in paths)
    assert any("Peñón Academy" in path.parts for path in paths)


def test_pages_are_full_enough_numbered_and_go_on_over_the_break(clean: Corpus) -> None:
    pages = list(clean.pages.values())
    assert all(len(page.text.split()) > 100 for page in pages)
    assert all(page.printed_page_number in page.text.split() for page in pages)
    bodies = [page.text.removesuffix(page.printed_page_number).rstrip() for page in pages]
    assert any(not body.endswith((".", ",")) for body in bodies)


def test_the_text_holds_no_divided_words_and_no_leader_dots(clean: Corpus) -> None:
    for page in clean.pages.values():
        words = page.text.split()
        assert not [word for word in words if word.endswith("-") or set(word) == {"."}]


def test_a_catalogue_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fill 400 pages"):
        typeset(catalogues(1)[0], 400)


@pytest.mark.parametrize("seed", range(20, 26))
def test_every_seed_fills_the_pages(seed: int) -> None:
    for catalogue in catalogues(seed):
        assert len(typeset(catalogue, 6)) == 6
