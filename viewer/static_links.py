"""Addresses of the pages as files: by numbers, so that no name of others has to be one of a file. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

SEARCH, SEARCH_TEXT, FAILURES = "search.html", "search-text.js", "failures.html"


@dataclass(frozen=True)
class Site:
    """``documents``: name -> its place; ``pages``: record key -> its number; ``pictures``: number -> ending of its
    image, of those that have one; ``kinds``: of failures; ``has_search``: whether its text is among the files."""

    documents: Mapping[str, int]
    pages: Mapping[str, int]
    pictures: Mapping[int, str]
    kinds: frozenset[str]
    has_search: bool

    def document_file(self, name: str, page: int = 1) -> str:
        return f"documents/{self.documents[name]}{_part(page)}.html"

    def page_file(self, record_key: str) -> str:
        return f"pages/{self.pages[record_key]}.html"


@dataclass(frozen=True)
class StaticLinks:
    """``up``: the way to the top, "" or "../"; ``this``: the file itself, without its ending and the number of its
    part."""

    site: Site
    up: str = ""
    this: str = "index"

    def home(self) -> str:
        return f"{self.up}index.html"

    def listed(self, **changes: str | int) -> str:
        """Another part of the same list; nothing else can be asked of a file."""
        page = changes.get("page", 1)
        return f"{self.up}{self.this}{_part(int(page or 1))}.html"

    def document(self, name: str, page: int = 1) -> str:
        return self.up + self.site.document_file(name, page) if name in self.site.documents else ""

    def page(self, record_key: str) -> str:
        return self.up + self.site.page_file(record_key) if record_key in self.site.pages else ""

    def small(self, record_key: str, version: str) -> str:
        return self._picture("small", record_key)

    def full(self, record_key: str, version: str) -> str:
        return self._picture("full", record_key)

    def _picture(self, folder: str, record_key: str) -> str:
        number = self.site.pages.get(record_key, -1)
        if number not in self.site.pictures:
            return f"{self.up}front/no_picture.svg"
        return f"{self.up}{folder}/{number}.{'jpg' if folder == 'small' else self.site.pictures[number]}"

    def json(self, record_key: str) -> str:
        return ""

    def edit(self, record_key: str, *, as_json: bool = False) -> str:
        return ""

    def check(self, record_key: str) -> str:
        return ""

    def search(self, **fields: str | int) -> str:
        return f"{self.up}{SEARCH}" if self.site.has_search and not fields else ""

    def failures(self) -> str:
        return f"{self.up}{FAILURES}"

    def failure(self, kind: str) -> str:
        return f"{self.up}failures/{kind}.html" if kind in self.site.kinds else ""

    def comparisons(self) -> str:
        return ""

    def comparison(self, name: str) -> str:
        return ""

    def front(self, name: str) -> str:
        return f"{self.up}front/{name}"


def _part(page: int) -> str:
    return "" if page <= 1 else f"-{page}"
