"""A IIIF server for tests, on loopback and over real HTTP: books as manifests of the Presentation API 2 and 3, and
their images by the Image API at level 0 (files of certain sizes, nothing else) and level 2 (any size). Knows nothing
of the product. A test can break any answer, and looks at what was asked for.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.images import gradient, jpeg

WIDTH, HEIGHT = 400, 600
LEVEL_0_SIDES = (150, 300, 600)
"""The longer sides of the images that lie there at level 0."""
RIGHTS = "http://creativecommons.org/publicdomain/mark/1.0/"


@dataclass(frozen=True, slots=True)
class Fault:
    """Instead of the answer. ``times``: how often; ``cut_at``: so many bytes of the body go out, then the connection
    ends, although more were announced; ``announced``: False leaves out how long the body is."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    times: int = 1_000_000
    cut_at: int | None = None
    announced: bool = True


@dataclass(slots=True)
class IiifServer:
    """``asked``: the paths of all requests, in order; ``version``: of the Image API and of the ETags of the images, of
    which another one means that all images are others now."""

    url: str = ""
    labels: Sequence[str] = ("cover", "f. 1r", "f. 1v", "", "f. 2r")
    edition: int = 1
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    faults: dict[str, Fault] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)

    def manifest_url(self, api: int, level: int) -> str:
        return f"{self.url}/book-{api}-{level}/manifest.json"

    def images_asked(self) -> list[str]:
        return [path for path in self.asked if path.endswith(".jpg")]

    def answer(self, path: str) -> tuple[bytes, str] | None:
        """Body and type, or None for what is not there."""
        match path.strip("/").split("/"):
            case [book, "manifest.json"] if book.startswith("book-"):
                _, api, level = book.split("-")
                made = self.manifest_2(int(level)) if api == "2" else self.manifest_3(int(level))
                return json.dumps(made).encode(), "application/ld+json"
            case ["collection.json"]:
                listed = [{"id": self.manifest_url(api, 2), "type": "Manifest"} for api in (2, 3)]
                return json.dumps({"type": "Collection", "id": f"{self.url}/c", "items": listed}).encode(), "text/json"
            case ["image", api, level, page, "info.json"]:
                return json.dumps(self.info(int(api), int(level), page)).encode(), "application/json"
            case ["image", api, level, page, "full", size, "0", "default.jpg"]:
                found = _level_0(int(api), size) if level == "0" else _any_size(size)
                return (self.image(int(page), *found), "image/jpeg") if found is not None else None
            case ["static", page]:
                return self.image(int(page.partition(".")[0]), WIDTH, HEIGHT), "image/jpeg"
        return None

    def image(self, page: int, width: int, height: int) -> bytes:
        """Another one for each page and edition."""
        drawn = gradient(width, height)
        drawn[: 8 * page, : 16 * self.edition] = 0
        return jpeg(drawn)

    def service(self, api: int, level: int, page: int) -> str:
        return f"{self.url}/image/{api}/{level}/{page}"

    def info(self, api: int, level: int, page: str) -> dict[str, Any]:
        sizes = [{"width": side * WIDTH // HEIGHT, "height": side} for side in LEVEL_0_SIDES[:-1]] if level == 0 else []
        made = {"protocol": "http://iiif.io/api/image", "width": WIDTH, "height": HEIGHT, "sizes": sizes}
        service = self.service(api, level, int(page))
        if api == 2:
            profile = [f"http://iiif.io/api/image/2/level{level}.json", {"formats": ["jpg"]}]
            return {"@context": "http://iiif.io/api/image/2/context.json", "@id": service, "profile": profile, **made}
        context = "http://iiif.io/api/image/3/context.json"
        return {"@context": context, "id": service, "type": "ImageService3", "profile": f"level{level}", **made}

    def manifest_2(self, level: int) -> dict[str, Any]:
        canvases = [
            {
                "@id": f"{self.url}/book/canvas/{page}",
                "@type": "sc:Canvas",
                "label": label,
                "images": [
                    {
                        "@type": "oa:Annotation",
                        "motivation": "sc:painting",
                        "on": f"{self.url}/book/canvas/{page}",
                        "resource": {
                            "@id": f"{self.service(2, level, page)}/full/full/0/default.jpg",
                            "@type": "dctypes:Image",
                            "service": {
                                "@context": "http://iiif.io/api/image/2/context.json",
                                "@id": self.service(2, level, page),
                                "profile": f"http://iiif.io/api/image/2/level{level}.json",
                            },
                        },
                    }
                ],
            }
            for page, label in enumerate(self.labels, start=1)
        ]
        return {
            "@context": "http://iiif.io/api/presentation/2/context.json",
            "@id": self.manifest_url(2, level),
            "@type": "sc:Manifest",
            "label": [{"@value": "Ein Buch", "@language": "de"}],
            "license": RIGHTS,
            "attribution": "The Archive",
            "sequences": [{"@type": "sc:Sequence", "canvases": canvases}],
        }

    def manifest_3(self, level: int) -> dict[str, Any]:
        canvases = [
            {
                "id": f"{self.url}/book/canvas/{page}",
                "type": "Canvas",
                "label": {"none": [label]} if label else None,
                "items": [
                    {
                        "type": "AnnotationPage",
                        "items": [
                            {
                                "type": "Annotation",
                                "motivation": "painting",
                                "target": f"{self.url}/book/canvas/{page}",
                                "body": {
                                    "id": f"{self.service(3, level, page)}/full/max/0/default.jpg",
                                    "type": "Image",
                                    "service": [
                                        {
                                            "id": self.service(3, level, page),
                                            "type": "ImageService3",
                                            "profile": f"level{level}",
                                        }
                                    ],
                                },
                            }
                        ],
                    }
                ],
            }
            for page, label in enumerate(self.labels, start=1)
        ]
        return {
            "@context": "http://iiif.io/api/presentation/3/context.json",
            "id": self.manifest_url(3, level),
            "type": "Manifest",
            "label": {"de": ["Ein Buch"], "en": ["A book"]},
            "rights": RIGHTS,
            "requiredStatement": {"label": {"en": ["Attribution"]}, "value": {"en": ["The Archive"]}},
            "items": canvases,
        }


def _level_0(api: int, size: str) -> tuple[int, int] | None:
    """Only these lie there, each in one form of its address."""
    there = {"full" if api == 2 else "max": (WIDTH, HEIGHT)}
    for side in LEVEL_0_SIDES[:-1]:
        width = side * WIDTH // HEIGHT
        there[f"{width}," if api == 2 else f"{width},{side}"] = (width, side)
    return there.get(size)


def _any_size(size: str) -> tuple[int, int] | None:
    if size in ("full", "max"):
        return WIDTH, HEIGHT
    width, _, height = size.partition(",")
    if not width.isdigit() or not (height.isdigit() or height == "") or int(width) > WIDTH:
        return None
    return int(width), int(height) if height else round(int(width) * HEIGHT / WIDTH)


@contextmanager
def iiif_server() -> Iterator[IiifServer]:
    """Listens until the end of the block."""
    books = IiifServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            books.asked.append(self.path)
            books.headers.append(dict(self.headers))
            fault = books.faults.get(self.path)
            if fault is not None and books.struck.get(self.path, 0) < fault.times:
                books.struck[self.path] = books.struck.get(self.path, 0) + 1
            else:
                fault = None
            found = books.answer(self.path)
            if fault is None and found is None:
                return self.send(404, {}, b"no")
            body, kind = found or (b"", "text/plain")
            etag = f'"{books.edition}"' if kind == "image/jpeg" else ""
            if fault is None and etag and self.headers.get("If-None-Match") == etag:
                return self.send(304, {}, b"")
            headers = {"Content-Type": kind, **({"ETag": etag} if etag else {})}
            if fault is None:
                return self.send(200, headers, body)
            return self.send(
                fault.status,
                {**headers, **fault.headers},
                body if fault.body is None else fault.body,
                cut_at=fault.cut_at,
                announced=fault.announced,
            )

        def send(
            self,
            status: int,
            headers: Mapping[str, str],
            body: bytes,
            *,
            cut_at: int | None = None,
            announced: bool = True,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if announced:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[:cut_at])
            self.wfile.flush()
            self.close_connection = self.close_connection or cut_at is not None

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own
            """Nothing: a test looks at ``asked``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    books.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield books
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
