"""Why a page that a person asks for is not in the record manifest, as far as files tell: what the scan left out stands
in manifests/left_out.parquet.
"""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from assets.domain.errors import RecordKeyError
from assets.domain.labels import canonical_label
from assets.domain.record import RecordKey, parse_key
from config.settings import Settings
from flows.gateways.files.storage import Storage


def why_left_out(settings: Settings, storage: Storage, record_key: str) -> str:
    """In words; where no file tells it, where to look."""
    if not storage.has_records():
        return "there is none yet; run quire scan first"
    key = parse_key(record_key)
    for path, reason, of in _left_out(storage):
        if of == record_key or (of is None and _is_of(path, key, settings.record.page_pattern)):
            return f"the scan left out {path}: {reason}"
    place = settings.paths.page_images.joinpath(*key.fields) / key.label
    parts = [f"is its image there ({place}.jpg or alike), and was quire scan run since?"]
    if settings.filters:
        parts.append(f"do the filters let it through ({', '.join(settings.filters)})?")
    if settings.paths.allow_list is not None:
        parts.append(f"does the allow list name it ({settings.paths.allow_list})?")
    return " ".join(parts)


def _left_out(storage: Storage) -> list[tuple[str, str, str | None]]:
    table = storage.read_left_out()
    columns = [table[name].to_pylist() for name in ("path", "reason", "record_key")]
    return list(zip(*columns, strict=True))


def _is_of(path: str, key: RecordKey, page_pattern: str) -> bool:
    """Whether ``path`` is a file of the page, the file or folder of its document, or a folder around that."""
    path, _, page_of_pdf = path.partition(".pdf, page ")
    if page_of_pdf and page_of_pdf != key.label:
        return False
    parts = tuple(unicodedata.normalize("NFC", part) for part in PurePosixPath(path).parts)
    stem, depth = PurePosixPath(parts[-1] if parts else "").stem, len(key.fields)
    if parts[-depth - 1 : -1] == key.fields:
        return _label_in(stem, page_pattern) == key.label
    around = key.fields[: len(parts)]
    return bool(parts) and (_ends(parts, stem, key.fields) or parts == around)


def _ends(parts: Sequence[str], stem: str, fields: Sequence[str]) -> bool:
    last = tuple(parts[-len(fields) :])
    return tuple(fields) in (last, (*last[:-1], stem))


def _label_in(stem: str, page_pattern: str) -> str | None:
    match = re.fullmatch(page_pattern, stem) or re.search(r"(?P<page>[0-9]+)$", stem)
    try:
        return canonical_label(match["page"] if match is not None else stem)
    except RecordKeyError:
        return None
