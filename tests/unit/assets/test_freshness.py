"""Findings of pages become a few lines: worst first, alike together, bounded."""

from assets.freshness import MAX_FINDINGS, MAX_RANGES, Finding, Freshness, asset_of_document, lines_of, of_pages

STALE, FRESH, MISSING, UNKNOWN = Freshness.STALE, Freshness.FRESH, Freshness.MISSING, Freshness.UNKNOWN


def test_pages_that_are_alike_stand_together_and_the_worst_comes_first() -> None:
    pages = [("A:b:1:1", FRESH, ""), ("A:b:1:2", STALE, "made with another prompt"), ("A:b:1:3", FRESH, "")]
    pages += [("A:b:1:4", MISSING, "dead letter"), ("A:b:1:5", STALE, "made with another prompt")]

    asset = asset_of_document("output_results", of_pages(pages))

    assert asset.counts == {"fresh": 2, "stale": 2, "missing": 1}
    assert lines_of(asset) == [
        "output_results: 2 fresh, 2 stale, 1 missing",
        "  missing: A:b:1:4: dead letter",
        "  stale: A:b:1:2, A:b:1:5: made with another prompt",
    ]


def test_what_is_said_of_the_whole_document_has_no_pages() -> None:
    asset = asset_of_document("source_documents", [Finding(Freshness.NONE, "no PDF of it")])

    assert (asset.counts, lines_of(asset)) == ({}, ["source_documents: none: no PDF of it"])


def test_what_is_long_has_a_bound() -> None:
    scattered = [(f"A:b:1:{page}", UNKNOWN, "not compared") for page in range(1, 100, 2)]
    many = [(f"A:b:1:{page}", STALE, f"reason {page}") for page in range(100, 200)]

    head, *lines, last = lines_of(asset_of_document("output_results", of_pages(scattered + many)))

    assert head == "output_results: 100 stale, 50 unknown"
    assert (len(lines), last) == (MAX_FINDINGS, f"  ... and {101 - MAX_FINDINGS} more kinds")
    (shown,) = lines_of(asset_of_document("output_results", of_pages(scattered)))[1:]
    assert shown.count("A:b:1:") == MAX_RANGES
    assert shown.endswith(" and 40 more: not compared")
