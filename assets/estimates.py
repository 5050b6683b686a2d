"""What requests and answers are taken to have in tokens, and to cost, before they are sent. What was spent stands
in `assets.spending`.

An estimate is what is to be expected. Beside it stands a bound, the most that a record can cost: each byte of text a
token, the answer as long as it may be. Caps go by the bound, so that none is ever passed; as answers come in and cost
less, room comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.models import model_of
from assets.domain.money import Price
from assets.domain.tokens import image_tokens, max_output_tokens, shrunk, text_tokens

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

TEXT_SCALE_RANGE = (0.25, 4.0)
"""What is measured may correct the estimate of texts by so much: more is a rule that has changed, not a language."""

ESTIMATE_SCHEMA = pa.schema(
    [
        pa.field("estimated_image_tokens", pa.int64(), nullable=False),
        pa.field("estimated_text_tokens", pa.int64(), nullable=False),
        pa.field("estimated_output_tokens", pa.int64(), nullable=False),
        pa.field("estimated_usd", pa.float64()),
        pa.field("max_usd", pa.float64()),
    ]
)
"""A row a record. Text: prompt, schema and context, by the rule of thumb; output: thinking included; dollars are null
without a price."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What goes by experience. ``output_tokens``, ``thinking_tokens``: the mean of an answer; ``text_scale``: how many
    tokens a text really has for each that the rule of thumb gives it; ``answers``: how many answers it goes by; 0: it
    is what the settings expect."""

    output_tokens: float
    thinking_tokens: float
    text_scale: float = 1.0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Tariff:
    """What the settings say about a request: the model that answers it, how it is set, its price (None: unknown), and
    to how many pixels images are shrunk."""

    model: str
    generation_config: Mapping[str, Any]
    price: Price | None
    max_side_pixels: int | None

    @property
    def output_bound_tokens(self) -> int:
        return max_output_tokens(self.generation_config) or model_of(self.model).max_output_tokens


BEFORE_COLUMNS = ("before_width", "before_height")
"""Pixels of the image of the page before; null where it does not go along."""


def with_sizes_before(rows: pa.Table, records: pa.Table) -> pa.Table:
    """``rows`` (columns of `record_states`) with BEFORE_COLUMNS, looked up by their ``predecessor`` in ``records``
    (columns record_key, image_width and image_height)."""
    before = pc.if_else(rows["takes_image"], rows["predecessor"], pa.scalar(None, pa.string()))
    at = pc.index_in(before, value_set=records["record_key"].combine_chunks())
    for name, size in zip(BEFORE_COLUMNS, ("image_width", "image_height"), strict=True):
        rows = rows.append_column(name, records[size].take(at.combine_chunks()))
    return rows


def images_tokens(rows: pa.Table, tariff: Tariff) -> IntArray:
    """Image tokens of each row of a record manifest (columns image_width, image_height), with those of the image of the
    page before where ``rows`` has BEFORE_COLUMNS, too."""
    tokens = _images_tokens(rows["image_width"], rows["image_height"], tariff)
    if BEFORE_COLUMNS[0] not in rows.column_names:
        return tokens
    widths, heights = (rows[name] for name in BEFORE_COLUMNS)
    has_before = widths.is_valid().to_numpy(zero_copy_only=False)
    before = _images_tokens(pc.fill_null(widths, 1), pc.fill_null(heights, 1), tariff)
    return tokens + np.where(has_before, before, 0)


def _images_tokens(widths: pa.ChunkedArray, heights: pa.ChunkedArray, tariff: Tariff) -> IntArray:
    sizes = (widths.to_numpy().astype(np.int64), heights.to_numpy().astype(np.int64))
    return image_tokens(
        *shrunk(sizes[0], sizes[1], tariff.max_side_pixels),
        model=tariff.model,
        generation_config=tariff.generation_config,
    )


def row_estimates(
    of_images: IntArray,
    text_bytes: IntArray,
    tariff: Tariff,
    rates: Rates,
    *,
    output_bounds: IntArray | None = None,
) -> pa.Table:
    """The estimate of each request. ``of_images``: its image tokens; ``text_bytes``: its prompt, context and schema
    together; ``output_bounds``: the most output tokens of each, None: the tariff's. What may answer more than usual was
    cut short before, so that the usual bound is expected at least. Columns: ESTIMATE_SCHEMA."""
    of_text = text_tokens(text_bytes)
    usual = tariff.output_bound_tokens
    bounds = np.full(len(of_text), usual, dtype=np.int64) if output_bounds is None else output_bounds
    output = np.full(len(of_text), round(rates.output_tokens + rates.thinking_tokens), dtype=np.int64)
    output = np.where(bounds > usual, np.maximum(output, usual), output)
    estimated, bound = None, None
    if tariff.price is not None:
        price = tariff.price
        # A cache can only make it cheaper, so it stays out of both.
        estimated = usd_of(price, of_images + of_text * rates.text_scale, output)
        bound = usd_of(price, of_images + text_bytes, bounds)
    return pa.table(
        {
            "estimated_image_tokens": of_images,
            "estimated_text_tokens": of_text,
            "estimated_output_tokens": output,
            "estimated_usd": pa.array(estimated, pa.float64()) if estimated is not None else _nothing(len(of_text)),
            "max_usd": pa.array(bound, pa.float64()) if bound is not None else _nothing(len(of_text)),
        }
    ).cast(ESTIMATE_SCHEMA)


def measured_rates(measured: pa.Table, expected: Rates) -> Rates:
    """``expected``, corrected by what was answered. ``measured``: the rows of `assets.spending` that were asked in the
    same way; its columns answers, estimated_image_tokens, estimated_text_tokens, prompt_tokens, output_tokens and
    thoughts_tokens are sums over the answers of a submission."""
    sums = {name: float(np.sum(measured[name].to_numpy())) for name in _SUMMED}
    answers = int(sums["answers"])
    if not answers:
        return expected
    of_text = sums["prompt_tokens"] - sums["estimated_image_tokens"]
    scale = of_text / sums["estimated_text_tokens"] if sums["estimated_text_tokens"] else 1.0
    return Rates(
        output_tokens=sums["output_tokens"] / answers,
        thinking_tokens=sums["thoughts_tokens"] / answers,
        text_scale=float(np.clip(scale, *TEXT_SCALE_RANGE)),
        answers=answers,
    )


_SUMMED = (
    "answers",
    "estimated_image_tokens",
    "estimated_text_tokens",
    "prompt_tokens",
    "output_tokens",
    "thoughts_tokens",
)


def usd_of(price: Price, input_tokens: FloatArray | IntArray, output_tokens: FloatArray | IntArray) -> FloatArray:
    """US dollars of each request in a batch, with nothing from a cache."""
    full: FloatArray = input_tokens * price.input_usd + output_tokens * price.output_usd
    return full * price.batch_factor / 1_000_000


def _nothing(length: int) -> pa.Array:
    return pa.nulls(length, pa.float64())
