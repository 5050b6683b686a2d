"""What an engine is: it looks at one request of a batch and says which lines the result file gets for it.

The server (`emulator.server`) owns files, jobs, faults and books; an engine knows none of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An uploaded image that the request refers to. ``path``: its bytes on this machine."""

    file_name: str
    path: Path
    mime_type: str


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One line of an input file, with its references resolved.

    ``texts``: the text parts in their order. ``response_schema``: the requested schema as it was sent (camelCase or
    snake_case, OpenAPI subset), or None. ``attempt``: 0 for the first time that this key is answered, then 1, 2, ...
    ``prompt_tokens``: what the request is billed with, images included; for the answer's usageMetadata (the server
    adds one to a response that lacks it). ``model``: the one that answers; ``retirement_time``: when it ends, "" where
    no end is set. ``max_output_tokens``: as it was asked for, or None.
    """

    key: str
    texts: tuple[str, ...]
    images: tuple[ImagePart, ...]
    response_schema: JsonObject | None
    attempt: int
    prompt_tokens: int = 0
    response_mime_type: str = "text/plain"
    model: str = ""
    retirement_time: str = ""
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines of the result file for one request, without their ends: usually one, none if it is to be missing.

    ``lines``: bytes, so that an engine can also answer what is no JSON at all.
    """

    lines: tuple[bytes, ...]


class Engine(Protocol):
    """Answers requests. Called from a worker thread, never twice at once for the same job; must not keep state that
    changes answers, other than what the request carries."""

    def answer(self, request: EngineRequest) -> Answer: ...
