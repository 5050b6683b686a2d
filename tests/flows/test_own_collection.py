"""A collection that is not the demo's: its own folders, fields, schema and prompt, none of them in the repository, run
with the ten lines that docs/configuration.md shows."""

import json
import re
from pathlib import Path

from PIL import Image

from tests.command import run_quire
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import PrefectServer

DOCS = Path(__file__).parents[2] / "docs/configuration.md"
SCHEMA = '''
from neighbour import Place
from pydantic import BaseModel


class Card(BaseModel):
    """One card of the index."""

    name: str
    born: int | None
    places: list[Place]
'''
NEIGHBOUR = """
from pydantic import BaseModel


class Place(BaseModel):
    town: str
"""
PROMPT = "Read the card {{ record.key }} of box {{ record.fields.box }}."


async def test_a_folder_of_ones_own_runs_with_a_configuration_of_ten_lines(
    tmp_path: Path, prefect_server: PrefectServer, gemini: EmulatorHandle, collection: str
) -> None:
    home, elsewhere = tmp_path / "cards", tmp_path / "elsewhere"
    config = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len(config.splitlines()) == 10
    files = {"quire.yaml": config, "cards.py": SCHEMA, "neighbour.py": NEIGHBOUR, "prompts/cards/v1.jinja": PROMPT}
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    for name in ("North/7/12/1.jpg", "North/7/12/002.PNG", "Süd & West/9/a b/1.webp", "North/10/1/1.jpg"):
        path = home / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 80), "white").save(path)
    gemini.set_rules(jobs=[{"job_seconds": [0, 0]}])
    elsewhere.mkdir()
    environment = prefect_server.environment() | {
        "GEMINI_API_KEY": "test-key",
        "QUIRE__COLLECTION": collection,
        "QUIRE__GEMINI__BASE_URL": gemini.base_url,
        "QUIRE__BATCH__POLL_INTERVAL_SECONDS": "0.1",
        "QUIRE__IMAGES__MIN_SIDE_PIXELS": "0",
        "QUIRE__IMAGES__SEND_BLANK": "true",
    }

    ended = await run_quire("run", "--watch", "--config", str(home / "quire.yaml"), env=environment, cwd=elsewhere)

    assert (ended.code, ended.out.splitlines()[-2]) == (0, "3 of 3 records are done, nothing is left"), ended.err
    results = sorted(path.relative_to(home / "read").as_posix() for path in (home / "read").rglob("*.json"))
    assert results == ["North/7/12/1.json", "North/7/12/2.json", "Süd & West/9/a b/1.json"]
    for name in results:
        card = json.loads((home / "read" / name).read_text(encoding="utf-8"))
        assert set(card) == {"name", "born", "places"}
        assert name.removesuffix(".json").replace("/", ":") in card["name"]
    assert {record["billed"] for record in gemini.books()["records"].values()} == {1}
    assert gemini.existing_files() == []
    assert list(elsewhere.iterdir()) == [], "nothing is written to where one happens to be"
    made = {path.name for path in home.iterdir()} - {"cards.py", "neighbour.py", "prompts", "quire.yaml", "scans"}
    assert made - {"__pycache__"} == {"read", "manifests", "server"}, "the last one holds the log"
