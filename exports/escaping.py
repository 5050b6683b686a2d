"""Words of a model, of a folder's name or of a manifest as text in other languages: they show as what they are, and
change nothing around them. Pure.
"""

import re

from assets.domain.labels import BIDI_CONTROLS

REPLACEMENT = "\ufffd"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&|~$^#!])")
_BLOCK = re.compile(r"^(\s*)([-+=]|\d{1,9}[.)])", re.ASCII)
_ACTS = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{''.join(sorted(BIDI_CONTROLS))}]")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """Without what moves a cursor or turns the reading direction round: each is shown as U+FFFD. Line breaks and tabs
    stay."""
    return _ACTS.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def markdown(text: str) -> str:
    """One line that is neither Markdown nor HTML, wherever it stands but in a code block."""
    line = " ".join(plain(text).split())
    line = _MARKDOWN.sub(r"\\\1", line)
    # An address would be made a link of by some readers.
    line = re.sub(r"(?i)\b(https?|ftp|www)(?=[:.])", lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", line)
    return _BLOCK.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", line)


def xml_text(text: str) -> str:
    """What can stand in XML; a writer of XML escapes the rest."""
    return _NOT_IN_XML.sub(REPLACEMENT, plain(text))
