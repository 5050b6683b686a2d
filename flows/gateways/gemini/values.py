"""What Gemini says as values of ours: files, jobs, states, names. No calls here.

What it answers to a get or a list is read field by field: a value of another type than Google documents is a field that
says nothing, and never the end of a list.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from assets.domain.batch import BATCH_ID_PREFIX, JobState, RemoteFile, RemoteJob, is_submission_id, submission_id_in
from assets.domain.errors import GeminiAccessError

FILE_PREFIX = "files/"
LONGEST_STATE_CHARS = 100
_ID = re.compile(r"[A-Za-z0-9._-]+")
_DIGITS = re.compile(r"[0-9]{1,15}")
_STATES = {
    "QUEUED": JobState.PENDING,
    "UPDATING": JobState.RUNNING,
    **{state.value: state for state in JobState if state is not JobState.UNKNOWN},
}


def id_in(name: str, prefix: str) -> str:
    """The id in ``files/<id>`` or ``batches/<id>``. A text that is no name would change the address that is called.
    Nothing of that name exists, so that it is a GeminiAccessError as a 404 is."""
    if not _is_name(name, prefix):
        raise GeminiAccessError(f"{name!r} is no name that Gemini gives: it should be like {prefix}abc123")
    return name.removeprefix(prefix)


def uploaded_file(file: object) -> RemoteFile:
    """What Gemini says of an upload. Raises ValueError for one that no request could refer to."""
    remote = listed_file(file)
    if remote is None or not remote.uri:
        raise ValueError("a file without name or uri")
    return remote


def read_job(operation: object) -> RemoteJob:
    """An Operation, as Gemini writes it. Its ``name`` is "" where there is none that can be asked for."""
    metadata = _object(_object(operation).get("metadata"))
    name = _text(_object(operation).get("name"))
    result_file = _text(_object(metadata.get("output")).get("responsesFile"))
    raw_state = told_state(metadata.get("state"))
    return RemoteJob(
        name=name if _is_name(name, BATCH_ID_PREFIX) else "",
        display_name=_display_name(operation),
        state=job_state(raw_state),
        raw_state=raw_state,
        model=_text(metadata.get("model")),
        result_file=result_file or None,
        created_at=_time(metadata.get("createTime")),
        ended_at=_time(metadata.get("endTime")),
    )


def listed_job(entry: object) -> RemoteJob | None:
    """An entry of a list; None for one without a name that cannot be ours. One that bears the display name of a
    submission is there all the same, with the name ""."""
    job = read_job(entry)
    return job if job.name or is_submission_id(job.display_name) else None


def listed_file(entry: object) -> RemoteFile | None:
    """An entry of a list; None for one without a name, which nobody can delete. Its ``uri`` may be ""."""
    file = _object(entry)
    name, size = _text(file.get("name")), str(file.get("sizeBytes"))
    if not _is_name(name, FILE_PREFIX):
        return None
    return RemoteFile(
        name=name,
        uri=_text(file.get("uri")),
        mime_type=_text(file.get("mimeType")),
        display_name=_text(file.get("displayName")),
        size_bytes=int(size) if _DIGITS.fullmatch(size) else 0,
    )


def job_state(raw_state: str) -> JobState:
    """``BATCH_STATE_*``, as it is said, and ``JOB_STATE_*``, as the SDK writes it; UNKNOWN for what is not known."""
    return _STATES.get(re.sub(r"^(JOB|BATCH)_STATE_", "", raw_state), JobState.UNKNOWN)


def _is_name(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and _ID.fullmatch(name.removeprefix(prefix)) is not None


def _display_name(operation: object) -> str:
    """Where it stands; where that is no text, the submission id that stands anywhere in it: what bears the name of a
    submission must not be taken for somebody else's."""
    metadata = operation.get("metadata") if isinstance(operation, dict) else operation
    said = metadata.get("displayName") if isinstance(metadata, dict) else metadata
    if said is None or isinstance(said, str):
        return said or ""
    return submission_id_in(json.dumps(said))


def told_state(state: object) -> str:
    """Whatever it is, it is told to people."""
    said = state if isinstance(state, str) else "" if state is None else json.dumps(state)
    return re.sub(r"[^A-Za-z0-9_]", "?", said[:LONGEST_STATE_CHARS])


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(value))
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
