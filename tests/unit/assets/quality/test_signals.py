"""What looks wrong on a page without anybody having read it: loops, lengths, strange words, exchanged answers."""

import numpy as np
import pytest

from assets.quality.fields import FieldScore, field_scores
from assets.quality.kinds import kind_of, script_of
from assets.quality.lengths import neighbours_of, stand_out
from assets.quality.loops import loop_in
from assets.quality.normal import Normalization
from assets.quality.strange import are_strange, model_of
from assets.quality.swaps import clue_of, number_of, swapped_by_joints, swapped_by_numbers, twice
from assets.reading import content_of
from tests.unit.exports.shelf import block, transcript

PROSE = (
    "No student may leave the town in term time, or be out of his room after nine in the evening, without the "
    "permission of the officer in charge, who keeps a record of the attendance and the scholarship of each, and sends "
    "an abstract of it to his parent or guardian at the close of every term of the year."
)


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "",
        "Tuition . . . . . . . . . . . . . . . . . . . . . . . . . . . . 12 00",
        "do. do. do. do.",
        "\n".join(f"{n}\tditto\t{n}.50" for n in range(40)),
        " ".join([PROSE] * 1 + ["Witness: John Smith, Clerk of the Court."] * 3),
    ],
)
def test_what_comes_again_on_many_pages_is_no_loop(text: str) -> None:
    assert loop_in(text) is None


@pytest.mark.parametrize(
    ("end", "times"),
    [(" the", 55), (" and the scholarship of each,", 12), (" one two three four five six seven eight nine ten.", 9)],
)
def test_a_model_in_a_loop_is_told_with_what_it_says(end: str, times: int) -> None:
    found = loop_in(PROSE + end * times)
    assert found is not None
    assert found.share > 0.2
    assert found.group.split()[0] in end
    assert found.times >= times - 6


def test_a_page_stands_out_that_is_far_longer_or_shorter_than_those_around_it() -> None:
    words = np.array([300, 320, 280, 10, 310, 290, 2000, 305, 0, 300])
    around = neighbours_of(words)
    assert np.flatnonzero(stand_out(words, around)).tolist() == [3, 6, 8]
    short = np.array([30, 1, 20, 90])
    assert np.isnan(neighbours_of(short)).all()
    assert not stand_out(short, neighbours_of(short)).any()
    assert not stand_out(np.array([5, 90, 3, 8, 60, 2]), neighbours_of(np.array([5, 90, 3, 8, 60, 2]))).any()


def test_words_that_nobody_here_would_write_are_strange() -> None:
    chance = np.random.default_rng(5)
    words = PROSE.split()
    pages = [" ".join(chance.permutation(words)) for _ in range(12)]
    pages.append("".join(chance.choice(list("qxzjkvwpbf "), 400)))
    pages.append("12 34")
    model = model_of(pages)
    bits = np.array([model.bits(page, is_learned=True) for page in pages])
    assert np.isnan(bits[13])
    assert np.flatnonzero(are_strange(bits)).tolist() == [12]
    assert not are_strange(bits[:7]).any(), "of a few pages nothing is told"


@pytest.mark.parametrize(
    ("printed", "number"),
    [
        ("12", 12),
        ("— 12 —", 12),
        ("[7]", 7),
        ("", None),
        ("A3", None),
        ("vii", 7),
        ("xl.", 40),
        ("mix", 1009),
        ("x12", None),
    ],
)
def test_printed_numbers_are_read(printed: str, number: int | None) -> None:
    found = number_of(printed)
    if found is not None and found < 0:
        found += 1_000_000
    assert found == number


@pytest.mark.parametrize(
    ("numbers", "pairs"),
    [
        ([1, 2, 3, 4, 5, 6], []),
        ([1, 3, 2, 4, 5, 6], [(1, 2)]),
        ([2, 1, 3, 4, 5, 6], [(0, 1)]),
        ([1, 2, 3, 4, 6, 5], [(4, 5)]),
        ([1, 5, 3, 4, 2, 6, 7], [(1, 4)]),
        ([10, 12, 16, 14, 18, 20], [(2, 3)]),
        ([1, None, 4, None, 5, 3, 7, 8], []),
        ([1, 2, None, 5, 4, 6, 7, None], [(3, 4)]),
        ([1, 2, 2, 3, 4, 5], []),
        ([1, 2, 3, 1, 2, 3, 4], []),
        ([5, 6, 7, 1, 9, 10], []),
        ([number_of(each) for each in ("i", "iii", "ii", "iv", "v", "1", "2", "3")], [(1, 2)]),
        ([None, None], []),
        ([], []),
    ],
)
def test_exchanged_answers_are_told_by_page_numbers_that_fit_each_others_place(
    numbers: list[int | None], pairs: list[tuple[int, int]]
) -> None:
    assert swapped_by_numbers(numbers) == pairs


def test_a_catchword_joins_two_pages() -> None:
    pages = [
        transcript(block(f"{word} and so on until the end."), block(after, "other"))
        for word, after in (("One", "two"), ("Two", "three"), ("Three", "four"), ("Four", "five"), ("Five", "six"))
    ]
    clues = [clue_of(content_of(page)) for page in pages]
    assert [clue.catchword for clue in clues] == ["two", "three", "four", "five", "six"]
    assert swapped_by_joints(clues) == []
    clues[1], clues[2] = clues[2], clues[1]
    assert swapped_by_joints(clues) == [(1, 2)]


def test_where_answer_and_text_do_not_agree_nothing_is_told_of_a_joint() -> None:
    open_end = transcript(block("it goes on"), continues_previous_page=True, continues_on_next_page=False)
    clue = clue_of(content_of(open_end))
    assert (clue.begins_within, clue.goes_on) == (True, None)
    table = clue_of(content_of(transcript(block("1\t2", "table"))))
    assert (table.begins_within, table.goes_on) == (None, None)
    assert clue_of(content_of({})).number is None


def test_one_text_twice_is_told_where_it_is_close_by() -> None:
    pages = [PROSE + f" page {page}" for page in "abcd"]
    other = [" ".join(PROSE.split()[::-1]) for _ in range(2)]
    assert twice([pages[0], "short", pages[1], "", "", "", pages[2]]) == [(0, 2)]
    assert twice([other[0], PROSE]) == []
    assert twice(["the same words"] * 2) == []


def test_a_list_item_that_was_left_out_makes_one_error_and_not_one_of_each_that_follows() -> None:
    gold = {"year": 1850, "entries": [{"name": name, "age": at} for at, name in enumerate(["Ann", "Bob", "Cid"])]}
    read = {"year": "1850", "entries": [{"name": "Ann", "age": 0}, {"name": "Cid.", "age": 2}], "note": None}
    found = field_scores(gold, read)
    exact = {path: (score.values, score.exact) for path, score in found.items()}
    assert exact == {"year": (1, 0), "entries[].name": (3, 1), "entries[].age": (3, 2), "note": (1, 0)}
    assert found["entries[].name"].alike == pytest.approx(1 + 6 / 7)
    assert field_scores(gold, gold)["entries[].name"] == FieldScore(3, 3, 3.0)
    without = field_scores({"name": "Bob."}, {"name": "bob"}, Normalization(case=False, punctuation=False))
    assert without["name"].exact == 1


def test_a_page_is_of_the_kind_of_most_of_its_text() -> None:
    mixed = transcript(block("A"), block("1\t2\n3\t4\n5\t6", "table"), block("x" * 90, "running_head"))
    assert kind_of(content_of(mixed)) == "table"
    assert kind_of(content_of(transcript())) == "empty"
    assert [script_of(text) for text in ("Ärzte", "Ἀθῆναι", "Мир", "12", "漢字")] == [
        *("latin", "greek", "cyrillic", "empty", "cjk")
    ]
