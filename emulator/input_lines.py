"""The lines of an input file: what a line may hold, and what it asks for. Pure: files and engines are elsewhere.

Two kinds of fault are told apart. A line that is no line (`MalformedInput`) makes the whole job FAILED; a request that
the service refuses (`RequestRefused`) gives its own line an error.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.model_rules import check_generation, check_part_resolution
from emulator.refusals import RequestRefused
from emulator.schemas import SchemaRefused, camel, check_schema

JsonObject = dict[str, Any]

_REQUEST_FIELDS = frozenset({
    "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "generationConfig",
    "model", "store", "serviceTier", "labels",
})  # fmt: skip
_GENERATION_FIELDS = frozenset({
    "stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities",
    "candidateCount", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty",
    "responseLogprobs", "logprobs", "enableEnhancedCivicAnswers", "speechConfig", "thinkingConfig", "imageConfig",
    "mediaResolution", "responseFormat",
})  # fmt: skip
_PART_FIELDS = frozenset({
    "text", "inlineData", "fileData", "thought", "thoughtSignature", "functionCall", "functionResponse",
    "executableCode", "codeExecutionResult", "videoMetadata", "mediaResolution", "partMetadata", "toolCall",
    "toolResponse",
})  # fmt: skip
_JSON_TYPES = frozenset({"application/json", "text/x.enum"})


class MalformedInput(ValueError):  # noqa: N818 - it reads as what happened
    """The input file is none; the message names the line."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """``file_name``: ``files/...`` of an upload, or "" when ``inline`` holds the bytes."""

    file_name: str
    mime_type: str
    resolution: str | None
    inline: bytes = b""


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    texts: tuple[str, ...]
    images: tuple[ImageReference, ...]
    response_schema: JsonObject | None
    response_mime_type: str
    max_output_tokens: int | None = None


def read_line(line: bytes, number: int) -> tuple[str, JsonObject]:
    """Key and request of one line. ``number``: counted from 1. Raises MalformedInput."""
    try:
        value = json.loads(line)
    except ValueError as error:
        raise MalformedInput(f"line {number} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise MalformedInput(f"line {number} is no JSON object")
    for name in value:
        if name not in ("key", "request"):
            raise MalformedInput(f'line {number}: Unknown name "{name}": Cannot find field.')
    key, request = value.get("key"), value.get("request")
    if not isinstance(key, str) or not key:
        raise MalformedInput(f"line {number} has no key")
    if not isinstance(request, dict):
        raise MalformedInput(f"line {number} has no request")
    return key, request


def parse_request(request: JsonObject, model: str) -> ParsedRequest:
    """What the engine and the books need of a GenerateContentRequest to ``model``. Raises RequestRefused."""
    fields = _known(request, _REQUEST_FIELDS, "request")
    generation = _known(_object(fields.get("generationConfig")), _GENERATION_FIELDS, "request.generation_config")
    check_generation(generation, model)
    mime_type = str(generation.get("responseMimeType") or "text/plain")
    schema = generation.get("responseSchema")
    if schema is not None:
        try:
            check_schema(schema, model)
        except SchemaRefused as error:
            raise RequestRefused(str(error)) from None
        if mime_type not in _JSON_TYPES:
            raise RequestRefused(
                "Function calling or a response schema with a response mime type: "
                f"'{mime_type}' is unsupported, application/json is wanted."
            )
    contents = fields.get("contents")
    if not isinstance(contents, list) or not contents:
        raise RequestRefused("* GenerateContentRequest.contents: contents is not specified")
    resolution = _text(generation.get("mediaResolution"))
    texts: list[str] = []
    images: list[ImageReference] = []
    system = _object(fields.get("systemInstruction"))
    for content in ([system] if system else []) + contents:
        for part in _parts(content):
            check_part_resolution(part, model)
            _read_part(part, resolution, texts, images)
    limit = generation.get("maxOutputTokens")
    limit = limit if isinstance(limit, int) and not isinstance(limit, bool) else None
    return ParsedRequest(tuple(texts), tuple(images), schema, mime_type, limit)


def file_name_of(uri: str) -> str:
    """``files/...`` of a file's uri or name; "" for a uri that is no file of this service."""
    head, found, file_id = uri.rpartition("files/")
    if not found or not file_id or "/" in file_id or (head and not head.endswith("/")):
        return ""
    return f"files/{file_id}"


def _parts(content: object) -> list[JsonObject]:
    parts = _object(content).get("parts")
    if isinstance(parts, dict):  # the service takes a single part for a list of one
        parts = [parts]
    if not isinstance(parts, list) or not parts:
        raise RequestRefused("* GenerateContentRequest.contents.parts: contents.parts must not be empty.")
    return [_known(_object(part), _PART_FIELDS, "request.contents.parts") for part in parts]


def _read_part(part: JsonObject, resolution: str | None, texts: list[str], images: list[ImageReference]) -> None:
    own_resolution = part.get("mediaResolution")
    if isinstance(own_resolution, dict):
        own_resolution = own_resolution.get("level")
    resolution = _text(own_resolution) or resolution
    if isinstance(part.get("text"), str):
        texts.append(part["text"])
    if "fileData" in part:
        data = {camel(name): value for name, value in _object(part["fileData"]).items()}
        name = file_name_of(str(data.get("fileUri") or ""))
        if not name:
            raise RequestRefused(f"Invalid or unsupported file uri: {data.get('fileUri')}")
        images.append(ImageReference(name, str(data.get("mimeType") or ""), resolution))
    if "inlineData" in part:
        data = {camel(name): value for name, value in _object(part["inlineData"]).items()}
        try:
            content = base64.b64decode(str(data.get("data") or ""), validate=True)
        except binascii.Error:
            raise RequestRefused("Invalid value at 'inline_data.data' (TYPE_BYTES): Base64 decoding failed") from None
        images.append(ImageReference("", str(data.get("mimeType") or ""), resolution, content))


def _known(value: Mapping[str, Any], allowed: frozenset[str], place: str) -> JsonObject:
    fields = {}
    for name, inner in value.items():
        if camel(name) not in allowed:
            raise RequestRefused(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
            )
        fields[camel(name)] = inner
    return fields


def _object(value: object) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestRefused("Invalid JSON payload received: an object is wanted.")
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
