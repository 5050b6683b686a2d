"""One upload over the resumable protocol of the File API: a start, then the chunks. Made here and not by the SDK, which
reads a file in the event loop, so that a slow share holds up all uploads. Which tries there are stands in
`gemini.uploads`, what an error means in `gemini.errors`.
"""

import asyncio
import io
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from assets.domain.batch import RemoteFile
from assets.domain.errors import GeminiRefusedError
from flows.gateways.gemini.answers import OFFSET_HEADER, check_answer, object_of
from flows.gateways.gemini.page_calls import PageCalls
from flows.gateways.gemini.values import uploaded_file

CHUNK_BYTES = 8 * 1024 * 1024
"""The granularity that the service names, and what the SDK sends (google-genai 3.6)."""
FAILED = "FAILED"


class Sender:
    """``address``: of the service, without a path; ``key_header``: goes along with the start alone, as an upload's own
    address is its right to be written to; ``request_seconds``: for each request."""

    def __init__(
        self,
        calls: PageCalls,
        *,
        address: str,
        api_version: str,
        key_header: dict[str, str],
        request_seconds: float,
    ) -> None:
        self._calls = calls
        self._home = urlsplit(address)
        self._start = f"{address.rstrip('/')}/upload/{api_version}/files"
        self._key_header = key_header
        self._seconds = request_seconds

    async def send(self, stream: IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile:
        """Send a stream from where it stands to its end. Raises AnsweredError, OSError, CallError, TimeoutError;
        KeyError, TypeError or ValueError for an answer that makes no sense; GeminiRefusedError for a file that failed
        there."""
        begin = stream.tell()
        size = stream.seek(0, io.SEEK_END) - begin
        stream.seek(begin)
        url = await self._started(display_name, mime_type, size)
        offset, answer, is_on_disk = 0, None, not isinstance(stream, io.BytesIO)
        while answer is None or offset < size:
            # A share can take its time, and all other uploads would wait with it.
            chunk = await asyncio.to_thread(stream.read, CHUNK_BYTES) if is_on_disk else stream.read(CHUNK_BYTES)
            is_last = offset + len(chunk) >= size
            answer = await self._calls.call(
                "POST",
                url,
                content=chunk,
                headers={
                    "X-Goog-Upload-Command": "upload, finalize" if is_last else "upload",
                    OFFSET_HEADER: str(offset),
                },
                seconds=self._seconds,
            )
            check_answer(answer)
            offset += len(chunk)
            status = answer.headers.get("X-Goog-Upload-Status", "")
            if status != ("final" if is_last else "active"):
                raise ValueError(
                    f"the upload is {status or 'of no state'} after {offset} of {size} bytes: not finalized"
                )
        file: dict[str, Any] = object_of(answer)["file"]
        if isinstance(file, dict) and file.get("state") == FAILED:
            raise GeminiRefusedError(f"upload of {display_name}: Gemini could not process the file")
        return uploaded_file(file)

    async def _started(self, display_name: str, mime_type: str, size: int) -> str:
        """The address that the chunks go to."""
        answer = await self._calls.call(
            "POST",
            self._start,
            json={"file": {"display_name": display_name, "mime_type": mime_type, "size_bytes": str(size)}},
            headers={
                **self._key_header,
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": mime_type,
            },
            seconds=self._seconds,
        )
        check_answer(answer)
        told = urlsplit(answer.headers["X-Goog-Upload-URL"])
        # To the service that is named in the settings, as the SDK does: what stands between may tell another address.
        return urlunsplit(told._replace(scheme=self._home.scheme, netloc=self._home.netloc))
