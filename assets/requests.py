"""The asset ``batch_requests``: the lines of the JSONL file that a batch is made from. Pure: what has been uploaded,
and what the predecessors became, comes in; the shell writes the file, line by line.

A line is ``{"key": ..., "request": {"contents": [...], "generation_config": {...}}}``. The request's names are written
in snake_case, as in the guide's samples of input files; the API reads camelCase as well. All settings stand under
``generation_config``: flat, as the SDK's own config type has them, the service refuses some ("no such field"). A media
resolution of ULTRA_HIGH alone is known to an image's part only, and stands in each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from assets.context import ContextMode
from assets.domain.errors import ConfigError, ContextGoneError, PromptError
from assets.domain.generation import OURS, plain
from assets.domain.labels import number_of
from assets.domain.models import PART_ONLY_RESOLUTION, setting
from assets.domain.prompt import PromptRecord, check_prompt, render_prompt
from assets.domain.record import SEPARATOR, document_of, label_of
from assets.domain.result_form import Result, has_root
from assets.domain.schema_limits import Left
from assets.domain.tokens import media_resolution
from assets.graph import asset
from assets.repair import Change

PREVIOUS_IMAGE_LABEL = "The page before, for context only:"
IMAGE_LABEL = "The page:"
_COLUMNS = ("record_key", "file_uri", "file_mime_type", "context_key", "context_file_uri", "context_file_mime_type")
_REPAIR = "repair"
"""May be missing where nothing was sent before."""
_ROWS_AT_ONCE = 256
_NOTHING: Mapping[str, Result] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """What all requests of a submission have in common.

    ``prompt``: the template's text, ``prompt_source``: its file, for messages. ``document_fields``: the names of the
    fields of a record key. ``generation_config``: the setting ``model.generation_config``, in either case. ``left``:
    what of the pydantic model ``response_schema`` does not say.
    """

    prompt: str
    prompt_source: str
    context_mode: ContextMode
    document_fields: Sequence[str]
    response_schema: Mapping[str, Any]
    generation_config: Mapping[str, Any]
    left: Sequence[Left] = ()

    def check(self) -> None:
        """Find, before anything is uploaded, what would go wrong for every record.

        Raises ConfigError for a ``generation_config`` that holds what is ours or what is no JSON, PromptError for a
        mistake in the template.
        """
        for name in self.generation_config:
            if plain(name) in [plain(each) for each in OURS]:
                raise ConfigError(
                    "the form of the answer is made from the setting 'schema'; take this line out",
                    source="settings",
                    key=f"model.generation_config.{name}",
                )
        try:
            json.dumps(dict(self.generation_config), allow_nan=False)
        except (TypeError, ValueError) as error:
            key = "model.generation_config"
            raise ConfigError(f"is not plain JSON: {error}", source="settings", key=key) from error
        check_prompt(self.prompt, source=self.prompt_source)

    def part_resolution(self) -> dict[str, Any]:
        """What the part of each image bears beside the image."""
        if media_resolution(self.generation_config) != PART_ONLY_RESOLUTION:
            return {}
        return {"media_resolution": {"level": f"MEDIA_RESOLUTION_{PART_ONLY_RESOLUTION}"}}

    def config(self) -> dict[str, Any]:
        """The ``generation_config`` of each request."""
        key = setting(self.generation_config, "media_resolution") if self.part_resolution() else None
        return {
            **{name: value for name, value in self.generation_config.items() if name != key},
            "response_mime_type": "application/json",
            "response_schema": dict(self.response_schema),
        }


@asset()
def batch_requests(
    batch_manifest: pa.Table,
    *,
    template: RequestTemplate,
    previous_results: Mapping[str, Result] = _NOTHING,
) -> Iterator[bytes]:
    """The lines of the input file, one for each row that has an uploaded image, in the rows' order.

    Each is UTF-8 and ends in ``\\n``; no other byte of it is a ``\\n``. ``previous_results``: the results of the
    records that ``context_key`` names; may read them as it is asked. Where a row has a ``context_file_uri``, that image
    goes along before the record's own. Raises, when called, what ``RequestTemplate.check`` raises, and while
    iterating PromptError, for a row that cannot be rendered, and ContextGoneError, for one whose predecessor
    has no result any more.
    """
    template.check()
    config = template.config()
    columns = [*_COLUMNS, *([_REPAIR] if _REPAIR in batch_manifest.column_names else [])]
    return (
        _line(row, template, config, previous_results)
        for part in batch_manifest.select(columns).to_batches(max_chunksize=_ROWS_AT_ONCE)
        for row in part.to_pylist()
        if row["file_uri"] is not None
    )


def request_texts(
    keys: Sequence[str],
    context_keys: Sequence[str | None],
    *,
    template: RequestTemplate,
    previous_results: Mapping[str, Result] = _NOTHING,
    repairs: Sequence[str | None] | None = None,
    with_image: Sequence[bool] | None = None,
) -> Iterator[str]:
    """The text of each request: its prompt, with the result of its context key if it has one, and what its change
    (see `assets.repair`) says behind it. ``with_image``: which go with the image of the page before. Raises
    PromptError, ContextGoneError."""
    count = len(keys)
    columns = zip(keys, context_keys, repairs or [None] * count, with_image or [False] * count, strict=True)
    for key, context_key, repair, has_image in columns:
        text = _prompt_text(key, context_key, template, previous_results, with_image=has_image)
        yield text if repair is None else Change.from_text(repair).prompt(text)


def schema_bytes(template: RequestTemplate) -> int:
    """What the answer's schema adds to the text of each request, as compact JSON."""
    return len(json.dumps(dict(template.response_schema), ensure_ascii=False, separators=(",", ":")).encode())


def _line(
    row: Mapping[str, Any],
    template: RequestTemplate,
    config: Mapping[str, Any],
    previous_results: Mapping[str, Result],
) -> bytes:
    key: str = row["record_key"]
    takes_image = row["context_file_uri"] is not None
    context_key = row["context_key"] if template.context_mode.waits_for_result and not takes_image else None
    resolution = template.part_resolution()
    text = _prompt_text(key, context_key, template, previous_results, with_image=takes_image)
    if (repair := row.get(_REPAIR)) is not None:
        change = Change.from_text(repair)
        text, config = change.prompt(text), change.config(config)
    parts: list[dict[str, Any]] = [{"text": text}]
    if takes_image:
        before = _image(row["context_file_uri"], row["context_file_mime_type"]) | resolution
        parts += [{"text": PREVIOUS_IMAGE_LABEL}, before, {"text": IMAGE_LABEL}]
    parts.append(_image(row["file_uri"], row["file_mime_type"]) | resolution)
    request = {"contents": [{"role": "user", "parts": parts}], "generation_config": config}
    line = json.dumps({"key": key, "request": request}, ensure_ascii=False, separators=(",", ":"))
    # A result on disk can hold half a surrogate pair ("\ud800"), which is no UTF-8: it becomes a question mark.
    return line.encode(errors="replace") + b"\n"


def _prompt_text(
    key: str,
    context_key: str | None,
    template: RequestTemplate,
    previous_results: Mapping[str, Result],
    *,
    with_image: bool = False,
) -> str:
    previous = None
    if context_key is not None:
        previous = previous_results.get(context_key)
        if previous is None:
            raise ContextGoneError(f"{key}: the result of {context_key}, which goes along as context, is gone")
        if not has_root(previous, template.response_schema):
            # A prompt would take an empty list for no page before, and a list for whatever it has in common with it.
            found = "a list" if isinstance(previous, list) else "a JSON object"
            raise PromptError(f"the result of {context_key} is {found}, which the schema is not; correct or delete it")
    names, label = zip(template.document_fields, key.split(SEPARATOR)[:-1], strict=True), label_of(key)
    number = number_of(label)
    return render_prompt(
        template.prompt,
        source=template.prompt_source,
        record=PromptRecord(key, label if number is None else number, document_of(key), dict(names)),
        previous=previous,
        context_mode=template.context_mode.of_request(with_image=with_image),
    )


def _image(uri: str, mime_type: str) -> dict[str, Any]:
    return {"file_data": {"file_uri": uri, "mime_type": mime_type}}
