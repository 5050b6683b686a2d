"""``quire quality`` on the demo's corpus, whose truth is known: pages read with a known noise, two answers exchanged,
an answer that goes round in a loop."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from assets.domain.home import HomeFile
from assets.quality.errors import edits_of
from assets.quality.intervals import rate_of
from assets.quality.normal import AS_IT_IS
from assets.sampling import sample
from flows.cli import app
from flows.demo.catalogue import catalogues
from flows.demo.pages import SEED
from flows.demo.typeset import typeset
from tests.unit.exports.shelf import Shelf, block, transcript

PAGE = Path(__file__).parents[3] / "docs" / "quality.md"
GOLD_PAGES = 20
DRAWS = 20
WRONG = "etaoinshrdlu"


@cache
def truths() -> Mapping[str, tuple[str, str]]:
    """Record key -> printed page number and text."""
    found = {}
    for each in catalogues(SEED):
        for page, printed in enumerate(typeset(each, 6), start=1):
            key = f"{each.state}:{each.school}:{each.year}:{page}"
            found[key] = (str(printed.number), printed.text)
    return found


@cache
def readings() -> Mapping[str, str]:
    """The text of each page with wrong letters in it: few on most, many on some."""
    chance, found = np.random.default_rng(SEED), {}
    for key, (_, text) in truths().items():
        letters, share = list(text), min(0.2, chance.gamma(0.7, 0.03))
        for at in np.flatnonzero(chance.random(len(letters)) < share):
            if letters[at].isalpha():
                letters[at] = WRONG[chance.integers(len(WRONG))]
        found[key] = "".join(letters)
    return found


def answer(key: str, text: str) -> dict[str, Any]:
    number = truths()[key][0]
    lines = text.split("\n")
    body = " ".join(line for line in lines if line.strip() != number)
    return transcript(block(number, "page_number"), block(body), printed_page_number=number)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)
    documents: dict[str, dict[str, Any]] = {}
    for key, text in readings().items():
        document, _, page = key.rpartition(":")
        documents.setdefault(document, {})[page] = answer(key, text)
    for document, pages in documents.items():
        made.add(document, pages)
    made.storage.home.create(HomeFile("a" * 32, None))
    monkeypatch.chdir(tmp_path)
    return made


def quire(line: str) -> Result:
    return CliRunner().invoke(app, line.split()[1:], catch_exceptions=False)


def measured(line: str = "quire quality --json") -> dict[str, Any]:
    done = quire(line)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(found: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["record_key"], each["sign"]) for each in found["findings"]}


def test_of_20_gold_pages_the_interval_holds_the_true_error_rate() -> None:
    keys = list(truths())
    edits = edits_of([truths()[key][1] for key in keys], [readings()[key] for key in keys], AS_IT_IS)
    for wrong, units in ((edits.char_edits, edits.chars), (edits.word_edits, edits.words)):
        true, held = wrong.sum() / units.sum(), 0
        for seed in range(DRAWS):
            at = sample([key.rpartition(":")[0] for key in keys], GOLD_PAGES, seed=seed)
            found = rate_of(wrong[at], units[at], seed=seed)
            assert found.low is not None
            assert found.high is not None
            held += found.low <= true <= found.high
            assert found.high - found.low < 2 * true, "an interval that holds everything tells nothing"
        assert held >= 18
        assert 0.005 < true < 0.5


def test_nothing_stands_out_where_nothing_is_wrong(shelf: Shelf) -> None:
    found = measured()
    assert (found["pages"], found["findings"], found["faults"], found["whole"]) == (24, [], [], None)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (7, 8), (10, 11), (1, 4)])
def test_two_exchanged_answers_and_a_loop_are_found_and_nothing_else(shelf: Shelf, one: int, other: int) -> None:
    keys = list(truths())
    swapped, looped = {keys[one], keys[other]}, keys[20]
    for key, its in ((keys[one], keys[other]), (keys[other], keys[one])):
        shelf.write(key, answer(its, readings()[its]))
    words = readings()[looped].split()
    shelf.write(looped, answer(looped, " ".join(words[:150] + words[140:150] * 12)))

    assert told(measured()) == {(key, "swapped") for key in swapped} | {(looped, "loop")}


def test_without_page_numbers_the_sentences_that_go_on_tell_of_it(shelf: Shelf) -> None:
    """All pages end within a sentence but for the second, which ends with one."""
    words = " ".join(text for _, text in truths().values()).replace(".", "").lower().split()
    texts = [" ".join(words[start : start + 200]) for start in range(0, 1200, 200)]
    texts[0], texts[1], texts[2] = f"The {texts[0]}", f"{texts[1]}.", f"The {texts[2]}"
    keys = [f"CA:Lincoln:1900:{page}" for page in range(1, 7)]
    answers = [
        transcript(
            block(text), continues_previous_page=text[0].islower(), continues_on_next_page=not text.endswith(".")
        )
        for text in texts
    ]
    shelf.add("CA:Lincoln:1900", {str(at): each for at, each in enumerate(answers, 1)})
    assert told(measured("quire quality --json CA:Lincoln:1900")) == set()
    shelf.write(keys[1], answers[2])
    shelf.write(keys[2], answers[1])
    assert told(measured("quire quality --json CA:Lincoln:1900")) == {(keys[1], "swapped"), (keys[2], "swapped")}


def test_gold_measures_by_document_and_kind_and_tells_of_an_answer_that_fits_another_page(shelf: Shelf) -> None:
    keys = list(truths())
    gold = [keys[at] for at in sample(keys, GOLD_PAGES, seed=1)]
    for key in gold:
        path = Path("truth", *key.split(":")[:-1], f"{key.rpartition(':')[2]}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(truths()[key][1])
    assert quire("quire gold import truth --as Ada").exit_code == 0

    found = measured("quire quality --gold-only --json")
    whole = found["whole"]
    edits = edits_of([truths()[key][1] for key in keys], [readings()[key] for key in keys], AS_IT_IS)
    assert found["gold"] == {"imported": 20}
    assert whole["characters"]["low"] <= edits.char_edits.sum() / edits.chars.sum() <= whole["characters"]["high"]
    assert len(found["documents"]) == 4
    assert sum(each["pages"] for each in found["documents"]) == 20
    assert {each["name"] for each in found["kinds"]} == {"prose"}
    text = quire("quire quality --gold-only --body").output
    assert text.startswith("against 20 gold pages (20 imported); Unicode NFC, white space as one blank")
    assert "without running heads and page numbers" in text
    assert " to " in text

    # Two whose answers bear no number, so that only gold can tell.
    one, other = next(pair for pair in pairwise(gold) if pair[0].rpartition(":")[0] == pair[1].rpartition(":")[0])
    for key, its in ((one, other), (other, one)):
        shelf.write(key, transcript(block(readings()[its])))
    assert told(measured("quire quality --gold-only --json")) == set(), "what a person wrote by hand is nobody's answer"
    shelf.settle({key: transcript(block(readings()[its])) for key, its in ((one, other), (other, one))})
    assert told(measured("quire quality --gold-only --json")) == {(one, "swapped"), (other, "swapped")}
