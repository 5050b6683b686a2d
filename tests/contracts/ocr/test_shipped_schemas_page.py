"""docs/shipped-schemas.md shows real answers: those of the OCR engine to the top of a page of the demo. To renew them:

python -m tests.contracts.ocr.test_shipped_schemas_page
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel

from assets.domain.schema import response_schema
from assets.validation import ModelValidator
from config.schemas.page_entries import PageEntries
from config.schemas.page_transcript import PageTranscript
from emulator.engines.ocr import OcrEngine
from emulator.engines.protocol import EngineRequest, ImagePart
from flows.demo.corpus import make_corpus

PAGE = Path(__file__).parents[3] / "docs/shipped-schemas.md"
KEY = "CT:Thornbury:1849:6"
TOP_PIXELS = 560
_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)
_NEAR = 5
"""By so much a box may differ where another version of the reader draws it."""


def answers(folder: Path) -> list[dict[str, Any]]:
    """What stands in results: of PageEntries the first entries, of PageTranscript the first blocks."""
    image = folder / "top.png"
    with Image.open(make_corpus(folder, seed=1, degrade=False, document_count=1).pages[KEY].path) as page:
        page.convert("L").crop((0, 0, page.width, TOP_PIXELS)).save(image)
    engine = OcrEngine()
    options = PageTranscript.Options(boxes=True, rotation=True)
    entries = _result(engine, image, PageEntries)
    transcript = _result(engine, image, PageTranscript.with_options(options))
    return [entries | {"entries": entries["entries"][:2]}, transcript | {"blocks": transcript["blocks"][:3]}]


def _result(engine: OcrEngine, image: Path, model: type[BaseModel]) -> dict[str, Any]:
    part = ImagePart("files/top", image, "image/png")
    (line,) = engine.answer(EngineRequest(KEY, ("Read.",), (part,), response_schema(model), 0, 0)).lines
    text = json.loads(line)["response"]["candidates"][0]["content"]["parts"][0]["text"]
    result: dict[str, Any] = json.loads(ModelValidator(model).to_result(text))
    return result


def _shown(answer: Any) -> str:
    """With each box in a line of its own."""
    text = json.dumps(answer, ensure_ascii=False, indent=2)
    return re.sub(r"\[\s+(\d+),\s+(\d+),\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2, \3, \4]", text)


def _without_boxes(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_boxes(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_boxes(each) for name, each in value.items() if name != "box_2d"}
    return value


def _boxes(value: Any) -> list[list[int]]:
    if isinstance(value, list):
        return [box for each in value for box in _boxes(each)]
    own = [value["box_2d"]] if isinstance(value, dict) and value.get("box_2d") else []
    return own + ([box for each in value.values() for box in _boxes(each)] if isinstance(value, dict) else [])


def test_the_answers_of_the_page_are_those_of_the_local_gemini(tmp_path: Path) -> None:
    shown = [json.loads(text) for text in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))]
    now = answers(tmp_path)
    assert _without_boxes(shown) == _without_boxes(now), "python -m tests.contracts.ocr.test_shipped_schemas_page"
    assert len(_boxes(shown)) == 5
    for before, after in zip(_boxes(shown), _boxes(now), strict=True):
        assert all(abs(one - other) <= _NEAR for one, other in zip(before, after, strict=True))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = iter(answers(Path(folder)))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda _: f"```json\n{_shown(next(made))}\n```", text), encoding="utf-8")
