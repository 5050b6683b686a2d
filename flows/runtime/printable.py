"""Text of others for the terminal: a folder's name, a model's words, a template's text. What would move the cursor or
turn the reading direction round is shown, not obeyed.
"""

import json
from typing import Any


def printable(text: str) -> str:
    """One line: each character that cannot be printed as its escape."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def printable_lines(text: str) -> str:
    """The same with line breaks and tabs left as they are."""
    return "".join(each if each in "\n\t" else printable(each) for each in text)


def printable_json(document: Any) -> str:
    """As JSON over several lines, in which every character can be printed."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1] for each in text)
