"""ALTO 4.2: a file a page, a block of text for each block that has a box.

An answer tells boxes of blocks, and none of lines and words. So a block is one line with the words in it, of which only
the line has a place; what has no box is not in the file, and is counted.
"""

import io
from dataclasses import dataclass

from exports.pages import Document, Page
from exports.places_of_text import Placed, placed
from exports.registry import Job, Need, PageFormat
from exports.xml import Xml

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


@dataclass(frozen=True)
class Alto(PageFormat):
    def content(self, job: Job, document: Document, page: Page, size: tuple[int, int]) -> bytes:
        with io.BytesIO() as file:
            xml = Xml(file)
            with xml.element("alto", {"xmlns": NAMESPACE, "SCHEMAVERSION": "4.2"}, ends_line=True):
                _description(xml, job, page)
                _layout(xml, page, size)
            xml.close()
            return file.getvalue()


def _description(xml: Xml, job: Job, page: Page) -> None:
    with xml.element("Description", ends_line=True):
        xml.leaf("MeasurementUnit", "pixel")
        with xml.element("sourceImageInformation", ends_line=True):
            xml.leaf("fileName", page.row["image_path"])
            xml.leaf("documentIdentifier", page.key)
        with xml.element("Processing", {"ID": "read"}, ends_line=True):
            xml.leaf("processingCategory", "contentGeneration")
            if page.row["settled_at"] is not None:
                xml.leaf("processingDateTime", page.row["settled_at"].isoformat())
            if page.row["model"] is not None:
                prompt = f"{page.row['prompt_name']} {page.row['prompt_version']}"
                xml.leaf("processingStepSettings", f"{page.row['model']}, prompt {prompt}")
            with xml.element("processingSoftware", ends_line=True):
                xml.leaf("softwareName", "Quire")
                xml.leaf("softwareVersion", job.version)


def _layout(xml: Xml, page: Page, size: tuple[int, int]) -> None:
    whole = {"WIDTH": str(size[0]), "HEIGHT": str(size[1])}
    number = {"ID": "page", "PHYSICAL_IMG_NR": str(page.row["number"]), "PROCESSINGREFS": "read"}
    printed = {"PRINTED_IMG_NR": page.content.page_number} if page.content.page_number else {}
    with (
        xml.element("Layout", ends_line=True),
        xml.element("Page", {**number, **printed, **whole}, ends_line=True),
        xml.element("PrintSpace", {"HPOS": "0", "VPOS": "0", **whole}, ends_line=True),
    ):
        for at, block in enumerate(placed(page, size), 1):
            _block(xml, f"block-{at}", block)


def _block(xml: Xml, name: str, block: Placed) -> None:
    box = dict(zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), map(str, block.box), strict=True))
    lines = [line.split() for line in block.text.split("\n") if line.strip()]
    with xml.element("TextBlock", {"ID": name, **box}, ends_line=True):
        for words in lines:
            # The place of a single line is that of its block; those of several are not known.
            with xml.element("TextLine", box if len(lines) == 1 else {}, ends_line=True):
                for at, word in enumerate(words):
                    if at:
                        xml.empty("SP")
                    xml.empty("String", {"CONTENT": word})


FORMAT = Alto("ALTO 4.2 of the blocks with boxes, a file a page", ".xml", need=Need.BOXES)
