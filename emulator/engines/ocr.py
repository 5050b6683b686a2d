"""The engine that really reads: the uploaded image through OCR, answered in whatever schema was asked for.

Here the parts meet: `ocr_reader` finds the text, `ocr_layout` arranges it, `ocr_answers` puts it into the schema. Of
several images the last is the one asked about; the text of the prompt is not looked at.
"""

import json
from pathlib import Path

from emulator.engines.ocr_answers import fill
from emulator.engines.ocr_layout import PageLayout, lay_out
from emulator.engines.ocr_reader import Reader, UnreadableImageError
from emulator.engines.protocol import Answer, EngineRequest
from emulator.engines.result_lines import error_line, line, text_response
from emulator.tokens import GEMINI_3_IMAGE_TOKENS, image_size, text_tokens


class OcrEngine:
    """Reads one page at a time, whichever thread asks; the models are loaded with the first. ``threads``: how many the
    inference may use."""

    def __init__(self, *, threads: int = 1) -> None:
        self._reader = Reader(threads=threads)

    def answer(self, request: EngineRequest) -> Answer:
        """One line: JSON of the requested schema, or the page's text without one; an error with code 400 if the
        image cannot be decoded."""
        try:
            page = self._page(request.images[-1].path) if request.images else lay_out(())
        except UnreadableImageError:
            return Answer((error_line(request.key, 400, "Unable to process input image. Please retry or report."),))
        response = text_response([_answer_text(request, page)], prompt_tokens=_prompt_tokens(request))
        return Answer((line(request.key, response=response),))

    def _page(self, path: Path) -> PageLayout:
        return lay_out(self._reader.read(path), _size(path))


def _size(path: Path) -> tuple[int, int]:
    found = image_size(path)
    return (found[0], found[1]) if found else (0, 0)


def _answer_text(request: EngineRequest, page: PageLayout) -> str:
    if request.response_schema is not None:
        return json.dumps(fill(request.response_schema, page), ensure_ascii=False)
    if request.response_mime_type == "application/json":
        return json.dumps({"text": page.text}, ensure_ascii=False)
    return page.text


def _prompt_tokens(request: EngineRequest) -> int:
    """What the server says, or, when it says nothing, an estimate of its own kind."""
    if request.prompt_tokens:
        return request.prompt_tokens
    return sum(text_tokens(text) for text in request.texts) + len(request.images) * GEMINI_3_IMAGE_TOKENS["HIGH"]
