"""Names of files and folders in an export, made of document fields and labels of others. Pure.

A name is one that every usual file system takes, never leads out of its folder, and is no other document's where
capitals do not count. What it was made of can be told from it: what cannot stand in it is written as in addresses,
``%`` and two hex digits for each byte.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import quote

MAX_BYTES = 120
"""Of a name without its ending; a longer one is cut and told by its hash."""
HASH_CHARS = 8
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names of devices on Windows."""
_PLAIN = re.compile(r"[\w.,()+-]|(?<=\w) (?=\w)")


def safe_name(text: str) -> str:
    """One name for one text, and no two texts have the same."""
    text = unicodedata.normalize("NFC", text)
    name = "".join(each if _stands(text, at) else quote(each, safe="") for at, each in enumerate(text))
    # What begins with these is hidden, or passed over by programs that read a folder of data.
    if name[:1] in ("_", ".") or RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith("."):
        name = f"{name[:-1]}%2E"
    if len(name.encode()) > MAX_BYTES:
        start = name.encode()[:MAX_BYTES].decode(errors="ignore")
        # Not in the middle of an escape.
        name = f"{re.sub('%[0-9A-F]?$', '', start)}~{_hash(text)}"
    return name


def names_of(documents: Iterable[Sequence[str]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """For each document, given by its fields, the names of its folders from the top. Those that meet where capitals do
    not count have a hash behind them, whichever of them is exported."""
    known = [tuple(fields) for fields in documents]
    names = {text: safe_name(text) for fields in known for text in fields}
    spellings: dict[tuple[str, ...], set[str]] = {}
    for fields in known:
        for depth in range(len(fields)):
            spellings.setdefault(_place(fields, depth), set()).add(fields[depth])
    return {
        fields: tuple(
            names[text] if len(spellings[_place(fields, depth)]) == 1 else f"{names[text]}~{_hash(text)}"
            for depth, text in enumerate(fields)
        )
        for fields in known
    }


def label_names(labels: Iterable[str]) -> dict[str, str]:
    """Likewise of the pages of one document."""
    return {fields[0]: names[0] for fields, names in names_of((label,) for label in labels).items()}


def _stands(text: str, at: int) -> bool:
    return _PLAIN.match(text, at) is not None


def _place(fields: Sequence[str], depth: int) -> tuple[str, ...]:
    return tuple(folded(each) for each in fields[: depth + 1])


def folded(text: str) -> str:
    """What names have in common that some file systems take for one."""
    return unicodedata.normalize("NFKC", text.casefold()).casefold()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
