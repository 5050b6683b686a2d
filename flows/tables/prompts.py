"""The prompts: which can be chosen, and the text of each that was sent, kept under manifests/prompts/ so that what made
a result can be read later. How a prompt is rendered stands in `assets.domain.prompt`.
"""

from assets.domain.errors import ConfigError
from assets.planning import text_hash
from assets.requests import RequestTemplate
from config.schema_loader import list_prompts, read_prompt
from config.settings import Settings, load_settings
from flows.gateways.files.storage import SHORT_HASH_CHARS, Storage
from flows.runtime.logs import logger
from flows.runtime.printable import printable
from flows.runtime.wiring import config_path, make_storage


def keep_prompt(storage: Storage, settings: Settings, template: RequestTemplate) -> None:
    """Keep the text that is about to be sent. Raises OSError."""
    prompt = settings.prompt
    storage.keep_prompt(prompt.name, prompt.version, text_hash(template.prompt), template.prompt)


def warn_of_another_text(storage: Storage, settings: Settings, template: RequestTemplate) -> None:
    """Say so if what is sent now differs from what was sent before under the same name and version: results bear name
    and version, and could not be told apart by them."""
    prompt, now = settings.prompt, text_hash(template.prompt)[:SHORT_HASH_CHARS]
    others = [
        kept.path.relative_to(storage.manifests).as_posix()
        for kept in storage.kept_prompts()
        if (kept.name, kept.version) == (prompt.name, prompt.version) and kept.short_hash != now
    ]
    if others:
        logger().warning(
            "prompt %s %s is not the text that was sent as %s before (manifests/%s): save it as a new version, so that "
            "results can be told apart",
            prompt.name,
            prompt.version,
            prompt.version,
            ", manifests/".join(others),
        )


def prompts_text(config: str | None) -> str:
    """The prompts that can be chosen, then those that were sent. Raises ConfigError."""
    settings = load_settings(config_path(config))
    storage, chosen = make_storage(settings), (settings.prompt.name, settings.prompt.version)
    lines = [f"can be chosen, in {printable(str(settings.prompts_folder))}:"]
    for name, version, path in list_prompts(settings):
        try:
            said = text_hash(read_prompt(settings, path))[:SHORT_HASH_CHARS]
        except ConfigError as error:
            said = printable(str(error))
        mark = "  (the settings choose this one)" if (name, version) == chosen else ""
        lines.append(f"  {name} {version}  {said}  {printable(str(path))}{mark}")
    if chosen not in [(name, version) for name, version, _ in list_prompts(settings)]:
        lines.append(f"  the settings choose {' '.join(chosen)}, which is not there")
    kept = storage.kept_prompts()
    lines.append("were sent, each text as it was:" if kept else "none was sent so far")
    lines += [
        f"  {printable(f'{each.name} {each.version}')}  {each.short_hash}  {printable(str(each.path))}" for each in kept
    ]
    return "\n".join(lines)
