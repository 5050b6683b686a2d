"""The emulator shows what others made in the project, and another project's key sees nothing of it."""

from typing import Any

import httpx
from google import genai

from tests.contracts.emulator.sdk import create, line
from tests.emulator_server import API_KEY, EmulatorHandle


def test_lists_show_what_others_made_as_it_stands_and_another_projects_key_sees_nothing(gemini: EmulatorHandle) -> None:
    strange = {"metadata": {"displayName": "theirs"}}
    gemini.set_rules(foreign_jobs=[strange, 5], foreign_files=[{"name": "files/theirs"}])

    def got(path: str, key: str = API_KEY) -> Any:
        return httpx.get(f"{gemini.base_url}/v1/{path}", headers={"x-goog-api-key": key}).json()

    assert got("batches") == {"operations": [strange, 5]}
    assert got("files") == {"files": [{"name": "files/theirs"}]}
    assert got("batches", "other-project-key") == got("files", "other-project-key") == {}
    assert got("batches/theirs", "other-project-key")["error"]["code"] == 403


def test_lists_name_no_result_file_where_a_rule_says_so(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"list_result_file": False}])
    job = create(client, [line("CA:Lincoln:2023:1")], display_name="01hx")
    gemini.advance(60)

    listed, asked = (
        httpx.get(f"{gemini.base_url}/v1/{path}", headers={"x-goog-api-key": API_KEY}).json()
        for path in ("batches", job.name)
    )

    [entry] = listed["operations"]
    assert "output" not in entry["metadata"]
    assert asked["metadata"]["output"]["responsesFile"].startswith("files/batch-")


def test_a_jobs_metadata_says_what_a_rule_says(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"metadata": {"createTime": "2026-01-01T00:00:00Z", "endTime": None, "batchStats": [5]}}])
    job = create(client, [line("CA:Lincoln:2023:1")], display_name="01hx")
    gemini.advance(60)

    said = httpx.get(f"{gemini.base_url}/v1/{job.name}", headers={"x-goog-api-key": API_KEY}).json()

    assert (said["metadata"]["createTime"], said["metadata"]["batchStats"]) == ("2026-01-01T00:00:00Z", [5])
    assert "endTime" not in said["metadata"]
    assert said["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
