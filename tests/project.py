"""A whole project for tests of the flows: a folder with page images and a configuration, a collection of its own on the
real Prefect server, and the emulator. Tests act on it as a person would: files, Variables, commands.
"""

import asyncio
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from assets.domain.batch import is_submission_id
from assets.domain.labels import canonical_label
from assets.plain_rows import plain_rows
from flows.pipeline import PassReport, pipeline
from tests.emulator_server import EmulatorHandle

JOB_SECONDS = 31
"""More than a job of the emulator takes by its own clock."""

JsonObject = dict[str, Any]


@dataclass
class Project:
    """``root``: the folder; ``collection``: prefix of its Variables; ``settings``: what the configuration file says."""

    root: Path
    collection: str
    gemini: EmulatorHandle
    settings: JsonObject = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.root / "quire.yaml"

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    def configure(self, **sections: Any) -> None:
        """Set settings by section: ``execution={"max_retries": 1}``; what is set already stays."""
        for name, value in sections.items():
            old = self.settings.get(name)
            self.settings[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        self.config.write_text(yaml.safe_dump(self.settings, allow_unicode=True), encoding="utf-8")

    def add_pages(self, document: str, pages: Iterable[int | str]) -> list[str]:
        """Small real images for ``CA:Lincoln:1901``; a page given as text is the file's stem. Returns record keys."""
        folder = self.root.joinpath("dataset", "page_images", *document.split(":"))
        folder.mkdir(parents=True, exist_ok=True)
        keys = []
        for page in pages:
            shutil.copyfile(self._image(), folder / f"{page}.jpg")
            keys.append(f"{document}:{canonical_label(str(page))}")
        return keys

    async def run_pass(self) -> PassReport:
        """One pass, in this process. Raises what a caller of the flow sees."""
        report = await pipeline(str(self.config))
        assert report is not None, "another pass was running"
        return report

    async def run_until_idle(self, *, at_most: int = 20) -> list[PassReport]:
        """Passes, with the time that a job takes between them, until another would do nothing."""
        reports = []
        for _ in range(at_most):
            reports.append(await self.run_pass())
            if reports[-1].is_idle:
                return reports
            await asyncio.to_thread(self.gemini.advance, JOB_SECONDS)
        raise AssertionError(f"not idle after {at_most} passes: {reports[-1]}")

    # --- what a person sees

    def result(self, record_key: str) -> JsonObject | None:
        path = self.result_path(record_key)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def result_path(self, record_key: str) -> Path:
        *fields, page = record_key.split(":")
        return self.root.joinpath("dataset", "output_results", *fields, f"{page}.json")

    def outcomes(self) -> list[JsonObject]:
        """All outcomes, in the order of their submissions."""
        files = sorted((self.manifests / "outcomes").glob("*.parquet"))
        return [row for path in files for row in _rows(path)]

    def requests(self, submission: str) -> list[JsonObject]:
        """The rows of a batch manifest."""
        return _rows(self.manifests / "batches" / f"{submission}.parquet")

    def submissions(self) -> list[str]:
        names = sorted(path.stem for path in (self.manifests / "batches").glob("*.parquet"))
        assert all(is_submission_id(name) for name in names)
        return names

    async def variables(self) -> dict[str, Any]:
        """This collection's Variables as Prefect's API returns them, without the prefix."""
        prefix = f"{self.collection}_"
        asked = {"variables": {"name": {"like_": prefix}}, "limit": 200}
        async with get_client() as client:
            found = (await client.request("POST", "/variables/filter", json=asked)).json()
        assert len(found) < 200, "the server gives no more at once"
        return {each["name"].removeprefix(prefix): each["value"] for each in found if each["name"].startswith(prefix)}

    async def variable(self, name: str) -> Any:
        return (await self.variables())[name]

    async def edit_variable(self, name: str, value: Any) -> None:
        """What a person does in the UI."""
        async with get_client() as client:
            await client.update_variable(VariableUpdate(name=f"{self.collection}_{name}", value=value))

    async def create_variable(self, name: str, value: Any) -> None:
        async with get_client() as client:
            await client.create_variable(VariableCreate(name=f"{self.collection}_{name}", value=value))

    async def delete_variable(self, name: str) -> None:
        async with get_client() as client:
            await client.delete_variable_by_name(f"{self.collection}_{name}")

    def _image(self) -> Path:
        path = self.root / "page.jpg"
        if not path.exists():
            Image.new("RGB", (60, 80), "white").save(path)
        return path


def _rows(path: Path) -> list[JsonObject]:
    return plain_rows(pq.ParquetFile(path).read())  # a third of the time of pq.read_table


def make_project(
    root: Path, *, collection: str, gemini: EmulatorHandle, kind: type[Project] = Project, **sections: Mapping[str, Any]
) -> Project:
    """An empty project, fast: no waiting between tries, a small batch size limit can be set."""
    project = kind(root, collection, gemini)
    (root / "dataset" / "page_images").mkdir(parents=True)
    project.configure(
        collection=collection,
        gemini={"base_url": gemini.base_url},
        # Its price has no end, so that what a test works out by hand holds on any day.
        model={"name": "gemini-3.5-flash"},
        # Pages of tests are small, and most have nothing on them.
        images={"min_side_pixels": 0, "send_blank": True},
        uploads={"upload_retry_backoff_seconds": 0.01},
        retries={"backoff_seconds": 0.01, "service_backoff_seconds": 0},
        **sections,
    )
    return project
