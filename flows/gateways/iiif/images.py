"""The image of a page, asked for at its server: first what the server can do, then the image, in the first form that it
takes. Which forms there are stands in `sizes`.
"""

from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from assets.domain.errors import FetchError, FetchStopError
from assets.fetching import Canvas, FetchedPage
from flows.gateways.iiif.client import Answer, IiifClient
from flows.gateways.iiif.manifest import JSON_TYPES
from flows.gateways.iiif.sizes import MAX_INFO_BYTES, check_whole, image_addresses, read_info

MAX_IMAGE_BYTES = 300_000_000
IMAGE_TYPES = "image/jpeg, image/png;q=0.9, image/*;q=0.8"
REFUSALS = frozenset({400, 404, 501})
"""What a server answers to a form of a size that it does not know."""


@dataclass(slots=True)
class ImageServers:
    """Remembers of each server which form it took."""

    client: IiifClient
    _forms: dict[str, int] = field(default_factory=dict)

    async def image(self, canvas: Canvas, old: FetchedPage | None, max_side_pixels: int | None) -> tuple[Answer, str]:
        """The image of the page, and the address that it came from. ``old``: what lies there; if the server still has
        that, the answer may be without it. Raises FetchError, FetchStopError."""
        addresses, host = await self._addresses(canvas, max_side_pixels), urlsplit(canvas.service).netloc
        at = min(self._forms.get(host, 0), len(addresses) - 1)
        order = [*range(at, len(addresses)), *range(at)]
        for number in order:
            address = addresses[number]
            same = old if old is not None and old.image == address else None
            try:
                answer = await self.client.get(
                    address,
                    accept=IMAGE_TYPES,
                    most_bytes=MAX_IMAGE_BYTES,
                    etag=same.etag if same else "",
                    last_modified=same.last_modified if same else "",
                    check=partial(check_whole, address=address),
                )
            except FetchError as error:
                if error.status not in REFUSALS or number == order[-1]:
                    raise
                continue
            self._forms[host] = number
            return answer, address
        raise FetchError(canvas.id, "names no image")

    async def _addresses(self, canvas: Canvas, max_side_pixels: int | None) -> list[str]:
        if not canvas.service:
            return [canvas.image]
        where = f"{canvas.service}/info.json"
        try:
            said = await self.client.get(where, accept=JSON_TYPES, most_bytes=MAX_INFO_BYTES)
            return image_addresses(read_info(said.content, where, canvas.service), max_side_pixels)
        except FetchStopError:
            raise
        except FetchError:
            # The manifest names an image all the same, unless all that it names is the service.
            if canvas.image == canvas.service:
                raise
            return [canvas.image]
