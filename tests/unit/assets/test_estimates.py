"""Tokens and dollars of a request before it is sent: the published rules, the bound that caps go by, and what answers
teach."""

import numpy as np
import pyarrow as pa
import pytest

from assets.domain.money import Price, dollars
from assets.domain.tokens import image_tokens, max_output_tokens, shrunk, text_tokens
from assets.estimates import (
    ESTIMATE_SCHEMA,
    Rates,
    Tariff,
    images_tokens,
    measured_rates,
    row_estimates,
    with_sizes_before,
)
from assets.spending import SUBMISSIONS_SCHEMA
from tests.unit.assets.tables import PRICE, manifest_of


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("model", "config", "tokens"),
    [
        ("gemini-3.5-flash", {}, [1120, 1120, 1120]),
        ("gemini-3.1-pro-preview", {"media_resolution": "MEDIA_RESOLUTION_LOW"}, [280, 280, 280]),
        ("gemini-3.5-flash", {"mediaResolution": "medium"}, [560, 560, 560]),
        ("gemini-3.5-flash", {"media_resolution": "MEDIA_RESOLUTION_UNSPECIFIED"}, [1120, 1120, 1120]),
        ("gemini-4-neon", {"media_resolution": "LOW"}, [280, 280, 280]),
        ("gemini-4-argon", {}, [1120, 1120, 1120]),
        ("gemini-3.8-flash", {"media_resolution": "MEDIA_RESOLUTION_ULTRA_HIGH"}, [2240, 2240, 2240]),
        ("gemini-2.5-flash", {"media_resolution": "LOW"}, [258, 258, 258 * 6]),
        ("gemini-2.5-pro", {}, [258, 258, 258 * 6]),
    ],
)
def test_images_count_by_resolution_or_by_tiles(model: str, config: dict[str, str], tokens: list[int]) -> None:
    widths, heights = ints(384, 385, 1537), ints(384, 768, 1536)
    assert image_tokens(widths, heights, model=model, generation_config=config).tolist() == tokens


def test_a_shrunk_image_counts_as_what_goes_up() -> None:
    widths, heights = shrunk(ints(3072, 100), ints(1000, 50), 768)
    assert (widths.tolist(), heights.tolist()) == ([768, 100], [250, 50])
    tariff = Tariff("gemini-2.5-flash", {}, None, 700)
    assert images_tokens(manifest_of(["A:b:c:1"]), tariff).tolist() == [258], "1000 x 1500 pixels, at most 700 go up"


@pytest.mark.parametrize(
    ("model", "config", "tokens"),
    [
        ("gemini-3.8-flash", {}, [1120, 2240, 2240, 1120]),
        ("gemini-4-hydrogen", {"media_resolution": "ULTRA_HIGH"}, [2240, 4480, 4480, 2240]),
        # 300 x 384 is one tile, 1537 x 768 are three, 769 x 1537 are two by three.
        ("gemini-2.0-flash", {}, [258, 258 * 3 + 258, 258 * 6 + 258 * 3, 258]),
    ],
)
def test_the_image_before_counts_with_its_own_size(model: str, config: dict[str, str], tokens: list[int]) -> None:
    records = pa.table(
        {
            "record_key": ["A:b:c:1", "A:b:c:2", "A:b:c:3", "A:b:d:1"],
            "predecessor": pa.array([None, "A:b:c:1", "A:b:c:2", None], pa.string()),
            "takes_image": [False, True, True, False],
            "image_width": pa.array([300, 1537, 769, 100], pa.int32()),
            "image_height": pa.array([384, 768, 1537, 100], pa.int32()),
        }
    )
    tariff = Tariff(model, config, PRICE, None)
    of_images = images_tokens(with_sizes_before(records, records), tariff)
    assert of_images.tolist() == tokens
    third = with_sizes_before(records.slice(2, 1), records)
    assert images_tokens(third, tariff).tolist() == [tokens[2]], "alone, too"

    bounds = row_estimates(of_images, ints(0, 0, 0, 0), tariff, Rates(0, 0))["max_usd"].to_pylist()
    assert bounds == pytest.approx([(each * 1.5 + 65_536 * 9) / 2e6 for each in tokens])


def test_a_shrunk_image_before_counts_as_what_goes_up() -> None:
    records = manifest_of(["A:b:c:1", "A:b:c:2"])
    records = records.append_column("takes_image", pa.array([False, True]))
    rows = with_sizes_before(records, records)
    tariff = Tariff("gemini-2.0-flash", {}, None, 768)
    assert images_tokens(rows, tariff).tolist() == [258, 516], "512 x 768 each"


def test_texts_are_a_quarter_of_their_bytes_rounded_up() -> None:
    assert text_tokens(ints(0, 1, 4, 4001)).tolist() == [0, 1, 1, 1001]


@pytest.mark.parametrize(
    "config", [{}, {"max_output_tokens": 0}, {"maxOutputTokens": True}, {"max_output_tokens": "9"}]
)
def test_an_answer_without_a_limit_is_as_long_as_the_model_can(config: dict[str, object]) -> None:
    assert max_output_tokens(config) is None
    assert Tariff("gemini-3.5-flash", config, None, None).output_bound_tokens == 65_536
    assert max_output_tokens({"maxOutputTokens": 77}) == 77


def test_an_estimate_and_the_most_that_it_can_cost() -> None:
    tariff = Tariff("gemini-3.5-flash", {"max_output_tokens": 8192}, PRICE, None)
    table = row_estimates(ints(1120), ints(4000), tariff, Rates(800, 200, text_scale=2.0))
    assert table.schema == ESTIMATE_SCHEMA
    [row] = table.to_pylist()
    assert (row["estimated_image_tokens"], row["estimated_text_tokens"]) == (1120, 1000)
    assert row["estimated_output_tokens"] == 1000
    assert row["estimated_usd"] == pytest.approx(0.5 * (3120 * 1.5 + 1000 * 9) / 1e6)
    assert row["max_usd"] == pytest.approx(0.5 * (5120 * 1.5 + 8192 * 9) / 1e6), "each byte of text a token"


def test_without_a_price_there_are_tokens_and_no_dollars() -> None:
    [row] = row_estimates(ints(1120), ints(4), Tariff("gemini-9", {}, None, None), Rates(1, 1)).to_pylist()
    assert (row["estimated_output_tokens"], row["estimated_usd"], row["max_usd"]) == (2, None, None)


def measured(**sums: int) -> pa.Table:
    row = {field.name: None if field.nullable else 0 for field in SUBMISSIONS_SCHEMA} | {
        "submission_id": "s",
        "released": False,
        "was_posted": True,
        "was_sent": True,
        "model": "m",
        "way_of_asking": "[]",
        **sums,
    }
    return pa.Table.from_pylist([row], schema=SUBMISSIONS_SCHEMA)


def test_answers_correct_what_was_expected() -> None:
    expected = Rates(1000, 300)
    assert measured_rates(SUBMISSIONS_SCHEMA.empty_table(), expected) == expected
    assert measured_rates(measured(answers=0, prompt_tokens=5), expected) == expected, "nothing was answered"
    found = measured_rates(
        measured(
            answers=10,
            estimated_image_tokens=11_200,
            estimated_text_tokens=5_000,
            prompt_tokens=21_200,
            output_tokens=4_000,
            thoughts_tokens=100,
        ),
        expected,
    )
    assert found == Rates(400, 10, text_scale=2.0, answers=10)


def test_a_rule_that_has_changed_is_not_taken_for_a_language() -> None:
    found = measured_rates(
        measured(answers=1, estimated_image_tokens=9_000, estimated_text_tokens=100, prompt_tokens=1_000), Rates(1, 1)
    )
    assert found.text_scale == 0.25


def test_a_price_takes_what_came_from_a_cache_out_of_the_rest() -> None:
    price = Price(input_usd=2, output_usd=10, cached_usd=0.2, batch_factor=0.5)
    assert price.usd(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=500_000) == pytest.approx(1.05)
    assert price.usd(input_tokens=10, output_tokens=0, cached_tokens=500) >= 0, "never less than nothing"
    assert Price.from_json(price.as_json()) == price
    assert Price.from_json(None) is None


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0.00"), (0.00123, "$0.0012"), (0.5, "$0.5000"), (1, "$1.00"), (1234.567, "$1,234.57")]
)
def test_dollars_for_people(usd: float, text: str) -> None:
    assert dollars(usd) == text
