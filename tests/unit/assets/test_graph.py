"""Assets and the graph that they make: names and upstreams come from the functions themselves."""

import pytest

from assets.catalog import CATALOG
from assets.domain.errors import AssetCheckError
from assets.graph import Asset, AssetGraph, Check, asset


@asset(observed=True)
def folder() -> list[int]:
    """What lies there.

    More words."""
    return [3, 1]


@asset(checks=(Check("not empty", lambda value: None if value else "nothing is there"),))
def sorted_pages(folder: list[int], *, at_least: int = 0) -> list[int]:
    """The pages in order."""
    return sorted(page for page in folder if page >= at_least)


@asset()
def report(sorted_pages: list[int], folder: list[int]) -> str:
    return f"{len(sorted_pages)} of {len(folder)}"


def test_an_asset_is_called_like_the_function_that_it_is() -> None:
    assert sorted_pages([3, 1], at_least=2) == [3]
    assert report([1], [1, 2]) == "1 of 2"


def test_its_declaration_is_its_signature() -> None:
    assert (report.name, report.upstream) == ("report", ("sorted_pages", "folder"))
    assert sorted_pages.upstream == ("folder",), "a keyword is a setting, no upstream asset"
    assert (folder.description, folder.observed, sorted_pages.observed) == ("What lies there.", True, False)


def test_a_broken_promise_names_asset_and_check() -> None:
    with pytest.raises(AssetCheckError) as caught:
        sorted_pages([1], at_least=5)
    assert str(caught.value) == "asset sorted_pages: check not empty failed: nothing is there"
    assert (caught.value.asset, caught.value.check) == ("sorted_pages", "not empty")


def test_the_graph_is_in_data_flow_order_whatever_order_it_is_given_in() -> None:
    graph = AssetGraph([report, sorted_pages, folder])
    assert list(graph) == ["folder", "sorted_pages", "report"]
    assert graph.edges() == {("folder", "sorted_pages"), ("sorted_pages", "report"), ("folder", "report")}
    assert len(graph) == 3
    assert graph["report"] is report


def test_an_unknown_upstream_is_refused() -> None:
    with pytest.raises(ValueError, match="asset report depends on sorted_pages, which is no asset"):
        AssetGraph([report, folder])


def test_a_name_stands_for_one_asset() -> None:
    with pytest.raises(ValueError, match="two assets are called folder"):
        AssetGraph([folder, folder])


def test_a_circle_is_refused() -> None:
    @asset()
    def hen(egg: int) -> int:
        return egg

    @asset()
    def egg(hen: int) -> int:
        return hen

    with pytest.raises(ValueError, match="depend on each other in a circle"):
        AssetGraph([hen, egg])


def test_the_catalog_holds_the_assets_of_the_design_with_their_lineage() -> None:
    assert CATALOG.edges() == {
        ("source_documents", "page_images"),
        ("page_images", "record_manifest"),
        ("record_manifest", "runnable_records"),
        ("existing_results", "runnable_records"),
        ("ledger", "runnable_records"),
        ("runnable_records", "batch_manifest"),
        ("batch_manifest", "batch_requests"),
        ("batch_requests", "batch_results"),
        ("batch_manifest", "record_outcomes"),
        ("batch_results", "record_outcomes"),
        ("record_outcomes", "output_results"),
        ("record_outcomes", "batch_report"),
        ("output_results", "batch_report"),
    }
    observed = {name for name, each in CATALOG.items() if each.observed}
    assert observed == {"source_documents", "existing_results", "ledger"}


@pytest.mark.parametrize("each", CATALOG.values(), ids=lambda each: each.name)
def test_every_asset_of_the_catalog_says_in_a_line_what_it_is(each: Asset[..., object]) -> None:
    assert each.description.endswith((".", ":", ","))
    assert len(each.description) <= 120
