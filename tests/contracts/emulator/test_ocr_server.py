"""The OCR engine behind the server: what a picture says comes back through the Batch API, and rules go before it."""

import io

from PIL import Image, ImageDraw, ImageFont

from tests.contracts.emulator.sdk import JOB_SECONDS, client_of, create, line, results, text_of, upload
from tests.emulator_server import emulator

KEY = "CA:Lincoln:2023:4"


def page_that_says(text: str) -> bytes:
    image = Image.new("L", (900, 300), 255)
    ImageDraw.Draw(image).text((60, 100), text, font=ImageFont.load_default(size=60), fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_page_is_read_and_a_rule_can_spoil_its_first_reading() -> None:
    with emulator(engine="ocr") as handle, client_of(handle) as client:
        handle.set_steps(KEY, "error", "auto")
        answers = []
        for _ in range(2):
            file = upload(client, page_that_says("Tuition in Algebra"), "image/png")
            job = create(client, [line(KEY, file)])
            handle.advance(JOB_SECONDS)
            answers += results(client, job)

        first, second = answers
        assert first["error"]["code"] == 500
        assert "TUITION" in text_of(second).upper()
        assert handle.record(KEY)["answers"][1]["imageTokens"] == 1120
