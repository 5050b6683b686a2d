"""Which records a person means who names keys, ranges or documents, or what the records have in common. What stands in
the tables is read elsewhere.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import QuireError, RecordKeyError
from assets.domain.labels import EXACT, canonical_label, is_range_like
from assets.domain.outcome import OutcomeKind
from assets.domain.record import SEPARATOR, Pages, check_field, decode_span, label_of
from assets.outdated import Reason


@dataclass(frozen=True, slots=True)
class Selection:
    """``entries``: record keys, ranges, documents; of the records that they name, or of all where there are none, those
    that have all the rest in common. ``dead``: dead letters; ``kind``: of their last outcome; ``outdated``: by one of
    these reasons; ``prompt``: name and version of the one that made the result, or was tried last."""

    entries: tuple[str, ...] = ()
    dead: bool = False
    kind: OutcomeKind | None = None
    outdated: tuple[Reason, ...] = ()
    prompt: tuple[str, str] | None = None

    @property
    def narrows(self) -> bool:
        """Whether it says more than names."""
        return self.dead or self.kind is not None or bool(self.outdated) or self.prompt is not None

    def is_shown_first(self, *, field_count: int) -> bool:
        """Whether it is more than one record that is named by its key: how many there are, and what they cost, a person
        should see before. Raises RecordKeyError."""
        if self.narrows or len(self.entries) != 1:
            return True
        meant = parse_entry(self.entries[0], field_count=field_count)
        return isinstance(meant, str) or len(meant) > 1


def parse_prompt(text: str) -> tuple[str, str]:
    """``page_transcript:v1``. Raises QuireError."""
    name, separator, version = text.rpartition(SEPARATOR)
    if not (name and separator and version):
        raise QuireError(f"{text!r} is no prompt: write its name and its version, such as page_transcript:v1")
    return name, version


def with_reasons(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """The words that name records, and those that are reasons, one by one or in a list (``prompt,schema``)."""
    reasons, entries = list[Reason](), list[str]()
    for word in words:
        parts = word.split(",")
        if all(part in set(Reason) for part in parts):
            reasons += map(Reason, parts)
        else:
            entries.append(word)
    return tuple(entries), tuple(dict.fromkeys(reasons))


def parse_kind(text: str) -> OutcomeKind:
    """Raises QuireError."""
    try:
        return OutcomeKind(text)
    except ValueError:
        raise QuireError(f"{text!r} is no kind of outcome; there are {', '.join(OutcomeKind)}") from None


def parse_entry(entry: str, *, field_count: int) -> Pages:
    """A key, a range of pages, or a document, which means all of its pages. Raises RecordKeyError."""
    fields = entry.split(SEPARATOR)
    if len(fields) != field_count:
        return decode_span(entry, field_count=field_count)
    try:
        return SEPARATOR.join(check_field(field) for field in fields)
    except RecordKeyError as error:
        raise RecordKeyError(entry, error.reason) from None


def pages_among(known: pa.ChunkedArray) -> Callable[[str], list[str]]:
    """What gives the pages of a document among the record keys ``known``, each once."""

    def pages_of(document: str) -> list[str]:
        keys: list[str] = known.filter(pc.starts_with(known, f"{document}{SEPARATOR}")).unique().to_pylist()
        return keys

    return pages_of


def named(
    pages_of: Callable[[str], list[str]],
    entries: Sequence[str],
    *,
    field_count: int,
    may_name_nothing: Collection[str] = (),
    missing: str = "there is no such record here",
) -> list[str]:
    """The records, each once, that ``entries`` name. ``pages_of``: gives the keys of all that there are of a document.
    Raises RecordKeyError, and QuireError for an entry that names none, unless it may: a slip of the finger must not
    pass for done. ``missing``: what it is told then.

    A record's own key names it though it reads like a range (``12-13``); an entry that could mean both is an error."""
    spans = {entry: parse_entry(entry, field_count=field_count) for entry in entries}
    documents = {span if isinstance(span, str) else span.document for span in spans.values()}
    pages = {document: pages_of(document) for document in documents}
    found: dict[str, None] = {}
    for entry, span in spans.items():
        if isinstance(span, str):
            meant = pages[span]
        else:
            meant = [key for key in pages[span.document] if span.holds(label_of(key))]
            if len(span) > 1 and (own := _own_key(entry, pages[span.document])) is not None:
                if meant:
                    raise QuireError(
                        f"{entry}: this is a page and a range of pages here: {_exact(entry)} is the page, and those of "
                        "the range can be named one by one; nothing is done"
                    )
                meant = [own]
        if not meant and entry not in may_name_nothing:
            raise QuireError(f"{entry}: {missing}; nothing is done")
        found |= dict.fromkeys(meant)
    return list(found)


def as_meant(entries: Sequence[str], keys: Collection[str]) -> list[str]:
    """``entries`` that name the records ``keys``, so that each can mean one thing only: see `named`."""
    return [entry if _own_key(entry, keys) is None else _exact(entry) for entry in entries]


def _own_key(entry: str, keys: Collection[str]) -> str | None:
    """The one among ``keys`` that is written as ``entry`` is, which reads like a range."""
    document, _, pages = entry.rpartition(SEPARATOR)
    if not is_range_like(pages):
        return None
    own = f"{document}{SEPARATOR}{canonical_label(pages)}"
    return own if own in keys else None


def _exact(entry: str) -> str:
    document, _, pages = entry.rpartition(SEPARATOR)
    return f"{document}{SEPARATOR}{EXACT}{pages}"


def among(keys: Sequence[str] | None, *conditions: Collection[str]) -> list[str]:
    """Of ``keys``, or of all where that is None, those that are in all ``conditions``, of which there is one at
    least then."""
    first, *others = conditions if keys is None else (keys, *conditions)
    sets = [set(each) for each in others]
    return [key for key in dict.fromkeys(first) if all(key in each for each in sets)]
