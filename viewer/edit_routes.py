"""The addresses of corrections, of a viewer that has them. What is done stands in `viewer.editing`; that a form comes
from a page of this viewer is seen to in `viewer.guard`, and here by what only such a page knows.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from flows.tables.corrections import Saved
from viewer.editing import Editor, EditPage

MOST_BYTES = 8_000_000
"""More than any result, as a form."""
Show = Callable[[Request, Callable[[], EditPage], int], Awaitable[Response]]
Aside = Callable[[Callable[[], Saved | EditPage]], Awaitable[Saved | EditPage]]


def form_token(token: str) -> str:
    """What forms send along: made of the token, which no page has in it."""
    return hmac.new(token.encode(), b"quire view form", hashlib.sha256).hexdigest()


class EditRoutes:
    """``show``: makes a page of the form, with a status; ``aside``: runs what blocks in a thread."""

    def __init__(self, editor: Editor, token: str, show: Show, aside: Aside) -> None:
        self._editor, self._token, self._show, self._aside = editor, form_token(token), show, aside

    async def edit(self, request: Request) -> Response:
        key = request.path_params["key"]
        if request.method != "POST":
            as_json = request.query_params.get("as") == "json"
            return await self._show(request, lambda: self._editor.page(key, as_json=as_json), 200)
        return await self._saved(request, lambda inputs, seen: self._editor.save(key, inputs, seen=seen))

    async def check(self, request: Request) -> Response:
        key = request.path_params["key"]
        return await self._saved(request, lambda _, seen: self._editor.check(key, seen=seen))

    async def _saved(
        self, request: Request, save: Callable[[list[tuple[str, str]], str], Saved | EditPage]
    ) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse("This is more than any result.", 413)
        inputs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True, errors="replace")
        given = dict(inputs)
        if not hmac.compare_digest(given.get("token", "").encode(), self._token.encode()):
            return PlainTextResponse("This did not come from a page of this viewer.", 403)
        own = [each for each in inputs if each[0] not in ("token", "seen")]
        done = await self._aside(lambda: save(own, given.get("seen", "")))
        if isinstance(done, EditPage):
            return await self._show(request, lambda: done, 409 if done.theirs else 422)
        to = f"../page/{quote(done.record_key, safe=':')}?saved={done.kind.value}"
        return Response(status_code=303, headers={"location": to})


async def _body(request: Request) -> bytes | None:
    """None: it is too long."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return None
    except ClientDisconnect:
        return None
    return body
