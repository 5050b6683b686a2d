"""PAGE XML (2019-07-15): a file a page, a region for each block that has a box, in reading order."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime

from exports.pages import Document, Page
from exports.places_of_text import placed
from exports.registry import Job, Need, PageFormat
from exports.xml import Xml

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
TYPES = {
    "heading": "heading",
    "caption": "caption",
    "running_head": "header",
    "page_number": "page-number",
    "footnote": "footnote",
    "marginalia": "marginalia",
    "other": "other",
}
"""Of the format's own; all else is a paragraph to it."""
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""The format wants a time, also of a result that nobody here has made."""


@dataclass(frozen=True)
class PageXml(PageFormat):
    def content(self, job: Job, document: Document, page: Page, size: tuple[int, int]) -> bytes:
        with io.BytesIO() as file:
            xml = Xml(file)
            with xml.element("PcGts", {"xmlns": NAMESPACE}, ends_line=True):
                _metadata(xml, job, page)
                _page(xml, page, size)
            xml.close()
            return file.getvalue()


def _metadata(xml: Xml, job: Job, page: Page) -> None:
    settled_at = (page.row["settled_at"] or UNKNOWN_TIME).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made_by = f"{page.row['model']}, prompt {page.row['prompt_name']} {page.row['prompt_version']}"
    with xml.element("Metadata", ends_line=True):
        xml.leaf("Creator", f"Quire {job.version}")
        xml.leaf("Created", settled_at)
        xml.leaf("LastChange", settled_at)
        xml.leaf("Comments", page.key if page.row["model"] is None else f"{page.key}: {made_by}")


def _page(xml: Xml, page: Page, size: tuple[int, int]) -> None:
    image = page.row["image_path"].rpartition("/")[2]
    attributes = {"imageFilename": image, "imageWidth": str(size[0]), "imageHeight": str(size[1])}
    blocks = list(placed(page, size))
    with xml.element("Page", attributes, ends_line=True):
        if blocks:
            with xml.element("ReadingOrder"), xml.element("OrderedGroup", {"id": "order"}, ends_line=True):
                for at in range(len(blocks)):
                    xml.empty("RegionRefIndexed", {"index": str(at), "regionRef": f"region-{at + 1}"})
        for at, block in enumerate(blocks, 1):
            x, y, width, height = block.box
            corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
            kind = {"id": f"region-{at}", "type": TYPES.get(block.kind, "paragraph")}
            with xml.element("TextRegion", kind, ends_line=True):
                xml.empty("Coords", {"points": " ".join(f"{left},{top}" for left, top in corners)})
                with xml.element("TextEquiv"), xml.element("Unicode"):
                    xml.text(block.text)


FORMAT = PageXml("PAGE XML of the blocks with boxes, a file a page", ".xml", need=Need.BOXES)
