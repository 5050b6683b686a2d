"""What may stand under ``generation_config``: every field of the service's own, each known or refused. What is known
can make an answer no dearer than its bound, which is ``max_output_tokens``; what would, or what would have another
model answer, or is read by nobody, is refused, and so is what nobody knows.

Source: ``types.GenerationConfig`` of google-genai 3.6. What a single model takes stands in `models`.
"""

import difflib
from collections.abc import Mapping
from typing import Any

KNOWN = (
    "max_output_tokens",  # the bound
    "thinking_config",  # thinking is billed as output, and counts against the bound
    "media_resolution",  # what an image costs goes by it
    "stop_sequences",  # can end an answer sooner
    "seed",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
)
_NOT_READ = "what it adds to an answer would not be read; take this line out"
_OTHER_MODEL = "another model could answer, at its own price; set model.name and take this line out"
_NO_TEXT = "the answer is to be text, which it is without this; take this line out"
_SOUND = "it is about sound, and what is sent are images; take this line out"
REFUSED: Mapping[str, str] = {
    "candidate_count": "more than one answer to a page would be paid for and not read; take this line out",
    "response_logprobs": _NOT_READ,
    "logprobs": _NOT_READ,
    "enable_enhanced_civic_answers": _NOT_READ,
    "model_selection_config": _OTHER_MODEL,
    "routing_config": _OTHER_MODEL,
    "response_modalities": _NO_TEXT,
    "speech_config": _NO_TEXT,
    "translation_config": _NO_TEXT,
    "response_format": "the form of the answer is set by Quire from the 'schema' setting; take this line out",
    "audio_timestamp": _SOUND,
    "audio_transcription_config": _SOUND,
    "enable_affective_dialog": _SOUND,
}
OURS = ("response_mime_type", "response_schema", "response_json_schema")
"""Set by Quire; refused where the settings are read (`config.values`)."""
_THINKING = ("thinking_level", "thinking_budget", "include_thoughts")
_MOST_TOKENS = 1_000_000


def refused_setting(generation_config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first key that is refused whatever the model, as it stands there, and why; None: there is none."""
    thinking = next((value for key, value in generation_config.items() if plain(key) == plain("thinking_config")), None)
    found = _refused(generation_config, KNOWN, "")
    if found is None and isinstance(thinking, Mapping):
        found = _refused(thinking, _THINKING, "thinking_config.")
    if found is not None:
        return found
    for key, value in generation_config.items():
        if plain(key) != plain("max_output_tokens"):
            continue
        # A cap goes by it, so that it must be what the service will take it for.
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_TOKENS:
            return (
                key,
                f"must be a whole number from 1 to {_MOST_TOKENS}; left out, the model's own limit counts",
            )
    return None


def plain(name: str) -> str:
    """The same for ``top_k``, ``topK`` and ``TOP_K``."""
    return name.replace("_", "").lower()


def _refused(settings: Mapping[str, Any], known: tuple[str, ...], where: str) -> tuple[str, str] | None:
    seen: dict[str, str] = {}
    reasons = {plain(name): why for name, why in REFUSED.items()} if not where else {}
    spelled = {plain(name): name for name in known}
    for key in settings:
        short = plain(key)
        if (why := reasons.get(short)) is not None:
            return where + key, why
        name = spelled.get(short)
        if name is None or key not in (name, _camel(name)):
            near = [name] if name is not None else difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"what is known: {', '.join(known)}"
            return where + key, f"no such setting is known, and nobody knows what it would cost; {hint}"
        if short in seen:
            return where + key, f"the same setting stands there as {seen[short]}, too; leave one of them"
        seen[short] = key
    return None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
