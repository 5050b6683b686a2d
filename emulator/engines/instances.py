"""A valid instance of any responseSchema that the service takes: deterministic, and with the record key in its free
text, so that a test can see whose answer it is."""

import random
import re
from typing import Any

from emulator.schemas import format_of, normal, type_of

_WORDS = (
    "college", "catalogue", "trustees", "faculty", "tuition", "term", "library", "chapel", "students", "lectures",
    "rhetoric", "algebra", "botany", "examination", "preparatory", "president",
)  # fmt: skip
_FORMATS = {
    "date": "1893-09-14",
    "date-time": "1893-09-14T08:30:00Z",
    "time": "08:30:00",
    "duration": "P3D",
    "uuid": "3f2b8c1e-6d4a-4f7b-9c2d-1a5e8b7c9d0f",
    "email": "registrar@example.org",
    "uri": "https://example.org/catalogue",
}
_PATTERN_CANDIDATES = ("1", "12", "1893", "1893-09-14", "en", "en-US", "a", "A", "abc", "ABC", "AB12", "iv", "1.5", "")
_DEFAULT_ITEMS = 2
_NULL_CHANCE = 0.2


def instance(schema: dict[str, Any], key: str, seed: str) -> Any:
    """An instance in which ``key`` stands in some text, if the schema has room for one."""
    value = _Maker(key, random.Random(seed), full=False).make(schema)  # noqa: S311 - for variety, not for secrets
    if _holds(value, key):
        return value
    return _Maker(key, random.Random(seed), full=True).make(schema)  # noqa: S311 - as above


class _Maker:
    """``full``: every property, no nulls, no empty arrays."""

    def __init__(self, key: str, chance: random.Random, *, full: bool) -> None:
        self._key, self._chance, self._full = key, chance, full

    def make(self, schema: dict[str, Any]) -> Any:
        fields = normal(schema)
        if fields.get("nullable") and not self._full and self._chance.random() < _NULL_CHANCE:
            return None
        options = fields.get("anyOf")
        if options:
            wanted = [option for option in options if type_of(normal(option)) != "NULL"] or options
            return self.make(wanted[0] if self._full else self._chance.choice(wanted))
        match type_of(fields):
            case "OBJECT":
                return self._object(fields)
            case "ARRAY":
                return self._array(fields)
            case "INTEGER":
                return self._integer(fields)
            case "NUMBER":
                return self._number(fields)
            case "BOOLEAN":
                return self._chance.random() < 0.5
            case "NULL":
                return None
            case _:
                return self._string(fields)

    def _object(self, fields: dict[str, Any]) -> dict[str, Any]:
        properties = fields.get("properties") or {}
        required = set(fields.get("required") or ())
        ordering = list(fields.get("propertyOrdering") or ())
        names = ordering + [name for name in properties if name not in ordering]
        return {
            name: self.make(properties[name])
            for name in names
            if name in required or self._full or self._chance.random() < 0.75
        }

    def _array(self, fields: dict[str, Any]) -> list[Any]:
        least = int(fields.get("minItems") or 0)
        most = int(fields.get("maxItems", max(least, _DEFAULT_ITEMS)))
        count = min(max(least, self._chance.randint(1, _DEFAULT_ITEMS)), most)
        made = [self.make(fields["items"]) for _ in range(count)]
        if "No key twice." in str(fields.get("description", "")):
            # Said in words alone, which a model reads.
            made = list({str(each.get("key")): each for each in made}.values())
        return made

    def _integer(self, fields: dict[str, Any]) -> int:
        least, most = _bounds(fields, 0, 100)
        return self._chance.randint(-int(-least // 1), int(most // 1))

    def _number(self, fields: dict[str, Any]) -> float:
        least, most = _bounds(fields, 0, 1)
        return min(max(round(self._chance.uniform(least, most), 4), least), most)

    def _string(self, fields: dict[str, Any]) -> str:
        if fields.get("enum"):
            return str(self._chance.choice(fields["enum"]))
        if (format_ := format_of(fields)) in _FORMATS:
            return _FORMATS[format_]
        text = f"{self._key} {' '.join(self._chance.choices(_WORDS, k=3))}"
        least = int(fields.get("minLength") or 0)
        if len(text) < least:
            text += " " + "x" * (least - len(text) - 1)
        if fields.get("maxLength") is not None:
            text = text[: int(fields["maxLength"])]
        pattern = fields.get("pattern")
        if pattern and not re.search(pattern, text):
            text = next((candidate for candidate in _PATTERN_CANDIDATES if re.search(pattern, candidate)), text)
        return text


def _bounds(fields: dict[str, Any], least: float, most: float) -> tuple[float, float]:
    """The bounds of a number; a bound that is not given follows the one that is."""
    low: Any = fields.get("minimum")
    high: Any = fields.get("maximum")
    if low is None and high is None:
        return least, most
    if low is None:
        return min(least, high), high
    return low, max(low, most) if high is None else high


def _holds(value: Any, key: str) -> bool:
    if isinstance(value, str):
        return key in value
    if isinstance(value, dict):
        return any(_holds(inner, key) for inner in value.values())
    return isinstance(value, list) and any(_holds(inner, key) for inner in value)
