"""Reads images from the command line, without a server: ``python -m emulator.engines.ocr_cli IMAGE...``.

Prints one JSON line an image, in their order: ``path``, and ``text`` (in reading order, a block a line or more) or
``error``. Exit status 1 if an image could not be read.
"""

import json
import sys
from pathlib import Path

from emulator.engines.ocr_layout import lay_out
from emulator.engines.ocr_reader import Reader, UnreadableImageError


def main(paths: list[str]) -> int:
    """Read ``paths`` and return the exit status."""
    if not paths:
        sys.stderr.write("usage: python -m emulator.engines.ocr_cli IMAGE...\n")
        return 2
    reader = Reader()
    status = 0
    for path in paths:
        try:
            result = {"path": path, "text": lay_out(reader.read(Path(path))).text}
        except UnreadableImageError as error:
            result = {"path": path, "error": str(error)}
            status = 1
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
