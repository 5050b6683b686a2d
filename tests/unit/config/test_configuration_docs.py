"""docs/configuration.md lists every setting exactly as the models have it. To renew its table after a change:

python -m tests.unit.config.test_configuration_docs
"""

import json
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.settings import Settings
from config.values import Section

PAGE = Path(__file__).parents[3] / "docs/configuration.md"
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


def table() -> str:
    """The settings as a Markdown table."""
    head = ["| setting | type | default | bounds | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *_rows(Settings, "")])


def _rows(model: type[Section], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        key = prefix + (info.alias or name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from _rows(info.annotation, f"{key}.")
        else:
            assert info.description, f"{key} is not described"
            yield f"| `{key}` | {_type(info.annotation)} | {_default(info)} | {_bounds(info)} | {info.description} |"


def _type(annotation: Any) -> str:
    if hasattr(annotation, "__metadata__"):
        return _type(get_args(annotation)[0])
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in get_args(annotation))
    if origin is tuple:
        return "list of texts"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "choice"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", type(None): "null"}[
        annotation
    ]


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    assert value is not PydanticUndefined
    if isinstance(value, Mapping) and any(isinstance(each, Section) for each in value.values()):
        return f"shipped: {', '.join(value)}"
    if isinstance(value, Path):
        value = "this file's folder" if value == Path() else str(value)
    if isinstance(value, str):
        # A stroke would end the cell, in code as well.
        return f"`{value}`".replace("|", r"\|") if value else '`""`'
    return f"`{json.dumps(value)}`"


def _bounds(info: FieldInfo) -> str:
    found: dict[str, str] = {}
    for bound in info.metadata:
        match bound:
            case Ge(low) | Gt(low):
                found["from"] = f"{low:,}"
            case Le(high) | Lt(high):
                found["to"] = f"{high:,}"
            case MinLen(low):
                found["from"] = f"{low}"
            case MaxLen(high):
                found["to"] = f"{high}"
    return " ".join(f"{word} {number}" for word, number in found.items())


def test_the_page_has_the_table_of_the_models() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == table()


def test_the_page_names_each_section_of_the_shipped_file() -> None:
    shipped = (PAGE.parents[1] / "config/default.yaml").read_text(encoding="utf-8")
    for row in table().splitlines()[2:]:
        key = row.split("`")[1].split(".")[-1]
        assert f"{key}:" in shipped, f"default.yaml does not show {key}"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
