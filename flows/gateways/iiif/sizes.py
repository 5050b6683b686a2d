"""How a page's image is asked for: the addresses that a IIIF image server takes, by what its info.json says of it, and
what came of it as a file. Sizes are those of the whole page; nothing is ever enlarged.

Sources: iiif.io/api/image/1.1, 2.1 and 3.0 with their compliance levels: at level 0 only the sizes that are listed and
the whole image need exist; from level 1 on any width; the canonical form of a size is ``w,`` before version 3 and
``w,h`` since. Servers differ, so the other form is asked for where the first one is refused.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from assets.domain.errors import FetchError, FetchTransientError

MAX_INFO_BYTES = 5_000_000
_LEVEL = re.compile(r"level([012])")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """``service``: its address; ``version``: of the Image API, 1 to 3; ``level``: of compliance, 0 to 2; ``size``:
    width and height of the whole image, in pixels; ``sizes``: others that are listed; ``most``: the greatest width and
    height that are given, None where nothing is said; ``most_pixels``: likewise."""

    service: str
    version: int
    level: int
    size: tuple[int, int]
    sizes: tuple[tuple[int, int], ...]
    most: tuple[int, int] | None
    most_pixels: int | None


def read_info(content: bytes, address: str, service: str) -> ImageInfo:
    """``address``: of the info.json; ``service``: what is taken where it does not name itself. Raises FetchError."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        raise FetchError(address, "is no info.json of a IIIF image server") from None
    size = _pair(tree)
    if size is None:
        raise FetchError(address, "is no info.json of a IIIF image server: it names no width and height")
    profile = json.dumps(tree.get("profile", ""))[:10_000]
    level = _LEVEL.search(profile)
    limits = next((each for each in _list(tree.get("profile")) if isinstance(each, dict)), tree)
    width, height = (_whole(limits.get(name)) or _whole(tree.get(name)) for name in ("maxWidth", "maxHeight"))
    return ImageInfo(
        service,
        _version(tree),
        int(level.group(1)) if level else 0,
        size,
        tuple(dict.fromkeys(pair for each in _list(tree.get("sizes")) if (pair := _pair(each)) is not None)),
        (width, height or width) if width else None,
        _whole(limits.get("maxArea")) or _whole(tree.get("maxArea")),
    )


def image_addresses(info: ImageInfo, max_side_pixels: int | None) -> list[str]:
    """The addresses to ask for the page, the best first. ``max_side_pixels``: the longest side that is wanted; None: as
    large as it is given."""
    room = _room(info, max_side_pixels)
    whole = ["max", "full"] if info.version >= 3 or info.most or info.most_pixels else ["full", "max"]
    if info.version == 1:
        whole = ["full"]
    if room >= 1:
        sizes = whole
    elif info.level == 0:
        sizes = [*_listed(info, max_side_pixels), *whole]
    else:
        width, height = (max(1, math.floor(each * room)) for each in info.size)
        sizes = _forms(info.version, width, height)
    quality = "native" if info.version == 1 else "default"
    return [f"{info.service}/full/{size}/0/{quality}.jpg" for size in sizes]


def check_whole(content: bytes, address: str) -> None:
    """Raise FetchTransientError for an image that ends too early: not every answer says how long it is, and some
    servers stop in the middle and say that it is all."""
    if content.startswith(b"\xff\xd8"):
        is_whole = b"\xff\xd9" in content[-2_000:]
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        is_whole = b"IEND" in content[-2_000:]
    elif content[:4] == b"RIFF":
        is_whole = len(content) >= int.from_bytes(content[4:8], "little")
    else:
        is_whole = bool(content)
    if not is_whole:
        raise FetchTransientError(address, "the image is cut off")


def _room(info: ImageInfo, max_side_pixels: int | None) -> float:
    """What all sides are to be multiplied by; 1 and more: the whole image is small enough."""
    width, height = info.size
    factors = [1.0]
    if max_side_pixels is not None:
        factors.append(max_side_pixels / max(width, height))
    if info.most is not None and max_side_pixels is not None:
        factors += [info.most[0] / width, info.most[1] / height]
    if info.most_pixels is not None and max_side_pixels is not None:
        factors.append(math.sqrt(info.most_pixels / (width * height)))
    return min(factors)


def _listed(info: ImageInfo, max_side_pixels: int | None) -> list[str]:
    """Forms of a size that is listed: the largest that is not too large; but the next one, or the whole image, if that
    has less than half of the side that is wanted: small print could not be read."""
    if max_side_pixels is None:
        return []
    sizes = sorted({*info.sizes, info.size}, key=max)
    fitting = [size for size in sizes if max(size) <= max_side_pixels]
    larger = [size for size in sizes if max(size) > max_side_pixels]
    best = fitting[-1] if fitting and (max(fitting[-1]) * 2 >= max_side_pixels or not larger) else larger[0]
    return [] if best == info.size else _forms(info.version, *best)


def _forms(version: int, width: int, height: int) -> list[str]:
    forms = [f"{width},{height}", f"{width},"]
    return forms if version >= 3 else forms[::-1]


def _version(tree: dict[str, Any]) -> int:
    said = json.dumps([tree.get("@context"), tree.get("profile"), tree.get("type")])
    if "api/image/3" in said or "ImageService3" in said:
        return 3
    return 2 if "api/image/2" in said or tree.get("protocol") == "http://iiif.io/api/image" else 1


def _pair(tree: object) -> tuple[int, int] | None:
    if not isinstance(tree, dict):
        return None
    width, height = _whole(tree.get("width")), _whole(tree.get("height"))
    return (width, height) if width and height else None


def _whole(value: object) -> int | None:
    """A number of pixels, or None for whatever is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
