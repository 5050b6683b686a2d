"""Outcomes: what can become of a record in a submission, and which of that counts as a failure of the record.

How a result line is judged stands in `assets.results`; how outcomes become a table in `assets.outcomes`.
"""

from enum import StrEnum

from assets.domain.batch import JobState


class OutcomeKind(StrEnum):
    """One word for what happened.

    Done:     success, superseded (a good answer for a record that was done before: not written)
    Counted:  api_error, refused (the request is at fault, by Gemini's own code), blocked, recitation (blocked, as it
              resembles a text that is published), cut_short, empty, not_json, schema_mismatch, missing, upload_refused,
              failed_alone (its job FAILED, with this record alone in it, and not for the first time)
    Freed:    service_error (a fault of the service that passes: says nothing of the page), batch_failed,
              batch_cancelled, batch_expired, released, upload_gone (Gemini did not have its image any more),
              image_replaced (answered, whatever the answer, for an image that is not the page's any more: not written)
    Held:     validator_error (the code of the schema failed itself: nothing can be said of the answer, which is kept)
    """

    SUCCESS = "success"
    SUPERSEDED = "superseded"
    API_ERROR = "api_error"
    REFUSED = "refused"
    BLOCKED = "blocked"
    RECITATION = "recitation"
    CUT_SHORT = "cut_short"
    EMPTY = "empty"
    NOT_JSON = "not_json"
    SCHEMA_MISMATCH = "schema_mismatch"
    MISSING = "missing"
    UPLOAD_REFUSED = "upload_refused"
    FAILED_ALONE = "failed_alone"
    SERVICE_ERROR = "service_error"
    BATCH_FAILED = "batch_failed"
    BATCH_CANCELLED = "batch_cancelled"
    BATCH_EXPIRED = "batch_expired"
    RELEASED = "released"
    UPLOAD_GONE = "upload_gone"
    IMAGE_REPLACED = "image_replaced"
    VALIDATOR_ERROR = "validator_error"


ANSWERED_WELL = frozenset({OutcomeKind.SUCCESS, OutcomeKind.SUPERSEDED})
FREED = frozenset(
    {
        OutcomeKind.SERVICE_ERROR,
        OutcomeKind.BATCH_FAILED,
        OutcomeKind.BATCH_CANCELLED,
        OutcomeKind.BATCH_EXPIRED,
        OutcomeKind.RELEASED,
        OutcomeKind.UPLOAD_GONE,
        OutcomeKind.IMAGE_REPLACED,
    }
)
HELD = frozenset({OutcomeKind.VALIDATOR_ERROR})
"""Answers that are there and wait for a person."""
COUNTED = frozenset(OutcomeKind) - ANSWERED_WELL - FREED - HELD
"""Failures of the record itself: each raises its failure count by one."""
LASTING = frozenset({OutcomeKind.BLOCKED, OutcomeKind.REFUSED, OutcomeKind.UPLOAD_REFUSED})
"""Those of them that the same request meets again: nothing that could be changed in it would help."""

_FREED_BY_STATE = {
    JobState.CANCELLED: OutcomeKind.BATCH_CANCELLED,
    JobState.EXPIRED: OutcomeKind.BATCH_EXPIRED,
}


def kind_without_line(state: JobState) -> OutcomeKind:
    """What a record is that has no line in the result of a job that ended in ``state``: its own failure only if the
    job succeeded."""
    if state is JobState.SUCCEEDED:
        return OutcomeKind.MISSING
    return _FREED_BY_STATE.get(state, OutcomeKind.BATCH_FAILED)


def is_dead(failure_count: int, *, max_retries: int) -> bool:
    """Whether a record with that count is a dead letter: the first try and ``max_retries`` retries have failed."""
    return failure_count > max_retries
