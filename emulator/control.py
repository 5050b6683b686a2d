"""The control plane under `/emulator/`: books, clock, faults, rules, ends of jobs. For tests and for people, not part
of what is emulated; needs no API key."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from emulator.clock import wire_time
from emulator.errors import ServiceError
from emulator.faults import parse_fault
from emulator.jobs import TERMINAL, Job
from emulator.rules import parse_rules
from emulator.state import EmulatorState
from emulator.wire import error_response, json_body

JsonObject = dict[str, Any]


class Control:
    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/emulator/books", _answer(self.books)),
            Route("/emulator/requests", _answer(self.requests)),
            Route("/emulator/clock", _answer(self.read_clock)),
            Route("/emulator/clock", _answer(self.advance), methods=["POST"]),
            Route("/emulator/faults", _answer(self.read_faults)),
            Route("/emulator/faults", _answer(self.add_faults), methods=["POST"]),
            Route("/emulator/faults", _answer(self.clear_faults), methods=["DELETE"]),
            Route("/emulator/rules", _answer(self.set_rules), methods=["POST"]),
            Route("/emulator/jobs/{job_id:path}", _answer(self.end_job), methods=["POST"]),
            Route("/emulator/reset", _answer(self.reset), methods=["POST"]),
        ]

    async def books(self, _: Request) -> JsonObject:
        await self._state.jobs.settle(wait=self._state.answers_at_once)
        return self._state.books.shown(self._state.jobs.all(), self._state.files)

    async def requests(self, _: Request) -> JsonObject:
        return self._state.books.requests()

    async def read_clock(self, _: Request) -> JsonObject:
        clock = self._state.clock
        return {"now": wire_time(clock.now()), "mode": "manual" if clock.manual else "real"}

    async def advance(self, request: Request) -> JsonObject:
        """``{"advance": seconds}``. Answers when every job that is due by then has its answers."""
        seconds = (await json_body(request)).get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ServiceError(400, 'the clock wants {"advance": seconds}, 0 or more')
        self._state.clock.advance(seconds)
        await self._state.jobs.settle(wait=True)
        return await self.read_clock(request)

    async def read_faults(self, _: Request) -> JsonObject:
        return {"faults": self._state.faults.shown()}

    async def add_faults(self, request: Request) -> JsonObject:
        """One fault, or ``{"faults": [...]}``. Answers their ids."""
        body = await json_body(request)
        faults = [parse_fault(value) for value in body.get("faults", [body])]
        return {"ids": [self._state.faults.add(fault) for fault in faults]}

    async def clear_faults(self, _: Request) -> JsonObject:
        self._state.faults.clear()
        return {}

    async def set_rules(self, request: Request) -> JsonObject:
        """The rules, in place of those in force; with ``?add=true`` before them."""
        rules = parse_rules(await json_body(request))
        if request.query_params.get("add") == "true":
            self._state.rules.extend(rules)
        else:
            self._state.rules.replace(rules)
        return {}

    async def end_job(self, request: Request) -> JsonObject:
        """``{"state": "FAILED", "result_file"?: bool, "message"?: text}`` for a batch id or a display name."""
        body = await json_body(request)
        state = body.get("state")
        if state not in TERMINAL:
            raise ServiceError(400, f"state is one of {', '.join(sorted(TERMINAL))}")
        job = self._find(request.path_params["job_id"])
        await self._state.jobs.force(
            job, state, result_file=body.get("result_file"), message=str(body.get("message") or "")
        )
        return job.operation()

    async def reset(self, _: Request) -> JsonObject:
        self._state.reset()
        return {}

    def _find(self, name: str) -> Job:
        wanted = name.removeprefix("batches/")
        for job in reversed(self._state.jobs.all()):
            if wanted in (job.job_id, job.display_name):
                return job
        raise ServiceError(404, f"no job has the id or display name {name!r}")


def _answer(effect: Callable[[Request], Awaitable[JsonObject]]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return JSONResponse(await effect(request))
        except ServiceError as error:
            return error_response(error)
        except ValueError as error:
            return error_response(ServiceError(400, str(error)))

    return handle
