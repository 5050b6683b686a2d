"""Inline requests: a job without an input file. They are spooled as the lines of one, so that they take the same way;
a request's key is ``metadata.key``, or its position."""

import json
from pathlib import Path
from typing import Any

from emulator.errors import ServiceError

JsonObject = dict[str, Any]


def write_inline_requests(requests: object, path: Path) -> None:
    """Spool `inputConfig.requests.requests`. Raises ServiceError 400."""
    if not isinstance(requests, list) or not requests:
        raise ServiceError(400, "* BatchGenerateContentRequest.batch.input_config.requests: must not be empty.")
    with path.open("w", encoding="utf-8") as file:
        for index, item in enumerate(requests):
            if not isinstance(item, dict) or not isinstance(item.get("request"), dict):
                raise ServiceError(400, f"Invalid value at 'batch.input_config.requests[{index}]'")
            json.dump({"key": _key(item, index), "request": item["request"]}, file, ensure_ascii=False)
            file.write("\n")
    metadata = [item.get("metadata") for item in requests]
    _metadata_path(path).write_text(json.dumps(metadata), encoding="utf-8")


def read_inlined_responses(path: Path, result_path: Path) -> list[JsonObject]:
    """The lines of the result file as `inlinedResponses`, each with its request's metadata. Lines that are no JSON are
    left out: there is no way to show them here."""
    metadata = json.loads(_metadata_path(path).read_text(encoding="utf-8"))
    of_key = {_key({"metadata": item}, index): item for index, item in enumerate(metadata)}
    responses = []
    with result_path.open("rb") as file:
        for raw in file:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            own = of_key.get(line.pop("key", ""))
            responses.append({**line, **({"metadata": own} if own else {})})
    return responses


def _key(item: JsonObject, index: int) -> str:
    return str((item.get("metadata") or {}).get("key") or index)


def _metadata_path(path: Path) -> Path:
    return path.with_suffix(".metadata.json")
