"""Passes, operators, crashes, lost answers, lists that lag, jobs that end in any way, and time, in any order: the laws
of `protocol_laws` hold after each of them, and in the end every record has come to rest.

200 examples of 50 steps in `make test`; `make state-machine` tries many more. With QUIRE_MACHINE_EXAMPLES set they are
others each time.
"""

import gc
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from assets.domain.batch import JobState
from assets.domain.errors import (
    ContextGoneError,
    GeminiAccessError,
    GeminiAmbiguousError,
    GeminiError,
    GeminiQuotaError,
    GeminiRefusedError,
    GeminiTransientError,
    HomeMismatchError,
    LeaseLostError,
    VanishedResultsError,
)
from assets.domain.outcome import OutcomeKind
from flows.tables.derived import submissions_table
from tests.properties.forking import from_here
from tests.properties.protocol_answers import ANSWERS
from tests.properties.protocol_images import VERSIONS
from tests.properties.protocol_laws import Laws
from tests.properties.protocol_operator import ACTS, Operator, Service
from tests.properties.protocol_world import Ended, World
from tests.twins.effects import Interruption, Point

EXAMPLES = "QUIRE_MACHINE_EXAMPLES"
"""The environment variable that says how many examples are tried."""
MOST_PASSES_TO_REST = 20
LONG = timedelta(minutes=61)
"""Longer than the grace, and than what was taken out is put back."""

FAULTS: dict[str, tuple[str, GeminiError, str]] = {
    "create took effect, its answer is lost": ("create_job", GeminiAmbiguousError("cut"), "after"),
    "create answers nothing, and took no effect": ("create_job", GeminiAmbiguousError("503", status=503), "before"),
    "create is not sent": ("create_job", GeminiTransientError("no connection"), "before"),
    "too much is enqueued": ("create_job", GeminiQuotaError("429", status=429), "before"),
    "create is refused": ("create_job", GeminiRefusedError("400", status=400), "before"),
    "create is forbidden": ("create_job", GeminiAccessError("403", status=403), "before"),
    "an upload fails": ("upload", GeminiTransientError("503", status=503), "before"),
    "the answer of an upload is lost": ("upload", GeminiTransientError("cut"), "after"),
    "an upload is refused": ("upload", GeminiRefusedError("400", status=400), "before"),
    "an upload is forbidden": ("upload", GeminiAccessError("403", status=403), "before"),
    "the list fails": ("list_jobs", GeminiTransientError("503", status=503), "before"),
    "a look fails": ("get_job", GeminiTransientError("503", status=503), "before"),
    "a look is forbidden": ("get_job", GeminiAccessError("403", status=403), "before"),
    "a download fails": ("download", GeminiTransientError("cut"), "before"),
    "a download is forbidden": ("download", GeminiAccessError("403", status=403), "before"),
    "a delete fails": ("delete_file", GeminiTransientError("503", status=503), "before"),
    "a cancel fails": ("cancel_job", GeminiTransientError("503", status=503), "before"),
}

EFFECTS = (
    *("upload", "create_job", "get_job", "download", "delete_file", "cancel_job"),
    *("read_variables", "write_variable", "replace", "link", "unlink"),
)
points = (
    st.builds(Point, st.integers(1, 20))
    | st.builds(Point, st.integers(1, 80))
    | st.builds(Point, st.integers(1, 4), st.sampled_from(EFFECTS))
)
RESETS = ("count", "delete", "unblock", "rerun", "undo-rerun", "prune")
picks = st.integers(0, 3)


class Protocol(RuleBasedStateMachine):
    """A collection of two documents, its operator, and Gemini."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.has_failed = False
        self.has_news = False
        self.editor: list[str] | dict[str, int] | None = None

    @initialize(
        mode=st.sampled_from(["none", "previous_result", "previous_image"]),
        max_chain=st.none() | st.integers(1, 2),
        max_retries=st.integers(0, 2),
        images_change=st.booleans(),
    )
    def begin(self, mode: str, max_retries: int, *, max_chain: int | None = None, images_change: bool = False) -> None:
        """``images_change``: whether a person scans pages anew, which costs each later pass a look."""
        self.images_change = images_change
        self.world = World(context_mode=mode, max_chain=max_chain, max_retries=max_retries)
        self.gemini = self.world.gemini
        self.laws = Laws(self.world)
        self.operator, self.service = Operator(self.world, self.laws), Service(self.world, self.laws)
        self.run_pass()

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if not self.has_failed:
                self.come_to_rest()
        finally:
            self.operator.close()
            self.world.close()

    # --- processes

    @precondition(lambda self: self.has_news)
    @rule()
    def run_pass(self) -> None:
        self.pass_with()
        self.has_news = False

    @precondition(lambda self: self.has_news)
    @rule(at=points, what=st.just("dies") | st.sampled_from(ACTS), pick=picks)
    def run_pass_in_which_somebody(self, what: str, at: Point, pick: int) -> None:
        """What happens in it: the pass itself dies, or a person acts."""
        self.has_news = True
        self.pass_with(self.operator.crash(at) if what == "dies" else self.operator.act_within(at, what, pick))

    def pass_with(self, *interruptions: Interruption) -> None:
        world = self.the_world
        is_calm = not interruptions and not self.gemini.has_faults and not self.gemini.is_other_project
        excuses = [] if is_calm else [ContextGoneError, LeaseLostError, GeminiError]
        if self.laws.has_deleted:
            excuses.append(VanishedResultsError)
        ended = self.judged(lambda: world.run_pass(interruptions), excuses, is_pass=True, is_calm=is_calm)
        if isinstance(ended.error, VanishedResultsError):
            # All of them are gone, and whoever deleted them says that it was meant.
            is_calm = not self.gemini.has_faults and not self.gemini.is_other_project
            self.judged(
                lambda: world.run_pass(accept_vanished=True),
                [] if is_calm else [LeaseLostError, GeminiError],
                is_pass=True,
                is_calm=is_calm,
            )

    def stops(self, *excuses: type[Exception]) -> Ended:
        """Run a pass that changes nothing at Gemini and in the Variables if it stops, which it may by these alone."""
        made, values = len(self.gemini.made), deepcopy(self.the_world.variables.values)
        ended = self.judged(self.the_world.run_pass, excuses)
        if ended.error is not None:
            assert len(self.gemini.made) == made, "it has sent something"
            assert self.the_world.variables.values == values, "it has changed the Variables"
        return ended

    def judged(
        self,
        run: Callable[[], Ended],
        excuses: Sequence[type[Exception]] = (),
        *,
        is_pass: bool = False,
        is_calm: bool = False,
    ) -> Ended:
        """Run a process and judge what it leaves. ``excuses``: with what it may stop."""
        self.has_failed = True
        ended = run()
        if ended.error is not None and not isinstance(ended.error, tuple(excuses)):
            raise AssertionError("it stopped for no reason") from ended.error
        self.laws.after_run(ended, is_pass=is_pass, is_calm=is_calm)
        self.has_failed = False
        return ended

    @property
    def the_world(self) -> World:
        assert self.world is not None
        return self.world

    # --- Gemini

    @precondition(lambda self: self.service.running())
    @rule(
        how_many=st.integers(1, 3),
        state=st.sampled_from([*[JobState.SUCCEEDED] * 4, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED]),
        answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3),
        has_result=st.sampled_from([True, True, True, False]),
        has_more=st.booleans(),
    )
    def jobs_end(
        self, how_many: int, state: JobState, answers: list[OutcomeKind], has_result: bool, has_more: bool
    ) -> None:
        """Some that run. ``answers``: of their records, one after the other; ``has_more``: with lines of nobody's."""
        self.has_news = True
        running = self.service.running()
        for job in running[:how_many] if state is JobState.SUCCEEDED else running[-how_many:]:
            self.service.end(job, state, answers if has_result else None, has_more=has_more)

    @precondition(lambda self: not self.gemini.has_faults)
    @rule(name=st.sampled_from(sorted(FAULTS)))
    def call_will_fail(self, name: str) -> None:
        call, error, when = FAULTS[name]
        self.gemini.add_fault(call, error, when=when)

    @rule(list_lag_minutes=st.sampled_from([0, 5, 30]), cancels=st.booleans(), forgets=st.sampled_from([None, 0, 1]))
    def gemini_becomes(self, list_lag_minutes: int, cancels: bool, forgets: int | None) -> None:
        """``cancels``: a cancel comes in time; ``forgets``: a job that answers 404 from now on."""
        self.gemini.list_lag, self.gemini.cancels = timedelta(minutes=list_lag_minutes), cancels
        jobs = self.gemini.jobs()
        if forgets is not None and jobs:
            self.gemini.forget_job(jobs[forgets % len(jobs)].name)

    @precondition(lambda self: self.service.with_results())
    @rule(pick=picks)
    def gemini_forgets_a_result_file(self, pick: int) -> None:
        """Whether it is kept here or not."""
        self.has_news = True
        jobs = self.service.with_results()
        self.gemini.forget_result(jobs[pick % len(jobs)].name)

    @rule(minutes=st.sampled_from([1, 16, 61, 3000]))
    def time_passes(self, minutes: int) -> None:
        self.has_news = True
        self.the_world.now += timedelta(minutes=minutes)

    @rule(hours=st.sampled_from([-73, -1, 1, 25, 73]))
    def the_time_of_day_jumps(self, hours: int) -> None:
        """On the machine, forward or back; nothing else goes on."""
        self.has_news = True
        self.the_world.clock_error += timedelta(hours=hours)

    @rule()
    def the_machine_starts_again(self) -> None:
        self.has_news = True
        self.the_world.start_again()

    @precondition(lambda self: self.has_news)
    @rule()
    def run_pass_with_the_key_of_another_project(self) -> None:
        """Whose lists are empty."""
        self.gemini.is_other_project = True
        self.pass_with()
        self.gemini.is_other_project = False
        self.laws.looked_elsewhere()

    # --- the operator

    @precondition(lambda self: self.laws.active())
    @rule(how=st.sampled_from(["by hand", "release", "release --cancel"]), pick=picks, at=points)
    def lets_go_of_a_batch(self, how: str, pick: int, at: Point) -> None:
        """``at``: where the command dies."""
        self.has_news = True
        if how == "by hand":
            self.operator.take_out(pick)
        elif (work := self.operator.release(pick, cancel=how == "release --cancel")) is not None:
            crash = self.operator.crash(at)
            self.judged(lambda: self.the_world.run_command(work, [crash]), [GeminiError])

    @rule(
        how=st.sampled_from(RESETS),
        pick=picks,
        count=st.integers(0, 3),
        at=points,
    )
    def has_a_record_read_again(self, how: str, pick: int, count: int, at: Point) -> None:
        """By hand, its count or its output, or by a command; ``at``: where that dies. Or counts are pruned."""
        self.has_news = True
        if how == "count":
            self.operator.set_count(pick, count)
        elif how == "delete":
            self.operator.delete_output(pick)
        elif how == "prune":
            self.judged(self.operator.prune)
        elif how == "undo-rerun":
            self.judged(lambda: self.operator.take_back(pick, at))
        else:
            self.judged(lambda: self.operator.reset(pick, again=how == "rerun", at=at))

    @rule(pick=picks, checks=st.booleans(), at=points)
    def corrects_or_checks_a_page(self, pick: int, checks: bool, at: Point) -> None:
        """``at``: where whoever saves dies."""
        self.has_news = True
        self.judged(lambda: self.operator.corrects(pick, at, checks=checks))

    @precondition(lambda self: self.images_change)
    @rule(pick=picks, version=st.integers(0, VERSIONS - 1), keeps_time=st.booleans())
    def replaces_an_image(self, pick: int, version: int, keeps_time: bool) -> None:
        """By another scan of the page, or by the one that was there at first."""
        self.has_news = True
        self.operator.replace_image(pick, version, keeps_time=keeps_time)

    @precondition(lambda self: self.operator.kept())
    @rule(pick=picks, corrects=st.booleans(), at=points)
    def has_answers_judged_again(self, pick: int, corrects: bool, at: Point) -> None:
        """``corrects``: after the schema was; ``at``: where the command dies."""
        self.has_news = True
        if corrects:
            self.operator.correct_schema()
        calls, spent = len(self.gemini.calls), submissions_table(self.the_world.files, write=False)
        self.judged(lambda: self.operator.resettle(pick, at))
        assert len(self.gemini.calls) == calls, "Gemini was asked for something"
        assert submissions_table(self.the_world.files, write=False).equals(spent), "it was paid for again"

    @rule(of_counts=st.booleans())
    def opens_an_editor_or_saves(self, of_counts: bool) -> None:
        """What it shows is as old as its opening."""
        self.has_news = True
        shown, self.editor = self.editor, None
        if shown is None:
            self.editor = self.laws.counts() if of_counts else self.laws.active()
        elif isinstance(shown, dict):
            self.operator.save_counts(shown)
        else:
            self.operator.save_list(shown)

    # --- disks and backups

    @rule()
    def makes_a_backup(self) -> None:
        self.operator.back_up()

    @precondition(lambda self: self.operator.backup is not None)
    @rule()
    def the_database_is_restored(self) -> None:
        """If batches were sent since, nothing goes on before the Variables are made anew."""
        self.has_news = True
        self.gemini.clear_faults()
        self.editor = None
        is_older = self.newest_posted() > self.operator.newest_in_backup()
        self.operator.restore_database()
        if is_older:
            ended = self.stops(HomeMismatchError)
            assert "quire recover" in str(ended.error), "it goes on with a database that has forgotten batches"
            self.judged(self.operator.recover)

    @precondition(lambda self: self.operator.backup is not None)
    @rule()
    def the_folder_is_restored(self) -> None:
        """If the database has heard of what was made or closed since, nothing goes on before the newer folder is
        back."""
        self.has_news = True
        self.gemini.clear_faults()
        home, storage = self.laws.home(), self.the_world.files
        with self.operator.folder_from_backup():
            if home.newest not in storage.submissions() or home.closed > len(storage.closed_submissions()):
                ended = self.the_world.run_pass()
                assert isinstance(ended.error, HomeMismatchError), "it goes on with a folder that has forgotten batches"

    @rule(name=st.sampled_from(["results", "manifests", "batches", "jobs", "outcomes", "uploads"]))
    def a_folder_is_not_mounted(self, name: str) -> None:
        with self.operator.folder_not_mounted(name):
            ended = self.the_world.run_pass()
            assert isinstance(ended.error, HomeMismatchError), "it goes on with an empty folder"

    def newest_posted(self) -> str:
        """Of those that were posted, or would have been if the pass had lived."""
        storage = self.the_world.files
        return max((each for each in storage.submissions() if storage.read_job(each) is not None), default="")

    # --- the end

    def come_to_rest(self) -> None:
        """All answers come, all jobs end well, and passes follow until nothing is left to do."""
        self.gemini.clear_faults()
        self.gemini.list_everything()
        self.gemini.cancels = True
        for _ in range(MOST_PASSES_TO_REST):
            self.service.answer_all()
            self.the_world.now += LONG
            self.release_what_is_forgotten()
            sent = len(self.gemini.made)
            self.run_pass()
            if len(self.gemini.made) == sent and not self.laws.active():
                break
        self.laws.at_rest()

    def release_what_is_forgotten(self) -> None:
        """What Gemini does not know any more, and what has ended well and brings no answers, waits for a person."""
        there = set(self.the_world.files.raw.names()) | {
            job.display_name
            for job in self.gemini.jobs()
            if self.gemini.has_result(job) or (job.state is not JobState.SUCCEEDED and job.result_file is None)
        }
        for pick, submission_id in reversed(list(enumerate(self.laws.active_submissions()))):
            if submission_id not in there:
                work = self.operator.release(pick, cancel=False)
                assert work is not None
                self.judged(lambda work=work: self.the_world.run_command(work))  # type: ignore[misc]


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=int(os.environ.get(EXAMPLES, "200")), stateful_step_count=50, derandomize=EXAMPLES not in os.environ
)


@pytest.mark.parametrize("whats", [("dies",), ("has a record read again", "corrects a page", "takes that back")])
def test_whatever_happens_while_a_new_result_takes_the_place_of_another_the_laws_hold(whats: tuple[str, ...]) -> None:
    """The first record is done and is to be read again; its answer is there. What happens at its effects takes
    turns."""
    protocol = Protocol()
    protocol.begin(mode="none", max_retries=2)
    protocol.jobs_end(3, JobState.SUCCEEDED, [OutcomeKind.SUCCESS], has_result=True, has_more=False)
    protocol.run_pass()
    protocol.has_a_record_read_again("rerun", pick=0, count=0, at=Point(80))
    protocol.run_pass()
    protocol.jobs_end(3, JobState.SUCCEEDED, [OutcomeKind.SUCCESS], has_result=True, has_more=False)
    protocol.has_a_record_read_again("rerun", pick=1, count=0, at=Point(80))
    whatever_happens_in_the_next_pass(protocol, whats)


@pytest.mark.parametrize("whats", [("dies",), ("dies and is taken out", "releases a batch", "resets a count")])
def test_whatever_happens_at_any_effect_of_a_settlement_the_laws_hold(whats: tuple[str, ...]) -> None:
    """By chance few examples come to a settlement, and fewer to one that dies just there: so each of its effects is
    tried here, and what happens at them takes turns. All records have failed once; of the batch that is settled the
    first fails again, the other does not."""
    protocol = Protocol()
    protocol.begin(mode="none", max_retries=2)
    protocol.jobs_end(3, JobState.SUCCEEDED, [OutcomeKind.API_ERROR], has_result=True, has_more=False)
    protocol.run_pass()
    answers = [OutcomeKind.API_ERROR, OutcomeKind.SUCCESS]
    protocol.jobs_end(1, JobState.SUCCEEDED, answers, has_result=True, has_more=False)
    whatever_happens_in_the_next_pass(protocol, whats)


def whatever_happens_in_the_next_pass(protocol: Protocol, whats: Sequence[str]) -> None:
    """At each of its effects until the first upload; ``whats`` take turns. Each time all comes to rest."""

    def go_on(what: str, number: int) -> list[str]:
        act = what.partition(" and ")[0]
        try:
            protocol.run_pass_in_which_somebody(act, Point(number), pick=0)
            reached = protocol.the_world.effects.log[:number]
            if act != what:
                protocol.operator.take_out(0)
        finally:
            protocol.teardown()
        return reached

    reached: list[str] = []
    try:
        while "upload" not in reached:
            number = len(reached) + 1
            reached = from_here(protocol.the_world, partial(go_on, whats[number % len(whats)], number))
    finally:
        protocol.teardown()
    assert "download" in reached


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of passes log a lot, and a test framework keeps all of it; nor need the garbage collector look through
    what Prefect has imported again and again."""
    log = logging.getLogger("quire")
    log.disabled = True
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    log.disabled = False
