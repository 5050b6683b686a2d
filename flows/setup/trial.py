"""How a command finds the servers of `quire up`, and what makes it a trial: an environment in which everything that is
written, and every address, is the trial's own.

A trial shares the scans with the real collection and nothing else: a Prefect, Variables, manifests and results of its
own, all in one folder beside the configuration file, and a key that is none. So its results cannot be taken for real
ones: the real passes do not see them, and `rm -r trial` takes all of it away.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from assets.domain.errors import QuireError
from config.loading import KEY_VARIABLE, PREFIX
from config.settings import SERVER_FOLDER, TRIAL_FOLDER, load_settings, project_of, settings_file
from flows.setup.servers import Name, ServersFolder, alone_on_this_machine, running_servers

API_VARIABLE = "PREFECT_API_URL"
LIMIT_VARIABLE = f"{PREFIX}EXECUTION__MAX_RECORDS_PER_RUN"
TRIAL_RECORDS = 50
"""What a run of a trial sends unless a person says otherwise: OCR takes seconds for a page."""
TRIAL_KEY = "trial-key"
"""Of the local Gemini, which takes any. The user's own never goes there."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the servers of a collection lie. ``config``: its configuration file."""

    config: Path

    @property
    def server(self) -> ServersFolder:
        return ServersFolder(project_of(self.config) / SERVER_FOLDER)

    @property
    def trial(self) -> ServersFolder:
        return ServersFolder(project_of(self.config) / TRIAL_FOLDER)

    @property
    def trial_results(self) -> Path:
        return self.trial.path / "results"


def places_of(config: Path | None, environ: MutableMapping[str, str]) -> Places:
    """Raises ConfigError where no configuration file is found."""
    return Places(settings_file(config, environ))


def logs_of(places: Places, *, on_trial: bool) -> Path:
    """The folder that a command logs to."""
    return (places.trial if on_trial else places.server).logs


def join_servers(config: Path | None, environ: MutableMapping[str, str]) -> Places | None:
    """Point ``environ`` at the servers that `quire up` runs for this collection. With a trial among them the command
    becomes one: then its places are returned. A PREFECT_API_URL that is set already wins, but over a trial's.

    To be called before Prefect is imported, which reads the environment once.
    """
    try:
        places = places_of(config, environ)
    except QuireError:
        return None  # the command itself says what is wrong
    if len(on_trial := running_servers(places.trial)) == 2:
        enter_trial(places, on_trial, environ)
        return places
    if not environ.get(API_VARIABLE) and (url := running_servers(places.server).get("prefect")):
        environ[API_VARIABLE] = f"{url}/api"
    return None


def enter_trial(places: Places, urls: dict[Name, str], environ: MutableMapping[str, str]) -> None:
    """Make ``environ`` that of a trial. Raises ConfigError for settings that cannot be read."""
    settings = load_settings(places.config, environ=environ)
    for name in [name for name in environ if name.startswith("PREFECT_")]:
        del environ[name]
    environ.update(alone_on_this_machine(environ, places.trial))
    own = {
        "COLLECTION": f"{settings.collection or 'quire'}_trial"[:100],
        "PATHS__MANIFESTS": str(places.trial.path / "manifests"),
        "PATHS__OUTPUT_RESULTS": str(places.trial_results),
        "GEMINI__BASE_URL": urls["emulator"],
        "BATCH__POLL_INTERVAL_SECONDS": "1",
        # Nothing is spent, so nothing is held back.
        "BUDGET__MAX_USD_PER_RUN": "null",
        "BUDGET__MAX_USD_PER_DAY": "null",
        "BUDGET__MAX_USD_TOTAL": "null",
    }
    environ.update({PREFIX + name: value for name, value in own.items()})
    environ.setdefault(LIMIT_VARIABLE, str(TRIAL_RECORDS))
    environ[KEY_VARIABLE] = TRIAL_KEY
    environ[API_VARIABLE] = f"{urls['prefect']}/api"


def banner(places: Places) -> str:
    return (
        "TRIAL: the local Gemini answers, not Google's. Nothing is paid; dollars are what it might have cost. Results: "
        f"{places.trial_results}, apart from the real ones; rm -r {places.trial.path} takes all of it away"
    )
