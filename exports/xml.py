"""XML, written piece by piece, so that a document of any length goes through. Python's own writer escapes text and
attributes; what cannot stand in XML at all is shown as U+FFFD.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from exports.escaping import xml_text


class Xml:
    """``file``: open for bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._writer = XMLGenerator(file, encoding="utf-8", short_empty_elements=True)
        self._writer.startDocument()

    @contextmanager
    def element(
        self, name: str, attributes: dict[str, str] | None = None, *, ends_line: bool = False
    ) -> Iterator[None]:
        """``ends_line``: a line break behind its end, where white space means nothing."""
        self.start(name, attributes)
        yield
        self._writer.endElement(name)
        if ends_line:
            self._writer.ignorableWhitespace("\n")

    def empty(self, name: str, attributes: dict[str, str] | None = None) -> None:
        with self.element(name, attributes):
            pass

    def leaf(self, name: str, text: str, attributes: dict[str, str] | None = None) -> None:
        """An element with text alone, on a line of its own."""
        with self.element(name, attributes, ends_line=True):
            self.text(text)

    def text(self, text: str) -> None:
        self._writer.characters(xml_text(text))

    def start(self, name: str, attributes: dict[str, str] | None = None) -> None:
        safe = {key: xml_text(value) for key, value in (attributes or {}).items()}
        self._writer.startElement(name, AttributesImpl(safe))

    def end(self, name: str) -> None:
        self._writer.endElement(name)
        self._writer.ignorableWhitespace("\n")

    def close(self) -> None:
        self._writer.endDocument()
