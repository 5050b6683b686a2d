"""Batches: what Gemini says of a job, what a submission of ours is, and how one passes from state to state.

Nothing here reads or writes. A submission's state is never stored as such: it is read off the evidence (the active
list, the jobs file, the batch manifest, the outcomes file), so there is no second truth to get out of step.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ulid import ULID

CLAIM_PREFIX = "submitting/"
BATCH_ID_PREFIX = "batches/"
LATE = ".late"
"""What follows a submission id in the name of the outcomes of its late job."""
RESETTLED = ".resettled-"
"""What follows a submission id in the name of the outcomes of answers that were judged again; a number from 1 is
last."""
_BESIDE = re.compile(r"\.late|\.resettled-[1-9][0-9]*")
SUBMISSION_ID_CHARS = 26
_SUBMISSION_ID = re.compile(rf"[0-9a-hjkmnp-tv-z]{{{SUBMISSION_ID_CHARS}}}")


class JobState(StrEnum):
    """The state of a job at Gemini. UNKNOWN is whatever this version does not know."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


TERMINAL_STATES = frozenset(
    {JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
)
"""Our own set: the SDK's ``job.done`` is False for PARTIALLY_SUCCEEDED (google-genai 3.4, read in its source)."""


STATES_WITH_RESULTS = frozenset({JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED})
"""States in which a job has answered, so that there is a result file."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at Gemini. ``name``: ``files/...``; ``uri``: what a request refers to; ``size_bytes`` as Gemini counts."""

    name: str
    uri: str
    mime_type: str
    display_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A batch job at Gemini. ``name``: the batch id, ``batches/...``; ``display_name``: our submission id, if it is
    one of ours; ``raw_state``: the state as it was said; ``result_file``: ``files/...`` or None; times are UTC."""

    name: str
    display_name: str
    state: JobState
    raw_state: str
    model: str
    result_file: str | None
    created_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_STATES


def is_submission_id(text: str) -> bool:
    """Whether ``text`` is a ULID in lower case, as our submission ids are."""
    return _SUBMISSION_ID.fullmatch(text) is not None


def submission_id_in(text: str) -> str:
    """The first submission id that stands in ``text``, or ""."""
    found = re.search(rf"(?<![0-9A-Za-z]){_SUBMISSION_ID.pattern}(?![0-9A-Za-z])", text)
    return found[0] if found else ""


def submitted_at(submission_id: str) -> datetime:
    """When the submission was made (UTC): a ULID begins with its time."""
    return ULID.from_str(submission_id.upper()).datetime.astimezone(UTC)


def behind(submission_id: str, newest: str) -> str:
    """``submission_id``, or one with its random part that sorts behind ``newest``, if it does not: its time may be of a
    clock that was set back."""
    if submission_id > newest:
        return submission_id
    time_bytes = ULID.from_str(newest.upper()).bytes[:6]
    following = (int.from_bytes(time_bytes, "big") + 1).to_bytes(6, "big")
    return str(ULID(following + ULID.from_str(submission_id.upper()).bytes[6:])).lower()


def is_late(name: str) -> bool:
    """Whether an outcomes file of that name is a late job's."""
    return name.endswith(LATE) and is_submission_id(submission_of(name))


def submission_of(name: str) -> str:
    """The submission whose outcomes file has that name."""
    submission_id, beside = name[:SUBMISSION_ID_CHARS], name[SUBMISSION_ID_CHARS:]
    return submission_id if _BESIDE.fullmatch(beside) else name


def is_resettled(name: str) -> bool:
    """Whether an outcomes file of that name is of answers that were judged again."""
    return RESETTLED in name and is_submission_id(submission_of(name))


def claim_name(submission_id: str) -> str:
    """What stands in the active list between claim and confirmation."""
    return CLAIM_PREFIX + submission_id


def claimed_submission(name: str) -> str | None:
    """The submission id in ``submitting/<id>``, or None for any other name."""
    rest = name.removeprefix(CLAIM_PREFIX)
    return rest if rest != name and is_submission_id(rest) else None


class SubmissionState(StrEnum):
    """Where a submission of ours stands, read off the evidence.

    UNCLAIMED   a batch manifest, not in the active list, no outcomes: never claimed, or taken out by a person
    CLAIMED     ``submitting/<id>`` in the active list; nothing was posted yet
    POSTING     ``submitting/<id>`` in the active list; a job may exist at Gemini
    ACTIVE      its batch id in the active list
    SETTLED     outcomes are written, the name still stands in the active list
    CLOSED      outcomes are written, the name is gone
    """

    UNCLAIMED = "unclaimed"
    CLAIMED = "claimed"
    POSTING = "posting"
    ACTIVE = "active"
    SETTLED = "settled"
    CLOSED = "closed"


class SubmissionEvent(StrEnum):
    """What can happen to a submission. Each is one durable write."""

    CLAIM = "claim"  # submitting/<id> is added to the active list
    POST = "post"  # the jobs file says posting
    CONFIRM = "confirm"  # the batch id takes the claim's place
    COMMIT = "commit"  # the outcomes file is created: results, or a release
    LET_GO = "let_go"  # the name leaves the active list
    TAKE_OUT = "take_out"  # a person took the name out of the active list


_TRANSITIONS: dict[tuple[SubmissionState, SubmissionEvent], SubmissionState] = {
    (SubmissionState.UNCLAIMED, SubmissionEvent.CLAIM): SubmissionState.CLAIMED,
    (SubmissionState.UNCLAIMED, SubmissionEvent.COMMIT): SubmissionState.CLOSED,
    (SubmissionState.CLAIMED, SubmissionEvent.POST): SubmissionState.POSTING,
    (SubmissionState.CLAIMED, SubmissionEvent.COMMIT): SubmissionState.SETTLED,
    (SubmissionState.CLAIMED, SubmissionEvent.TAKE_OUT): SubmissionState.UNCLAIMED,
    (SubmissionState.POSTING, SubmissionEvent.CONFIRM): SubmissionState.ACTIVE,
    (SubmissionState.POSTING, SubmissionEvent.COMMIT): SubmissionState.SETTLED,
    (SubmissionState.POSTING, SubmissionEvent.TAKE_OUT): SubmissionState.UNCLAIMED,
    (SubmissionState.ACTIVE, SubmissionEvent.COMMIT): SubmissionState.SETTLED,
    (SubmissionState.ACTIVE, SubmissionEvent.TAKE_OUT): SubmissionState.UNCLAIMED,
    (SubmissionState.SETTLED, SubmissionEvent.LET_GO): SubmissionState.CLOSED,
    (SubmissionState.SETTLED, SubmissionEvent.TAKE_OUT): SubmissionState.CLOSED,
}


def transition(state: SubmissionState, event: SubmissionEvent) -> SubmissionState:
    """The state after ``event``. Raises ValueError for an event that cannot happen in ``state``: a bug, never input."""
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise ValueError(f"a submission that is {state} cannot {event}") from None


def state_of(*, active_name: str | None, was_posted: bool, has_outcomes: bool) -> SubmissionState:
    """Read the state off the evidence. ``active_name``: the submission's entry in the active list, if it has one;
    ``was_posted``: the jobs file says that a create was about to be sent."""
    if has_outcomes:
        return SubmissionState.CLOSED if active_name is None else SubmissionState.SETTLED
    if active_name is None:
        return SubmissionState.UNCLAIMED
    if claimed_submission(active_name) is None:
        return SubmissionState.ACTIVE
    return SubmissionState.POSTING if was_posted else SubmissionState.CLAIMED
