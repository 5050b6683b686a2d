"""The sections of a configuration file that say what becomes of what fails: how it is tried again, and what is changed
then. All others stand in `sections`.
"""

from typing import Annotated

from pydantic import Field

from assets.domain.outcome import LASTING, OutcomeKind
from config.values import Number, Section, Whole

Wording = Annotated[str, Field(min_length=1, max_length=500)]
WORDINGS = (
    "This is a scan of an archive's own document. Write down what is on it, line by line, with its line breaks.",
    "Read the page from the image alone, as it stands there, with its misprints, its spelling and its line breaks.",
    "Describe the page as data: go through it from top to bottom, and give each line of it as it is written.",
)
"""Where an answer was blocked as a recitation: it looked too much like a text that is published."""


class RepairSection(Section):
    """What is changed in the next request of a record that has failed, by the kind of its failure."""

    cut_short: bool = Field(
        default=True,
        description="More `max_output_tokens`: twice as many after each such answer, as far as the model goes; and "
        "less thinking where the thoughts took more than the answer.",
    )
    recitation: tuple[Wording, ...] = Field(
        default=WORDINGS,
        max_length=20,
        description="Wordings that stand behind the prompt, another one after each such answer. []: it is not changed.",
    )
    not_json: bool = Field(default=True, description="What was wrong with the answer, in a line behind the prompt.")
    schema_mismatch: bool = Field(default=True, description="Likewise.")
    blocked: bool = Field(default=True, description="One more try, then a dead letter: nothing can be changed.")
    refused: bool = Field(default=True, description="Likewise, for a request that Gemini refuses (400).")
    upload_refused: bool = Field(default=True, description="Likewise, for an image that Gemini refuses.")

    @property
    def lasting(self) -> frozenset[OutcomeKind]:
        """The kinds of which one more try is enough."""
        return frozenset(kind for kind in LASTING if getattr(self, kind.value))


class RetriesSection(Section):
    """How what passes by itself is tried again: poll, list and download, and records that met a fault of the
    service."""

    attempts: Whole = Field(default=4, ge=1, le=20, description="Tries in all of a poll, a list, a download.")
    backoff_seconds: Number = Field(
        default=1, ge=0, le=3_600, description="Pause before the second try; it doubles with each further one."
    )
    service_backoff_seconds: Number = Field(
        default=300,
        ge=0,
        le=86_400,
        description="How long a record waits that was answered with a fault of the service, such as 503; it doubles "
        "with each further one in a row, up to a day. Nothing is counted.",
    )
    max_service_errors: Whole = Field(
        default=10,
        ge=1,
        le=1_000,
        description="After so many faults of the service in a row a record is held for a person.",
    )
