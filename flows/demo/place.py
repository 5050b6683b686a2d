"""Where the demo lies, and what surrounds it: the files of its folder, its configuration, the environment it runs in.

The processes stand in `flows.setup.servers`, the order of things in `run`.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from config.settings import DEFAULT_FILE
from config.yaml_files import read_yaml
from flows.setup.servers import ServersFolder, alone_on_this_machine

API_KEY = "demo-key"
"""Of the local Gemini, which takes any. The user's own is never used."""

_HEADER = """\
# Made by `quire demo` from config/demo.yaml, anew each time: copy it before you change it.
"""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """``path``: absolute. One ``rm -r`` takes all of the demo away."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "quire.yaml"

    @property
    def page_images(self) -> Path:
        return self.path / "page_images"

    @property
    def undegraded_images(self) -> Path:
        return self.path / "undegraded" / "page_images"

    @property
    def undegraded_texts(self) -> Path:
        """What the OCR engine reads on the undegraded pages: the lines of `emulator.engines.ocr_cli`."""
        return self.path / "undegraded" / "texts.jsonl"

    @property
    def corpus(self) -> Path:
        """The true text of each page."""
        return self.path / "corpus.json"

    @property
    def manifests(self) -> Path:
        return self.path / "manifests"

    @property
    def output_results(self) -> Path:
        return self.path / "output_results"

    @property
    def exports(self) -> Path:
        return self.path / "exports"

    @property
    def servers(self) -> ServersFolder:
        return ServersFolder(self.path)

    @property
    def logs(self) -> Path:
        return self.servers.logs

    @property
    def log(self) -> Path:
        """What the passes log."""
        return self.logs / "demo.log"

    @property
    def lock(self) -> Path:
        return self.path / ".lock"

    def make(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)

    def write_config(self, *, gemini_url: str) -> None:
        """The demo's settings with this folder as root, for the demo and for every command that is typed after it."""
        settings = read_yaml(DEFAULT_FILE.with_name("demo.yaml"))
        settings["root"] = "."
        settings["gemini"]["base_url"] = gemini_url
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        self.config.write_text(_HEADER + text, encoding="utf-8")
        (self.path / ".env").write_text(f"GEMINI_API_KEY={API_KEY}\n", encoding="utf-8")


def isolate(environ: MutableMapping[str, str], folder: DemoFolder) -> None:
    """Make the environment the demo's own: nothing that the user has set for Prefect, Quire or Gemini reaches it, and
    nothing of it leaves this machine. To be done before Prefect is imported, which reads it once."""
    for name in [name for name in environ if name.startswith(("PREFECT_", "QUIRE_"))]:
        del environ[name]
    environ.update(alone_on_this_machine(environ, folder.servers))
    environ["GEMINI_API_KEY"] = API_KEY
