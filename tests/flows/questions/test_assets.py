"""``quire assets``: the catalogue of assets, and one document at each of them."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from prefect.client.orchestration import get_client

from assets.catalog import CATALOG
from assets.domain.errors import RecordKeyError
from flows.questions.catalogue import AssetStanding, read_catalogue
from flows.questions.catalogue_report import assets_json, assets_svg, assets_text
from flows.questions.document import read_document
from flows.scan import scan
from flows.steering import assets as assets_flow
from flows.steering import rerun
from tests.command import run_quire
from tests.contracts.pdf.shelf import typeset
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events and task runs."""
    return recording_server


async def standings(project: Project) -> dict[str, AssetStanding]:
    return {each.name: each for each in (await read_catalogue(str(project.config))).assets}


async def of_document(project: Project, document: str) -> dict[str, dict[str, Any]]:
    found = json.loads(await assets_json(str(project.config), document))
    return {each["name"]: each for each in found["assets"]}


def reasons(asset: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Record key -> (freshness, reason)."""
    found: dict[str, tuple[str, str]] = {}
    for finding in asset["findings"]:
        found |= dict.fromkeys(finding["keys"], (finding["freshness"], finding["reason"]))
    return found


async def test_each_asset_tells_what_it_is_made_from_what_was_made_last_and_its_checks(
    project: Project, tmp_path: Path, prefect_server: PrefectServer
) -> None:
    project.configure(execution={"max_retries": 0, "batch_size_limit": 2})
    before = await standings(project)
    assert {before[name].state for name in ("record_manifest", "batch_manifest", "output_results")} == {"nothing yet"}
    assert all(each.run is None and each.made_at is None for each in before.values())

    project.add_pages("CA:Lincoln:1901", [1])
    [bad] = project.add_pages("TX:Austin:1901", [1])
    project.gemini.set_steps(bad, "empty")
    await project.run_pass()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    await project.run_pass()

    recorded = Recorded(project)
    made = [name for name, asset in CATALOG.items() if not asset.observed]
    await recorded.materializations(lambda events: len({event.key for event in events}) == len(made))
    found = await standings(project)

    assert {name: found[name].upstream for name in CATALOG} == {name: CATALOG[name].upstream for name in CATALOG}
    [submission] = project.submissions()
    for name in ("batch_manifest", "batch_requests", "batch_results", "record_outcomes", "output_results"):
        assert found[name].version == submission, name
    assert found["record_manifest"].counts == {"records": 2}
    assert found["record_outcomes"].counts == {"success": 1, "empty": 1, "settled batches in all": 1}
    assert (found["output_results"].counts["results"], found["batch_results"].counts["answers"]) == (1, 2)
    assert found["ledger"].counts == {"active batches": 0, "records with failures": 1}
    checks = {each.name: [(check.name, check.holds) for check in each.checks] for each in found.values()}
    assert checks["record_manifest"] == [("unique keys", True), ("predecessors exist", True)]
    assert checks["record_outcomes"] == [("one outcome a record", True)]
    assert checks["output_results"] == [("each has an answer", None)], "nothing of it is kept"
    # Each has the run that made it, by its name.
    runs = {str(run.id): run.name for run in await recorded.flow_runs()}
    for name in ("record_manifest", "batch_manifest", "batch_requests", "record_outcomes", "output_results"):
        run = found[name].run
        assert run is not None, name
        assert runs[run.id] == run.name
    passes = {found[name].run for name in ("batch_manifest", "record_outcomes")}
    assert len(passes) == 2, "one has sent it, another has settled it"

    # The artifact of the pass knows the same, though Prefect has not heard of that run's tasks yet.
    report = (await recorded.artifacts("assets"))[-1]
    assert report.count("data:image/svg+xml;base64,") == 1
    assert report.count("/runs/flow-run/") >= 5
    assert "| record\\_outcomes | stands | batch\\_manifest, batch\\_results | " in report
    assert "one outcome a record\\: holds" in report

    # A database that was pruned knows less, and tells nothing that is not so.
    async with get_client() as client:
        for run_id in runs:
            await client.delete_flow_run(UUID(run_id))
    pruned = await standings(project)
    assert all(each.run is None for each in pruned.values())
    assert [each.made_at for each in pruned.values()] == [each.made_at for each in found.values()]

    # And none of it needs Prefect.
    nobody_there = prefect_server.environment() | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    alone = await run_quire("assets", "--config", str(project.config), env=nobody_there, cwd=tmp_path)
    assert (alone.code, alone.err) == (0, "")
    assert "record_manifest: stands\n  from page_images\n  made 20" in alone.out
    assert "ledger: unknown: Prefect was not read: Prefect does not answer at" in alone.out


@pytest.mark.light
async def test_what_cannot_be_read_or_breaks_its_check_is_told_and_stops_nothing(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    [submission] = project.submissions()
    shutil.copyfile(project.manifests / "records.parquet", project.manifests / "outcomes" / f"{submission}.parquet")
    path = project.manifests / "records.parquet"
    once = pq.read_table(path)
    pq.write_table(pa.concat_tables([once, once]), path)
    twice = (await standings(project))["record_manifest"]
    assert twice.state == "broken"
    unique, _ = twice.checks
    assert (unique.holds, unique.said) == (False, "a record key stands in two rows")
    assert "check unique keys: broken, a record key stands in two rows" in await assets_text(str(project.config))
    path.write_bytes(b"no table")

    found = await standings(project)

    assert found["record_manifest"].state == found["record_outcomes"].state == "unknown"
    assert "records.parquet" in found["record_manifest"].said
    assert [check.holds for check in found["record_manifest"].checks] == [None, None]
    assert found["batch_manifest"].state == "stands"
    assert "record_manifest: unknown: " in await assets_text(str(project.config))
    assert (await assets_svg(str(project.config))).startswith("<svg ")


@pytest.mark.light
async def test_a_document_is_fresh_stale_or_missing_page_by_page_and_why(project: Project) -> None:
    document = "CA:Lincoln:1901"
    project.configure(execution={"max_retries": 0}, context={"mode": "none"})
    same, another, touched, dead, held, wished, flying = project.add_pages(document, range(1, 8))
    project.gemini.set_rules(records=[{"key": dead, "steps": ["not_json"]}, {"key": held, "steps": ["empty"]}])
    path = project.root / "dataset/page_images/CA/Lincoln/1901"
    (path / "7.jpg").rename(project.root / "7.jpg")
    (path / "new.jpg").write_bytes(b"no number")
    await project.run_until_idle()
    Image.new("RGB", (60, 80), "black").save(path / "2.jpg")
    os.utime(path / "3.jpg", (1, 1))

    seen_late = await of_document(project, document)
    # Its image has changed since the scan: what its result was made from is for the next one to say.
    assert reasons(seen_late["page_images"])[another][0] == "stale"
    results = reasons(seen_late["output_results"])
    assert results[another] == results[touched] == ("unknown", "its image file was changed since the last scan")

    await rerun(str(project.config), pages=[wished], dry_run=False)
    (project.root / "7.jpg").rename(path / "7.jpg")
    await scan(str(project.config))
    found = await of_document(project, document)
    results = reasons(found["output_results"])
    assert results[same] == results[touched] == ("fresh", "")
    assert results[another] == ("stale", "made from another image, by its content")
    assert results[dead] == ("missing", "dead letter, last: not_json; quire unblock tries it again")
    assert results[wished][0] == "stale"
    assert "a person wants it read again" in results[wished][1]
    assert results[flying] == ("missing", "can be sent: the next pass that has a free place sends it")
    assert reasons(found["record_outcomes"])[flying] == ("missing", "was in no settled batch yet")
    assert found["source_documents"]["findings"][0]["freshness"] == "none"
    assert found["output_results"]["counts"] == {"fresh": 2, "stale": 2, "missing": 3}

    # What a scan has compared can be deleted: then nobody knows, until the next one has.
    (project.manifests / "image_hashes.parquet").unlink()
    not_known = reasons((await of_document(project, document))["output_results"])
    assert not_known[touched] == ("unknown", "its image has another time; the next scans compare the content")
    assert not_known[same] == ("fresh", "")

    project.configure(model={"name": "gemini-2.5-flash-lite"})
    await project.run_pass()
    (path / "1.jpg").unlink()
    (path / "8.jpg").write_bytes((path / "3.jpg").read_bytes())
    found = await of_document(project, document)
    [batch] = await project.variable("active_batch_ids")
    assert reasons(found["output_results"])[flying] == ("missing", f"in flight in {batch}")
    assert reasons(found["batch_requests"])[flying] == ("fresh", f"posted as {batch}")
    assert reasons(found["batch_results"])[flying] == ("missing", f"{batch} is not settled yet")
    assert reasons(found["page_images"])[same] == ("missing", "its image file is gone")
    assert reasons(found["output_results"])[same][1] == "made by another model"
    said = await assets_text(str(project.config), document)
    assert "1 files lie there that no scan has seen, such as dataset/page_images/CA/Lincoln/1901/8.jpg" in said
    assert f"  stale: {same}, {touched}: made by another model" in said


async def test_a_document_of_a_pdf_and_one_that_is_none(project: Project) -> None:
    pdf = project.root / "dataset/source_documents/CA/Lincoln/1901.pdf"
    pdf.parent.mkdir(parents=True)
    typeset(pdf, 2)
    first = (await of_document(project, "CA:Lincoln:1901"))["source_documents"]
    assert first["findings"][0] == {"freshness": "stale", "reason": "no images were made of it yet", "keys": []}
    await scan(str(project.config))
    (there,) = (await of_document(project, "CA:Lincoln:1901"))["source_documents"]["findings"]
    assert there["freshness"] == "fresh"
    typeset(pdf, 3)
    (changed,) = (await of_document(project, "CA:Lincoln:1901"))["source_documents"]["findings"]
    assert (changed["freshness"], changed["reason"]) == ("stale", "the PDF was changed since its images were made")

    nobody = await read_document(str(project.config), "CA:Lincoln:1999")
    assert nobody.pages == 0
    assert "page_images: missing: no scan has found a page of it; quire scan looks" in await assets_text(
        str(project.config), "CA:Lincoln:1999"
    )
    for wrong in ("CA:Lincoln", "CA:..:1901", "CA:Lincoln:1901:1"):
        with pytest.raises(RecordKeyError):
            await assets_text(str(project.config), wrong)


async def test_the_deployment_leaves_the_picture_and_the_document_as_artifacts(project: Project) -> None:
    hostile = "<img src=x>|**b**"
    project.add_pages(f"CA:{hostile}:1901", [1])
    await scan(str(project.config))

    await assets_flow(str(project.config))
    await assets_flow(str(project.config), document=f"CA:{hostile}:1901")

    recorded = Recorded(project)
    [whole], [document] = await recorded.artifacts("assets"), await recorded.artifacts("document-assets")
    assert "data:image/svg+xml;base64," in whole
    assert "<img" not in whole
    assert f"    CA:{hostile}:1901: 1 page in the record manifest" in document
