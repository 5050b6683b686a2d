"""A fact a line, as they stand at the end of a run and of the demo."""

import os
import textwrap
from pathlib import Path

LINE_WIDTH = 96


def fact(name: str, text: str) -> list[str]:
    """A name and what it is, in lines that can be read."""
    return textwrap.wrap(
        text,
        LINE_WIDTH,
        initial_indent=f"  {name:<13} ",
        subsequent_indent=" " * 16,
        break_long_words=False,  # paths are copied
        break_on_hyphens=False,
    )


def short(path: Path) -> str:
    """From here if it lies below, as people type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)
