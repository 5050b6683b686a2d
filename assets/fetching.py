"""What a IIIF manifest comes to: the values that a gateway makes of it, the name of its document, and which of its
images are fetched. Nothing is fetched here (`flows.fetch`), and no JSON is read (`flows.gateways.iiif.manifest`).

An image that lies there is never exchanged without a person's word: a crop that somebody made by hand would be gone,
and results would be taken for those of another picture.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_NAME_CHARS = 100
_SAYS_NOTHING = frozenset(
    {
        "manifest",
        "manifest.json",
        "manifests",
        "iiif",
        "presentation",
        "api",
        "metadata",
        "info.json",
        "v2",
        "v3",
        "2",
        "3",
    }
)
"""Parts of an address, in small letters, that name no document."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A page of a manifest. ``number``: its place, from 1; ``label``: as its people call it, such as "f. 12r", or "";
    ``id``: its address; ``image``: the address of its image as it stands in the manifest, "" where it has none;
    ``service``: that of the image's service, "" where it has none."""

    number: int
    label: str
    id: str
    image: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class IiifDocument:
    """A manifest. ``id``: its own address; ``version``: of the Presentation API, 2 or 3; ``label``, ``rights``,
    ``attribution``, ``provider``: as text, "" where nothing is said; ``notes``: what a person should know."""

    id: str
    version: int
    label: str
    rights: str
    attribution: str
    provider: str
    canvases: tuple[Canvas, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IiifCollection:
    """A list of manifests. ``manifests``, ``collections``: addresses, in its order."""

    id: str
    label: str
    manifests: tuple[str, ...]
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """An image that was fetched. ``page``: its number; ``file``: its name in the document's folder; ``label``,
    ``canvas``: of its canvas; ``image``: the address that it came from; ``width``, ``height``: of the file, in pixels;
    ``max_side_pixels``: the setting then; ``sha256``: of the file, in hex; ``etag``, ``last_modified``: as the server
    said; ``fetched_at``: UTC, ISO 8601."""

    page: int
    file: str
    label: str
    canvas: str
    image: str
    width: int
    height: int
    max_side_pixels: int | None
    bytes: int
    sha256: str
    etag: str = ""
    last_modified: str = ""
    fetched_at: str = ""


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """``fetch``: what is asked for, each with the one that lies there and may still be what the server has;
    ``whole``: how many lie there as they were fetched; ``notes``: what stays as it is and why, for a person."""

    fetch: tuple[tuple[Canvas, FetchedPage | None], ...]
    whole: int
    notes: tuple[str, ...] = ()


def document_name(address: str) -> str:
    """A safe name for the document of a manifest, made of its address: the last part that says something. ASCII
    letters, digits, ``.``, ``_`` and ``-``; the same for the same address."""
    parts = urlsplit(address)
    path = [part for each in parts.path.split("/") for part in unquote(each).split("/") if part.strip()]
    said = [part for part in path if part.lower() not in _SAYS_NOTHING]
    name = said[-1] if said else parts.hostname or "document"
    # An address may keep the name of the document in its question alone.
    if parts.query:
        name = f"{name}_{unquote(parts.query)}"
    plain = unicodedata.normalize("NFKD", re.sub(r"\.json$", "", name, flags=re.IGNORECASE))
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", plain.encode("ascii", "ignore").decode()).strip("._-")
    return safe[:MAX_NAME_CHARS].rstrip("._-") or "document"


def plan_fetch(
    canvases: Sequence[Canvas],
    noted: Mapping[int, FetchedPage],
    *,
    names: Mapping[int, str],
    stems: Collection[str],
    is_whole: Callable[[FetchedPage], bool | None],
    max_side_pixels: int | None,
    replace: bool,
) -> FetchPlan:
    """Which images are asked for. ``noted``: by page, what was fetched before; ``names``: by page, what its image is to
    be called, without its ending; ``stems``: what the images in the document's folder are called; ``is_whole``: whether
    the file lies there as it was fetched, or None if it does not lie there; ``replace``: a person wants what is other
    here or there exchanged."""
    fetch: list[tuple[Canvas, FetchedPage | None]] = []
    whole = 0
    stays: dict[str, list[str]] = {}
    for canvas in canvases:
        if not canvas.image:
            continue
        old = noted.get(canvas.number)
        if old is None:
            if names[canvas.number] in stems:
                reason = "not fetched, so it stays; move it away to have the page fetched"
                stays.setdefault(reason, []).append(names[canvas.number])
            else:
                fetch.append((canvas, None))
            continue
        found = is_whole(old)
        if found is None:
            fetch.append((canvas, None))
            continue
        reason = _why_other(canvas, old, found, names[canvas.number], max_side_pixels)
        if replace:
            fetch.append((canvas, old if not reason else None))
        elif reason:
            stays.setdefault(f"{reason}; stays as it is, --replace fetches it anew", []).append(old.file)
        else:
            whole += 1
    known = {canvas.number for canvas in canvases}
    gone = [page.file for number, page in sorted(noted.items()) if number not in known]
    if gone:
        stays["no page of the manifest any more; stays, delete it if it is not wanted"] = gone
    notes = tuple(f"{some(files)}: {reason}" for reason, files in stays.items())
    return FetchPlan(tuple(fetch), whole, notes)


def moved(canvases: Sequence[Canvas], noted: Mapping[int, FetchedPage]) -> str | None:
    """What to say if pages that were fetched would bear another number by the manifest of today; None if none does."""
    places = {canvas.id: canvas.number for canvas in canvases}
    other = [page for page in noted.values() if places.get(page.canvas, page.page) != page.page]
    if not other:
        return None
    page = min(other, key=lambda each: each.page)
    return (
        f"the manifest has changed: what was page {page.page} is page {places[page.canvas]} now, like {len(other) - 1} "
        "more that have moved; results of before would be taken for those of other pages"
    )


def some(names: Sequence[str], most: int = 3) -> str:
    """A few of the names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _why_other(canvas: Canvas, old: FetchedPage, is_whole: bool, name: str, max_side_pixels: int | None) -> str:
    if not is_whole:
        return "not as it was fetched (edited or damaged)"
    if old.canvas != canvas.id:
        return "another page by the manifest of today"
    if old.file.rpartition(".")[0] != name:
        return "called otherwise by now (iiif.page_names)"
    if old.max_side_pixels != max_side_pixels:
        return f"fetched with iiif.max_side_pixels {old.max_side_pixels or 'null'}"
    return ""
