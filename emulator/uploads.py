"""Resumable uploads: sessions that are started, take chunks at their offsets, and end as a stored file."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from emulator.errors import ServiceError
from emulator.files import FileStore, StoredFile
from emulator.ids import FILE_ID_LENGTH, IdSource


@dataclass(slots=True)
class UploadSession:
    """``received_bytes``: how much has arrived; a chunk whose offset is lower is a replay."""

    upload_id: str
    name: str
    display_name: str
    mime_type: str
    size_bytes: int
    path: Path
    received_bytes: int = 0
    stored: StoredFile | None = None


class Uploads:
    def __init__(self, files: FileStore, ids: IdSource) -> None:
        self._files, self._ids = files, ids
        self._sessions: dict[str, UploadSession] = {}

    def start(self, file: dict[str, Any], *, header_bytes: str | None, header_type: str | None) -> UploadSession:
        """Open a session. ``file``: the body's `file`, in snake_case or camelCase; the headers fill what it lacks.

        Raises ServiceError.
        """
        name = file.get("name")
        file_id = str(name).removeprefix("files/") if name else None
        mime_type = str(file.get("mime_type") or file.get("mimeType") or header_type or "").lower()
        size_text = file.get("size_bytes") or file.get("sizeBytes") or header_bytes or 0
        try:
            size_bytes = int(size_text)
        except (TypeError, ValueError):
            raise ServiceError(400, f"Invalid value at 'file.size_bytes' (TYPE_INT64), \"{size_text}\"") from None
        resource_name = self._files.check_new(file_id=file_id, mime_type=mime_type, size_bytes=size_bytes)
        upload_id = self._ids.new(FILE_ID_LENGTH * 2)
        session = UploadSession(
            upload_id=upload_id,
            name=resource_name,
            display_name=str(file.get("display_name") or file.get("displayName") or ""),
            mime_type=mime_type,
            size_bytes=size_bytes,
            path=self._files.spool / f"upload-{upload_id}",
        )
        self._sessions[upload_id] = session
        return session

    def find(self, upload_id: str) -> UploadSession | None:
        return self._sessions.get(upload_id)

    async def take_chunk(
        self, session: UploadSession, *, offset: int, finalize: bool, body: AsyncIterator[bytes]
    ) -> None:
        """Write one chunk, skipping what has arrived before; a finished session takes replays and changes nothing.

        Raises ServiceError 400 for a gap, for more bytes than announced, and for an end that comes too early.
        """
        if session.stored is not None:
            async for _ in body:
                pass
            return
        if offset > session.received_bytes:
            async for _ in body:
                pass
            raise ServiceError(400, f"Expected offset {session.received_bytes}, got {offset}.")
        with session.path.open("ab") as spool:
            position = offset
            async for piece in body:
                position = _append(session, spool, piece, position)
        if session.size_bytes and session.received_bytes > session.size_bytes:
            raise ServiceError(400, f"More than the announced {session.size_bytes} bytes were sent.")
        if finalize:
            self._finalize(session)

    def cancel(self, session: UploadSession) -> None:
        self._sessions.pop(session.upload_id, None)
        if session.stored is None:
            session.path.unlink(missing_ok=True)

    def _finalize(self, session: UploadSession) -> None:
        if session.received_bytes < session.size_bytes:
            raise ServiceError(400, f"Only {session.received_bytes} of {session.size_bytes} bytes were sent.")
        with session.path.open("rb") as spool:
            digest = hashlib.file_digest(spool, "sha256").digest()
        session.stored = self._files.add(
            session.name,
            display_name=session.display_name,
            mime_type=session.mime_type,
            path=session.path,
            sha256=digest,
        )


def _append(session: UploadSession, spool: IO[bytes], piece: bytes, position: int) -> int:
    """Write the part of ``piece`` that is new; ``position`` is where it starts. Returns where the next one does."""
    known_bytes = session.received_bytes - position
    if known_bytes < len(piece):
        fresh = piece[max(known_bytes, 0) :]
        spool.write(fresh)
        session.received_bytes += len(fresh)
    return position + len(piece)
