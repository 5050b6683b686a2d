"""The File API's store: what was uploaded, until it is deleted or 48 hours old. The bytes lie in the spool folder.

Result files are here too, since they are downloaded by a file name, but files.get and files.delete cannot name them.
How bytes arrive is in `emulator.uploads`.
"""

import base64
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.clock import Clock, wire_time
from emulator.errors import ServiceError, missing_file
from emulator.ids import FILE_ID_LENGTH, MAX_FILE_ID_LENGTH, IdSource
from emulator.options import EmulatorOptions
from emulator.tokens import image_size

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp", "image/heic", "image/heif"})
"""The image types that Gemini takes; jpg is no registered name, but was always understood."""

_FILE_ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(slots=True)
class StoredFile:
    """``ordinal``: the order of creation. ``deleted_at``: None while it was not deleted by a call."""

    ordinal: int
    name: str
    display_name: str
    mime_type: str
    size_bytes: int
    sha256: bytes
    path: Path
    created_at: datetime
    expires_at: datetime
    generated: bool = False
    deleted_at: datetime | None = None
    _image: tuple[int, int, str] | None = None
    _image_read: bool = False

    def exists(self, moment: datetime) -> bool:
        return self.deleted_at is None and moment < self.expires_at

    def state(self, moment: datetime) -> str:
        if self.deleted_at is not None:
            return "DELETED"
        return "ACTIVE" if moment < self.expires_at else "EXPIRED"

    def image(self) -> tuple[int, int, str] | None:
        """Width, height and format, read once; None if it is no picture."""
        if not self._image_read:
            self._image, self._image_read = image_size(self.path), True
        return self._image

    def resource(self, base_url: str) -> dict[str, Any]:
        """The File as the service answers it."""
        return {
            "name": self.name,
            **({"displayName": self.display_name} if self.display_name else {}),
            "mimeType": self.mime_type,
            "sizeBytes": str(self.size_bytes),
            "createTime": wire_time(self.created_at),
            "updateTime": wire_time(self.created_at),
            "expirationTime": wire_time(self.expires_at),
            "sha256Hash": base64.b64encode(self.sha256.hex().encode()).decode(),
            "uri": f"{base_url}/v1beta/{self.name}",
            "state": "ACTIVE",
            "source": "GENERATED" if self.generated else "UPLOADED",
        }


class FileStore:
    def __init__(self, options: EmulatorOptions, clock: Clock, ids: IdSource, spool: Path) -> None:
        self._options, self._clock, self._ids, self.spool = options, clock, ids, spool
        self._files: dict[str, StoredFile] = {}
        self.history: list[StoredFile] = []
        """Every uploaded file, also those that are gone."""
        self._count = 0

    def check_new(self, *, file_id: str | None, mime_type: str, size_bytes: int) -> str:
        """The name that a new upload gets. Raises ServiceError for what the service does not take."""
        if not mime_type:
            raise ServiceError(400, "Unsupported MIME type: .")
        if mime_type.startswith("image/") and mime_type not in IMAGE_TYPES:
            raise ServiceError(400, f"Unsupported MIME type: {mime_type}")
        if size_bytes > self._options.max_file_bytes:
            raise ServiceError(400, f"File size is too large: {size_bytes} bytes.")
        if self.stored_bytes() + size_bytes > self._options.max_storage_bytes:
            raise ServiceError(429, "You exceeded your current quota: file_storage_bytes.")
        if file_id is None:
            return f"files/{self._ids.new(FILE_ID_LENGTH)}"
        self.check_id(file_id)
        known = self._files.get(f"files/{file_id}")
        if known is not None and known.exists(self._clock.now()):
            raise ServiceError(409, f"Requested entity already exists: files/{file_id}")
        return f"files/{file_id}"

    @staticmethod
    def check_id(file_id: str) -> None:
        """Raises ServiceError 400 for an id that no uploaded file can have."""
        if len(file_id) > MAX_FILE_ID_LENGTH:
            raise ServiceError(400, f"Invalid file name: the id must be up to {MAX_FILE_ID_LENGTH} characters long.")
        if not _FILE_ID.fullmatch(file_id):
            raise ServiceError(
                400, "Invalid file name: the id may hold lower-case letters, digits and dashes, no dash at an end."
            )

    def add(
        self, name: str, *, display_name: str, mime_type: str, path: Path, sha256: bytes, generated: bool = False
    ) -> StoredFile:
        now = self._clock.now()
        self._count += 1
        stored = StoredFile(
            ordinal=self._count,
            name=name,
            display_name=display_name,
            mime_type=mime_type,
            size_bytes=path.stat().st_size,
            sha256=sha256,
            path=path,
            created_at=now,
            expires_at=now + timedelta(seconds=self._options.file_expiry_seconds),
            generated=generated,
        )
        self._files[name] = stored
        if not generated:
            self.history.append(stored)
        return stored

    def find(self, name: str, moment: datetime | None = None) -> StoredFile | None:
        """The file, or None if it was never there, was deleted, or had expired at ``moment`` (default: now)."""
        stored = self._files.get(name)
        return stored if stored is not None and stored.exists(moment or self._clock.now()) else None

    def get(self, file_id: str) -> StoredFile:
        """Raises ServiceError 400 for an impossible id, 403 for a file that is not there."""
        self.check_id(file_id)
        stored = self.find(f"files/{file_id}")
        if stored is None:
            raise missing_file(file_id)
        return stored

    def delete(self, file_id: str) -> None:
        """Raises as `get` does."""
        stored = self.get(file_id)
        stored.deleted_at = self._clock.now()
        del self._files[stored.name]
        stored.path.unlink(missing_ok=True)

    def uploaded(self) -> list[StoredFile]:
        """The uploaded files that are there now, newest first."""
        now = self._clock.now()
        return [stored for stored in reversed(self.history) if stored.exists(now)]

    def stored_bytes(self) -> int:
        now = self._clock.now()
        return sum(stored.size_bytes for stored in self._files.values() if stored.exists(now))

    def now(self) -> datetime:
        """The time by which files exist or not."""
        return self._clock.now()
