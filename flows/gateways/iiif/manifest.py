"""IIIF manifests and collections, of the Presentation API 2 and 3, as values. Somebody else's JSON: whatever is not as
the API has it is passed over or told, and nothing in it is taken for a path. Where the images are asked for: `images`.

Sources: iiif.io/api/presentation/2.1 and 3.0.
"""

import json
from collections.abc import Iterator
from typing import Any

from assets.domain.errors import FetchError
from assets.fetching import Canvas, IiifCollection, IiifDocument

MAX_MANIFEST_BYTES = 64_000_000
MAX_CANVASES = 50_000
MAX_MANIFESTS = 10_000
MAX_TEXT_CHARS = 2_000
JSON_TYPES = "application/ld+json, application/json;q=0.9, */*;q=0.1"
_LANGUAGES = ("none", "@none", "en")


def read_manifest(content: bytes, address: str) -> IiifDocument | IiifCollection:
    """``address``: where the content came from. Raises FetchError."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        raise FetchError(address, "is no JSON, so no IIIF manifest") from None
    if not isinstance(tree, dict):
        raise FetchError(address, "is no IIIF manifest")
    kind = _plain_type(tree)
    if kind == "collection":
        return _collection(tree, address)
    if kind == "manifest":
        return _manifest(tree, address)
    if "tiles" in tree or "profile" in tree:
        raise FetchError(address, "tells of one image (info.json); the address of the manifest is wanted")
    raise FetchError(address, "is no IIIF manifest of the Presentation API 2 or 3, and no collection of them")


def _manifest(tree: dict[str, Any], address: str) -> IiifDocument:
    version = 3 if "items" in tree else 2
    listed = _dicts(tree.get("items")) if version == 3 else _first_sequence(tree)
    found = [each for each in listed if _plain_type(each) in ("canvas", "")]
    if not found:
        raise FetchError(address, "the manifest has no pages")
    if len(found) > MAX_CANVASES:
        raise FetchError(address, f"the manifest has {len(found):,} pages, more than any document")
    several: list[str] = []
    canvases = tuple(_canvas(each, number, version, several) for number, each in enumerate(found, start=1))
    notes = []
    if empty := [str(each.number) for each in canvases if not each.image]:
        notes.append(f"{_pages(empty)} of the manifest without an image: nothing is fetched there")
    if several:
        notes.append(f"{_pages(several)} of the manifest with several images: the first that fills the page is fetched")
    required = tree.get("requiredStatement")
    attribution = required.get("value") if isinstance(required, dict) else tree.get("attribution")
    provider = next(iter(_dicts(tree.get("provider"))), {}).get("label")
    return IiifDocument(
        id=_id(tree) or address,
        version=version,
        label=_text(tree.get("label")),
        rights=_text(tree.get("rights") or tree.get("license")),
        attribution=_text(attribution),
        provider=_text(provider),
        canvases=canvases,
        notes=tuple(notes),
    )


def _collection(tree: dict[str, Any], address: str) -> IiifCollection:
    members = [*_dicts(tree.get("items")), *_dicts(tree.get("members")), *_dicts(tree.get("manifests"))]
    members += _dicts(tree.get("collections"))
    manifests = [_id(each) for each in members if _plain_type(each) == "manifest"]
    collections = [_id(each) for each in members if _plain_type(each) == "collection"]
    found = IiifCollection(
        _id(tree) or address,
        _text(tree.get("label")),
        tuple(dict.fromkeys(each for each in manifests if each)),
        tuple(dict.fromkeys(each for each in collections if each)),
    )
    if not found.manifests and not found.collections:
        raise FetchError(address, "the collection lists no manifest")
    return found


def _first_sequence(tree: dict[str, Any]) -> list[dict[str, Any]]:
    sequences = _dicts(tree.get("sequences"))
    return _dicts(sequences[0].get("canvases")) if sequences else []


def _canvas(tree: dict[str, Any], number: int, version: int, several: list[str]) -> Canvas:
    bodies = list(_painted(tree) if version == 3 else _painted_2(tree))
    if len(bodies) > 1:
        several.append(str(number))
    body = next((body for body, is_part in bodies if not is_part), bodies[0][0] if bodies else {})
    service = next((_id(each) for each in _dicts(body.get("service")) if _is_image_service(each)), "")
    image = _id(body) or service
    return Canvas(number, _text(tree.get("label")), _id(tree) or image, image, service.rstrip("/"))


def _painted(canvas: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """The images of a canvas of API 3, and whether each fills a part of it only."""
    for page in _dicts(canvas.get("items")):
        for annotation in _dicts(page.get("items")):
            if annotation.get("motivation", "painting") not in ("painting", ["painting"]):
                continue
            for body in _dicts(annotation.get("body")):
                if (image := _image_of(body)) is not None:
                    yield image, "#xywh" in _target(annotation.get("target"))
                    break  # several bodies of one annotation are a choice of one


def _painted_2(canvas: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    for annotation in _dicts(canvas.get("images")):
        for body in _dicts(annotation.get("resource")):
            if (image := _image_of(body)) is not None:
                yield image, "#xywh" in _target(annotation.get("on"))
                break


def _image_of(body: dict[str, Any], depth: int = 0) -> dict[str, Any] | None:
    """The image that a body is, chooses by default, or takes a part of."""
    kind = _plain_type(body)
    if kind == "image" and _id(body):
        return body
    if depth > 3:
        return None
    if kind == "choice":
        inner = [*_dicts(body.get("default")), *_dicts(body.get("items")), *_dicts(body.get("item"))]
    elif kind == "specificresource":
        inner = [*_dicts(body.get("source")), *_dicts(body.get("full"))]
    else:
        return None
    return next((image for each in inner if (image := _image_of(each, depth + 1)) is not None), None)


def _is_image_service(tree: dict[str, Any]) -> bool:
    said = " ".join(str(tree.get(name, "")) for name in ("type", "@type", "@context", "profile", "protocol")).lower()
    return bool(_id(tree)) and any(word in said for word in ("imageservice", "api/image", "image-api", "level"))


def _plain_type(tree: dict[str, Any]) -> str:
    """``sc:Manifest`` and ``Manifest`` are "manifest"."""
    kind = tree.get("type") or tree.get("@type") or ""
    return kind.rpartition(":")[2].lower() if isinstance(kind, str) else ""


def _id(tree: dict[str, Any]) -> str:
    found = tree.get("id") or tree.get("@id")
    return found.strip() if isinstance(found, str) else ""


def _target(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: object) -> list[dict[str, Any]]:
    """The objects in a list, or the one that stands there without one."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _text(value: object, depth: int = 0) -> str:
    """A label as one line: API 2 has a text, an object with a language or a list of either, API 3 a list of texts for
    each language, of which the first of `_LANGUAGES` is taken, else the first."""
    if isinstance(value, str):
        return " ".join(value.split())[:MAX_TEXT_CHARS]
    if depth > 3:
        return ""
    if isinstance(value, list):
        texts = list(dict.fromkeys(text for each in value[:100] if (text := _text(each, depth + 1))))
        return "; ".join(texts)[:MAX_TEXT_CHARS]
    if isinstance(value, dict):
        if "@value" in value:
            return _text(value["@value"], depth + 1)
        language = next((each for each in _LANGUAGES if each in value), next(iter(value), None))
        return _text(value[language], depth + 1) if language is not None else ""
    return ""


def _pages(numbers: list[str]) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return f"page{'s' if numbers[1:] else ''} {', '.join(numbers[:5])}{more}"
