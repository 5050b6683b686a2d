"""An ordinary generateContent over HTTP: one request, answered at once, with the same checks and by the same engine as
a line of a batch. It is billed at the standard price, so the books keep it apart."""

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from emulator.answering import Work, answer_request
from emulator.errors import ServiceError
from emulator.faults import Subject
from emulator.models import answering_model
from emulator.state import EmulatorState
from emulator.wire import Wire, json_body

JsonObject = dict[str, Any]

KEY = "generate/{}"
"""By which rules can name the how-manieth request of this kind, counted from 1: it has no key of its own."""


class GenerateCalls:
    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self, wire: Wire, version: str) -> list[BaseRoute]:
        path = f"/{version}/models/{{model}}:generateContent"
        return [Route(path, wire.endpoint("generate", self.generate, self.about), methods=["POST"])]

    async def about(self, request: Request) -> Subject:
        return Subject(model=request.path_params["model"])

    async def generate(self, request: Request) -> JsonObject:
        body, asked, state = await json_body(request), request.path_params["model"], self._state
        moment = state.clock.now()
        work = Work(
            input_path=Path(),
            output_path=Path(),
            model=answering_model(asked, moment),
            asked=asked,
            moment=moment,
            engine=state.engine,
            files=state.files,
            attempts=state.books.attempts,
            check_images=state.options.check_images,
        )
        key = KEY.format(len(state.books.generated) + 1)
        answer, lines = await asyncio.to_thread(answer_request, work, key, body, 0)
        state.books.answered_at_once(work.model, answer)
        value = _object(lines[0]) if lines else {}
        if isinstance(response := value.get("response"), dict):
            return response
        error = value.get("error") or value.get("status")
        error = error if isinstance(error, dict) else {"code": 500, "message": "An internal error has occurred."}
        raise ServiceError(int(error.get("code") or 500), str(error.get("message") or ""))


def _object(line: bytes) -> JsonObject:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
