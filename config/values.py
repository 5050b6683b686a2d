"""The kinds of single values that settings hold, each with the sentence that a person reads when a value does not fit.

Which key is of which kind is in ``sections.py``. Pydantic's own words are turned into sentences in ``loading.py``.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """Base of all sections: frozen, and a key that nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


TAKEN_NAMES = frozenset(
    {"record_key", "document", "predecessor", "image_path", "image_frame", "image_frames", "image_mime_type"}
    | {"image_bytes", "image_modified_at", "image_width", "image_height"}
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


def _generation_config(value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    for name in value:
        if name.replace("_", "").lower() in ("responsemimetype", "responseschema", "responsejsonschema"):
            raise PydanticCustomError(
                "quire", "{name} is set by Quire from the 'schema' setting; remove it here", {"name": name}
            )
    return value


def with_low_thinking(model: str, config: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """``config`` with a low ``thinking_config``, unless it has one: a page is read, not pondered, and thinking is paid
    for as output. Gemini 3 takes a level, 2.5 a number of tokens, others neither (google-genai 3.4, its types). A
    ``thinking_config`` of null is taken out, which leaves it to Gemini."""
    name = next((name for name in config if name.replace("_", "").lower() == "thinkingconfig"), None)
    if name is not None:
        return {each: value for each, value in config.items() if each != name or value is not None}
    match = re.match(r"gemini-([0-9]+)(?:\.([0-9]+))?", model)
    version = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
    if version >= (3, 0):
        return {**config, "thinking_config": {"thinking_level": "LOW"}}
    return {**config, "thinking_config": {"thinking_budget": 512}} if version >= (2, 5) else config


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
            "quire", "must hold the group (?P<page>...) for the page's number, as in page-(?P<page>[0-9]+)"
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
CollectionName = Annotated[str, _form(r"[a-z0-9_-]{0,100}", "small letters, digits, '_' and '-', at most 100")]
ApiVersion = Annotated[str, _form(r"v[0-9]+[a-z0-9]{0,20}", "a version such as v1 or v1beta")]
DocumentFields = Annotated[tuple[FieldName, ...], AfterValidator(_document_fields)]
GenerationConfig = Annotated[Mapping[str, JsonValue], AfterValidator(_generation_config)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
EnqueuedTokens = Annotated[
    tuple[Annotated[int, BeforeValidator(_no_truth_value), Field(ge=1, le=10**12)], ...],
    Field(min_length=3, max_length=3),
]
"""Tokens for the tiers 1, 2 and 3."""
TierDollars = Annotated[
    tuple[Annotated[float, BeforeValidator(_no_truth_value), Field(gt=0, le=1e9, allow_inf_nan=False)], ...],
    Field(min_length=3, max_length=3),
]
"""US dollars for the tiers 1, 2 and 3."""
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
    as_of: str = Field(default="", description="The day on which the price was looked up.")
    source: str = Field(default="", description="Where it was looked up.")


_SHIPPED = {"as_of": "2026-11-01", "source": "Google's price list, standard tier; not verified by a bill"}
SHIPPED_PRICES: Mapping[str, ModelPrice] = {
    # Until 2026-12-31 it costs half of this: an estimate that is too high passes no cap.
    "gemini-3.8-flash": ModelPrice(input_usd=1.50, output_usd=7.50, **_SHIPPED),
    "gemini-3.5-flash": ModelPrice(input_usd=1.50, output_usd=9.00, **_SHIPPED),
    "gemini-3.5-flash-lite": ModelPrice(input_usd=0.30, output_usd=2.50, **_SHIPPED),
    "gemini-3.1-pro-preview": ModelPrice(input_usd=2.00, output_usd=12.00, **_SHIPPED),
}
"""The prices that Quire brings along. No price for cached tokens is known to it: they count like all others."""


def _with_shipped_prices(value: object) -> object:
    return {**SHIPPED_PRICES, **value} if isinstance(value, Mapping) else value


Prices = Annotated[Mapping[SafeName, ModelPrice], BeforeValidator(_with_shipped_prices)]


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
