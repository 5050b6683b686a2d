"""What `quire up` leaves for other commands, and what a trial may never touch."""

import json
import os
from pathlib import Path

import pytest

from assets.domain.errors import ConfigError
from config.settings import load_settings, read_api_key
from flows.setup.servers import ServersFolder, running_servers
from flows.setup.trial import Places, banner, join_servers, logs_of

PREFECT, EMULATOR = "http://127.0.0.1:4201", "http://127.0.0.1:8791"
REAL_KEY = "the-real-key"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "quire.yaml"
    file.write_text("{collection: deeds, budget: {max_usd_total: 5}, paths: {output_results: results}}")
    (tmp_path / ".env").write_text(f"GEMINI_API_KEY={REAL_KEY}")
    return file


def test_without_servers_nothing_changes(config: Path) -> None:
    environ = {"HOME": "/h"}
    assert join_servers(config, environ) is None
    note(config.parent / "server", prefect=2**30)
    assert join_servers(config, environ) is None, "one that has ended is none"
    (config.parent / "server/servers.json").write_text("{")
    assert join_servers(config, environ) is None
    (config.parent / "server/servers.json").write_text('{"prefect": {"pid": -1, "url": "x"}}')
    assert join_servers(config, environ) is None, "that would be every process"
    assert environ == {"HOME": "/h"}
    assert join_servers(config.parent / "gone.yaml", environ) is None, "the command says what is wrong"


def test_a_server_that_runs_is_found_and_a_variable_wins(config: Path) -> None:
    note(config.parent / "server", prefect=os.getpid())
    environ: dict[str, str] = {}
    assert join_servers(config, environ) is None
    assert environ == {"PREFECT_API_URL": f"{PREFECT}/api"}

    environ = {"PREFECT_API_URL": "http://elsewhere/api"}
    join_servers(config, environ)
    assert environ == {"PREFECT_API_URL": "http://elsewhere/api"}


def test_a_trial_is_apart_from_all_that_is_real(config: Path) -> None:
    folder = config.parent
    note(folder / "server", prefect=os.getpid())
    note(folder / "trial", prefect=os.getpid(), emulator=os.getpid())
    environ = {
        "GEMINI_API_KEY": REAL_KEY,
        "PREFECT_API_URL": "http://elsewhere/api",
        "PREFECT_API_KEY": "p",
        "QUIRE__EXECUTION__MAX_RETRIES": "7",
        "QUIRE__GEMINI__BASE_URL": "https://elsewhere",
    }

    places = join_servers(config, environ)

    assert places is not None
    real, trial = load_settings(config, environ={}), load_settings(config, environ=environ)
    assert trial.collection == "deeds_trial"
    assert trial.paths.page_images == real.paths.page_images
    assert trial.execution.max_retries == 7, "what a person has set counts"
    assert trial.gemini.base_url == EMULATOR
    assert trial.budget.max_usd_total is None
    for name in ("output_results", "manifests"):
        assert getattr(trial.paths, name).is_relative_to(folder / "trial")
        assert not getattr(real.paths, name).is_relative_to(folder / "trial")
    assert (environ["PREFECT_API_URL"], environ["PREFECT_HOME"]) == (f"{PREFECT}/api", f"{folder}/trial/prefect")
    assert "PREFECT_API_KEY" not in environ
    key = read_api_key(environ, trial.env_file)
    assert key is not None
    assert key.get_secret_value() == "trial-key"
    assert REAL_KEY not in str(environ)
    assert "127.0.0.1" in environ["NO_PROXY"]
    assert str(folder / "trial/results") in banner(places)


def started_as_a_trial(folder: Path) -> dict[str, str]:
    """As compose.yaml has it."""
    return {
        "QUIRE_TRIAL": str(folder),
        "QUIRE__PATHS__MANIFESTS": str(folder / "manifests"),
        "QUIRE__PATHS__OUTPUT_RESULTS": str(folder / "results"),
        "QUIRE__GEMINI__BASE_URL": EMULATOR,
        "GEMINI_API_KEY": "trial-key",
        "PREFECT_API_URL": f"{PREFECT}/api",
    }


def test_a_command_that_was_started_as_one_of_a_trial_says_so_and_keeps_its_environment(
    config: Path, tmp_path: Path
) -> None:
    note(config.parent / "server", prefect=os.getpid())
    environ = started_as_a_trial(tmp_path / "apart")

    places = join_servers(config, environ)

    assert places is not None
    assert str(tmp_path / "apart/results") in banner(places)
    assert logs_of(places, on_trial=True) == tmp_path / "apart/logs"
    assert environ == started_as_a_trial(tmp_path / "apart")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("QUIRE__GEMINI__BASE_URL", None, "gemini.base_url: QUIRE_TRIAL says that this is a trial: name its local"),
        ("GEMINI_API_KEY", REAL_KEY, "GEMINI_API_KEY: QUIRE_TRIAL says that this is a trial: its key is trial-key"),
        ("GEMINI_API_KEY", None, "its key is trial-key"),
        ("QUIRE__PATHS__MANIFESTS", None, "manifests is not in"),
        ("QUIRE__PATHS__OUTPUT_RESULTS", "/data/results", "QUIRE__PATHS__OUTPUT_RESULTS: paths.output_results: /data/"),
    ],
)
def test_what_says_that_it_is_a_trial_has_to_be_one(
    config: Path, tmp_path: Path, variable: str, value: str | None, said: str
) -> None:
    environ = started_as_a_trial(tmp_path / "apart")
    environ.pop(variable)
    if value is not None:
        environ[variable] = value
    with pytest.raises(ConfigError) as caught:
        join_servers(config, environ)
    assert said in str(caught.value)
    assert REAL_KEY not in str(caught.value)


def test_half_a_trial_is_none(config: Path) -> None:
    note(config.parent / "trial", prefect=os.getpid(), emulator=2**30)
    environ: dict[str, str] = {}
    assert join_servers(config, environ) is None
    assert environ == {}
    assert running_servers(ServersFolder(config.parent / "trial")) == {"prefect": PREFECT}


def test_a_checkout_keeps_its_servers_beside_its_folder_of_settings(tmp_path: Path) -> None:
    assert Places(tmp_path / "config/default.yaml").server.path == tmp_path / "server"
    assert Places(tmp_path / "config/quire.yaml").server.path == tmp_path / "config/server"


def note(folder: Path, **pids: int) -> None:
    folder.mkdir(exist_ok=True)
    urls = {"prefect": PREFECT, "emulator": EMULATOR}
    record = {name: {"url": urls[name], "pid": pid} for name, pid in pids.items()}
    (folder / "servers.json").write_text(json.dumps({**record, "kept": False}))
