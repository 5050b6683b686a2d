"""The books: what was asked, answered, and would have been billed. Tests read them to count what was paid for.

A record is known by its line key. Billed is what a result file says in usageMetadata, once per request; a job that did
not publish answers bills nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emulator.clock import wire_time
from emulator.files import FileStore
from emulator.jobs import Job


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """What one line of an input file got.

    ``attempt``: from 0; None if the request was refused before an engine saw it. ``outcome``: ``response``,
    ``blocked_prompt``, ``error``, ``missing`` or ``unreadable``. ``output_tokens`` are without the thoughts.
    """

    key: str
    attempt: int | None
    outcome: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    output_tokens: int = 0
    thoughts_tokens: int = 0
    image_tokens: int = 0
    files: tuple[str, ...] = ()


class Books:
    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.replies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.peak: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self.creates: list[dict[str, Any]] = []
        self._submitted: Counter[str] = Counter()
        self._jobs_of: defaultdict[str, list[str]] = defaultdict(list)
        self._answers: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._attempts: Counter[str] = Counter()
        self.generated: list[dict[str, Any]] = []

    def opened(self, call: str) -> None:
        """A call has come in."""
        self.calls[call] += 1
        self._open[call] += 1
        self.peak[call] = max(self.peak[call], self._open[call])

    def closed(self, call: str, reply: str) -> None:
        """``reply``: the HTTP status that went out, or ``cut``."""
        self._open[call] -= 1
        self.replies[call][reply] += 1

    def created(self, job: Job) -> None:
        for key in job.keys:
            self._submitted[key] += 1
            self._jobs_of[key].append(job.name)

    def attempts(self, key: str) -> int:
        """How often a key was answered by jobs that have ended."""
        return self._attempts[key]

    def answered(self, job: Job, answers: Iterable[RecordAnswer]) -> None:
        """The answers of a job that has ended and published them."""
        for answer in answers:
            if answer.attempt is not None:
                self._attempts[answer.key] += 1
            self._answers[answer.key].append({"batch": job.name, **_answer(answer)})

    def answered_at_once(self, model: str, answer: RecordAnswer) -> None:
        """An answer to a request outside of a batch: it is billed at the standard price."""
        self.generated.append({"model": model, "key": answer.key, **_answer(answer)})

    def requests(self) -> dict[str, Any]:
        return {
            "calls": dict(self.calls),
            "replies": {call: dict(counts) for call, counts in self.replies.items()},
            "peak": dict(self.peak),
        }

    def shown(self, jobs: Iterable[Job], files: FileStore) -> dict[str, Any]:
        """All of it, as `GET /emulator/books` answers; docs/emulator.md describes each field."""
        records = {key: self._record(key) for key in self._submitted}
        return {
            "records": records,
            "billed": _sums(records.values()),
            "generated": self.generated,
            "billed_at_standard_price": _sums(self.generated),
            "jobs": [_job(job) for job in jobs],
            "creates": self.creates,
            "files": [
                {
                    "name": file.name,
                    "displayName": file.display_name,
                    "mimeType": file.mime_type,
                    "sizeBytes": file.size_bytes,
                    "createTime": wire_time(file.created_at),
                    "state": file.state(files.now()),
                }
                for file in files.history
            ],
            "existing_files": [file.name for file in reversed(files.uploaded())],
            "requests": self.requests(),
        }

    def _record(self, key: str) -> dict[str, Any]:
        answers = self._answers.get(key, [])
        record = {
            "submitted": self._submitted[key],
            "answered": len(answers),
            "responses": sum(answer["outcome"] == "response" for answer in answers),
            "billed": sum(answer["promptTokens"] + answer["outputTokens"] > 0 for answer in answers),
            "batches": self._jobs_of[key],
            "answers": answers,
        }
        return {**record, **_sums(answers)}


_TOKENS = ("promptTokens", "imageTokens", "outputTokens", "thoughtsTokens")


def _sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    totals = dict.fromkeys(_TOKENS, 0)
    for row in rows:
        for name in _TOKENS:
            totals[name] += row[name]
    return totals


def _answer(answer: RecordAnswer) -> dict[str, Any]:
    return {
        "attempt": answer.attempt,
        "outcome": answer.outcome,
        "finishReason": answer.finish_reason,
        "promptTokens": answer.prompt_tokens,
        "imageTokens": answer.image_tokens,
        "outputTokens": answer.output_tokens,
        "thoughtsTokens": answer.thoughts_tokens,
        "files": list(answer.files),
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "displayName": job.display_name,
        "model": job.model,
        "state": job.state,
        "inputFile": job.input_name,
        "responsesFile": job.responses_file,
        "createTime": wire_time(job.created_at),
        "endTime": wire_time(job.ended_at) if job.ended_at else None,
        "requestCount": len(job.keys),
        "keys": job.keys,
        "error": job.error_message,
        "deleted": job.deleted,
    }
