"""What is noted of a page that a person had read at once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from assets.domain.tries import Try, TryAnswer
from assets.spending import spent_by_tries
from flows.gateways.files.tries import Tries

SENT = Try(
    "01a", "CA:Lincoln:2023:4", datetime(2026, 11, 27, 8, tzinfo=UTC), "gemini-3.5-flash", "deeds v2", "p", "s", 0.2
)
ANSWERED = replace(SENT, try_id="01b", answer=TryAnswer("success", "", 0.03, 1000, 200, 0, "gemini-3.5-flash"))
UNSURE = replace(SENT, try_id="01c", record_key="CA:Lincoln:2023:5", answer=TryAnswer("success", "", None))


def test_each_is_read_as_it_was_written_and_an_answer_takes_the_place_of_none(tmp_path: Path) -> None:
    tries = Tries(tmp_path)
    assert tries.all() == []
    for each in (UNSURE, ANSWERED, SENT):
        tries.write(each)
    assert tries.all() == [SENT, ANSWERED, UNSURE]
    assert tries.of("CA:Lincoln:2023:5") == [UNSURE]
    tries.write(replace(SENT, answer=ANSWERED.answer))
    assert tries.all()[0].answer == ANSWERED.answer


def test_what_nobody_knows_counts_with_the_most_that_it_can_be() -> None:
    spent = spent_by_tries([SENT, ANSWERED, UNSURE, replace(SENT, max_usd=None)])
    assert [(each.usd, each.unsure_usd, each.unsure) for each in spent] == [
        (0.0, 0.2, 1),
        (0.03, 0.0, 0),
        (0.0, 0.2, 1),
        (0.0, 0.0, 1),
    ]
    assert {each.created_at for each in spent} == {SENT.at}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"answer": 3}'])
def test_one_that_cannot_be_read_is_no_nothing(tmp_path: Path, content: str) -> None:
    tries = Tries(tmp_path)
    tries.write(SENT)
    tries.path("01b").write_text(content, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"01b\.json: cannot be read .*; restore it, or delete it"):
        tries.all()
