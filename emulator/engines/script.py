"""The script engine: answers by the rules, and, where none names a key, with a valid instance of the schema, or with
what another engine says. Deterministic by seed, key and attempt."""

import json
import random
from typing import Any

from emulator.engines.instances import instance
from emulator.engines.noise import with_noise
from emulator.engines.protocol import Answer, Engine, EngineRequest
from emulator.engines.result_lines import about_model, error_line, line, text_response, usage
from emulator.rules import Asked, RuleBook, Step

JsonObject = dict[str, Any]

NOT_JSON_TEXT = "Here is the page that you asked for:\n\nThe page of {key} reads"


class ScriptEngine:
    """``behind``: the engine that answers ``auto`` steps and keys without a rule; None: made-up answers."""

    def __init__(self, rules: RuleBook, *, seed: int, behind: Engine | None = None) -> None:
        self._rules, self._seed, self._behind = rules, seed, behind

    def answer(self, request: EngineRequest) -> Answer:
        step = self._rules.step(request.key, request.attempt, _about(request))
        if self._behind is not None and (step is None or step.kind == "auto"):
            return self._behind.answer(request)
        chosen = step or Step(kind="auto")
        lines = self._lines(request, chosen)
        return Answer(tuple(lines if chosen.kind == "raw" else [_as_ruled(one, request, chosen) for one in lines]))

    def _lines(self, request: EngineRequest, step: Step) -> list[bytes]:
        key = request.key
        match step.kind:
            case "missing":
                return []
            case "raw":
                return [step.raw_bytes if step.text is None else step.text.encode()]
            case "error":
                return [error_line(key, step.code, step.message, step.field)]
            case "repeated":
                suffixes = [str(number) if step.differ else "" for number in range(step.times)]
                return [self._line(request, step, self._auto(request, suffix)) for suffix in suffixes]
            case "unknown_key":
                text = self._auto(request)
                own = self._line(request, step, text)
                return [own, self._line(request, step, text, key=step.unknown or f"{key}-unknown")]
            case "blocked_prompt":
                feedback = {"blockReason": step.reason}
                counts = usage(prompt_tokens=request.prompt_tokens, output_tokens=0)
                return [line(key, response={"promptFeedback": feedback, "usageMetadata": counts})]
            case "empty":
                return [_empty_line(request, step)]
            case _:
                text = self._text(request, step)
                return [self._line(request, step, self._noisy(request, step, text) if step.noise else text)]

    def _text(self, request: EngineRequest, step: Step) -> str:
        match step.kind:
            case "answer" if step.text is not None:
                return step.text
            case "answer":
                return json.dumps(step.answer_json, ensure_ascii=False)
            case "not_json":
                return step.text if step.text is not None else NOT_JSON_TEXT.format(key=request.key)
            case "wrong_shape":
                top = str((request.response_schema or {}).get("type", "")).upper()
                return json.dumps({"page": request.key} if top == "ARRAY" else [request.key], ensure_ascii=False)
            case "cut_short":
                text = step.text if step.text is not None else self._auto(request)
                return text if step.text is not None else text[: max(len(text) // 2, 1)]
            case "blocked_answer":
                return ""
            case _:
                return self._auto(request)

    def _line(self, request: EngineRequest, step: Step, text: str, *, key: str | None = None) -> bytes:
        finish_reason = {"cut_short": "MAX_TOKENS", "blocked_answer": step.reason}.get(step.kind, "STOP")
        response = text_response(
            _pieces(text, step.split),
            prompt_tokens=request.prompt_tokens,
            finish_reason=finish_reason,
            thoughts=step.thoughts,
            thoughts_tokens=step.thoughts_tokens,
        )
        extra = {"error": None} if step.null_error else {}
        return line(request.key if key is None else key, response=response, **extra)

    def _noisy(self, request: EngineRequest, step: Step, text: str) -> str:
        """An answer with so many wrong letters as the rule says, no more and no fewer: what it is worth is known."""
        try:
            answer = json.loads(text)
        except ValueError:
            return text
        chance = random.Random(f"{self._seed}:{request.key}:{request.attempt}:{request.model}")  # noqa: S311
        return json.dumps(with_noise(answer, step.noise, step.noise_field, chance), ensure_ascii=False)

    def _auto(self, request: EngineRequest, suffix: str = "") -> str:
        seed = f"{self._seed}:{request.key}:{request.attempt}:{suffix}"
        if request.response_schema is not None:
            return json.dumps(instance(request.response_schema, request.key, seed), ensure_ascii=False)
        text = f"The page of {request.key}, answer {request.attempt + 1}{suffix}."
        return json.dumps({"text": text}, ensure_ascii=False) if "json" in request.response_mime_type else text


def _about(request: EngineRequest) -> Asked:
    return Asked(request.max_output_tokens, "\n".join(request.texts), request.model)


def _as_ruled(raw: bytes, request: EngineRequest, step: Step) -> bytes:
    """The line, with what its response says of usage and model."""
    value = json.loads(raw)
    response = value.get("response")
    if not isinstance(response, dict):
        return raw
    counts = response["usageMetadata"]
    if step.fills_limit and request.max_output_tokens is not None:
        counts = usage(
            prompt_tokens=request.prompt_tokens,
            output_tokens=max(request.max_output_tokens - step.thoughts_tokens, 0),
            thoughts_tokens=step.thoughts_tokens,
        )
    counts = counts | step.usage
    response["usageMetadata"] = {name: count for name, count in counts.items() if count is not None}
    ends = request.retirement_time if step.retirement_time is None else step.retirement_time
    response |= about_model(request.model if step.model_version is None else step.model_version, ends)
    return line(**value)


def _empty_line(request: EngineRequest, step: Step) -> bytes:
    if step.shape == "no_response":
        return line(request.key)
    response = text_response([""], prompt_tokens=request.prompt_tokens)
    if step.shape == "no_parts":
        response["candidates"] = [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}]
    elif step.shape == "no_candidates":
        response["candidates"] = []
    elif step.shape == "null_candidate":
        response["candidates"] = [None]
    return line(request.key, response=response)


def _pieces(text: str, count: int) -> list[str]:
    """The text in ``count`` parts that together are the text; none for an empty one."""
    if not text:
        return []
    size = max(-(-len(text) // count), 1)
    return [text[start : start + size] for start in range(0, len(text), size)]
