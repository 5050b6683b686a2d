"""Rendering a prompt: template text in, the text that goes before the image out. Reading templates from
``config/prompts/`` is done elsewhere.

Templates see ``record`` (``.key``, ``.page``, ``.document``, ``.fields``), ``previous`` (the predecessor's result or
none), ``previous_json`` (the same as compact JSON) and ``context_mode``. They run in a sandbox: a prompt may come from
somebody else, and a transcript of a page is no code.
"""

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assets.domain.errors import PromptError
from assets.domain.result_form import Result


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """The record as a template sees it. ``page``: a number, or the text of any other label; ``fields``: the document's
    fields by name, in the order of the configuration, as text."""

    key: str
    page: int | str
    document: str
    fields: Mapping[str, str]


def render_prompt(
    template_text: str,
    *,
    source: str,
    record: PromptRecord,
    previous: Result | None,
    context_mode: str,
) -> str:
    """The prompt for one record. ``source``: the template's file, for error messages.

    The template is compiled once for all rows. Raises PromptError with file and line, for a mistake in the template as
    well as for a name that it uses and that is not there.
    """
    template = _compiled(template_text, source)
    previous_json = None if previous is None else json.dumps(previous, ensure_ascii=False, separators=(",", ":"))
    try:
        return template.render(record=record, previous=previous, previous_json=previous_json, context_mode=context_mode)
    except Exception as error:  # a template can raise anything: it is a program of the user's
        line = _line_in(source, error)
        place = f"{source}, line {line}" if line else source
        raise PromptError(f"{place}: the prompt for {record.key} cannot be rendered: {_one_line(error)}") from error


def check_prompt(template_text: str, *, source: str) -> None:
    """Compile the template, so that a slip in it is found before anything is uploaded. Raises PromptError."""
    _compiled(template_text, source)


@lru_cache(maxsize=16)
def _compiled(template_text: str, source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        code = environment.compile(template_text, name=source, filename=source)
    except TemplateSyntaxError as error:
        raise PromptError(f"{source}, line {error.lineno}: the prompt has a mistake: {_one_line(error)}") from error
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _line_in(source: str, error: Exception) -> int | None:
    """The line of the template in which ``error`` arose: jinja2 rewrites the traceback to the template's own lines."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    return lines[-1] if lines else None


def _one_line(error: Exception) -> str:
    message = error.message if isinstance(error, TemplateSyntaxError) else str(error)
    return " ".join((message or type(error).__name__).split())
