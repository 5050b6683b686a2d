"""Text of others as a page shows it: names of folders, words of a model. What would turn the reading direction round or
is not seen at all is made visible; HTML is escaped. Pure.
"""

import unicodedata

from markupsafe import Markup, escape

from assets.domain.record import SEPARATOR

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT = frozenset("\n\t\u200c\u200d")
"""Line breaks and tabs, and the two joiners, without which some scripts are not written."""


def is_hidden(character: str) -> bool:
    """Whether a person would not see it, or would see others in another order for it."""
    return not character.isprintable() and character not in _KEPT and unicodedata.category(character) in _HIDDEN


def plain(text: str) -> str:
    """For a place that takes no markup: the title of a page, an attribute."""
    if text.isprintable():
        return text
    return "".join(f"[U+{ord(each):04X}]" if is_hidden(each) else each for each in text)


def marked(text: str) -> Markup:
    """As HTML, with what is hidden set as a small sign that tells its name."""
    if text.isprintable() or not any(map(is_hidden, text)):
        return escape(text)
    return Markup("").join(_sign(each) if is_hidden(each) else escape(each) for each in text)


def marked_key(text: str) -> Markup:
    """A record key or the name of a document, apart from what stands around it; each field for itself, where one that
    is read from the right would change the order of the others."""
    if text.isascii():
        return Markup("<bdi>{}</bdi>").format(marked(text))
    fields = escape(SEPARATOR).join(Markup("<bdi>{}</bdi>").format(marked(each)) for each in text.split(SEPARATOR))
    return Markup('<bdi dir="ltr">{}</bdi>').format(fields)


def _sign(character: str) -> Markup:
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "a control character").lower()
    return Markup('<span class="control" title="{} {}">{}</span>').format(code, name, code)
