"""In which form two texts are held against each other. Whatever it takes away is no error, so it is stated with every
rate."""

import re
import unicodedata
from dataclasses import dataclass

_DIVIDED = re.compile(r"(?<=\w)[-\u2010\u00ad\u00ac\u2e17][ \t]*\r?\n[ \t]*(?=[^\W\d_])")
"""A hyphen at the end of a line, within a word."""
_SOFT_HYPHEN = "\u00ad"


@dataclass(frozen=True, slots=True)
class Normalization:
    """Always: Unicode NFC, white space as single blanks, and a word that is divided at the end of a line is whole.
    ``case``, ``punctuation``: whether capitals, and signs that are neither letters nor digits, count."""

    case: bool = True
    punctuation: bool = True

    def of(self, text: str) -> str:
        text = _DIVIDED.sub("", unicodedata.normalize("NFC", text)).replace(_SOFT_HYPHEN, "")
        if not self.case:
            text = unicodedata.normalize("NFC", text.casefold())
        if not self.punctuation:
            text = "".join(each if each.isalnum() or unicodedata.category(each)[0] == "M" else " " for each in text)
        return " ".join(text.split())

    def in_words(self) -> str:
        left_out = [name for name, counts in (("case", self.case), ("punctuation", self.punctuation)) if not counts]
        more = f", without {' and '.join(left_out)}" if left_out else ""
        return f"Unicode NFC, white space as one blank, words divided at the end of a line joined{more}"


AS_IT_IS = Normalization()
"""Capitals and punctuation count."""
