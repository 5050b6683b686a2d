"""Runs one job: reads the input file, asks the engine line by line, writes the result file, and notes what each record
got. Runs in a worker thread; knows files, but neither jobs nor HTTP."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.books import RecordAnswer
from emulator.engines.protocol import Engine, EngineRequest, ImagePart
from emulator.engines.result_lines import about_model, error_line, line, usage
from emulator.errors import missing_file
from emulator.files import IMAGE_TYPES, FileStore
from emulator.input_lines import ImageReference, MalformedInput, ParsedRequest, parse_request, read_line
from emulator.models import retirement_time
from emulator.refusals import RequestRefused
from emulator.tokens import image_size, image_tokens, text_tokens

JsonObject = dict[str, Any]

_LOGGER = logging.getLogger(__name__)
_PICTURES = frozenset({"PNG", "JPEG", "MPO", "WEBP", "HEIF"})


@dataclass(slots=True)
class WorkResult:
    """``problem``: why the input file is none, and then nothing else is set."""

    answers: list[RecordAnswer] = field(default_factory=list)
    successful_lines: int = 0
    failed_lines: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """``model``: the one that answers; ``asked``: the one that the request was made for, whose settings it may use, as
    its successor takes it over; ``moment``: when the job started; files that expired before are not there.
    ``attempts``: answers that a key has had in earlier jobs. ``result_lines``: stop after so many; None: all."""

    input_path: Path
    output_path: Path
    model: str
    asked: str
    moment: datetime
    engine: Engine
    files: FileStore
    attempts: Callable[[str], int]
    check_images: bool
    result_lines: int | None = None


def input_keys(path: Path) -> list[str]:
    """The keys of all lines that have one, in their order."""
    keys = []
    for number, raw in _lines(path):
        try:
            keys.append(read_line(raw, number)[0])
        except MalformedInput:
            continue
    return keys


def run(work: Work) -> WorkResult:
    """Answer the whole input file. A malformed one gives a result with a ``problem`` and no file."""
    result = WorkResult()
    in_this_file: Counter[str] = Counter()
    try:
        _check_input(work.input_path)
    except MalformedInput as error:
        return WorkResult(problem=str(error))
    with work.output_path.open("wb") as output:
        written = 0
        for number, raw in _lines(work.input_path):
            if work.result_lines is not None and written >= work.result_lines:
                break
            key, request = read_line(raw, number)
            attempt = work.attempts(key) + in_this_file[key]
            answer, lines = answer_request(work, key, request, attempt)
            in_this_file[key] += answer.attempt is not None
            result.answers.append(answer)
            succeeded = answer.outcome in ("response", "blocked_prompt")
            result.successful_lines += succeeded
            result.failed_lines += not succeeded
            for one in lines:
                output.write(one + b"\n")
                written += 1
    return result


def _check_input(path: Path) -> None:
    number = 0
    for number, raw in _lines(path):
        read_line(raw, number)
    if not number:
        raise MalformedInput("the input file holds no requests")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines, split at line feeds alone; empty ones are skipped."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield number, raw


def answer_request(work: Work, key: str, request: JsonObject, attempt: int) -> tuple[RecordAnswer, list[bytes]]:
    """What one request gets: the note for the books, and the lines of a result file."""
    names: tuple[str, ...] = ()
    try:
        parsed = parse_request(request, work.asked)
        names = tuple(image.file_name for image in parsed.images if image.file_name)
        images, tokens_of_images = _resolve(work, parsed)
    except RequestRefused as error:
        refused = RecordAnswer(key, None, "error", files=names)
        return refused, [error_line(key, error.code, str(error))]
    prompt_tokens = tokens_of_images + _text_tokens(parsed)
    engine_request = EngineRequest(
        key=key,
        texts=parsed.texts,
        images=images,
        response_schema=parsed.response_schema,
        attempt=attempt,
        prompt_tokens=prompt_tokens,
        response_mime_type=parsed.response_mime_type,
        model=work.model,
        retirement_time=retirement_time(work.model),
        max_output_tokens=parsed.max_output_tokens,
    )
    try:
        lines = [_completed(one, engine_request) for one in work.engine.answer(engine_request).lines]
    except Exception:  # whatever an engine raises, it is that line's: the job goes on
        _LOGGER.exception("the engine failed on %s", key)
        lines = [error_line(key, 500, "An internal error has occurred.")]
    return _note(key, attempt, lines, tokens_of_images, names), lines


def _resolve(work: Work, parsed: ParsedRequest) -> tuple[tuple[ImagePart, ...], int]:
    """The images on this machine, and their tokens. Raises RequestRefused 403 for one that is not there."""
    parts = []
    tokens = 0
    for reference in parsed.images:
        if reference.file_name:
            stored = work.files.find(reference.file_name, work.moment)
            if stored is None:
                raise RequestRefused(missing_file(reference.file_name).message, 403)
            part = ImagePart(reference.file_name, stored.path, stored.mime_type)
            picture = stored.image() if stored.mime_type in IMAGE_TYPES else None
        else:
            part = _spooled(work, reference)
            picture = image_size(part.path)
        if not part.mime_type.startswith("image/"):
            tokens += text_tokens(part.path.read_text(errors="replace"))
            continue
        unreadable = picture is None or picture[2] not in _PICTURES
        # PIL knows no HEIF without a plug-in: such a file is believed.
        if unreadable and work.check_images and part.mime_type not in ("image/heic", "image/heif"):
            raise RequestRefused("Unable to process input image. Please retry or report the problem.")
        size = picture[:2] if picture else (1, 1)
        tokens += image_tokens(size, work.model, reference.resolution)
        parts.append(part)
    return tuple(parts), tokens


def _spooled(work: Work, reference: ImageReference) -> ImagePart:
    if reference.mime_type.startswith("image/") and reference.mime_type not in IMAGE_TYPES:
        raise RequestRefused(f"Unsupported MIME type: {reference.mime_type}")
    path = work.files.spool / f"inline-{hashlib.sha256(reference.inline).hexdigest()}"
    if not path.exists():
        path.write_bytes(reference.inline)
    return ImagePart("", path, reference.mime_type)


def _text_tokens(parsed: ParsedRequest) -> int:
    schema = json.dumps(parsed.response_schema, separators=(",", ":")) if parsed.response_schema else ""
    return sum(text_tokens(text) for text in parsed.texts) + text_tokens(schema)


def _parsed(raw: bytes) -> JsonObject | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _completed(raw: bytes, request: EngineRequest) -> bytes:
    """The line, with usageMetadata and what is said of the model added to a response that lacks them."""
    if b'"usageMetadata"' in raw and b'"modelVersion"' in raw:
        return raw
    value = _parsed(raw)
    response = value.get("response") if value else None
    if value is None or not isinstance(response, dict):
        return raw
    texts = [
        part.get("text", "")
        for candidate in response.get("candidates") or ()
        for part in ((candidate or {}).get("content") or {}).get("parts") or ()
    ]
    counts = usage(prompt_tokens=request.prompt_tokens, output_tokens=text_tokens("".join(texts)))
    value["response"] = {
        "usageMetadata": counts, **about_model(request.model, request.retirement_time), **response
    }  # fmt: skip
    key = value.pop("key", "")
    return line(key, **value)


def _note(key: str, attempt: int, lines: list[bytes], tokens_of_images: int, names: tuple[str, ...]) -> RecordAnswer:
    """What the books say about one answered request, from its first readable line."""
    if not lines:
        return RecordAnswer(key, attempt, "missing", files=names)
    value = next((found for raw in lines if (found := _parsed(raw)) is not None and found.get("key") == key), None)
    if value is None:
        return RecordAnswer(key, attempt, "unreadable", files=names)
    response = value.get("response")
    if not isinstance(response, dict):
        return RecordAnswer(key, attempt, "error", files=names)
    counts = response.get("usageMetadata") or {}
    candidates = response.get("candidates") or [None]
    return RecordAnswer(
        key,
        attempt,
        "blocked_prompt" if "promptFeedback" in response else "response",
        finish_reason=str((candidates[0] or {}).get("finishReason", "")),
        prompt_tokens=_count(counts, "promptTokenCount"),
        output_tokens=_count(counts, "candidatesTokenCount"),
        thoughts_tokens=_count(counts, "thoughtsTokenCount"),
        image_tokens=tokens_of_images,
        files=names,
    )


def _count(counts: JsonObject, name: str) -> int:
    """A rule can make anything of a count; what is none bills nothing."""
    value = counts.get(name, 0)
    return value if type(value) is int and value > 0 else 0
