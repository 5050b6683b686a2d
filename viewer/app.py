"""The viewer as an ASGI application: which address shows what. Pages are made in threads, as they read files and decode
images; the event loop only hands them on.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from assets.domain.errors import CorrectionError, DiskError, ImageError, LockBusyError, QuireError
from viewer.collection import collection_page, failure_counts, failure_page
from viewer.comparisons import comparison_list, comparison_view
from viewer.document import document_page
from viewer.edit_routes import EditRoutes, form_token
from viewer.editing import Editor, EditPage, said_of
from viewer.finding import search_page
from viewer.guard import Guard
from viewer.links import ServerLinks
from viewer.page import number_of, page_view, read_result
from viewer.pictures import Picture
from viewer.rendering import FRONT, FRONT_FILES, Surroundings, moment, no_picture, render
from viewer.room import NotHereError, Room

T = TypeVar("T")
KEPT = {"cache-control": "private, max-age=604800, immutable"}
"""An image has its version in its address."""
FILES_ALONE = ", as the files alone tell"
SHORTLY = {"cache-control": "private, max-age=3600"}


def create_app(room: Room, *, token: str, hosts: Collection[str], cookie: str, editor: Editor | None = None) -> ASGIApp:
    """``room``: whose standing is read. ``hosts``, ``cookie``: see `viewer.guard`; ``editor``: None where pages are
    only shown."""
    pages = _Pages(room, editor.person if editor else "", form_token(token))
    corrections = list[Route]()
    if editor is not None:
        edit = EditRoutes(editor, token, pages.form, _aside)
        corrections = [
            Route("/edit/{key}", edit.edit, methods=["GET", "POST"]),
            Route("/check/{key}", edit.check, methods=["POST"]),
        ]
    app = Starlette(
        routes=[
            *corrections,
            Route("/", pages.collection),
            Route("/document/{name}", pages.document),
            Route("/page/{key}", pages.page),
            Route("/json/{key}", pages.json),
            Route("/small/{key}", pages.small),
            Route("/full/{key}", pages.full),
            Route("/search", pages.search),
            Route("/failures", pages.failures),
            Route("/failures/{kind}", pages.failure),
            Route("/comparisons", pages.comparisons),
            Route("/comparisons/{name}", pages.comparison),
            Route("/front/{name}", pages.front),
        ],
        exception_handlers={
            404: pages.not_here,
            NotHereError: pages.not_here,
            QuireError: pages.trouble,
            OSError: pages.trouble,
        },
    )
    return Guard(app, token=token, hosts=hosts, cookie=cookie, writes=editor is not None)


class _Pages:
    def __init__(self, room: Room, person: str, form: str) -> None:
        self._room, self._person, self._form_token = room, person, form

    async def collection(self, request: Request) -> Response:
        asked = _asked(request, "page", "sort", "order", "named", "showing")
        return await self._shown(
            request, "collection.html", lambda: {"view": collection_page(self._room, asked)}, asked
        )

    async def document(self, request: Request) -> Response:
        asked, name = _asked(request, "page"), request.path_params["name"]
        return await self._shown(
            request, "document.html", lambda: {"view": document_page(self._room, name, asked)}, asked
        )

    async def page(self, request: Request) -> Response:
        key, said = request.path_params["key"], said_of(_asked(request, "saved")["saved"], self._person)
        return await self._shown(request, "page.html", lambda: {"view": page_view(self._room, key), "said": said})

    async def form(self, request: Request, make: Callable[[], EditPage], status: int) -> Response:
        """The form of a page."""

        def look() -> dict[str, Any]:
            edit = make()
            return {"edit": edit, "view": edit.view, "said": ""}

        return await self._shown(request, "edit.html", look, status=status)

    async def search(self, request: Request) -> Response:
        asked = _asked(request, "q", "state", "kind", "document", "model", "prompt", "page")
        return await self._shown(
            request,
            "search.html",
            lambda: {"view": search_page(self._room, asked), "indexing": self._room.indexing},
            asked,
        )

    async def failures(self, request: Request) -> Response:
        return await self._shown(
            request, "failures.html", lambda: {"kinds": failure_counts(self._room.standing), "view": None}
        )

    async def failure(self, request: Request) -> Response:
        asked, kind = _asked(request, "page"), request.path_params["kind"]

        def look() -> dict[str, Any]:
            view = failure_page(self._room, kind, asked)
            return {"view": view, "kinds": view.kinds}

        return await self._shown(request, "failures.html", look, asked)

    async def comparisons(self, request: Request) -> Response:
        look = {"view": None}
        return await self._shown(request, "comparisons.html", lambda: {**look, "runs": comparison_list(self._room)})

    async def comparison(self, request: Request) -> Response:
        asked, name = _asked(request, "page"), request.path_params["name"]
        return await self._shown(
            request, "comparisons.html", lambda: {"view": comparison_view(self._room, name, asked)}, asked
        )

    async def json(self, request: Request) -> Response:
        key = request.path_params["key"]

        def read() -> bytes:
            number_of(self._room, self._room.standing, key)
            now = read_result(self._room, key)
            if now.result is None:
                raise NotHereError(now.problem or f"{key} has no result")
            return json.dumps(now.result, ensure_ascii=True, indent=2).encode()

        return Response(await _aside(read), media_type="application/json")

    async def small(self, request: Request) -> Response:
        return await self._picture(request, self._room.pictures.small)

    async def full(self, request: Request) -> Response:
        return await self._picture(request, self._room.pictures.full)

    async def front(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FRONT_FILES:
            raise NotHereError("there is no such file")
        content = await _aside((FRONT / name).read_bytes)
        return Response(content, media_type=FRONT_FILES[name], headers=SHORTLY)

    async def not_here(self, request: Request, error: Exception) -> Response:
        words = str(error) if isinstance(error, NotHereError) else "there is no such page"
        return await self._message(request, words, 404)

    async def trouble(self, request: Request, error: Exception) -> Response:
        """One line for what cannot be read now."""
        if isinstance(error, OSError):
            disk = DiskError.of(error)
            if disk is None:
                raise error
            error = disk
        status = 503 if isinstance(error, LockBusyError) else 422 if isinstance(error, CorrectionError) else 500
        return await self._message(request, str(error), status)

    async def _picture(self, request: Request, make: Callable[[Mapping[str, Any]], Picture]) -> Response:
        room, key = self._room, request.path_params["key"]

        def read() -> Picture:
            standing = room.standing
            return make(room.image_row(standing, number_of(room, standing, key)))

        try:
            picture = await _aside(read)
        except ImageError as error:
            return Response(no_picture(str(error)), media_type="image/svg+xml")
        except FileNotFoundError:
            return Response(no_picture("its image file is gone"), media_type="image/svg+xml")
        return Response(picture.content, media_type=picture.mime_type, headers=KEPT)

    async def _message(self, request: Request, words: str, status: int) -> Response:
        return await self._shown(request, "message.html", lambda: {"words": words}, status=status)

    async def _shown(
        self,
        request: Request,
        template: str,
        look: Callable[[], Mapping[str, Any]],
        asked: Mapping[str, str] | None = None,
        *,
        status: int = 200,
    ) -> Response:
        self._room.keeper.look_soon()
        up = "../" * (request.url.path.count("/") - 1)
        links = ServerLinks(up, asked)

        def make() -> str:
            return render(template, links, self._around(), **look())

        return HTMLResponse(await _aside(make), status)

    def _around(self) -> Surroundings:
        room = self._room
        standing = room.standing
        return Surroundings(
            room.settings.collection or room.settings.root.name,
            person=self._person,
            form_token=self._form_token if self._person else "",
            trouble=room.keeper.problem or "",
            as_of=f"as of {moment(standing.at)}" + (FILES_ALONE if standing.problem else ""),
            why_files=standing.problem or "",
        )


async def _aside(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call)


def _asked(request: Request, *names: str) -> dict[str, str]:
    """All of ``names``, "" for what was not asked."""
    return {name: request.query_params.get(name, "")[:500] for name in names}
