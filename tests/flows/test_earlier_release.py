"""Files of the release before there were versions of their form, marks, and a Variable that knows what was sent: they
are read, and a pass goes on from there. The folder ``earlier_release`` is as that release left it: two closed batches,
one page that failed once, and a claim whose create was answered by nothing certain.
"""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from assets.domain.schema import response_schema
from config.schemas.page_transcript import PageTranscript
from flows.gateways.files.home import MARK
from flows.questions.why import why_text
from flows.terminal.show import status_text
from tests.contracts.emulator.sdk import client_of, create, line, picture, upload
from tests.project import JOB_SECONDS, Project

KEPT = Path(__file__).parent / "earlier_release"
COLLECTION = "kept"
CLAIMED = "01m8cbt1w22m49hv7ez91exewb"
FIRST, FAILED, THIRD = (f"CA:Lincoln:1901:{page}" for page in (1, 2, 3))


async def test_a_whole_pass_goes_on_from_the_files_of_an_earlier_release(project: Project) -> None:
    for name in ("manifests", "dataset"):
        shutil.copytree(KEPT / name, project.root / name, dirs_exist_ok=True)
    project.collection = COLLECTION
    project.configure(**{**yaml.safe_load((KEPT / "quire.yaml").read_text()), "gemini": project.settings["gemini"]})
    before = {path: path.read_bytes() for path in (KEPT / "dataset/output_results").rglob("*.json")}
    variables = json.loads((KEPT / "variables.json").read_text())
    for name, value in variables.items():
        await project.create_variable(name, value)
    # The job that its claim waits for.
    client = client_of(project.gemini)
    lines = [line(FAILED, upload(client, picture()), schema=response_schema(PageTranscript))]
    create(client, lines, display_name=CLAIMED)

    assert "inflight" in await status_text(str(project.config)), "looking needs no mark"
    assert "not_json" in await why_text(str(project.config), FAILED)
    (fresh,) = project.add_pages("CA:Lincoln:1901", [4])
    report = await project.run_pass()
    assert (report.submit.sent, report.poll.running) == (1, 1)
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()

    assert all(project.result(key) for key in (FIRST, FAILED, THIRD, fresh))
    for path, content in before.items():
        assert (project.root / path.relative_to(KEPT)).read_bytes() == content
    assert await project.variable("active_batch_ids") == []
    assert {row["kind"] for row in project.outcomes() if row["submission_id"] == CLAIMED} == {"success"}
    home = await project.variable("quire_home")
    assert home == {"id": variables["quire_home"], "newest_submission": project.submissions()[-1], "closed": 4}
    assert len(list(project.root.rglob(MARK))) == 6
    assert len(pq.read_table(project.manifests / "submissions")) == 4
