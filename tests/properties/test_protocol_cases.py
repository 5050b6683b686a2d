"""Single stories in the world of the state machine, which chance comes to too rarely: answers that are kept here after
Gemini has forgotten them, and answers that are judged again."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from assets.domain.batch import LATE, JobState
from assets.domain.outcome import OutcomeKind
from assets.outcomes import OUTCOME_SCHEMA
from flows.prune import prune_counts
from flows.resettle import judge_again
from flows.runtime.passes import Pass
from tests.properties.forking import from_here
from tests.properties.protocol_images import KEYS
from tests.properties.protocol_laws import Laws
from tests.properties.protocol_operator import Operator, Service
from tests.properties.protocol_world import End, World
from tests.twins.effects import Point

SUCCESS, MISMATCH = OutcomeKind.SUCCESS, OutcomeKind.SCHEMA_MISMATCH


class Story:
    """A world with those who act in it; a pass has sent everything."""

    def __init__(self) -> None:
        self.world = World(context_mode="none", max_retries=0)
        self.laws = Laws(self.world)
        self.operator, self.service = Operator(self.world, self.laws), Service(self.world, self.laws)
        self.run_pass()

    def run_pass(self, crash_at: Point | None = None) -> None:
        ended = self.world.run_pass([self.operator.crash(crash_at)] if crash_at is not None else [])
        assert ended.how is (End.FINISHED if crash_at is None else End.CRASHED), ended
        self.laws.after_run(ended, is_pass=True, is_calm=crash_at is None)

    def end_all(self, answers: list[OutcomeKind]) -> None:
        for job in self.service.running():
            self.service.end(job, JobState.SUCCEEDED, answers)

    def gemini_forgets_everything(self) -> None:
        for job in self.world.gemini.jobs():
            self.world.gemini.forget_result(job.name)
            self.world.gemini.forget_job(job.name)

    def release_all(self) -> None:
        for _ in self.laws.active():
            work = self.operator.release(0, cancel=False)
            assert work is not None
            assert self.world.run_command(work).how is End.FINISHED

    def jobs_of_texts(self) -> dict[str, str]:
        """Record key -> the job that its text names."""
        texts = {key: self.world.text_of(key) for key in KEYS}
        return {key: text["job"] for key, text in texts.items() if text is not None}

    def keeps_what_a_late_job_has_answered(self) -> str:
        """A pass dies just before it has noted what became of it; the name of the kept file."""
        self.world.gemini.cancels = False
        self.release_all()
        self.end_all([SUCCESS])
        self.run_pass(crash_at=Point(1, "link"))
        (name,) = self.world.files.raw.names()
        return name

    def sent(self) -> dict[str, str]:
        """Record key -> the one job that it was in."""
        found = [(key, made.name) for made in self.world.gemini.made for key in made.keys]
        assert len(found) == len(dict(found)), "a record was sent twice"
        return dict(found)


@contextmanager
def story() -> Iterator[Story]:
    told = Story()
    try:
        yield told
    finally:
        told.operator.close()
        told.world.close()


def test_what_a_late_job_has_answered_is_used_from_the_kept_file_after_gemini_has_forgotten_the_job() -> None:
    with story() as told:
        name = told.keeps_what_a_late_job_has_answered()
        assert name.endswith(LATE)
        assert not told.world.files.is_closed(name), "it has died before that was noted"
        told.gemini_forgets_everything()

        told.run_pass()

        made = next(each for each in told.world.gemini.made if each.display_name + LATE == name)
        assert not list(told.laws.claims.check_kept(told.laws.answers)), "what is kept is used"
        assert told.world.files.is_closed(name)
        rows = told.world.files.read_outcomes(name, ["kind", "batch_id", "count_after"]).to_pylist()
        assert {(row["kind"], row["batch_id"], row["count_after"]) for row in rows} == {("success", made.name, None)}
        assert {key: told.jobs_of_texts()[key] for key in made.keys} == dict.fromkeys(made.keys, made.name)
        assert set(made.keys) <= told.sent().keys(), "paid for once"
        content = told.world.files.outcomes_path(name).read_bytes()
        told.run_pass()
        assert told.world.files.outcomes_path(name).read_bytes() == content, "used once"


def test_what_was_kept_for_a_settlement_is_used_after_a_person_has_let_go_of_the_batch() -> None:
    """The settlement was broken off before it had written a result."""
    for number in range(1, 20):
        with story() as told:
            told.end_all([SUCCESS])
            told.run_pass(crash_at=Point(number, "replace"))
            kept = told.world.files.raw.names()
            if not kept or told.jobs_of_texts():
                continue
            told.gemini_forgets_everything()
            told.release_all()

            told.run_pass()

            (name,) = told.world.files.raw.names()
            assert name == kept[0] + LATE
            assert told.world.files.is_closed(name)
            made = next(each for each in told.world.gemini.made if each.display_name == kept[0])
            assert {key: told.jobs_of_texts().get(key) for key in made.keys} == dict.fromkeys(made.keys, made.name)
            return
    raise AssertionError("no pass died there")


def test_a_kept_file_of_a_late_job_that_is_damaged_is_told_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with story() as told:
        name = told.keeps_what_a_late_job_has_answered()
        path = told.world.files.raw.path(name)
        path.write_bytes(path.read_bytes()[:-9])
        told.gemini_forgets_everything()

        assert told.world.run_pass().how is End.FINISHED

        assert f"{path} is damaged: restore it from a backup, or delete it" in caplog.text
        assert not told.world.files.is_closed(name)


# --- answers that are judged again


def refused_and_corrected(told: Story) -> str:
    """All answers are good but for a note that the schema does not know; then it does. Returns a submission."""
    told.end_all([MISMATCH])
    told.run_pass()
    assert told.laws.counts() == dict.fromkeys(KEYS, 1)
    told.operator.correct_schema()
    return told.operator.kept()[0]


def resettle(told: Story, submission_id: str, crash_at: Point | None = None) -> End:
    async def work(p: Pass) -> None:
        await judge_again(p, submission_id, dry_run=False)

    calls = len(told.world.gemini.calls)
    told.laws.resettling(submission_id)
    crashes = [told.operator.crash(crash_at)] if crash_at is not None else []
    ended = told.world.run_locked(work, crashes)
    assert ended.error is None
    told.laws.after_run(ended, is_pass=False, is_calm=False)
    assert len(told.world.gemini.calls) == calls, "it asks Gemini for nothing"
    return ended.how


def left(told: Story) -> dict[str, Any]:
    """What a resettling leaves that counts, once the counts of what is done are pruned."""
    told.run_pass()
    assert told.world.run_command(prune_counts).how is End.FINISHED
    told.sent()
    files = told.world.files
    columns = [name for name in OUTCOME_SCHEMA.names if name not in ("settled_at", "result_modified_at")]
    return {
        "texts": {key: told.world.text_of(key) for key in KEYS},
        "counts": told.laws.counts(),
        "outcomes": {name: files.read_outcomes(name, columns).to_pylist() for name in files.outcome_files()},
        "made": len(told.world.gemini.made),
    }


def test_killed_at_any_effect_a_resettling_that_is_done_again_ends_as_if_it_had_not_been() -> None:
    """Before each of its effects, which is after the one before; done again at once, and in turn after a pass."""
    with story() as told:
        assert resettle(told, refused_and_corrected(told)) is End.FINISHED
        effects = Counter(each for each in told.world.effects.log if each != "fsync")
        expected = left(told)
        assert sum(text is not None for text in expected["texts"].values()) == 2
    # A sync changes nothing that a process that is killed could leave.
    assert effects.keys() >= {"replace", "link", "write_variable"}
    points = [Point(number, what) for what, count in effects.items() for number in range(1, count + 1)]
    with story() as told:
        submission_id = refused_and_corrected(told)

        def killed(at: Point, *, a_pass_comes_first: bool) -> None:
            assert resettle(told, submission_id, at) is End.CRASHED
            if a_pass_comes_first:
                told.run_pass()
            assert resettle(told, submission_id) is End.FINISHED
            assert left(told) == expected, at

        for at, a_pass_comes_first in zip(points, cycle([False, True]), strict=False):
            from_here(told.world, partial(killed, at, a_pass_comes_first=a_pass_comes_first))


def test_an_answer_is_not_judged_again_for_an_image_that_is_another_by_now_and_is_for_the_first_one() -> None:
    with story() as told:
        submission_id = refused_and_corrected(told)
        told.operator.replace_image(0, 1, keeps_time=False)
        told.run_pass()
        assert resettle(told, submission_id) is End.FINISHED
        assert told.world.text_of(KEYS[0]) is None
        assert told.world.text_of(KEYS[1]) is not None

        told.operator.replace_image(0, 0, keeps_time=False)
        assert resettle(told, submission_id) is End.FINISHED

        assert told.world.text_of(KEYS[0]) is not None
        told.run_pass()
        assert told.sent().keys() == set(KEYS)


def test_a_clock_that_was_set_back_makes_no_older_answer_the_one_that_was_given_last() -> None:
    """The page is read again from another scan, three days earlier by the clock: what made its result is the later
    answer, and nothing is outdated."""
    with story() as told:
        told.end_all([SUCCESS])
        told.run_pass()
        told.operator.replace_image(0, 1, keeps_time=False)
        told.operator.delete_output(0)
        told.world.clock_error -= timedelta(days=3)
        told.run_pass()
        told.end_all([SUCCESS])

        told.run_pass()

        text = told.world.text_of(KEYS[0])
        assert text is not None
        assert text["job"] == told.world.gemini.made[-1].name


# --- several jobs that have answered


def test_all_result_files_are_fetched_while_others_are_settled_and_the_first_that_is_there_goes_first() -> None:
    with story() as told:
        told.end_all([SUCCESS])
        first, *others = [job.display_name for job in told.world.gemini.jobs()]
        download, under_way, most = told.world.gemini.download, 0, 0

        async def slow_download(file_name: str, destination: Path) -> int:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                for _ in range(10_000):
                    if not destination.name.startswith(first) or all(map(told.world.files.is_closed, others)):
                        break
                    await asyncio.sleep(0)
                else:
                    raise AssertionError("the others wait for the first one")
                await asyncio.sleep(0)
                return await download(file_name, destination)
            finally:
                under_way -= 1

        with patch.object(told.world.gemini, "download", slow_download):
            told.run_pass()

        assert others
        assert most > 1
        assert all(map(told.world.files.is_closed, [first, *others]))
