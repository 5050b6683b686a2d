"""What manifests and info.json files come to, in the forms in which libraries give them."""

import json
from typing import Any

import pytest

from assets.domain.errors import FetchError
from assets.fetching import IiifCollection, IiifDocument, document_name
from flows.gateways.iiif.addresses import check_address, is_public
from flows.gateways.iiif.manifest import read_manifest
from flows.gateways.iiif.sizes import image_addresses, read_info

IMAGE = {"type": "Image", "id": "https://x.org/1.jpg"}


def canvas(*bodies: Any, target: str = "https://x.org/c") -> dict[str, Any]:
    annotations = [{"motivation": "painting", "target": target, "body": body} for body in bodies]
    return {"id": "https://x.org/c", "type": "Canvas", "items": [{"items": annotations}]}


def read(*canvases: Any, **more: Any) -> IiifDocument:
    found = read_manifest(json.dumps({"type": "Manifest", "items": canvases, **more}).encode(), "https://x.org/m")
    assert isinstance(found, IiifDocument)
    return found


@pytest.mark.parametrize(
    ("body", "image", "service"),
    [
        (IMAGE, "https://x.org/1.jpg", ""),
        ({"type": "Choice", "items": [IMAGE, {"type": "Image", "id": "uv"}]}, "https://x.org/1.jpg", ""),
        ({"type": "SpecificResource", "source": IMAGE}, "https://x.org/1.jpg", ""),
        ([IMAGE, {"type": "Image", "id": "b"}], "https://x.org/1.jpg", ""),
        ({**IMAGE, "service": {"@id": "https://s/", "profile": "level1"}}, "https://x.org/1.jpg", "https://s"),
        (
            {
                **IMAGE,
                "service": [{"id": "https://auth", "type": "AuthCookieService1"}, {"id": "s", "type": "ImageService3"}],
            },
            "https://x.org/1.jpg",
            "s",
        ),
        ({"type": "Video", "id": "https://x.org/1.mp4"}, "", ""),
        ({"type": "TextualBody", "value": "x"}, "", ""),
    ],
)
def test_the_image_of_a_page(body: Any, image: str, service: str) -> None:
    (found,) = read(canvas(body)).canvases
    assert (found.image, found.service) == (image, service)


def test_a_choice_of_api_2() -> None:
    resource = {"@type": "oa:Choice", "default": {"@type": "dctypes:Image", "@id": "d"}, "item": [{"@id": "e"}]}
    tree = {
        "@type": "sc:Manifest",
        "sequences": [{"canvases": [{"@type": "sc:Canvas", "images": [{"resource": resource}]}]}],
    }
    found = read_manifest(json.dumps(tree).encode(), "m")
    assert isinstance(found, IiifDocument)
    assert (found.version, found.canvases[0].image) == (2, "d")


def test_pages_without_an_image_keep_their_place_and_several_images_are_told() -> None:
    part = {"type": "Image", "id": "part"}
    two = canvas(part, IMAGE)
    two["items"][0]["items"][0]["target"] = "https://x.org/c#xywh=0,0,10,10"

    found = read(canvas(), canvas(IMAGE), two)

    assert [(each.number, each.image) for each in found.canvases] == [
        (1, ""),
        (2, "https://x.org/1.jpg"),
        (3, "https://x.org/1.jpg"),
    ]
    assert found.notes[0].startswith("page 1 of the manifest without an image")
    assert found.notes[1].startswith("page 3 of the manifest with several images")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("A  \n book", "A book"),
        (["A", "B", "A"], "A; B"),
        ({"@value": "A", "@language": "la"}, "A"),
        ({"la": ["Liber"], "en": ["Book", "Codex"]}, "Book; Codex"),
        ({"la": ["Liber"]}, "Liber"),
        ({"en": {"en": {"en": {"en": {"en": "deep"}}}}}, ""),
        (7, ""),
    ],
)
def test_labels_are_one_line_of_text(label: Any, text: str) -> None:
    assert read(canvas(IMAGE), label=label).label == text


def test_collections_of_both_apis() -> None:
    old = {"@type": "sc:Collection", "manifests": [{"@id": "a", "@type": "sc:Manifest"}], "members": []}
    new = {"type": "Collection", "items": [{"id": "a", "type": "Manifest"}, {"id": "b", "type": "Collection"}]}
    for tree, collections in ((old, ()), (new, ("b",))):
        found = read_manifest(json.dumps(tree).encode(), "c")
        assert isinstance(found, IiifCollection)
        assert (found.manifests, found.collections) == (("a",), collections)


def info(**more: Any) -> bytes:
    return json.dumps({"width": 4000, "height": 6000, **more}).encode()


V3 = {"@context": "http://iiif.io/api/image/3/context.json"}
V2 = {"@context": "http://iiif.io/api/image/2/context.json"}
V1 = {"@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json"}
LEVEL_1_1 = "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level1"
SIZES = [{"width": 500, "height": 750}, {"width": 1000, "height": 1500}, {"width": 2000, "height": 3000}]


@pytest.mark.parametrize(
    ("said", "side", "wanted"),
    [
        ({**V3, "profile": "level2"}, 3000, ["2000,3000", "2000,"]),
        ({**V3, "profile": "level1"}, 6000, ["max", "full"]),
        ({**V3, "profile": "level2", "maxWidth": 1000}, 3000, ["666,1000", "666,"]),
        ({**V3, "profile": "level2", "maxArea": 6_000_000}, 3000, ["2000,3000", "2000,"]),
        ({**V3, "profile": "level2", "maxArea": 1_500_000}, 3000, ["1000,1500", "1000,"]),
        ({**V3, "profile": "level2", "maxWidth": 1000}, None, ["max", "full"]),
        ({**V2, "profile": ["http://iiif.io/api/image/2/level2.json", {}]}, 3000, ["2000,", "2000,3000"]),
        (
            {**V2, "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 1000}]},
            3000,
            ["666,", "666,1000"],
        ),
        ({**V2, "profile": "http://iiif.io/api/image/2/level1.json"}, None, ["full", "max"]),
        ({**V2, "profile": "http://iiif.io/api/image/2/level0.json", "sizes": SIZES}, 3072, ["2000,", "2000,3000"]),
        ({**V3, "profile": "level0", "sizes": SIZES}, 2000, ["1000,1500", "1000,"]),
        # Half of what is wanted could not be read: the next one is taken.
        ({**V3, "profile": "level0", "sizes": SIZES[:2]}, 5000, ["max", "full"]),
        ({**V3, "profile": "level0", "sizes": SIZES[1:]}, 1000, ["1000,1500", "1000,"]),
        ({**V3, "profile": "level0"}, 3000, ["max", "full"]),
        ({**V1, "profile": LEVEL_1_1}, 3000, ["2000,", "2000,3000"]),
        ({**V1, "profile": LEVEL_1_1}, None, ["full"]),
    ],
)
def test_the_sizes_that_are_asked_for(said: dict[str, Any], side: int | None, wanted: list[str]) -> None:
    found = image_addresses(read_info(info(**said), "https://s/info.json", "https://s"), side)
    quality = "native" if said["@context"].startswith("http://library") else "default"
    plain = [each.removeprefix("https://s/full/").removesuffix(f"/0/{quality}.jpg") for each in found]
    assert plain[: len(wanted)] == wanted


@pytest.mark.parametrize(
    "said", [{"width": 0}, {"width": -4}, {"width": True}, {"width": 1e30}, {"width": "many"}, {"height": None}]
)
def test_an_info_that_cannot_be(said: dict[str, Any]) -> None:
    with pytest.raises(FetchError, match="names no width and height"):
        read_info(info(**said), "https://s/info.json", "https://s")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://iiif.bodleian.ox.ac.uk/iiif/manifest/60834383-7146.json", "60834383-7146"),
        ("https://gallica.bnf.fr/iiif/ark:/12148/btv1b8449691v/manifest.json", "btv1b8449691v"),
        ("https://iiif.archive.org/iiif/3/some_item/manifest.json", "some_item"),
        ("https://x.org/iiif/ark%3A%2F12148%2Fbtv1/manifest", "btv1"),
        ("https://x.org/manifest?id=12/3", "x.org_id_12_3"),
        ("https://x.org/../../%2e%2e/manifest", "document"),
        ("https://x.org/Ünïcode book/manifest.json", "Unicode_book"),
        ("https://x.org/" + "a" * 500, "a" * 100),
        ("https://x.org/manifest.json", "x.org"),
    ],
)
def test_the_name_of_a_document(address: str, name: str) -> None:
    assert document_name(address) == name


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
        ("fe80::1%eth0", False),
    ],
)
def test_what_is_an_address_of_the_open_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ftp://x.org",
            "//x.org",
            "x.org",
            "http://",
            "http://x.org:0",
            "http://x.org:99999",
            "http://[",
            "http://x\n.org",
        ),
        *("http://localhost.", "http://printer.local", "http://[::1]/", "http://10.0.0.1/"),
    ],
)
def test_what_is_not_asked(address: str) -> None:
    with pytest.raises(FetchError):
        check_address(address, allow_private=False)
