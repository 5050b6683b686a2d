"""What each context mode means, and that nobody but its own module tells one from another."""

import ast
from pathlib import Path

import numpy as np
import pytest

from assets.context import ContextMode

ROOT = Path(__file__).parents[3]
OWN = ROOT / "assets" / "context.py"
MODULES = sorted(path for package in ("assets", "config", "flows") for path in (ROOT / package).rglob("*.py"))
NAMES = {ContextMode.PREVIOUS_RESULT.value, ContextMode.PREVIOUS_IMAGE.value}  # "none" is also an ordinary word


@pytest.mark.parametrize(
    ("name", "waits", "sends_image"),
    [("previous_result", True, False), ("previous_image", False, True), ("none", False, False)],
)
def test_what_a_mode_means(name: str, waits: bool, sends_image: bool) -> None:
    mode = ContextMode(name)

    assert str(mode) == name == f"{mode}", "as a template and a batch manifest see it"
    assert (mode.waits_for_result, mode.sends_image) == (waits, sends_image)
    assert mode.longest_chain_first is waits


def test_every_page_that_waits_is_a_wave_of_its_own() -> None:
    lines = np.array([3, 1, 7])

    assert {mode.value: mode.waves(lines) for mode in ContextMode} == {
        "previous_result": 7,
        "previous_image": 1,
        "none": 1,
    }
    assert {mode.waves(lines[:0]) for mode in ContextMode} == {0}


def test_a_mode_is_told_by_its_own_module_alone() -> None:
    default = (ROOT / "config" / "sections.py", "PREVIOUS_RESULT")
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in NAMES and path != OWN:
                found.add((path, str(node.value)))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ContextMode":
                found.add((path, node.attr))

    assert found == {default}
