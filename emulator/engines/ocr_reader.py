"""RapidOCR behind a lock: from the bytes of an image to text boxes.

All that knows RapidOCR, onnxruntime and the modes of Pillow is here. The models lie in the wheel of ``rapidocr`` 3.10
(PP-OCRv6, small); they are named by path, so that nothing is ever downloaded. Nothing is loaded before the first page.
"""

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from emulator.engines.ocr_lines import TextBox

_DETECTOR_SIDE_PX = 1280
"""The detector sees the page with its longer side at this length: lines are found just as well as at full size, in a
quarter of the time. The recogniser cuts its lines from the full image."""


class UnreadableImageError(ValueError):
    """The bytes are no image that can be decoded."""


class Reader:
    """Reads one image at a time. ``threads``: how many the inference may use. With two, a page takes 2.2 s instead of
    3.4 on an idle machine of two cores, but half as much computing again, and over 5 s when somebody else needs a core:
    they wait for each other in a loop."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None

    def read(self, path: Path) -> list[TextBox]:
        """The text boxes of an image, in no particular order. Raises UnreadableImageError."""
        picture = load_rgb(path)
        with self._lock:
            if self._session is None:
                self._session = _open_session(self._threads)
            result = self._session(np.asarray(picture)[:, :, ::-1])
        if result.boxes is None or result.txts is None:
            return []
        return [
            TextBox(tuple((float(x), float(y)) for x, y in corners), text, float(score))
            for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True)
        ]


def load_rgb(path: Path) -> Image.Image:
    """The image as RGB, upright, on white where it is transparent. Raises UnreadableImageError.

    RapidOCR gives nothing for some modes of Pillow (palettes, 1 and 16 bits), so none but RGB reaches it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                opened.load()
                image = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(str(error) or type(error).__name__) from error
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(white, layers).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """16 and 32 bits a pixel: Pillow would cut off what is above 255. 16-bit values are scaled by their full range,
    others by their own."""
    values = np.asarray(image, dtype=np.float64)
    low, high = (0.0, 65535.0) if image.mode.startswith("I") else (float(values.min()), float(values.max()))
    high = max(high, float(values.max()))
    scaled = (values - low) / max(high - low, 1.0) * 255
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")


def _open_session(threads: int) -> Any:
    import rapidocr  # here, not at the top: it brings OpenCV and onnxruntime, seconds and 200 MB for who only scripts

    models = Path(rapidocr.__file__).parent / "models"
    detector, recogniser = models / "PP-OCRv6_det_small.onnx", models / "PP-OCRv6_rec_small.onnx"
    for model in (detector, recogniser):
        if not model.is_file():
            raise RuntimeError(f"{model} is missing: the OCR engine needs the models of rapidocr 3.10's wheel")
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Det.model_path": str(detector),
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTOR_SIDE_PX,
            "Rec.model_path": str(recogniser),
            # Lines differ in length; a batch of them would be padded to the longest.
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
