"""A submission's states and events: which can follow which, and that the evidence on disk and in the list says the
same as the events that led there."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.domain.batch import (
    TERMINAL_STATES,
    JobState,
    RemoteJob,
    SubmissionEvent,
    SubmissionState,
    behind,
    claim_name,
    claimed_submission,
    is_late,
    is_resettled,
    is_submission_id,
    state_of,
    submission_of,
    submitted_at,
    transition,
)
from assets.domain.outcome import ANSWERED_WELL, COUNTED, FREED, HELD, OutcomeKind, is_dead

ID = "01jd3zq8k5v7w2x9y0abcdefgh"
ALLOWED = {
    "unclaimed": {"claim": "claimed", "commit": "closed"},
    "claimed": {"post": "posting", "commit": "settled", "take_out": "unclaimed"},
    "posting": {"confirm": "active", "commit": "settled", "take_out": "unclaimed"},
    "active": {"commit": "settled", "take_out": "unclaimed"},
    "settled": {"let_go": "closed", "take_out": "closed"},
    "closed": {},
}


@pytest.mark.parametrize("state", SubmissionState)
@pytest.mark.parametrize("event", SubmissionEvent)
def test_each_event_leads_where_it_should_or_is_refused(state: SubmissionState, event: SubmissionEvent) -> None:
    after = ALLOWED[state].get(event)
    if after is None:
        with pytest.raises(ValueError, match=f"a submission that is {state} cannot {event}"):
            transition(state, event)
    else:
        assert transition(state, event) == after


def test_every_state_can_be_reached_and_from_each_one_the_end() -> None:
    def reachable(start: str) -> set[str]:
        found = {start}
        while more := {after for state in found for after in ALLOWED[state].values()} - found:
            found |= more
        return found

    assert reachable("unclaimed") == set(SubmissionState)
    assert all("closed" in reachable(state) for state in SubmissionState)


@dataclass(frozen=True)
class Evidence:
    """What lies on the disk and stands in the active list."""

    active_name: str | None = None
    was_posted: bool = False
    has_outcomes: bool = False

    def after(self, event: SubmissionEvent) -> "Evidence":
        match event:
            case SubmissionEvent.CLAIM:
                return replace(self, active_name=claim_name(ID))
            case SubmissionEvent.POST:
                return replace(self, was_posted=True)
            case SubmissionEvent.CONFIRM:
                return replace(self, active_name="batches/b1")
            case SubmissionEvent.COMMIT:
                return replace(self, has_outcomes=True)
            case SubmissionEvent.LET_GO | SubmissionEvent.TAKE_OUT:
                return replace(self, active_name=None)

    def state(self) -> SubmissionState:
        return state_of(active_name=self.active_name, was_posted=self.was_posted, has_outcomes=self.has_outcomes)


@given(st.lists(st.sampled_from(SubmissionEvent), max_size=8))
def test_the_evidence_always_tells_the_state_that_the_events_led_to(events: list[SubmissionEvent]) -> None:
    state, evidence = SubmissionState.UNCLAIMED, Evidence()
    for event in events:
        try:
            after = transition(state, event)
        except ValueError:
            continue
        evidence = evidence.after(event)
        if event is SubmissionEvent.CLAIM and evidence.was_posted:
            # Put back after a person took it out: a create may have been sent before, so it is looked for again.
            assert evidence.state() is SubmissionState.POSTING
            state = SubmissionState.POSTING
            continue
        state = after
        assert evidence.state() is state


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (ID, True),
        (ID.upper(), False),
        (ID[:-1], False),
        (ID + "0", False),
        ("01jd3zq8k5v7w2x9y0abcdefgi", False),
        (f"{ID}\n", False),
        ("", False),
    ],
)
def test_a_submission_id_is_a_ulid_in_lower_case(text: str, is_one: bool) -> None:
    assert is_submission_id(text) is is_one
    assert (claimed_submission(f"submitting/{text}") == text) is is_one


def test_a_claim_names_its_submission_and_a_batch_id_does_not() -> None:
    assert claim_name(ID) == f"submitting/{ID}"
    assert claimed_submission(claim_name(ID)) == ID
    for other in (ID, "batches/abc", f"submitting/submitting/{ID}", "submitting/"):
        assert claimed_submission(other) is None


def test_terminal_states_are_our_own_set() -> None:
    assert {state for state in JobState if state not in TERMINAL_STATES} == {
        JobState.PENDING,
        JobState.RUNNING,
        JobState.CANCELLING,
        JobState.UNKNOWN,
    }
    job = RemoteJob("batches/b", ID, JobState.PARTIALLY_SUCCEEDED, "JOB_STATE_PARTIALLY_SUCCEEDED", "m", None)
    assert job.is_terminal
    assert not replace(job, state=JobState.UNKNOWN).is_terminal


def test_each_kind_of_outcome_is_either_good_or_counted_or_freed_or_held() -> None:
    assert set(OutcomeKind) == ANSWERED_WELL | COUNTED | FREED | HELD
    assert len(ANSWERED_WELL) + len(COUNTED) + len(FREED) + len(HELD) == len(OutcomeKind)


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_dead_letter_has_failed_its_first_try_and_all_retries(failures: int, max_retries: int) -> None:
    assert is_dead(failures, max_retries=max_retries) == (failures >= 1 + max_retries)


def test_an_id_of_a_clock_that_was_set_back_sorts_behind_the_newest_all_the_same() -> None:
    older, newer = "01m8cbn3dhewnc10rsekjsn7tp", "01m8cbn3djewnc10rsekjsn7tq"
    assert behind(newer, "") == newer
    assert behind(newer, older) == newer
    moved = behind(older, newer)
    assert moved > newer
    assert moved[10:] == older[10:], "no two are the same"
    assert submitted_at(moved) - submitted_at(newer) == timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("beside", "late", "resettled"),
    [("", False, False), (".late", True, False), (".resettled-1", False, True), (".resettled-12", False, True)],
)
def test_the_name_of_an_outcomes_file_says_whose_it_is(beside: str, *, late: bool, resettled: bool) -> None:
    name = ID + beside
    assert (submission_of(name), is_late(name), is_resettled(name)) == (ID, late, resettled)


@pytest.mark.parametrize("beside", [".resettled-0", ".resettled-", ".resettled-1.late", ".other", "x"])
def test_another_name_is_nobodys(beside: str) -> None:
    assert not is_submission_id(submission_of(ID + beside))
    assert not is_late(ID + beside)
    assert not is_resettled(ID + beside)
