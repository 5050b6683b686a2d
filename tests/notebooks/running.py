"""Runs a notebook as a person would, in a kernel of its own."""

import os
from collections.abc import Mapping
from pathlib import Path

from nbclient import NotebookClient
from nbformat import NotebookNode, reads

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CELL_TIMEOUT_SECONDS = 120


def read(path: Path) -> NotebookNode:
    notebook: NotebookNode = reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    return notebook


async def executed(path: Path, environment: Mapping[str, str]) -> NotebookNode:
    """The executed notebook. The kernel is a process of its own; its folder has nothing to do with the project."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    outside = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    await client.async_execute(env={**outside, **environment})
    return notebook
