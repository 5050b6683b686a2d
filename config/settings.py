"""All settings as one frozen value, and ``load_settings``, which makes it from a YAML file and the environment.

Here stand the whole, what its parts must be together, and the folders. Single values are in ``sections.py``, the
reading of files and variables is in ``loading.py``, the schema and prompt that are named in ``schema_loader.py``.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import Field, JsonValue, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from assets.domain.errors import ConfigError, words_of
from config.alerts import AlertsSection
from config.failing import RepairSection, RetriesSection
from config.fetching import IiifSection
from config.images import ImagesSection
from config.limits import LimitsSection
from config.loading import (
    KEY_BELONGS,
    KEY_VARIABLE,
    PREFIX,
    Overrides,
    Problem,
    find_keys,
    merge,
    origin_of,
    problem_of,
    raise_first,
    read_dotenv,
    read_environment,
)
from config.record import RecordSection
from config.sections import (
    BatchSection,
    BudgetSection,
    ContextSection,
    ExecutionSection,
    GeminiSection,
    ModelSection,
    PathsSection,
    PromptSection,
    RenderSection,
    SafetySection,
    ScanSection,
    UploadsSection,
    ViewSection,
)
from config.values import SHIPPED_PRICES, CollectionName, FilterValue, Prices, SchemaPath, Section
from config.yaml_files import Tree, read_yaml

DEFAULT_FILE = Path(__file__).with_name("default.yaml")
"""The shipped file with every setting."""
USUAL_FILES = (Path("quire.yaml"), Path("config", "default.yaml"))
"""Looked for in this order in each folder, from the working folder up: what `quire init` makes, and what a checkout
has."""
TRIAL_FOLDER = "trial"
SERVER_FOLDER = "server"
"""What `quire up` makes beside the configuration file."""
SHIPPED_PROMPTS = Path(__file__).with_name("prompts")
FILE_VARIABLE = "QUIRE_CONFIG"


class Settings(Section):
    """Everything that can be configured. When ``load_settings`` made it, paths are absolute and ``source`` is set."""

    collection: CollectionName = Field(
        default="",
        description="Prefix of the names of Variables and locks: `ca` gives `ca_active_batch_ids`. "
        "Several collections can share one Prefect.",
    )
    root: Path = Field(
        default=Path(),
        description="The folder that relative paths start from, itself relative to the configuration file.",
    )
    record: RecordSection = Field(default_factory=RecordSection, description="What a record key is made of.")
    paths: PathsSection = Field(default_factory=PathsSection, description="Where files lie.")
    filters: Mapping[str, FilterValue] = Field(
        default_factory=dict,
        description="Which records are eligible: document field to a list of texts, or to a range `{start, end}`.",
    )
    iiif: IiifSection = Field(default_factory=IiifSection, description="How images are fetched from IIIF servers.")
    render: RenderSection = Field(default_factory=RenderSection, description="How pages of PDFs become images.")
    scan: ScanSection = Field(default_factory=ScanSection, description="How a scan looks at folders.")
    images: ImagesSection = Field(default_factory=ImagesSection, description="Which images are pages that can be read.")
    execution: ExecutionSection = Field(default_factory=ExecutionSection, description="How much, how often.")
    model: ModelSection = Field(default_factory=ModelSection, description="The model and its settings.")
    prompt: PromptSection = Field(default_factory=PromptSection, description="The prompt that is sent.")
    schema_: SchemaPath = Field(
        default="config.schemas.page_transcript:PageTranscript",
        alias="schema",
        description="The pydantic model that a page becomes, as `module.path:Class`.",
    )
    schema_options: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="Options of the schema, by name: `{boxes: true, rotation: true}` for PageTranscript, `{rotation: "
        "true}` for PageEntries; a schema of your own says which it has. Each changes what is asked for.",
    )
    context: ContextSection = Field(default_factory=ContextSection, description="Context between pages.")
    batch: BatchSection = Field(default_factory=BatchSection, description="Limits and times of batches.")
    limits: LimitsSection = Field(default_factory=LimitsSection, description="What Gemini takes from a project.")
    budget: BudgetSection = Field(default_factory=BudgetSection, description="What may be spent.")
    prices: Prices = Field(
        default_factory=lambda: dict(SHIPPED_PRICES),
        description="Model to its prices: `input_usd`, `output_usd` and `cached_usd` for a million tokens, "
        "`batch_factor`, `valid_until` with `afterwards`, `as_of`, `source`. What your file leaves out is as shipped.",
    )
    uploads: UploadsSection = Field(default_factory=UploadsSection, description="How images are uploaded.")
    gemini: GeminiSection = Field(default_factory=GeminiSection, description="Which service is called.")
    safety: SafetySection = Field(default_factory=SafetySection, description="When a pass rather stops.")
    repair: RepairSection = Field(default_factory=RepairSection, description="What is changed after a failure.")
    retries: RetriesSection = Field(default_factory=RetriesSection, description="What is tried again.")
    alerts: AlertsSection = Field(default_factory=AlertsSection, description="Who is told what goes wrong.")
    view: ViewSection = Field(default_factory=ViewSection, description="Where pages can be looked at in a browser.")

    _source: Path | None = PrivateAttr(default=None)
    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _filters_are_document_fields(self) -> Self:
        fields = self.record.document_fields
        for name in self.filters:
            if name not in fields:
                raise PydanticCustomError(
                    "quire",
                    "is no document field; they are {fields}",
                    {"key": f"filters.{name}", "fields": ", ".join(fields)},
                )
        return self

    @property
    def source(self) -> Path | None:
        """The file that the settings were read from; None when they were made in Python."""
        return self._source

    @property
    def env_file(self) -> Path:
        """The ``.env`` that may hold the API key."""
        return self.root / ".env"

    @property
    def schema_text(self) -> str:
        """The schema with its options, for people."""
        options = ", ".join(f"{name}: {json.dumps(value)}" for name, value in self.schema_options.items())
        return f"{self.schema_} with {options}" if options else self.schema_

    @property
    def prompts_folder(self) -> Path:
        """The folder that prompts are read from."""
        return self.paths.prompts or SHIPPED_PROMPTS

    @property
    def own_paths(self) -> tuple[Path, ...]:
        """What Quire itself makes, and the file of the settings, absolute: whoever keeps them among the scans has no
        documents in them."""
        paths = (self.paths.output_results, self.paths.manifests)
        if self._source is None:
            return paths
        beside = project_of(self._source)
        return (*paths, self._source, beside / TRIAL_FOLDER, beside / SERVER_FOLDER)

    def error(self, key: str, message: str) -> ConfigError:
        """A ConfigError about ``key`` (dotted) that names the file or the variable which set it."""
        return ConfigError(message, source=origin_of(self._origins, key) or str(self._source or "settings"), key=key)

    def anchored(self, folder: Path) -> Self:
        """The same settings with every path absolute: ``root`` from ``folder``, all others from ``root``."""
        root = _from(folder.absolute(), self.root)
        paths = {name: value and _from(root, value) for name, value in self.paths}
        return self.model_copy(update={"root": root, "paths": self.paths.model_copy(update=paths)})


def load_settings(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in ``path`` under those of the environment, with absolute paths.

    ``path``: default is the file that ``QUIRE_CONFIG`` names, then the nearest one (see ``nearest_file``). ``environ``:
    default is the process's own. None of the folders that are named is looked at or made here (see ``check_folders``).
    Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    path = settings_file(path, environ)
    tree, overrides = whole_tree(path, environ)
    return settings_from(tree, path, overrides)


def whole_tree(path: Path, environ: Mapping[str, str]) -> tuple[Tree, Overrides]:
    """What stands in ``path`` under what the environment sets, not judged yet; and the latter alone. Raises
    ConfigError."""
    tree = read_yaml(path)
    overrides = read_environment(Settings, environ)
    problems = [Problem(KEY_BELONGS, key) for key in find_keys(tree)] + overrides.problems
    raise_first(problems, str(path))
    return merge(tree, overrides.tree), overrides


def settings_from(tree: Mapping[str, Any], path: Path, overrides: Overrides) -> Settings:
    """The settings that a whole tree means, which came from ``path`` and the environment. Raises ConfigError."""
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        found = [problem_of(Settings, detail) for detail in error.errors()]
        raise_first([replace(item, source=overrides.origin(item.key)) for item in found], str(path))
        raise
    settings = settings.anchored(path.parent)
    settings._source, settings._origins = path, overrides.origins
    _refuse_settings_in_dotenv(settings.env_file)
    return settings


def settings_file(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The absolute path of the configuration file that counts; see ``load_settings``. Raises ConfigError."""
    return Path(path or environ.get(FILE_VARIABLE) or nearest_file(Path.cwd())).expanduser().absolute()


def project_of(file: Path) -> Path:
    """The folder in which Quire keeps what belongs to a configuration file but not to its settings: its own, and for
    ``config/default.yaml`` the one above."""
    return file.parents[1] if file.parts[-2:] == USUAL_FILES[1].parts else file.parent


def nearest_file(folder: Path) -> Path:
    """``quire.yaml`` in ``folder`` or the nearest folder above it, as git finds its own. In a checkout of Quire its
    ``config/default.yaml`` counts as well, which is ``DEFAULT_FILE``.

    An installed Quire has no such place: its own copy lies among the packages, where no collection is. Raises
    ConfigError."""
    for above in (folder, *folder.parents):
        for name in USUAL_FILES:
            file = above / name
            if (found := _found(file, str(file))) is not None and stat.S_ISREG(found.st_mode):
                return file
    raise ConfigError(
        f"no {USUAL_FILES[0]} is here or above: make one with quire init in the folder of your scans, or name yours "
        f"with --config or {FILE_VARIABLE}",
        source=str(folder),
    )


def check_folders(settings: Settings) -> None:
    """See that the folders to read from exist; where there are source documents, the one for their images is made.
    Raises ConfigError."""
    _must_exist(settings, "root", settings.root)
    documents = settings.paths.source_documents
    has_documents = _is_folder(_found(documents, str(documents), "paths.source_documents"))
    if not has_documents:
        _must_exist(settings, "paths.page_images", settings.paths.page_images)
    if settings.paths.allow_list is not None:
        _must_exist(settings, "paths.allow_list", settings.paths.allow_list)
    if has_documents:
        # Their images are made, and so is the place for them.
        _make(settings, "paths.page_images", settings.paths.page_images)


def make_folders(settings: Settings) -> None:
    """Make the folders that Quire writes to, for a collection that begins: later on, one that is gone is not made anew.
    Raises ConfigError."""
    for key, folder in (
        ("paths.output_results", settings.paths.output_results),
        ("paths.manifests", settings.paths.manifests),
    ):
        _make(settings, key, folder)


def read_api_key(environ: Mapping[str, str], env_file: Path | None) -> SecretStr | None:
    """``GEMINI_API_KEY`` from ``environ``, else from ``env_file``; None when neither has one.

    An empty value counts as none. Raises ConfigError, which never shows the value.
    """
    sources: list[tuple[str, str | None]] = [(KEY_VARIABLE, environ.get(KEY_VARIABLE))]
    if env_file is not None:
        sources.append((str(env_file), read_dotenv(env_file).get(KEY_VARIABLE)))
    for source, text in sources:
        if text is not None and text.strip():
            key = text.strip()
            # It travels in an HTTP header, where anything else breaks with a riddle.
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigError(
                    "the key holds a space or a character that no key has; copy it again",
                    source=source,
                    key=KEY_VARIABLE,
                )
            return SecretStr(key)
    return None


def _from(folder: Path, path: Path) -> Path:
    # Without following symbolic links: a person looks for the path as it was written.
    return Path(os.path.normpath(folder / path.expanduser()))


def _make(settings: Settings, key: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise settings.error(key, f"the folder {folder} cannot be made: {words_of(error)}") from None


def _found(path: Path, source: str, key: str = "") -> os.stat_result | None:
    """What is at ``path``, or None if there is nothing. What cannot be looked at is not taken for nothing, as
    ``Path.exists`` takes it. Raises ConfigError."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be looked at: {words_of(error)}", source=source, key=key) from None


def _is_folder(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISDIR(found.st_mode)


def _must_exist(settings: Settings, key: str, folder: Path) -> None:
    found = _found(folder, str(settings.source or "settings"), key)
    if not _is_folder(found):
        problem = "is no folder" if found is not None else "does not exist"
        raise settings.error(key, f"{folder} {problem}; make it, mount it or change the setting")


def _refuse_settings_in_dotenv(env_file: Path) -> None:
    # Whoever writes QUIRE__EXECUTION__DRY_RUN there would believe that it counts.
    names = [name for name in read_dotenv(env_file) if name.upper().startswith(PREFIX)]
    if names:
        raise ConfigError(
            f"{names[0]}: settings are not read from .env; put it into the configuration file or the environment",
            source=str(env_file),
        )
