"""hOCR 1.2: an HTML file a document, a paragraph for each block that has a box."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from exports.escaping import xml_text
from exports.images import upright_size
from exports.pages import Document, Page
from exports.places_of_text import Placed, placed
from exports.registry import DocumentFormat, Job, Need

CAPABILITIES = "ocr_page ocr_par ocr_line"


@dataclass(frozen=True)
class Hocr(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(
                '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
                f'<html xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<title>{_text(document.name)}</title>\n'
                '<meta charset="utf-8" />\n'
                f'<meta name="ocr-system" content="Quire {_text(job.version)}" />\n'
                f'<meta name="ocr-capabilities" content="{CAPABILITIES}" />\n</head>\n<body>\n'
            )
            for page in document.texts():
                if page.is_read:
                    size = upright_size(document.image_path(page.row["image_path"]), page.row)
                    file.write(_page(page, size))
            file.write("</body>\n</html>\n")


def _page(page: Page, size: tuple[int, int]) -> str:
    # In a property the path stands in quotes, in which no quote may be.
    image = quote(page.row["image_path"])
    title = f'image "{image}"; bbox 0 0 {size[0]} {size[1]}; ppageno {page.row["number"] - 1}; lpageno {page.label}'
    language = page.content.language
    lang = f' lang="{_text(language)}"' if language not in ("", "und") else ""
    blocks = "".join(_block(page, at, block) for at, block in enumerate(placed(page, size), 1))
    return f'<div class="ocr_page" id="page_{page.row["number"]}" title="{_text(title)}"{lang}>\n{blocks}</div>\n'


def _block(page: Page, at: int, block: Placed) -> str:
    x, y, width, height = block.box
    box = f'title="bbox {x} {y} {x + width} {y + height}"'
    name = f"{page.row['number']}_{at}"
    # A block is one line to it, as answers tell no lines; readers look for the text in these.
    text = "<br />".join(_text(line) for line in block.text.split("\n"))
    return f'<p class="ocr_par" id="par_{name}" {box}><span class="ocr_line" id="line_{name}" {box}>{text}</span></p>\n'


def _text(text: str) -> str:
    return escape(xml_text(text))


FORMAT = Hocr("hOCR of the blocks with boxes, a file a document", ".hocr", need=Need.BOXES)
