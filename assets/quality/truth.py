"""What should have been read, as others have written it down: plain text, PAGE XML, ALTO. Text of the page in reading
order, without its lines' places. Files of others are not trusted: no entity of theirs is expanded, and nothing is
fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from assets.domain.errors import QuireError

FORMATS = {".txt": "plain text", ".xml": "PAGE XML or ALTO"}
"""By how a file's name ends."""
_FURNITURE = frozenset({"header", "footer", "page-number", "signature-mark", "catch-word"})
"""Types of regions that are of the page, and not of its text."""
_MARGINS = frozenset({"TopMargin", "BottomMargin"})
"""Where ALTO has them."""


class TruthError(QuireError):
    """A file that is no truth that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Truth:
    """``format``: ``text``, ``page`` or ``alto``; ``text``: all of the page; ``body``: without running heads and page
    numbers, as far as the file tells them."""

    format: str
    text: str
    body: str


def truth_of(name: str, content: bytes) -> Truth:
    """``name``: of the file. Raises TruthError."""
    if name.lower().endswith(".xml"):
        return _of_xml(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TruthError("is no text in UTF-8") from None
    return Truth("text", text, text)


def _of_xml(content: bytes) -> Truth:
    try:
        root = fromstring(content, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise TruthError("has entities of its own, which are not expanded") from None
    except (ParseError, ValueError, LookupError) as error:
        raise TruthError(f"is no XML ({error})") from None
    match _name(root):
        case "PcGts":
            regions = list(_page_regions(root))
            return _truth("page", [(_type(region), _region_text(region)) for region in regions])
        case "alto":
            return _truth("alto", list(_alto_blocks(root, is_margin=False)))
        case other:
            raise TruthError(f"is neither PAGE XML nor ALTO: its root is {other[:40]!r}")


def _truth(format_: str, parts: list[tuple[str, str]]) -> Truth:
    texts = [text for _, text in parts if text]
    body = [text for type_, text in parts if text and type_ not in _FURNITURE]
    return Truth(format_, "\n\n".join(texts), "\n\n".join(body))


# --- PAGE XML


def _page_regions(root: Element) -> Iterator[Element]:
    """Text regions in reading order; those that it does not name come behind, as they stand."""
    regions = {each.get("id", str(at)): each for at, each in enumerate(root.iter()) if _name(each) == "TextRegion"}
    for order in (each for each in root.iter() if _name(each) == "ReadingOrder"):
        for name in _ordered(order):
            if (region := regions.pop(name, None)) is not None:
                yield region
    yield from regions.values()


def _ordered(group: Element) -> Iterator[str]:
    for each in sorted(group, key=lambda child: _number(child.get("index"))):
        if reference := each.get("regionRef"):
            yield reference
        yield from _ordered(each)


def _type(region: Element) -> str:
    return region.get("type", "")


def _region_text(region: Element) -> str:
    """Of its own lines; regions within it are regions of their own."""
    lines = [text for each in region if _name(each) == "TextLine" and (text := _line_text(each))]
    return "\n".join(lines) if lines else _equivalent(region)


def _line_text(line: Element) -> str:
    words = (_equivalent(each) for each in line if _name(each) == "Word")
    return _equivalent(line) or " ".join(word for word in words if word)


def _equivalent(element: Element) -> str:
    """What its author holds for the best reading."""
    found = sorted(
        (each for each in element if _name(each) == "TextEquiv"), key=lambda each: _number(each.get("index"))
    )
    texts = (child.text or "" for each in found[:1] for child in each if _name(child) == "Unicode")
    return next(texts, "").strip()


# --- ALTO


def _alto_blocks(element: Element, *, is_margin: bool) -> Iterator[tuple[str, str]]:
    for each in element:
        if _name(each) == "TextBlock":
            lines = (_alto_line(line) for line in each if _name(line) == "TextLine")
            yield "header" if is_margin else "", "\n".join(line for line in lines if line)
        else:
            yield from _alto_blocks(each, is_margin=is_margin or _name(each) in _MARGINS)


def _alto_line(line: Element) -> str:
    text = ""
    for each in line:
        match _name(each):
            case "String":
                text += (" " if text else "") + each.get("CONTENT", "")
            case "HYP":
                text += each.get("CONTENT", "-") if not text.endswith(("-", "\u00ad", "\u2e17")) else ""
    return text.strip()


def _name(element: Element) -> str:
    """Without its namespace, of which there is one for each year."""
    return str(element.tag).rpartition("}")[2]


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else 0
