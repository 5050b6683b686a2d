"""The emulator shows what others made in the project, and another project's key sees nothing of it."""

from typing import Any

import httpx

from tests.emulator_server import API_KEY, EmulatorHandle


def test_lists_show_what_others_made_as_it_stands_and_another_projects_key_sees_nothing(gemini: EmulatorHandle) -> None:
    strange = {"metadata": {"displayName": "theirs"}}
    gemini.set_rules(foreign_jobs=[strange], foreign_files=[{"name": "files/theirs"}])

    def got(path: str, key: str = API_KEY) -> Any:
        return httpx.get(f"{gemini.base_url}/v1/{path}", headers={"x-goog-api-key": key}).json()

    assert got("batches") == {"operations": [strange]}
    assert got("files") == {"files": [{"name": "files/theirs"}]}
    assert got("batches", "other-project-key") == got("files", "other-project-key") == {}
    assert got("batches/theirs", "other-project-key")["error"]["code"] == 403
