"""The kinds of single values that settings hold, each with the sentence that a person reads when a value does not fit.

Which key is of which kind is in ``sections.py``. Pydantic's own words are turned into sentences in ``loading.py``.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from assets.domain.errors import RecordKeyError
from assets.domain.generation import OURS, plain
from assets.domain.record import check_field


class Section(BaseModel):
    """Base of all sections: frozen, and a key that nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


TAKEN_NAMES = frozenset(
    {"record_key", "document", "predecessor", "image_path", "image_frame", "image_frames", "image_mime_type"}
    | {"image_bytes", "image_modified_at", "image_width", "image_height", "image_left", "image_right"}
    | {"page_label", "page_position"}
)
"""Columns of the record manifest: no document field may bear their names. A test compares them with the manifest."""


def _no_truth_value(value: object) -> object:
    # Pydantic takes true for 1, and a "yes" in the wrong line is no number.
    if isinstance(value, bool):
        raise PydanticCustomError("quire", "must be a number, not true or false")
    return value


def _document_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise PydanticCustomError("quire", "the field {name} stands there twice", {"name": name})
        if name == "page":
            raise PydanticCustomError("quire", "leave out 'page': it always comes last, by itself")
        if name in TAKEN_NAMES:
            raise PydanticCustomError(
                "quire", "{name} is a column of the record manifest already; take another name", {"name": name}
            )
    return names


def _document_name(value: str) -> str:
    try:
        return check_field(value)
    except RecordKeyError as error:
        raise PydanticCustomError("quire", "{reason}", {"reason": error.reason}) from None


def _generation_config(value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    for name in value:
        if plain(name) in [plain(each) for each in OURS]:
            raise PydanticCustomError(
                "quire", "{name} is set by Quire from the 'schema' setting; remove it here", {"name": name}
            )
    return value


def _model_name(value: str) -> str:
    if value.endswith("-latest"):
        raise PydanticCustomError(
            "quire",
            "names that end in -latest move to another model by themselves: results could not be told apart, and what "
            "they cost is not known; name the model itself",
        )
    return value


def _base_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port_is_good = parts.port != 0
    except ValueError:
        port_is_good = False
    if not port_is_good or parts.scheme not in ("http", "https") or not parts.hostname:
        raise PydanticCustomError("quire", "must be an address like https://host or http://127.0.0.1:8089")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PydanticCustomError("quire", "must be scheme, host, port and path only; a key does not belong into it")
    return value.rstrip("/")


def _page_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise PydanticCustomError("quire", "is no regular expression: {problem}", {"problem": str(error)}) from None
    if "page" not in groups:
        raise PydanticCustomError(
            "quire", "must hold the group (?P<page>...) for the page's label, as in page-(?P<page>[0-9]+)"
        )
    return value


def _form(pattern: str, words: str) -> AfterValidator:
    """A text must match ``pattern``; ``words`` say it to people, which a regular expression does not."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError("quire", "must be {words}", {"words": words})
        return value

    return AfterValidator(check)


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
FieldName = Annotated[str, _form(r"[a-z][a-z0-9_]{0,62}", "a name of small letters, digits and _, such as 'box'")]
SafeName = Annotated[
    str,
    _form(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "a name of letters, digits, '.', '_' and '-', at most 100, no folder"),
]
BlockName = Annotated[
    str,
    _form(
        r"[a-z0-9][a-z0-9-]{0,99}/[a-z0-9][a-z0-9-]{0,99}",
        "the kind and the name of a block in Prefect, such as webhook/alarms or slack-webhook/archive",
    ),
]
ModelName = Annotated[SafeName, AfterValidator(_model_name)]
CollectionName = Annotated[str, _form(r"[a-z0-9_-]{0,100}", "small letters, digits, '_' and '-', at most 100")]
ApiVersion = Annotated[str, _form(r"v[0-9]+[a-z0-9]{0,20}", "a version such as v1 or v1beta")]
DocumentFields = Annotated[tuple[FieldName, ...], AfterValidator(_document_fields)]
DocumentName = Annotated[str, AfterValidator(_document_name)]
FLAT_FIELD = "volume"
"""The one field of a document whose images lie in no folder."""
GenerationConfig = Annotated[Mapping[str, JsonValue], AfterValidator(_generation_config)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
TierTokens = Annotated[
    tuple[Annotated[int, BeforeValidator(_no_truth_value), Field(ge=1, le=10**12)], ...],
    Field(min_length=3, max_length=3),
]
"""Tokens for the tiers 1, 2 and 3."""
TierDollars = Annotated[
    tuple[Annotated[float, BeforeValidator(_no_truth_value), Field(gt=0, le=1e9, allow_inf_nan=False)], ...],
    Field(min_length=3, max_length=3),
]
"""US dollars for the tiers 1, 2 and 3."""
OTHER_MODELS = "other"
SHIPPED_ENQUEUED_TOKENS: Mapping[str, tuple[int, ...]] = {
    "flash-lite": (10_000_000, 500_000_000, 1_000_000_000),
    "flash": (3_000_000, 400_000_000, 1_000_000_000),
    "pro": (5_000_000, 500_000_000, 1_000_000_000),
    # The smallest of the rows above: held back too early costs a wait, too late a shelf of uploads and a 429.
    OTHER_MODELS: (3_000_000, 400_000_000, 1_000_000_000),
}
"""A word of a model's name to its limits."""
EnqueuedTokens = Annotated[
    Mapping[str, TierTokens], BeforeValidator(lambda value: _beside_shipped(SHIPPED_ENQUEUED_TOKENS, value))
]
PagePattern = Annotated[str, AfterValidator(_page_pattern)]
SchemaPath = Annotated[str, _form(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", "like module.path:Class")]


class ModelPrice(Section):
    """What a model costs, in US dollars for a million tokens, before the discount of a batch."""

    input_usd: Number = Field(ge=0, le=1e6, description="Of a request, images included.")
    output_usd: Number = Field(ge=0, le=1e6, description="Of an answer, thinking included.")
    cached_usd: Number | None = Field(
        default=None, ge=0, le=1e6, description="Of what a request has from a cache. null: as much as the rest of it."
    )
    batch_factor: Number = Field(default=0.5, ge=0, le=1, description="What a batch pays of these prices.")
    valid_until: date | None = Field(
        default=None, description="The last day (UTC) of the price. null: no end is known."
    )
    afterwards: "ModelPrice | None" = Field(default=None, description="The price from the day after `valid_until` on.")
    as_of: str = Field(default="", description="The day on which the price was looked up.")
    source: str = Field(default="", description="Where it was looked up.")

    @model_validator(mode="after")
    def _days_follow_each_other(self) -> Self:
        if self.afterwards is None:
            return self
        if self.valid_until is None:
            raise PydanticCustomError("quire", "afterwards needs a valid_until: the last day of the price before it")
        if self.afterwards.valid_until is not None and self.afterwards.valid_until <= self.valid_until:
            raise PydanticCustomError("quire", "afterwards ends before it begins: its valid_until must be a later day")
        return self

    def holding_on(self, day: date) -> "ModelPrice":
        """The price of ``day`` (UTC), or the last one that is known (see ``is_past``)."""
        return self.afterwards.holding_on(day) if self.afterwards is not None and self.is_past(day) else self

    def is_past(self, day: date) -> bool:
        """Whether this very price does not hold any more on ``day``."""
        return self.valid_until is not None and day > self.valid_until


def _shipped(batch_in: float, batch_out: float) -> ModelPrice:
    """From Google's batch prices, which are half of the standard ones."""
    about = {"as_of": "2026-11-25", "source": "Google's price list; not verified by a bill"}
    return ModelPrice(input_usd=batch_in * 2, output_usd=batch_out * 2, **about)


_FLASH_3_8 = _shipped(0.375, 1.875).model_copy(
    update={"valid_until": date(2026, 12, 31), "afterwards": _shipped(0.75, 3.75)}
)
_LIKE_3_8 = _FLASH_3_8.model_copy(update={"source": "one of Google's price lists; not verified by a bill"})
SHIPPED_PRICES: Mapping[str, ModelPrice] = {
    "gemini-3.1-flash-lite": _shipped(0.125, 0.75),
    "gemini-3.5-flash-lite": _shipped(0.15, 1.25),
    "gemini-3.8-flash": _FLASH_3_8,
    "gemini-3.7-flash": _LIKE_3_8,
    "gemini-3.6-flash": _LIKE_3_8,
    "gemini-3.5-flash": _shipped(0.75, 4.50),
    "gemini-4-hydrogen": _shipped(0.75, 3.75),
    "gemini-4-argon": _shipped(1, 5),
    "gemini-3.1-pro-preview": _shipped(1, 6),
    "gemini-4-neon": _shipped(1.5, 7.5),
}
"""The prices that Quire brings along. No price for cached tokens is known to it: they count like all others."""


def _beside_shipped(shipped: Mapping[str, object], value: object) -> object:
    """What a file leaves out is as shipped."""
    return {**shipped, **value} if isinstance(value, Mapping) else value


Prices = Annotated[Mapping[SafeName, ModelPrice], BeforeValidator(lambda value: _beside_shipped(SHIPPED_PRICES, value))]


class Span(Section):
    """A filter on numbers; both ends belong to it."""

    start: Whole = Field(description="The first number that is taken.")
    end: Whole = Field(description="The last number that is taken.")

    def __contains__(self, number: int) -> bool:
        return self.start <= number <= self.end


def _filter(value: object) -> object:
    """A raw filter as a tuple of texts or a Span. Says in one sentence what is wrong: a union would say it twice."""
    if isinstance(value, Span):
        return value
    if isinstance(value, Mapping):
        if set(value) != {"start", "end"}:
            raise PydanticCustomError("quire", "a range has the keys start and end, both and no other")
        start, end = (_whole(value[name]) for name in ("start", "end"))
        if not (0 <= start <= 999_999_999 and 0 <= end <= 999_999_999):
            raise PydanticCustomError("quire", "start and end have at most nine digits and no sign")
        if end < start:
            raise PydanticCustomError("quire", "the range ends before it begins")
        return Span(start=start, end=end)
    if not isinstance(value, (list, tuple)):
        raise PydanticCustomError("quire", "must be a list of texts, or a range with the keys start and end")
    if not value:
        raise PydanticCustomError("quire", "an empty list lets nothing through; remove the filter to take everything")
    return tuple(_text(item) for item in value)


def _whole(value: object) -> int:
    # From the environment the ends come as text, from YAML as numbers.
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("quire", "start and end are whole numbers")


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise PydanticCustomError("quire", "a filter's list holds texts; put each value in quotes")
    return unicodedata.normalize("NFC", str(value))


FilterValue = Annotated[tuple[str, ...] | Span, BeforeValidator(_filter)]
