"""How a command finds the servers of `quire up`, and what makes it a trial: an environment in which everything that is
written, and every address, is the trial's own.

A trial shares the scans with the real collection and nothing else: a Prefect, Variables, manifests and results of its
own, all in one folder beside the configuration file, and a key that is none. So its results cannot be taken for real
ones: the real passes do not see them, and `rm -r trial` takes all of it away.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from assets.domain.errors import ConfigError, QuireError
from config.loading import KEY_VARIABLE, PREFIX
from config.settings import SERVER_FOLDER, TRIAL_FOLDER, load_settings, project_of, settings_file
from flows.setup.servers import Name, ServersFolder, alone_on_this_machine, running_servers

API_VARIABLE = "PREFECT_API_URL"
FOLDER_VARIABLE = "QUIRE_TRIAL"
"""The trial's folder, for a process that was started as one of a trial whose servers run elsewhere (``compose.yaml``).
The rest of its environment has to be what `enter_trial` would have made of it."""
LIMIT_VARIABLE = f"{PREFIX}EXECUTION__MAX_RECORDS_PER_RUN"
TRIAL_RECORDS = 50
"""What a run of a trial sends unless a person says otherwise: OCR takes seconds for a page."""
TRIAL_KEY = "trial-key"
"""Of the local Gemini, which takes any. The user's own never goes there."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the servers of a collection lie. ``config``: its configuration file; ``trial_folder``: see FOLDER_VARIABLE,
    else beside that file."""

    config: Path
    trial_folder: Path | None = None

    @property
    def server(self) -> ServersFolder:
        return ServersFolder(project_of(self.config) / SERVER_FOLDER)

    @property
    def trial(self) -> ServersFolder:
        return ServersFolder(self.trial_folder or project_of(self.config) / TRIAL_FOLDER)

    @property
    def trial_results(self) -> Path:
        return self.trial.path / "results"


def places_of(config: Path | None, environ: MutableMapping[str, str]) -> Places:
    """Raises ConfigError where no configuration file is found."""
    folder = environ.get(FOLDER_VARIABLE)
    return Places(settings_file(config, environ), Path(folder) if folder else None)


def logs_of(places: Places, *, on_trial: bool) -> Path:
    """The folder that a command logs to."""
    return (places.trial if on_trial else places.server).logs


def join_servers(config: Path | None, environ: MutableMapping[str, str]) -> Places | None:
    """Point ``environ`` at the servers that `quire up` runs for this collection. With a trial among them the command
    becomes one: then its places are returned, as they are to a command that was started as one. A PREFECT_API_URL that
    is set already wins, but over a trial's.

    To be called before Prefect is imported, which reads the environment once. Raises ConfigError for a command that was
    started as a trial, but would write, send or pay as a real one.
    """
    try:
        places = places_of(config, environ)
    except QuireError:
        return None  # the command itself says what is wrong
    if places.trial_folder is not None:
        _check_is_trial(places, environ)
        return places
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


def _check_is_trial(places: Places, environ: MutableMapping[str, str]) -> None:
    """Raises ConfigError."""
    settings = load_settings(places.config, environ=environ)
    if settings.gemini.base_url is None:
        raise settings.error("gemini.base_url", f"{FOLDER_VARIABLE} says that this is a trial: name its local Gemini")
    if environ.get(KEY_VARIABLE) != TRIAL_KEY:
        raise ConfigError(f"{FOLDER_VARIABLE} says that this is a trial: its key is {TRIAL_KEY}", source=KEY_VARIABLE)
    for name in ("manifests", "output_results"):
        if not (path := getattr(settings.paths, name)).is_relative_to(places.trial.path):
            raise settings.error(
                f"paths.{name}", f"{path} is not in {places.trial.path}, where {FOLDER_VARIABLE} has the trial"
            )


def banner(places: Places) -> str:
    return (
        "TRIAL: the local Gemini answers, not Google's. Nothing is paid; dollars are what it might have cost. Results: "
        f"{places.trial_results}, apart from the real ones; rm -r {places.trial.path} takes all of it away"
    )
