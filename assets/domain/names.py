"""Names that some file systems take for one: two folders on one, a single folder on another."""

import unicodedata
from collections.abc import Iterable, Mapping


def meeting_documents(documents: Iterable[tuple[str, ...]]) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Of documents, given by their fields, those of which a folder meets that of another one where capitals do not
    count: each with the first other folder that it meets, as fields, from the top."""
    spellings: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    known = list(documents)
    for fields in known:
        for depth in range(1, len(fields) + 1):
            spellings.setdefault(_folded(fields[:depth]), {})[fields[:depth]] = None
    meeting: dict[tuple[str, ...], tuple[str, ...]] = {}
    for fields in known:
        for depth in range(1, len(fields) + 1):
            others = [each for each in spellings[_folded(fields[:depth])] if each != fields[:depth]]
            if others:
                meeting[fields] = others[0]
                break
    return meeting


def meeting_labels(labels: Iterable[str]) -> Mapping[str, str]:
    """Of the page labels of one document those whose file meets that of another one where capitals do not count: each
    with the first other label that it meets."""
    spellings: dict[tuple[str, ...], dict[str, None]] = {}
    for label in labels:
        if not label.isdigit():
            spellings.setdefault(_folded((label,)), {})[label] = None
    return {
        label: next(each for each in alike if each != label)
        for alike in spellings.values()
        if len(alike) > 1
        for label in alike
    }


def _folded(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", field.casefold()) for field in fields)
