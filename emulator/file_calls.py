"""The File API over HTTP: upload, get, list, delete, download."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from emulator.errors import ServiceError, missing_file
from emulator.faults import Subject
from emulator.paging import page_of, page_size_of
from emulator.state import EmulatorState
from emulator.uploads import UploadSession
from emulator.wire import Wire, error_response, json_body

JsonObject = dict[str, object]

DEFAULT_PAGE_SIZE = 10
LARGEST_PAGE_SIZE = 100


class FileCalls:
    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self, wire: Wire, version: str) -> list[BaseRoute]:
        upload_start = wire.endpoint("upload_start", self.start, self.about_start)
        upload_chunk = wire.endpoint("upload_chunk", self.chunk, self.about_chunk, needs_key=False)

        async def upload(request: Request) -> Response:
            return await (upload_chunk if "upload_id" in request.query_params else upload_start)(request)

        download = wire.endpoint("download", self.download, self.about_file)
        return [
            Route(f"/upload/{version}/files", upload, methods=["POST"]),
            Route(f"/download/{version}/files/{{file_id}}:download", download),
            Route(f"/{version}/files/{{file_id}}:download", download),
            Route(f"/{version}/files/{{file_id}}", wire.endpoint("get_file", self.get, self.about_file)),
            Route(
                f"/{version}/files/{{file_id}}",
                wire.endpoint("delete_file", self.delete, self.about_file),
                methods=["DELETE"],
            ),
            Route(f"/{version}/files", wire.endpoint("list_files", self.list)),
        ]

    async def about_start(self, request: Request) -> Subject:
        file = _file(await json_body(request))
        return Subject(name=str(file.get("name") or ""), display_name=_display_name(file))

    async def about_chunk(self, request: Request) -> Subject:
        session = self._session(request)
        return Subject(name=session.name, display_name=session.display_name)

    async def about_file(self, request: Request) -> Subject:
        file_id = request.path_params["file_id"]
        job = self._state.jobs.find(file_id.removeprefix("batch-"))
        if job is not None:
            return Subject(f"files/{file_id}", job.display_name, job.model, tuple(job.keys))
        stored = self._state.files.find(f"files/{file_id}")
        return Subject(name=f"files/{file_id}", display_name=stored.display_name if stored else "")

    async def start(self, request: Request) -> Response:
        if request.headers.get("x-goog-upload-protocol") != "resumable":
            raise ServiceError(400, "Only the resumable upload protocol is supported.")
        if request.headers.get("x-goog-upload-command") != "start":
            raise ServiceError(400, "An upload begins with X-Goog-Upload-Command: start.")
        session = self._state.uploads.start(
            _file(await json_body(request)),
            header_bytes=request.headers.get("x-goog-upload-header-content-length"),
            header_type=request.headers.get("x-goog-upload-header-content-type"),
        )
        base = f"{_base_url(request)}{request.url.path}"
        url = f"{base}?upload_id={quote(session.upload_id)}&upload_protocol=resumable"
        return Response(
            status_code=200,
            headers={
                "X-Goog-Upload-URL": url,
                "X-Goog-Upload-Control-URL": url,
                "X-Goog-Upload-Status": "active",
                "X-Goog-Upload-Chunk-Granularity": "8388608",
            },
        )

    async def chunk(self, request: Request) -> Response:
        session = self._session(request)
        commands = {part.strip() for part in request.headers.get("x-goog-upload-command", "").split(",")}
        if "query" in commands:
            return _progress(session)
        if "cancel" in commands:
            self._state.uploads.cancel(session)
            return Response(status_code=200, headers={"X-Goog-Upload-Status": "cancelled"})
        try:
            offset = int(request.headers.get("x-goog-upload-offset", "0"))
            await self._state.uploads.take_chunk(
                session, offset=offset, finalize="finalize" in commands, body=request.stream()
            )
        except ValueError:
            raise ServiceError(400, "X-Goog-Upload-Offset is no number.") from None
        except ServiceError as error:
            return error_response(error, {"X-Goog-Upload-Status": "final"})
        if session.stored is None:
            return _progress(session)
        return JSONResponse(
            {"file": session.stored.resource(_base_url(request))}, headers={"X-Goog-Upload-Status": "final"}
        )

    async def get(self, request: Request) -> JsonObject:
        return self._state.files.get(request.path_params["file_id"]).resource(_base_url(request))

    async def delete(self, request: Request) -> JsonObject:
        self._state.files.delete(request.path_params["file_id"])
        return {}

    async def list(self, request: Request) -> JsonObject:
        query = request.query_params
        size = page_size_of(query.get("pageSize"), default=DEFAULT_PAGE_SIZE, largest=LARGEST_PAGE_SIZE)
        page, token = page_of(
            self._state.files.uploaded(), lambda stored: stored.ordinal, size, query.get("pageToken") or ""
        )
        foreign = [] if query.get("pageToken") else list(self._state.rules.rules.foreign_files)
        files = foreign + [stored.resource(_base_url(request)) for stored in page]
        return {**({"files": files} if files else {}), **({"nextPageToken": token} if token else {})}

    async def download(self, request: Request) -> Response:
        """Only what the service made itself can be downloaded."""
        file_id = request.path_params["file_id"]
        stored = self._state.files.find(f"files/{file_id}")
        if stored is None:
            raise missing_file(file_id)
        if not stored.generated:
            raise ServiceError(400, "Only generated files can be downloaded.")
        return FileResponse(stored.path, media_type="application/octet-stream")

    def _session(self, request: Request) -> UploadSession:
        session = self._state.uploads.find(request.query_params["upload_id"])
        if session is None:
            raise ServiceError(404, "This upload is not known.")
        return session


def _file(body: dict[str, object]) -> dict[str, object]:
    file = body.get("file", {})
    if not isinstance(file, dict):
        raise ServiceError(400, "Invalid value at 'file': an object is wanted.")
    return file


def _display_name(file: dict[str, object]) -> str:
    return str(file.get("display_name") or file.get("displayName") or "")


def _progress(session: UploadSession) -> Response:
    headers = {"X-Goog-Upload-Status": "active", "X-Goog-Upload-Size-Received": str(session.received_bytes)}
    return Response(status_code=200, headers=headers)


def _base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
