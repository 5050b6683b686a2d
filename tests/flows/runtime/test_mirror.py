"""The lineage that Prefect recorded of real passes is the registry's."""

import re

import pyarrow as pa
import pytest
from prefect import flow
from prefect.assets import Asset as PrefectAsset

from assets.catalog import CATALOG
from assets.domain.errors import AssetCheckError
from assets.graph import AssetGraph
from assets.manifest import record_manifest
from assets.sources import PageImage, page_images, source_documents
from config.failing import RetriesSection
from flows.runtime.mirror import Mirror
from flows.scan import scan
from tests.contracts.pdf.shelf import typeset
from tests.flows.recorded import Materialization, Recorded
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

LEGAL_KEY = re.compile(r"[a-z0-9]+://[A-Za-z0-9_./-]{1,500}")


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events and task runs."""
    return recording_server


async def test_every_asset_is_materialized_with_the_lineage_of_the_registry(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()

    made = {name for name, asset in CATALOG.items() if not asset.observed}
    prefix = f"quire://{project.collection}/"
    found = await Recorded(project).materializations(
        lambda events: made <= {event.key.removeprefix(prefix) for event in events}
    )

    assert {event.key.removeprefix(prefix) for event in found} == made
    edges = {
        (upstream.removeprefix(prefix), event.key.removeprefix(prefix))
        for event in found
        for upstream in event.upstream
    }
    assert edges == CATALOG.edges()
    for event in found:
        assert event.succeeded
        assert LEGAL_KEY.fullmatch(event.key)
        name = event.key.removeprefix(prefix)
        assert {each.removeprefix(prefix) for each in event.upstream} == set(CATALOG[name].upstream), "each time"
    told = {event.key.removeprefix(prefix): event.metadata for event in found if event.metadata}
    assert told["record_manifest"] == {"records": 1, "problems": 0}
    [submission_id] = project.submissions()
    assert told["output_results"] == {"submission_id": submission_id, "written": 1, "superseded": 0}
    assert told["record_outcomes"] == {"submission_id": submission_id, "records": 1, "success": 1}
    counted = {name: {key for key in metadata if key != "submission_id"} for name, metadata in told.items()}
    assert set(counted) == made, "each tells how much it holds"
    assert all(counted.values())


async def test_pages_of_pdfs_are_an_asset_like_page_images(project: Project) -> None:
    pdf = project.root / "dataset/source_documents/CA/Lincoln/1901.pdf"
    pdf.parent.mkdir(parents=True)
    typeset(pdf, 1)
    await scan(str(project.config))

    prefix = f"quire://{project.collection}/"
    events = await Recorded(project).materializations(lambda events: len(events) >= 2)
    made = {event.key.removeprefix(prefix): event for event in events}
    assert {each.removeprefix(prefix) for each in made["page_images"].upstream} == set(CATALOG["page_images"].upstream)


async def test_an_asset_that_breaks_its_promise_is_a_failed_materialization(project: Project) -> None:
    graph = AssetGraph([source_documents, page_images, record_manifest])
    mirror = Mirror(graph, collection=project.collection, retries=RetriesSection())
    image = PageImage(("CA",), "1", "1.jpg", 0, "image/jpeg", 1, 1, 1, 1)
    wrote: list[pa.Table] = []

    async def write(table: pa.Table) -> None:
        wrote.append(table)

    @flow(name="broken", persist_result=False)
    async def broken(config: str) -> None:
        pages = await mirror.materialize("page_images", None, images=[image, image], document_fields=("state",))
        await mirror.materialize("record_manifest", pages, document_fields=("state",), write=write)

    with pytest.raises(AssetCheckError, match="asset record_manifest: check unique keys failed"):
        await broken(str(project.config))

    def has_arrived(events: list[Materialization]) -> bool:
        return mirror.key("record_manifest") in {event.key for event in events}

    found = await Recorded(project).materializations(has_arrived)
    assert {event.key: event.succeeded for event in found} == {
        mirror.key("page_images"): True,
        mirror.key("record_manifest"): False,
    }
    assert wrote == [], "what is wrong is not written"


def test_the_keys_of_all_assets_are_legal_in_prefect() -> None:
    for collection in ("", "ca_2"):
        mirror = Mirror(CATALOG, collection=collection, retries=RetriesSection())
        for name in CATALOG:
            assert PrefectAsset(key=mirror.key(name)).key == f"quire://{collection or 'main'}/{name}"
