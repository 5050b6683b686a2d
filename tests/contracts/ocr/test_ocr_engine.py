"""The OCR engine reads real images: clean and degraded pages, odd modes, broken files; and answers as Gemini would."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assets.domain.schema import response_schema
from config.schemas.page_transcript import PageTranscript
from emulator.engines.ocr import OcrEngine
from emulator.engines.protocol import EngineRequest, ImagePart
from flows.demo.accuracy import transcript_text, word_error_rate
from flows.demo.corpus import Corpus, make_corpus

SCHEMA = response_schema(PageTranscript)
KEY = "CT:Thornbury:1849:1"


@pytest.fixture(scope="module")
def engine() -> OcrEngine:
    return OcrEngine()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("clean"), seed=1, degrade=False, document_count=1)


@pytest.fixture(scope="module")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("degraded"), seed=1, document_count=1)


@pytest.fixture(scope="module")
def strip(clean: Corpus) -> Image.Image:
    """A few lines of a page, quick to read."""
    with Image.open(clean.pages[KEY].path) as image:
        return image.convert("L").crop((0, 180, 1200, 460))


def ask(engine: OcrEngine, *paths: Path, schema: dict[str, Any] | None = SCHEMA, prompt_tokens: int = 0) -> Any:
    images = tuple(ImagePart(f"files/{n}", path, "image/png") for n, path in enumerate(paths))
    request = EngineRequest(KEY, ("Transcribe the page.",), images, schema, 0, prompt_tokens)
    (line,) = engine.answer(request).lines
    assert b"\n" not in line
    answer = json.loads(line)
    assert answer["key"] == KEY
    return answer


def text_of(answer: Any) -> str:
    (candidate,) = answer["response"]["candidates"]
    assert candidate["finishReason"] == "STOP"
    text = candidate["content"]["parts"][0]["text"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(("corpus_name", "limit"), [("clean", 0.05), ("degraded", 0.10)])
def test_a_page_is_read_and_answered_in_the_schema(
    engine: OcrEngine, request: pytest.FixtureRequest, corpus_name: str, limit: float
) -> None:
    corpus: Corpus = request.getfixturevalue(corpus_name)
    page = corpus.pages[KEY]
    transcript = PageTranscript.model_validate_json(text_of(ask(engine, page.path)))
    assert word_error_rate(page.text, transcript_text(transcript.model_dump(mode="json"))) < limit
    assert transcript.printed_page_number == page.printed_page_number
    assert transcript.language == "en"
    assert transcript.headings[0].text == "FACULTY AND OFFICERS."


def test_the_usage_counts_prompt_images_and_answer(engine: OcrEngine, strip: Image.Image, tmp_path: Path) -> None:
    strip.save(tmp_path / "page.png")
    answer = ask(engine, tmp_path / "page.png")
    usage = answer["response"]["usageMetadata"]
    assert usage["promptTokenCount"] == 1120 + len("Transcribe the page.") // 4
    assert usage["candidatesTokenCount"] == -(-len(text_of(answer)) // 4)
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    billed = ask(engine, tmp_path / "page.png", prompt_tokens=777)
    assert billed["response"]["usageMetadata"]["promptTokenCount"] == 777


def _rgba(grey: Image.Image) -> Image.Image:
    """Black ink on a transparent ground."""
    ink = Image.new("RGBA", grey.size, (0, 0, 0, 0))
    ink.putalpha(grey.point(lambda value: 255 - value))
    return ink


def _sixteen_bits(grey: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grey": lambda grey: grey,
    "palette": lambda grey: grey.convert("P"),
    "one bit": lambda grey: grey.convert("1", dither=Image.Dither.NONE),
    "16 bits": _sixteen_bits,
    "grey and alpha": lambda grey: _rgba(grey).convert("LA"),
    "RGBA": _rgba,
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_png_gives_text(engine: OcrEngine, strip: Image.Image, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "page.png"
    MODES[mode](strip).save(path)
    text = text_of(ask(engine, path, schema=None))
    assert "FACULTY AND OFFICERS." in text
    assert "Professor of Moral Philosophy." in text


def test_a_photograph_that_lies_on_its_side_is_turned_by_its_exif(
    engine: OcrEngine, strip: Image.Image, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    strip.rotate(90, expand=True).save(tmp_path / "page.jpg", exif=exif, quality=95)
    assert "FACULTY AND OFFICERS." in text_of(ask(engine, tmp_path / "page.jpg", schema=None))


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n cut off"])
def test_a_file_that_cannot_be_decoded_is_an_error_line(engine: OcrEngine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(content)
    answer = ask(engine, path)
    assert "response" not in answer
    assert answer["error"]["code"] == 400
    assert "Unable to process input image" in answer["error"]["message"]


def test_a_jpeg_that_was_cut_off_is_an_error_line(engine: OcrEngine, clean: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_bytes(clean.pages[KEY].path.read_bytes()[:20_000])
    assert ask(engine, path)["error"]["code"] == 400


def test_a_blank_page_and_no_image_at_all_are_valid_and_empty(engine: OcrEngine, tmp_path: Path) -> None:
    Image.new("L", (600, 900), 255).save(tmp_path / "blank.png")
    for paths in ([tmp_path / "blank.png"], []):
        page = PageTranscript.model_validate_json(text_of(ask(engine, *paths)))
        assert page.blocks == []
        assert page.language == "und"
        assert page.printed_page_number is None


def test_the_last_of_several_images_is_the_one_that_is_read(
    engine: OcrEngine, strip: Image.Image, tmp_path: Path
) -> None:
    Image.new("L", strip.size, 255).save(tmp_path / "before.png")
    strip.save(tmp_path / "page.png")
    text = text_of(ask(engine, tmp_path / "before.png", tmp_path / "page.png", schema=None))
    assert "FACULTY AND OFFICERS." in text


def test_threads_that_ask_at_once_get_their_own_pages(engine: OcrEngine, strip: Image.Image, tmp_path: Path) -> None:
    strip.save(tmp_path / "page.png")
    Image.new("L", strip.size, 255).save(tmp_path / "blank.png")
    paths = [tmp_path / "page.png", tmp_path / "blank.png"] * 2
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda path: text_of(ask(engine, path, schema=None)), paths))
    assert texts[0] == texts[2] != ""
    assert texts[1] == texts[3] == ""


def test_importing_the_engine_loads_no_model_and_no_opencv() -> None:
    code = (
        "import sys, emulator.engines.ocr as ocr; ocr.OcrEngine(); "
        "sys.exit(bool({'cv2', 'onnxruntime', 'rapidocr'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_command_line_reads_images_and_says_nothing_else(strip: Image.Image, tmp_path: Path) -> None:
    strip.save(tmp_path / "page.png")
    (tmp_path / "broken.png").write_bytes(b"broken")
    paths = [str(tmp_path / "page.png"), str(tmp_path / "broken.png")]
    done = subprocess.run(
        [sys.executable, "-m", "emulator.engines.ocr_cli", *paths], capture_output=True, text=True, timeout=120
    )
    page, broken = (json.loads(line) for line in done.stdout.splitlines())
    assert page["path"] == paths[0]
    assert "FACULTY AND OFFICERS." in page["text"]
    assert "error" in broken
    assert (done.returncode, done.stderr) == (1, "")
