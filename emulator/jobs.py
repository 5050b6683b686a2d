"""A batch job: its times, its state, and the Operation that the service answers for it. What moves it on is in
`emulator.batches`."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from emulator.clock import wire_time
from emulator.rules import JobRule

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]

TERMINAL: frozenset[str] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})

_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta.GenerateContentBatch"
_OUTPUT_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta.GenerateContentBatchOutput"
_RPC_CODES = {"FAILED": 13, "CANCELLED": 1, "EXPIRED": 4}


@dataclass(slots=True)
class JobCounts:
    """Lines of the result file, for batchStats."""

    successful: int = 0
    failed: int = 0


@dataclass(slots=True)
class Job:
    """``ordinal``: from 1, in the order of creation. ``input_name``: ``files/...``, or "" for inline requests, which
    lie in ``inline_path``. ``keys``: of all lines, in their order. ``starts_at``, ``ends_at``: when it is due to."""

    ordinal: int
    job_id: str
    display_name: str
    model: str
    input_name: str
    inline_path: Path | None
    keys: list[str]
    rule: JobRule
    created_at: datetime
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    state: State = "PENDING"
    updated_at: datetime = field(init=False)
    ended_at: datetime | None = None
    error_message: str = ""
    responses_file: str = ""
    inlined_responses: list[dict[str, Any]] | None = None
    counts: JobCounts = field(default_factory=JobCounts)
    list_calls: int = 0
    deleted: bool = False

    def __post_init__(self) -> None:
        self.updated_at = self.created_at

    @property
    def name(self) -> str:
        return f"batches/{self.job_id}"

    @property
    def active(self) -> bool:
        return self.state not in TERMINAL

    def enter(self, state: State, moment: datetime) -> None:
        self.state, self.updated_at = state, moment
        if state in TERMINAL:
            self.ended_at = moment

    def operation(self, *, in_list: bool = False) -> dict[str, Any]:
        """The Operation on the wire; results are in ``metadata.output`` and, once done, in ``response`` too."""
        output = self._output() if self.rule.list_result_file or not in_list else {}
        metadata: dict[str, Any] = {
            "@type": _TYPE,
            "name": self.name,
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "inputConfig": {"fileName": self.input_name} if self.input_name else {"requests": {}},
            "createTime": wire_time(self.created_at),
            "updateTime": wire_time(self.updated_at),
            "state": f"BATCH_STATE_{self.state}",
            "batchStats": self._stats(),
        }
        if self.ended_at is not None:
            metadata["endTime"] = wire_time(self.ended_at)
        if output:
            metadata["output"] = output
        metadata = {name: value for name, value in (metadata | self.rule.metadata).items() if value is not None}
        operation: dict[str, Any] = {"name": self.name, "metadata": metadata}
        if self.active:
            return operation
        operation["done"] = True
        if self.state == "SUCCEEDED":
            operation["response"] = {"@type": _OUTPUT_TYPE, **output}
        else:
            operation["error"] = {"code": _RPC_CODES[self.state], "message": self.error_message or self.state.lower()}
        return operation

    def _output(self) -> dict[str, Any]:
        if self.inlined_responses is not None:
            return {"inlinedResponses": {"inlinedResponses": self.inlined_responses}}
        return {"responsesFile": self.responses_file} if self.responses_file else {}

    def _stats(self) -> dict[str, str]:
        pending = len(self.keys) - self.counts.successful - self.counts.failed
        counts = {
            "requestCount": len(self.keys),
            "successfulRequestCount": self.counts.successful,
            "failedRequestCount": self.counts.failed,
            "pendingRequestCount": max(pending, 0) if self.active else 0,
        }
        return {name: str(count) for name, count in counts.items() if count or name == "requestCount"}
