"""What two settings point to: the pydantic model of ``schema`` and the text of the prompt.

Here they are found and loaded. Whether the model can be said as Gemini's responseSchema, and what the prompt becomes
for a record, is the matter of ``assets/requests.py``.
"""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from assets.domain.errors import words_of
from config.settings import Settings
from config.values import SafeName

PROMPT_SUFFIX = ".jinja"
_SAFE_NAME = TypeAdapter(SafeName)


def load_schema(settings: Settings) -> type[BaseModel]:
    """The pydantic model that ``schema`` names. Raises ConfigError, with file and line when its module cannot run.

    With ``paths.schemas`` that folder is put first on ``sys.path``, so that the module can import its neighbours. It
    stays there: a model may import more when it is first used.
    """
    module_name, _, class_name = settings.schema_.partition(":")
    folder = settings.paths.schemas
    if folder is not None:
        if not folder.is_dir():
            raise settings.error("paths.schemas", f"{folder} is no folder; make it or change the setting")
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        _refuse_shadow(settings, module_name, folder)
    module = _import(settings, module_name)
    found = getattr(module, class_name, None)
    if found is None:
        models = sorted(name for name, value in vars(module).items() if _is_model(value))
        hint = f"its models are {', '.join(models)}" if models else "it has no pydantic model"
        raise settings.error("schema", f"{_file_of(module)} has no {class_name}; {hint}")
    if not _is_model(found):
        raise settings.error(
            "schema", f"{class_name} in {_file_of(module)} is no pydantic model; derive it from BaseModel"
        )
    model: type[BaseModel] = found
    return _with_options(settings, model) if settings.schema_options else model


def _with_options(settings: Settings, model: type[BaseModel]) -> type[BaseModel]:
    """The model that this one becomes with ``schema_options``: it says which there are by a model ``Options`` in it,
    and makes of them what they ask for by a class method ``with_options``."""
    declared: Any = getattr(model, "Options", None)
    make = getattr(model, "with_options", None)
    if not _is_model(declared) or make is None:
        raise settings.error("schema_options", f"{model.__name__} has no options; take them out")
    try:
        options = declared.model_validate(dict(settings.schema_options), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))
        problem = f"is no option of {model.__name__}" if first["type"] == "extra_forbidden" else first["msg"]
        there = f"it has {', '.join(declared.model_fields)}"
        raise settings.error(f"schema_options.{name}" if name else "schema_options", f"{problem}; {there}") from None
    try:
        made = make(options)
    except Exception as error:  # a method of the user's: it can raise anything
        message = " ".join(str(error).split())
        raise settings.error(
            "schema_options", f"{model.__name__}.with_options failed: {type(error).__name__}: {message}"
        ) from error
    if not _is_model(made):
        raise settings.error("schema_options", f"{model.__name__}.with_options gives no pydantic model")
    chosen: type[BaseModel] = made
    return chosen


def list_prompts(settings: Settings) -> list[tuple[str, str, Path]]:
    """(name, version, file) of each prompt that the settings could choose, in order. What bears a name that no setting
    may have is passed over."""
    found = ((path.parent.name, path.stem, path) for path in settings.prompts_folder.glob(f"*/*{PROMPT_SUFFIX}"))
    return sorted(each for each in found if _is_choosable(each[0]) and _is_choosable(each[1]))


def load_prompt(settings: Settings) -> tuple[str, Path]:
    """The prompt's text, and the file that it stands in. Raises ConfigError."""
    folder = settings.prompts_folder / settings.prompt.name
    path = folder / f"{settings.prompt.version}{PROMPT_SUFFIX}"
    if not folder.is_dir():
        names = {found.parent.name for found in settings.prompts_folder.glob(f"*/*{PROMPT_SUFFIX}")}
        raise settings.error("prompt.name", f"there is no folder {folder}; {_there_are('prompts', names)}")
    if not path.is_file():
        versions = {found.stem for found in folder.glob(f"*{PROMPT_SUFFIX}")}
        raise settings.error("prompt.version", f"there is no file {path}; {_there_are('versions', versions)}")
    return read_prompt(settings, path), path


def read_prompt(settings: Settings, path: Path) -> str:
    """The text of a prompt's file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise settings.error("prompt.version", f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise settings.error("prompt.version", f"{path} cannot be read: {words_of(error)}") from None
    if not text.strip():
        raise settings.error("prompt.version", f"{path} is empty; a page cannot be sent without a prompt")
    return text


def _import(settings: Settings, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            place = settings.paths.schemas or "the installed packages"
            raise settings.error(
                "schema", f"there is no module {module_name} in {place}; put its folder into paths.schemas"
            ) from None
        raise settings.error("schema", _what_broke(module_name, error)) from error
    except Exception as error:  # a module of the user's runs when it is imported: it can raise anything
        raise settings.error("schema", _what_broke(module_name, error)) from error


def _what_broke(module_name: str, error: Exception) -> str:
    """``module x cannot be imported: NameError: ... (file, line 3)``: the innermost line outside the import system."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
        message = error.msg
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
        place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else module_name
        message = " ".join(str(error).split())
    return f"module {module_name} cannot be imported: {type(error).__name__}: {message} ({place})"


def _refuse_shadow(settings: Settings, module_name: str, folder: Path) -> None:
    """A module of this name that is loaded from elsewhere would be taken instead of the person's own, in silence."""
    top = module_name.partition(".")[0]
    if not (folder / f"{top}.py").is_file() and not (folder / top).is_dir():
        return
    loaded = sys.modules.get(top)
    if loaded is None:
        return
    places = [Path(place) for place in (loaded.__file__, *getattr(loaded, "__path__", [])) if place]
    if not any(place.is_relative_to(folder) for place in places):
        raise settings.error(
            "schema", f"the name {top} is taken by {_file_of(loaded)}; rename your own {top} in {folder}"
        )


def _is_choosable(name: str) -> bool:
    try:
        _SAFE_NAME.validate_python(name)
    except ValidationError:
        return False
    return True


def _there_are(what: str, names: set[str]) -> str:
    return f"the {what} there are {', '.join(sorted(names))}" if names else f"there are no {what}"


def _file_of(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or f"module {module.__name__}"


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel
