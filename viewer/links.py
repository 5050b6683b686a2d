"""Addresses of the viewer's pages, from each of them: by record keys and names of documents, never by paths of files.
All are relative, so that they hold behind a proxy and in files. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode


class Links(Protocol):
    """Each is "" where there is no such page."""

    def home(self) -> str: ...
    def listed(self, **changes: str | int) -> str: ...
    def document(self, name: str, page: int = 1) -> str: ...
    def page(self, record_key: str) -> str: ...
    def small(self, record_key: str, version: str) -> str: ...
    def full(self, record_key: str, version: str) -> str: ...
    def json(self, record_key: str) -> str: ...
    def edit(self, record_key: str, *, as_json: bool = False) -> str: ...
    def check(self, record_key: str) -> str: ...
    def search(self, **fields: str | int) -> str: ...
    def failures(self) -> str: ...
    def failure(self, kind: str) -> str: ...
    def comparisons(self) -> str: ...
    def comparison(self, name: str) -> str: ...
    def front(self, name: str) -> str: ...


@dataclass(frozen=True, slots=True)
class ServerLinks:
    """``up``: the way to the top, "" or "../"; ``asked``: what the present address asks for."""

    up: str = ""
    asked: Mapping[str, str] | None = None

    def home(self) -> str:
        return self.up or "./"

    def listed(self, **changes: str | int) -> str:
        """The present page with other questions; without those that are empty."""
        fields = {**(self.asked or {}), **{name: str(value) for name, value in changes.items()}}
        return "?" + urlencode({name: value for name, value in fields.items() if value})

    def document(self, name: str, page: int = 1) -> str:
        """``page``: which of its parts."""
        return f"{self.up}document/{_part(name)}" + (f"?page={page}" if page > 1 else "")

    def page(self, record_key: str) -> str:
        return f"{self.up}page/{_part(record_key)}"

    def small(self, record_key: str, version: str) -> str:
        return f"{self.up}small/{_part(record_key)}?v={version}"

    def full(self, record_key: str, version: str) -> str:
        return f"{self.up}full/{_part(record_key)}?v={version}"

    def json(self, record_key: str) -> str:
        return f"{self.up}json/{_part(record_key)}"

    def edit(self, record_key: str, *, as_json: bool = False) -> str:
        return f"{self.up}edit/{_part(record_key)}" + ("?as=json" if as_json else "")

    def check(self, record_key: str) -> str:
        return f"{self.up}check/{_part(record_key)}"

    def search(self, **fields: str | int) -> str:
        asked = urlencode({name: str(value) for name, value in fields.items() if value})
        return f"{self.up}search" + (f"?{asked}" if asked else "")

    def failures(self) -> str:
        return f"{self.up}failures"

    def failure(self, kind: str) -> str:
        return f"{self.up}failures/{_part(kind)}"

    def comparisons(self) -> str:
        return f"{self.up}comparisons"

    def comparison(self, name: str) -> str:
        return f"{self.up}comparisons/{_part(name)}"

    def front(self, name: str) -> str:
        return f"{self.up}front/{name}"


def _part(text: str) -> str:
    return quote(text, safe=":")
