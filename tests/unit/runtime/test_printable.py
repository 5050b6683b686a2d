"""What others wrote is shown in the terminal, and obeyed by none."""

import json

import pytest

from flows.runtime.printable import printable, printable_json, printable_lines

UNSAFE = ["\x1b[2J", "\x9b31m", "a\rb", "\u202eabc", "\ud800", "\x00", "\U000e0041", "two\nlines"]


@pytest.mark.parametrize("text", UNSAFE)
def test_what_cannot_be_printed_is_escaped(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text).isascii()
    document = {"key": [text]}
    shown = printable_json(document)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == document, "the same value all the same"


def test_all_else_stays_as_it_is() -> None:
    assert printable("CA:Peñón High:1901:4") == "CA:Peñón High:1901:4"
    assert printable_lines("Süd\n\tof\r\n") == "Süd\n\tof\\r\n"
    assert "Süd" in printable_json(["Süd"])
