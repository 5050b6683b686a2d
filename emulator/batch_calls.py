"""The Batch API over HTTP: create, get, list, cancel, delete."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from emulator.answering import input_keys
from emulator.batches import NewJob
from emulator.clock import wire_time
from emulator.errors import ServiceError
from emulator.faults import Subject
from emulator.ids import FILE_ID_LENGTH
from emulator.inline import write_inline_requests
from emulator.paging import page_of, page_size_of
from emulator.schemas import camel
from emulator.state import EmulatorState
from emulator.wire import Wire, json_body

JsonObject = dict[str, Any]

DEFAULT_PAGE_SIZE = 10
LARGEST_PAGE_SIZE = 100


class BatchCalls:
    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self, wire: Wire, version: str) -> list[BaseRoute]:
        batch = f"/{version}/batches/{{job_id}}"
        return [
            Route(
                f"/{version}/models/{{model}}:batchGenerateContent",
                wire.endpoint("create_batch", self._noted_create, self.about_create),
                methods=["POST"],
            ),
            Route(f"{batch}:cancel", wire.endpoint("cancel_batch", self.cancel, self.about_job), methods=["POST"]),
            Route(batch, wire.endpoint("get_batch", self.get, self.about_job)),
            Route(batch, wire.endpoint("delete_batch", self.delete, self.about_job), methods=["DELETE"]),
            Route(f"/{version}/batches", wire.endpoint("list_batches", self.list)),
        ]

    async def about_create(self, request: Request) -> Subject:
        """Also notes the call: every POST of a job is in the books, whatever becomes of it."""
        note: JsonObject = {
            "time": wire_time(self._state.clock.now()),
            "displayName": "",
            "model": request.path_params["model"],
            "inputFile": "",
            "keys": [],
            "batch": None,
            "refused": None,
        }
        request.state.note = note
        self._state.books.creates.append(note)
        batch = _batch(await json_body(request))
        note["displayName"] = str(batch.get("displayName") or "")
        note["inputFile"] = str(_input_config(batch).get("fileName") or "")
        stored = self._state.files.find(note["inputFile"])
        if stored is not None:
            note["keys"] = await asyncio.to_thread(input_keys, stored.path)
        return Subject(note["inputFile"], note["displayName"], note["model"], tuple(note["keys"]))

    async def _noted_create(self, request: Request) -> JsonObject:
        try:
            operation = await self.create(request)
        except ServiceError as error:
            request.state.note["refused"] = {"code": error.code, "message": error.message}
            raise
        request.state.note["batch"] = operation["name"]
        return operation

    async def create(self, request: Request) -> JsonObject:
        model = request.path_params["model"]
        await self._state.jobs.settle(wait=self._state.answers_at_once)
        self._state.jobs.check_room(model)
        batch = _batch(await json_body(request))
        config = _input_config(batch)
        display_name, input_name = request.state.note["displayName"], request.state.note["inputFile"]
        keys, inline_path = request.state.note["keys"], None
        if input_name:
            if self._state.files.find(input_name) is None:
                raise ServiceError(400, f"The input file {input_name} does not exist or has expired.")
        else:
            inline_path = self._state.spool / f"inline-{self._state.ids.new(FILE_ID_LENGTH)}.jsonl"
            requests = config.get("requests")
            write_inline_requests(requests.get("requests") if isinstance(requests, dict) else None, inline_path)
            keys = input_keys(inline_path)
        return self._state.jobs.create(NewJob(model, display_name, input_name, inline_path, keys)).operation()

    async def about_job(self, request: Request) -> Subject:
        job = self._state.jobs.find(request.path_params["job_id"])
        if job is None:
            return Subject(name=f"batches/{request.path_params['job_id']}")
        return Subject(job.name, job.display_name, job.model, tuple(job.keys))

    async def get(self, request: Request) -> JsonObject:
        await self._state.jobs.settle(wait=self._state.answers_at_once)
        return self._state.jobs.get(request.path_params["job_id"]).operation()

    async def list(self, request: Request) -> JsonObject:
        query = request.query_params
        if query.get("filter"):
            raise ServiceError(400, "filter is not supported.")
        await self._state.jobs.settle(wait=self._state.answers_at_once)
        size = page_size_of(query.get("pageSize"), default=DEFAULT_PAGE_SIZE, largest=LARGEST_PAGE_SIZE)
        page_token = query.get("pageToken") or ""
        listed = self._state.jobs.listed(first_page=not page_token)
        page, token = page_of(listed, lambda job: job.ordinal, size, page_token)
        foreign = [] if page_token else list(self._state.rules.rules.foreign_jobs)
        operations = foreign + [job.operation(in_list=True) for job in page]
        return {**({"operations": operations} if operations else {}), **({"nextPageToken": token} if token else {})}

    async def cancel(self, request: Request) -> JsonObject:
        await self._state.jobs.settle(wait=self._state.answers_at_once)
        self._state.jobs.cancel(request.path_params["job_id"])
        return {}

    async def delete(self, request: Request) -> JsonObject:
        self._state.jobs.delete(request.path_params["job_id"])
        return {}


def _batch(body: JsonObject) -> JsonObject:
    batch = body.get("batch")
    if not isinstance(batch, dict):
        raise ServiceError(400, "* BatchGenerateContentRequest.batch: must be specified.")
    fields = {camel(name): value for name, value in batch.items()}
    for name in fields:
        if name not in ("displayName", "inputConfig", "webhookConfig", "priority", "model"):
            raise ServiceError(
                400, f"Invalid JSON payload received. Unknown name \"{name}\" at 'batch': Cannot find field."
            )
    return fields


def _input_config(batch: JsonObject) -> JsonObject:
    config = batch.get("inputConfig")
    if not isinstance(config, dict):
        raise ServiceError(400, "* BatchGenerateContentRequest.batch.input_config: must be specified.")
    return {camel(name): value for name, value in config.items()}
