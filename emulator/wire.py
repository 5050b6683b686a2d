"""What every API call goes through: the key check, the fault table, the counting, errors in the service's form, and
connections that are cut. What the calls do is in `emulator.file_calls` and `emulator.batch_calls`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from emulator.errors import ServiceError
from emulator.faults import Fault, Subject
from emulator.state import EmulatorState

Effect = Callable[[Request], Awaitable[Response | dict[str, Any]]]
Describe = Callable[[Request], Awaitable[Subject]]


FORBIDDEN = ServiceError(403, "You do not have permission to access it, or it may not exist.")


class CuttableProtocol(H11Protocol):
    """Hands the connection's transport to the application, so that it can be cut."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Wire:
    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def endpoint(
        self, call: str, effect: Effect, describe: Describe | None = None, *, needs_key: bool = True
    ) -> Callable[[Request], Awaitable[Response]]:
        """A Starlette endpoint for one kind of call. ``describe``: what it is about, before it takes effect."""

        async def handle(request: Request) -> Response:
            books = self._state.books
            books.opened(call)
            reply = "disconnect"
            try:
                response = await self._handle(call, effect, describe, request, needs_key=needs_key)
                reply = "cut" if isinstance(response, CutResponse) else str(response.status_code)
                return response
            except ClientDisconnect:
                return Response(status_code=499)
            finally:
                books.closed(call, reply)

        return handle

    async def _handle(
        self, call: str, effect: Effect, describe: Describe | None, request: Request, *, needs_key: bool
    ) -> Response:
        try:
            if needs_key and self._check_key(request) in self._state.options.other_project_keys:
                if not call.startswith("list_"):
                    return error_response(FORBIDDEN)
                return JSONResponse({})
            subject = await describe(request) if describe else Subject()
        except ServiceError as error:
            return error_response(error)
        fault = self._state.faults.strike(call, subject)
        if fault is not None and fault.when == "before":
            await request.body()
            struck = await self._strike(fault, None)
            if struck is not None:
                return struck
        try:
            result = await effect(request)
        except ServiceError as error:
            result = error_response(error)
        response = result if isinstance(result, Response) else JSONResponse(result)
        if fault is None:
            return response
        if fault.when == "before":  # what is left of it is an answer that ends early
            return CutResponse(response, fault.after_bytes) if fault.cut == "body" else response
        return await self._strike(fault, response) or response

    async def _strike(self, fault: Fault, response: Response | None) -> Response | None:
        """The reply in place of the true one, or None to go on. ``response``: the true one, once there is one."""
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.cut == "connection":
            return CutResponse()
        if fault.cut == "body":
            return CutResponse(response, fault.after_bytes) if response is not None else None
        if fault.status is None:
            return None
        if fault.body is not None:
            return Response(fault.body, fault.status, media_type="text/html", headers=fault.headers)
        return error_response(ServiceError(fault.status, fault.message), fault.headers)

    def _check_key(self, request: Request) -> str:
        """The key. Raises ServiceError for one that is none."""
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if not key:
            raise ServiceError(
                403,
                "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity.",
            )
        if key in self._state.options.wrong_api_keys:
            raise ServiceError(400, "API key not valid. Please pass a valid API key.")
        return key


def error_response(error: ServiceError, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(error.body(), error.code, headers=headers)


async def json_body(request: Request) -> dict[str, Any]:
    """The body as an object; {} if there is none. Raises ServiceError 400."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except ValueError:
        raise ServiceError(400, "Invalid JSON payload received.") from None
    if not isinstance(value, dict):
        raise ServiceError(400, "Invalid JSON payload received: an object is wanted.")
    return value


class CutResponse(Response):
    """No answer at all, or the first bytes of one, and then the end of the connection."""

    def __init__(self, inner: Response | None = None, after_bytes: int | None = None) -> None:
        super().__init__()
        self._inner, self._after_bytes = inner, after_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._inner is not None:
            await self._send_some(self._inner, scope, receive, send)
        transport = scope.get("state", {}).get("transport")
        if transport is None:
            raise RuntimeError("connections can be cut only under emulator.server.serve")
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _send_some(self, inner: Response, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await inner(scope, receive, keep)
        start, *rest = messages
        body = b"".join(message.get("body", b"") for message in rest)
        await send(start)
        end = len(body) // 2 if self._after_bytes is None else min(self._after_bytes, max(len(body) - 1, 0))
        await send({"type": "http.response.body", "body": body[:end], "more_body": True})
