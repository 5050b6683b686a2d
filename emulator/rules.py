"""The script: what each key is answered with, and how each job ends. Read from a file (YAML or JSON) or posted over
HTTP. What the steps look like on the wire is in `emulator.engines.script`."""

import json
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError, field_validator

StepKind = Literal[
    "auto", "answer", "error", "blocked_prompt", "blocked_answer", "cut_short", "empty", "not_json", "wrong_shape",
    "missing", "repeated", "unknown_key", "raw",
]  # fmt: skip
EmptyShape = Literal["no_text", "no_parts", "no_candidates", "null_candidate", "no_response"]
EndState = Literal["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Strict):
    """One answer. Only the fields that its ``kind`` names in docs/emulator.md have an effect.

    ``json``/``text``: the answer, as JSON or verbatim; ``base64``: raw bytes. ``code``, ``message``, ``field``: of an
    error. ``reason``: of a block. ``shape``: of an empty answer. ``times``, ``differ``: of a repetition. ``unknown``:
    the foreign key. ``split``: into how many parts; ``thoughts``: thought parts before it; ``thoughts_tokens``:
    thinking that is billed but not shown; ``fills_limit``: billed with all the
    output tokens that were asked for, as an answer is that does not end; ``null_error``: adds ``"error": null``.
    ``noise``: the share of the letters of
    the answer's texts that are wrong, ``noise_field``: the name of the fields that hold them; ``usage``: goes over the
    counts of ``usageMetadata``, with anything as a value; null takes a count away. ``model_version``,
    ``retirement_time``: instead of what is true.
    """

    kind: StepKind
    answer_json: Any = Field(default=None, alias="json")
    text: str | None = None
    raw_bytes: Base64Bytes = Field(default=b"", alias="base64")
    code: int = 500
    message: str = "An internal error has occurred."
    field: Literal["error", "status"] = "error"
    reason: str = "SAFETY"
    shape: EmptyShape = "no_text"
    times: int = Field(default=2, ge=2)
    differ: bool = False
    unknown: str = ""
    split: int = Field(default=1, ge=1)
    thoughts: tuple[str, ...] = ()
    thoughts_tokens: int = Field(default=0, ge=0)
    fills_limit: bool = False
    null_error: bool = False
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    noise_field: str = "text"
    usage: dict[str, Any] = {}
    model_version: str | None = None
    retirement_time: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides whether a rule counts. ``max_output_tokens``: None where the request sets no limit;
    ``text``: its text parts; ``model``: the one that is asked."""

    max_output_tokens: int | None = None
    text: str = ""
    model: str = ""


class RecordRule(_Strict):
    """Steps for the keys that ``key`` names: exact, or a glob. The first attempt gets the first step, and so on; the
    last one repeats.

    It counts only for requests as they are meant: ``output_tokens_below``: whose limit is below that; ``text_lacks``:
    whose text does not hold that; ``model``: that ask this model, exact or a glob. What a model does goes by how it is
    asked."""

    key: str
    steps: tuple[Step, ...] = Field(min_length=1)
    output_tokens_below: int | None = Field(default=None, ge=1)
    text_lacks: str | None = Field(default=None, min_length=1)
    model: str | None = Field(default=None, min_length=1)

    def counts_for(self, asked: Asked) -> bool:
        limit, below = asked.max_output_tokens, self.output_tokens_below
        if below is not None and (limit is None or limit >= below):
            return False
        if self.model is not None and not fnmatchcase(asked.model, self.model):
            return False
        return self.text_lacks is None or self.text_lacks not in asked.text

    @field_validator("steps", mode="before")
    @classmethod
    def _bare_kinds(cls, steps: Any) -> Any:
        if not isinstance(steps, list | tuple):
            steps = [steps]
        return tuple({"kind": step} if isinstance(step, str) else step for step in steps)

    def matches(self, key: str) -> bool:
        return self.key == key or fnmatchcase(key, self.key)


class JobRule(_Strict):
    """How the jobs that match all given conditions behave.

    Conditions: ``display_name`` and ``contains_key`` are globs, ``ordinal`` counts created jobs from 1.
    ``end``: the state that it ends in; ``stuck``: it stays PENDING or RUNNING until it expires. ``result_file``:
    whether there is one (default: only for SUCCEEDED); ``result_lines``: only so many of its lines;
    ``list_result_file``: whether lists name it, as a get does. ``message``: the
    error of a job that did not succeed. ``job_seconds``: instead of the emulator's. ``cancel``: what a cancel does:
    takes effect, or comes too late. ``list_lag_seconds`` and ``list_lag_calls``: after how much time, and after how
    many list calls, the job appears in lists. ``metadata``: goes over the fields of its metadata, with anything as a
    value; null takes a field away.
    """

    display_name: str | None = None
    ordinal: int | None = None
    contains_key: str | None = None
    end: EndState = "SUCCEEDED"
    stuck: Literal["PENDING", "RUNNING"] | None = None
    result_file: bool | None = None
    result_lines: int | None = Field(default=None, ge=0)
    list_result_file: bool = True
    message: str = ""
    job_seconds: tuple[float, float] | None = None
    cancel: Literal["takes_effect", "too_late"] = "takes_effect"
    list_lag_seconds: float = Field(default=0, ge=0)
    list_lag_calls: int = Field(default=0, ge=0)
    metadata: dict[str, Any] = {}

    def matches(self, display_name: str, ordinal: int, keys: list[str]) -> bool:
        if self.display_name is not None and not fnmatchcase(display_name, self.display_name):
            return False
        if self.ordinal is not None and self.ordinal != ordinal:
            return False
        pattern = self.contains_key
        return pattern is None or any(key == pattern or fnmatchcase(key, pattern) for key in keys)


class Rules(_Strict):
    """The first rule that matches counts, for records and for jobs. ``foreign_jobs``, ``foreign_files``: what lists
    show first, as it stands here: others work in the project, too."""

    records: tuple[RecordRule, ...] = ()
    jobs: tuple[JobRule, ...] = ()
    foreign_jobs: tuple[Any, ...] = ()
    foreign_files: tuple[Any, ...] = ()


class RuleBook:
    """The rules in force. Read by engines from their threads, replaced as a whole by the server."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._lock = threading.Lock()
        self._first = rules or Rules()
        self.replace(self._first)

    def replace(self, rules: Rules) -> None:
        exact: dict[str, list[int]] = {}
        globs: list[tuple[int, RecordRule]] = []
        for index, rule in enumerate(rules.records):
            exact.setdefault(rule.key, []).append(index)
            if any(sign in rule.key for sign in "*?["):
                globs.append((index, rule))
        with self._lock:
            self._rules, self._exact, self._globs = rules, exact, globs

    def extend(self, rules: Rules) -> None:
        """New rules go before those in force."""
        old = self._rules
        self.replace(
            Rules(
                records=rules.records + old.records,
                jobs=rules.jobs + old.jobs,
                foreign_jobs=rules.foreign_jobs + old.foreign_jobs,
                foreign_files=rules.foreign_files + old.foreign_files,
            )
        )

    @property
    def rules(self) -> Rules:
        return self._rules

    def reset(self) -> None:
        """Back to the rules of the start."""
        self.replace(self._first)

    def step(self, key: str, attempt: int, asked: Asked) -> Step | None:
        """The step for the ``attempt``-th answer (from 0) of a key, or None if no rule counts for it."""
        with self._lock:
            rules, exact, globs = self._rules.records, self._exact, self._globs
        found = [index for index, rule in globs if rule.matches(key) and rule.counts_for(asked)][:1]
        found += [index for index in exact.get(key, []) if rules[index].counts_for(asked)][:1]
        if not found:
            return None
        steps = rules[min(found)].steps
        return steps[min(attempt, len(steps) - 1)]

    def job_rule(self, display_name: str, ordinal: int, keys: list[str]) -> JobRule:
        """The rule of a new job; one without any effect if none matches."""
        matching = (rule for rule in self._rules.jobs if rule.matches(display_name, ordinal, keys))
        return next(matching, JobRule())


def parse_rules(value: object) -> Rules:
    """Raises ValueError with one line that says what is wrong where."""
    try:
        return Rules.model_validate(value if value is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from None


def read_rules(path: Path) -> Rules:
    """Rules from a YAML or JSON file. Raises ValueError naming the file."""
    try:
        text = path.read_text(encoding="utf-8")
        return parse_rules(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"rules file {path}: {error}") from None
