"""What is changed in the next request of a record that has failed: by the kinds of its failures, so that the same
request is not paid for again. Which failures it had stands in `history`; how a request is written in `requests`.

A change stands in the batch manifest as JSON, in a column that is null for a record without one. What is said of an
earlier answer is untrusted, as that answer's own words may be in it: one line, bounded, quoted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.models import model_of, setting
from assets.domain.outcome import OutcomeKind
from assets.domain.tokens import max_output_tokens

LEAST_BUDGET = 128
"""Tokens. Not every model of 2.5 takes less."""
MAX_PROBLEM_CHARS = 200
_SAID = {
    OutcomeKind.NOT_JSON: "it was not JSON. Answer with one JSON value alone, and no text around it.",
    OutcomeKind.SCHEMA_MISMATCH: "it did not fit the schema. Answer exactly as the schema asks.",
}

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RepairRules:
    """What may be changed. ``cut_short``: more output tokens and less thinking; ``recitation``: wordings of which each
    try gets another, none: not at all; ``not_json``, ``schema_mismatch``: what was wrong, in the prompt. ``model`` and
    ``generation_config``: what is changed from."""

    model: str
    generation_config: Mapping[str, Any]
    cut_short: bool = True
    recitation: tuple[str, ...] = ()
    not_json: bool = True
    schema_mismatch: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What is another than usual in one request. ``max_output_tokens``: the new limit; ``thinking``: goes over the
    thinking config; ``wording``: stands behind the prompt, ``number``: which of those there are, from 1; ``problem``:
    what was wrong with an earlier answer, ``problem_kind``: in a word."""

    max_output_tokens: int | None = None
    thinking: Mapping[str, str | int] = field(default_factory=dict)
    wording: str | None = None
    number: int = 0
    problem_kind: str | None = None
    problem: str | None = None

    def as_text(self) -> str | None:
        """As it stands in the batch manifest; None: nothing is changed."""
        found = {
            "max_output_tokens": self.max_output_tokens,
            "thinking": dict(self.thinking) or None,
            "wording": self.wording,
            "number": self.number or None,
            "problem_kind": self.problem_kind,
            "problem": self.problem,
        }
        said = {name: value for name, value in found.items() if value is not None}
        return json.dumps(said, ensure_ascii=False, sort_keys=True) if said else None

    @classmethod
    def from_text(cls, text: str | None) -> "Change":
        """Raises ValueError, TypeError for what `as_text` has not written."""
        return cls() if text is None else cls(**json.loads(text))

    def config(self, generation_config: Mapping[str, Any]) -> dict[str, Any]:
        """``generation_config`` with what is another, each by the name that it has there."""
        changed = dict(generation_config)
        if self.max_output_tokens is not None:
            changed[setting(changed, "max_output_tokens") or "max_output_tokens"] = self.max_output_tokens
        if self.thinking:
            key = setting(changed, "thinking_config") or "thinking_config"
            thinking = dict(changed.get(key) or {})
            for name, value in self.thinking.items():
                thinking[setting(thinking, name) or name] = value
            changed[key] = thinking
        return changed

    def prompt(self, text: str) -> str:
        """``text`` with what is said behind it."""
        more = [self.wording] if self.wording else []
        if self.problem_kind is not None:
            more.append(f"An earlier answer to this page could not be used: {_SAID[OutcomeKind(self.problem_kind)]}")
            more[-1] += f' What was wrong with it: "{self.problem}"' if self.problem else ""
        return "\n\n".join([text, *more])

    def in_words(self) -> str:
        """For a person; "" where nothing is changed."""
        said = []
        if self.max_output_tokens is not None:
            said.append(f"up to {self.max_output_tokens:,} output tokens")
        said += [f"{name} {value}" for name, value in self.thinking.items()]
        if self.wording:
            said.append(f"wording {self.number} for recitations")
        if self.problem_kind is not None:
            said.append(f"told that an answer was {self.problem_kind}")
        return ", ".join(said)


def changes(history: pa.Table, keys: pa.Array, rules: RepairRules) -> pa.Array:
    """For each record key the change of its next request, as `Change.as_text` has it; null: none. ``history``:
    HISTORY_SCHEMA. Only records that have failed are looked at one by one."""
    has = pc.or_(pc.greater(pc.add(history["cut_short"], history["recitations"]), 0), pc.is_valid(history["problem"]))
    failed = history.filter(has)
    at = pc.index_in(failed["record_key"], value_set=keys)
    rows = failed.select(["cut_short", "over_thought", "recitations", "problem_kind", "problem"]).to_pylist()
    found: list[str | None] = [None] * len(keys)
    for index, row in zip(at.to_pylist(), rows, strict=True):
        if index is not None:
            found[index] = change_of(row, rules).as_text()
    return pa.array(found, pa.string())


def change_of(row: Mapping[str, Any], rules: RepairRules) -> Change:
    """``row``: a record's of the history."""
    wording, number = None, 0
    if row["recitations"] and rules.recitation:
        number = (row["recitations"] - 1) % len(rules.recitation) + 1
        wording = rules.recitation[number - 1]
    kind = row["problem_kind"]
    is_told = kind is not None and {"not_json": rules.not_json, "schema_mismatch": rules.schema_mismatch}[kind]
    return Change(
        max_output_tokens=_more_tokens(row["cut_short"], rules) if rules.cut_short else None,
        thinking=_less_thinking(row["over_thought"], rules) if rules.cut_short else {},
        wording=wording,
        number=number,
        problem_kind=kind if is_told else None,
        problem=_quotable(row["problem"]) if is_told else None,
    )


def exhausted(history: pa.Table, cut: pa.Table, rules: RepairRules) -> list[str]:
    """The records that were cut short just now, had been before, and of which the next request would be the same as the
    last one. ``cut``: their outcomes (columns record_key, output_tokens, thoughts_tokens); ``history``: without
    these."""
    if not rules.cut_short:
        return []
    at = pc.index_in(cut["record_key"], value_set=history["record_key"].combine_chunks())
    had = history.select(["cut_short", "over_thought", "recitations", "problem_kind", "problem"])
    found = []
    for row, index in zip(cut.to_pylist(), at.to_pylist(), strict=True):
        before = had.slice(index, 1).to_pylist()[0] if index is not None else {"cut_short": 0}
        if not before["cut_short"]:
            continue
        is_over = (row["thoughts_tokens"] or 0) > (row["output_tokens"] or 0)
        after = {"cut_short": before["cut_short"] + 1, "over_thought": before["over_thought"] + is_over}
        if change_of(before, rules) == change_of(before | after, rules):
            found.append(row["record_key"])
    return found


def output_bounds(texts: pa.ChunkedArray, usual: int) -> IntArray:
    """The most output tokens of each request. ``texts``: of its change; ``usual``: without one."""
    bounds = np.full(len(texts), usual, dtype=np.int64)
    for index in np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False)):
        raised = Change.from_text(texts[int(index)].as_py()).max_output_tokens
        bounds[index] = usual if raised is None else raised
    return bounds


def _more_tokens(cut_short: int, rules: RepairRules) -> int | None:
    """Twice as many after each answer that was cut short, as far as the model goes. None: no more can be had."""
    usual, most = max_output_tokens(rules.generation_config), model_of(rules.model).max_output_tokens
    if usual is None or not cut_short:
        return None
    raised = min(usual << min(cut_short, 32), most)
    return raised if raised > usual else None


def _less_thinking(over_thought: int, rules: RepairRules) -> dict[str, str | int]:
    """A level less, or half the budget, after each answer that was cut short for its thoughts; {}: no less can be
    had, or nobody knows what the model takes."""
    if not over_thought:
        return {}
    model, key = model_of(rules.model), setting(rules.generation_config, "thinking_config")
    config = {} if key is None else rules.generation_config[key] or {}
    usual = dict([model.thinking]) if model.thinking else {}
    level, budget = setting(config, "thinking_level"), setting(config, "thinking_budget")
    if budget is not None or (not config and "thinking_budget" in usual):
        before = config[budget] if budget is not None else usual["thinking_budget"]
        if not isinstance(before, int):
            return {}
        halved = max(LEAST_BUDGET, before >> min(over_thought, 32))
        return {"thinking_budget": halved} if halved < before else {}
    if not model.levels:
        return {}
    word = str(config[level]).upper() if level is not None else None
    # Where the settings leave it to Gemini nobody knows the level: the model's own of Quire is the first step.
    start = model.levels.index(word) if word in model.levels else model.levels.index(str(usual["thinking_level"])) + 1
    less = model.levels[max(0, start - over_thought)]
    return {"thinking_level": less} if less != word else {}


def _quotable(text: str | None) -> str | None:
    """Words that may be an answer's own, made into a part of one line: nothing in them ends the quotation."""
    if text is None:
        return None
    one_line = "".join(each if each.isprintable() else " " for each in " ".join(text.split())).replace('"', "'")
    return one_line[:MAX_PROBLEM_CHARS]
