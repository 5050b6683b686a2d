"""How well pages were read: the word error rate against a text that is known, and the text of a transcript.

The measure is strict on purpose. Both texts are brought to Unicode NFC and split at white space; nothing else is
normalised. Capitals count, punctuation counts (it is part of its word), order counts: a column that is read out of
turn is a column of errors.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WordErrors:
    """``edits``: words to insert, delete or replace. ``words``: those of the reference."""

    edits: int
    words: int

    @property
    def rate(self) -> float:
        """Edits per word of the reference: 0 is perfect, and it can exceed 1. Without a reference 0, or infinity if
        anything was read."""
        if self.words:
            return self.edits / self.words
        return float("inf") if self.edits else 0.0


def words_of(text: str) -> list[str]:
    """The words that are compared: NFC, split at white space."""
    return unicodedata.normalize("NFC", text).split()


def word_errors(reference: str, hypothesis: str) -> WordErrors:
    """The Levenshtein distance of the two texts in words."""
    wanted, got = words_of(reference), words_of(hypothesis)
    row = list(range(len(got) + 1))
    for n, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], n
        for m, other in enumerate(got, start=1):
            diagonal, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, diagonal + (word != other))
    return WordErrors(row[-1], len(wanted))


def word_error_rate(reference: str, hypothesis: str) -> float:
    """See WordErrors.rate."""
    return word_errors(reference, hypothesis).rate


def pooled(errors: Iterable[WordErrors]) -> WordErrors:
    """All pages as one: edits and words are added up, so that a long page weighs more than a short one."""
    edits = words = 0
    for each in errors:
        edits += each.edits
        words += each.words
    return WordErrors(edits, words)


def measure(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> WordErrors:
    """Pool the pages that have a hypothesis; both map record keys to text. A page that was not read (a dead letter, for
    one) is left out, not counted as wrong: say how many there were. Raises KeyError for one without a reference."""
    return pooled(word_errors(references[key], text) for key, text in hypotheses.items())


def transcript_text(transcript: Mapping[str, Any]) -> str:
    """The text of a PageTranscript as it lies in an output result: its blocks in their order, one or more lines each.

    Raises KeyError or TypeError if it is no such thing.
    """
    return "\n".join(block["text"] for block in transcript["blocks"])
