"""What a pydantic model checks by code of its own: its validators. No schema can say what they do, so that Gemini is
told nothing of them; a person should know."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, PlainValidator, WrapValidator

from assets.domain.schema_limits import Left

_FUNCTIONS = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)


def own_checks(model: type[BaseModel]) -> list[Left]:
    """The validators of ``model`` and of all models that it is made of, each once. The path is that of the field within
    its own model, ``Person.name``, or the model's name."""
    found = dict.fromkeys(each for inner in _models(model, set()) for each in _of_model(inner))
    return list(found)


def _of_model(model: type[BaseModel]) -> Iterator[Left]:
    decorators = model.__pydantic_decorators__
    for name, validator in decorators.field_validators.items():
        for field in validator.info.fields:
            yield Left(f"{model.__name__}.{field}" if field != "*" else model.__name__, f"the validator {name}")
    for name in decorators.model_validators:
        yield Left(model.__name__, f"the validator {name}")
    for field, info in model.model_fields.items():
        for function in (each.func for each in info.metadata if isinstance(each, _FUNCTIONS)):
            yield Left(f"{model.__name__}.{field}", f"the validator {getattr(function, '__name__', 'of its own')}")


def _models(annotation: Any, seen: set[type]) -> Iterator[type[BaseModel]]:
    """The models that an annotation is made of, each once."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:
            seen.add(annotation)
            yield annotation
            for info in annotation.model_fields.values():
                yield from _models(info.annotation, seen)
        return
    for part in get_args(annotation):
        yield from _models(part, seen)
