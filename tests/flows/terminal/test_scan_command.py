"""``quire scan`` needs files alone; where a Prefect answers, no pass runs meanwhile."""

import json
import os
from pathlib import Path

import pytest
import yaml
from PIL import Image

from flows.gateways.prefect.locks import PrefectLock
from tests.command import run_quire
from tests.contracts.pdf.shelf import typeset
from tests.emulator_server import API_KEY
from tests.prefect_server import PrefectServer
from tests.project import Project

NO_PREFECT = "By the files alone, Prefect was not asked: no Prefect server is named, and none of quire up runs here"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Three pages of two documents, and a configuration; no server, no key."""
    for place in ("Kent/12/1", "Kent/12/2", "Kent/13/1"):
        path = tmp_path / f"dataset/page_images/{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 60), "white").save(path)
    settings = {"collection": "", "record": {"document_fields": ["county", "volume"]}, "images": {"min_side_pixels": 0}}
    (tmp_path / "quire.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return tmp_path


def nothing() -> dict[str, str]:
    """An environment that names no server and no key."""
    theirs = ("PREFECT_", "QUIRE_", "GEMINI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(theirs)}


def files(folder: Path) -> dict[str, int]:
    """All that lies there, but the log."""
    found = (path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in found}


async def test_it_works_with_files_alone_and_says_what_it_did(shelf: Path) -> None:
    before = files(shelf)
    would = await run_quire("scan", "--dry-run", env=nothing(), cwd=shelf)
    assert (would.code, would.err) == (0, "")
    assert would.out == (
        "3 records, 3 new, 0 gone, 0 files left out\nnothing is done: manifests/records.parquet is not written\n"
    )
    some = await run_quire("scan", "--limit", "1", env=nothing(), cwd=shelf)
    assert some.out.startswith("2 records in the first documents, 0 files left out; there may be more\nnothing is done")
    assert files(shelf) == before, "neither has written anything"

    first, again = [await run_quire("scan", env=nothing(), cwd=shelf) for _ in range(2)]

    assert (first.code, first.err) == (0, "")
    head, manifest, waves, ends, why = first.out.splitlines()
    assert head == "3 records, 3 new, 0 gone, 0 files left out"
    assert manifest == "the record manifest is written: manifests/records.parquet"
    assert waves.startswith("waves left: 2 with previous_result")
    assert ends == "when that will be done is not known: no batch was answered in the last 7 days"
    assert why.startswith(NO_PREFECT)
    assert "the record manifest is as it was: " in again.out
    (shelf / "dataset/page_images/Kent/13/1.png").unlink()
    as_json = json.loads((await run_quire("scan", "--json", env=nothing(), cwd=shelf)).out)
    assert {name: as_json[name] for name in ("records", "added", "removed", "problems", "changed")} == {
        **{"records": 2, "added": 0, "removed": 1},
        **{"problems": 0, "changed": True},
    }
    assert as_json["prefect_problem"].startswith("no Prefect server is named")


async def test_pdfs_are_rendered_but_not_by_looking(shelf: Path) -> None:
    pdf = shelf / "dataset/source_documents/Kent/14.pdf"
    pdf.parent.mkdir(parents=True)
    typeset(pdf, 2)

    looked = await run_quire("scan", "--dry-run", "--json", env=nothing(), cwd=shelf)
    assert json.loads(looked.out) == {
        **{"records": 3, "added": 3, "removed": 0, "problems": 0, "changed": False},
        **{"gaps": {}, "notes": [], "pdfs_to_render": 1, "is_whole": True, "dry_run": True},
    }
    assert not (shelf / "dataset/page_images/Kent/14").exists()
    done = await run_quire("scan", env=nothing(), cwd=shelf)
    assert "5 records, 5 new" in done.out
    assert sorted(path.name for path in (shelf / "dataset/page_images/Kent/14").glob("*.jpg")) == ["1.jpg", "2.jpg"]


async def test_no_page_at_all_is_told_with_what_lies_there(shelf: Path) -> None:
    settings = {"collection": "", "record": {"document_fields": ["county", "town", "volume"]}}
    (shelf / "quire.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    for arguments in (["scan"], ["scan", "--dry-run"]):
        ended = await run_quire(*arguments, env=nothing(), cwd=shelf)
        said = ended.out
        assert ended.code == 1
        assert "no page was found in dataset/page_images: look at quire.yaml" in said
        assert (
            "3 images lie 2 folders deep, such as Kent/12/1.png, 1 level too high: set record.document_fields, which "
            "is [county, town, volume], to 2 names, such as [town, volume]" in said
        )


@pytest.mark.light
async def test_where_a_prefect_answers_no_pass_runs_meanwhile(
    project: Project, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    config, environment = ["--config", str(project.config)], prefect_server.environment()
    async with PrefectLock(f"{project.collection}_quire_pass").hold(wait=False):
        busy = await run_quire("scan", *config, env=environment, cwd=tmp_path)
        looked = await run_quire("scan", "--dry-run", *config, env=environment, cwd=tmp_path)
    assert (busy.code, busy.out) == (0, "another pass is running; nothing to do here\n")
    assert "1 records, 1 new" in looked.out, "a look holds up nobody"
    assert not (project.manifests / "records.parquet").exists()

    done = await run_quire("scan", *config, env=environment, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "1 records, 1 new" in done.out
    assert "Prefect was not asked" not in done.out
    # The tie between folder and database is for the first pass to make, and what another has taken is refused.
    await project.run_pass()
    (project.manifests / "home.json").rename(project.manifests / "elsewhere.json")
    env = environment | {"GEMINI_API_KEY": API_KEY}
    exchanged = await run_quire("scan", *config, env=env, cwd=tmp_path)
    assert (exchanged.code, exchanged.out) == (1, "")
    assert "is the folder mounted" in exchanged.err
