"""Values of google-genai as values of ours, and back: files, jobs, states, names. No calls here."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from google.genai import types

from assets.domain.batch import JobState, RemoteFile, RemoteJob, is_submission_id
from assets.domain.errors import GeminiAccessError

_ID = re.compile(r"[A-Za-z0-9._-]+")
_STATES = {
    "QUEUED": JobState.PENDING,
    "UPDATING": JobState.RUNNING,
    **{state.value: state for state in JobState if state is not JobState.UNKNOWN},
}


def id_in(name: str, prefix: str) -> str:
    """The id in ``files/<id>`` or ``batches/<id>``. A text that is no name would change the address that is called.
    Nothing of that name exists, so that it is a GeminiAccessError as a 404 is."""
    file_id = name.removeprefix(prefix)
    if file_id == name or not _ID.fullmatch(file_id):
        raise GeminiAccessError(f"{name!r} is no name that Gemini gives: it should be like {prefix}abc123")
    return file_id


def to_remote_file(file: types.File) -> RemoteFile:
    if not file.name or not file.uri:
        raise ValueError("a file without name or uri")
    return RemoteFile(
        name=file.name,
        uri=file.uri,
        mime_type=file.mime_type or "",
        display_name=file.display_name or "",
        size_bytes=file.size_bytes or 0,
    )


def to_remote_job(job: types.BatchJob) -> RemoteJob:
    if not job.name:
        raise ValueError("a job without a name")
    # Whatever it is, it is told to people.
    raw_state = re.sub(r"[^A-Za-z0-9_]", "?", str(job.state.value)[:100]) if job.state else ""
    return RemoteJob(
        name=job.name,
        display_name=job.display_name or "",
        state=job_state(raw_state),
        raw_state=raw_state,
        model=job.model or "",
        result_file=(job.dest.file_name or None) if job.dest else None,
        created_at=_utc(job.create_time),
        ended_at=_utc(job.end_time),
    )


def listed_job(job: types.BatchJob) -> RemoteJob | None:
    """An entry of a list; None for one without a name that cannot be ours. One that bears the display name of a
    submission is there all the same, with the name ""."""
    if job.name or is_submission_id(job.display_name or ""):
        return replace(to_remote_job(job.model_copy(update={"name": job.name or "?"})), name=job.name or "")
    return None


def listed_file(file: types.File) -> RemoteFile | None:
    """An entry of a list; None for one without a name, which nobody can delete. Its ``uri`` may be ""."""
    if not file.name:
        return None
    return replace(to_remote_file(file.model_copy(update={"uri": file.uri or "?"})), uri=file.uri or "")


def job_state(raw_state: str) -> JobState:
    """``BATCH_STATE_*``, as it is said, and ``JOB_STATE_*``, as the SDK writes it; UNKNOWN for what is not known."""
    return _STATES.get(re.sub(r"^(JOB|BATCH)_STATE_", "", raw_state), JobState.UNKNOWN)


def _utc(time: datetime | None) -> datetime | None:
    return time.astimezone(UTC) if time else None
