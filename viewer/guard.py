"""Who may look: whoever has the token of this start, on this machine. A page of somebody else's in the same browser
may not, by whatever name it calls this address.

The token comes in the address once, and then in a cookie that no script can read and no other site sends along.
"""

import hmac
from collections.abc import Collection
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"  # noqa: S105 - the name of a field
READING = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_YOU = (
    "<!doctype html><meta charset=utf-8><title>Quire</title><p>This is a viewer of Quire. Open the address that quire "
    "view has printed: it has a token that this one lacks.<p>Did you come here by a link, and have opened that address "
    'in this browser before? <a href="">Go on</a>.'
)
"""A link from another site comes without the cookie; from this page it comes with it."""


class Guard:
    """``hosts``: the names with ports by which this server may be called; ``cookie``: its name; ``writes``: whether
    anything but reading is let through."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Collection[str], cookie: str, writes: bool) -> None:
        self._app, self._token, self._cookie, self._writes = app, token, cookie, writes
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered in place of the page; None: let it through."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This is not the name of this viewer.", 403)
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = asked.pop(TOKEN, None)
        if given is not None and scope["method"] in READING and self._is_token(given[0]):
            return self._let_in(scope, asked)
        if not self._is_token(Request(scope).cookies.get(self._cookie, "")):
            return HTMLResponse(_NOT_YOU, 403)
        if scope["method"] in READING:
            return None
        if not self._writes:
            return PlainTextResponse("This viewer only shows; quire view --edit corrects.", 405, {"allow": "GET, HEAD"})
        if not self._is_from_here(headers):
            return PlainTextResponse("This did not come from a page of this viewer.", 403)
        return None

    def _let_in(self, scope: Scope, asked: dict[str, list[str]]) -> Response:
        """Keep the token in a cookie, and out of the address."""
        rest = urlencode(asked, doseq=True)
        # Relative, so that it also holds behind a proxy; quoted, as it is what somebody has typed.
        last = quote(scope["path"].rpartition("/")[2].encode(errors="replace"), safe=":")
        response = Response(status_code=303, headers={"location": f"./{last}" + (f"?{rest}" if rest else "")})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return response

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="replace"), self._token.encode())

    def _is_from_here(self, headers: Headers) -> bool:
        """By what the browser says of where it came from, and no page can change."""
        scheme, _, origin = headers.get("origin", "").partition("://")
        return scheme in ("http", "https") and origin.lower() == headers.get("host", "").lower()


def _with_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(each for each in _HEADERS if each[0] not in given)]
            if b"cache-control" not in given:
                message["headers"].append((b"cache-control", b"no-store"))
        await send(message)

    return send_with
