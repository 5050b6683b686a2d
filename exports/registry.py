"""What a format is, and which there are: each module of `exports.formats` is one, by its name and its ``FORMAT``."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import exports.formats
from assets.domain.errors import QuireError
from exports.columns import Column, result_columns
from exports.pages import Document, Page
from exports.report import Exported


class Need(StrEnum):
    """What a format needs of results."""

    RESULTS = "results"
    TEXT = "text"
    BOXES = "boxes"


@dataclass(frozen=True)
class Job:
    """What is true of a whole export. ``schema``: the JSON Schema of today's results; ``document_fields``: their names;
    ``version``: Quire's; ``base_url``: where the files will stand on the web, without a slash at its end, or "";
    ``collection``: its name, or ""; ``max_image_pixels``, ``jpeg_quality``: as in the settings."""

    schema: Mapping[str, Any]
    schema_name: str
    document_fields: Sequence[str]
    version: str
    base_url: str = ""
    collection: str = ""
    max_image_pixels: int = 0
    jpeg_quality: int = 90

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Of results, in a table of pages."""
        return result_columns(self.schema)


@dataclass(frozen=True)
class Format(ABC):
    """``what``: a few words; ``suffix``: of its files; ``packages``: modules that the extra ``export`` brings and that
    it needs; ``needs_base_url``: whether its files name their own addresses; ``number``: goes up when the same input
    gives other bytes than before, so that no export is taken for whole that an older Quire has begun."""

    what: str
    suffix: str
    need: Need = Need.RESULTS
    packages: tuple[str, ...] = ()
    needs_base_url: bool = False
    number: int = 1


@dataclass(frozen=True)
class RowFormat(Format):
    """One file for all pages, a row each."""

    @abstractmethod
    def head(self, job: Job) -> bytes:
        """What stands before the first row."""

    @abstractmethod
    def row(self, job: Job, page: Page) -> bytes: ...


@dataclass(frozen=True)
class DocumentFormat(Format):
    """A file for each document. ``file_name``: within a folder of the document's; "" for a file that is named by it;
    ``folder``: that all of them lie in, "" for none."""

    file_name: str = ""
    folder: str = ""

    @abstractmethod
    def write(self, path: Path, job: Job, document: Document) -> None:
        """Write the whole file. Raises QuireError for what concerns this document alone."""

    def card(self, job: Job, done: Exported) -> str | None:
        """README.md for the whole export; None: there is none."""
        return None


@dataclass(frozen=True)
class PageFormat(Format):
    """A file for each page that has a result, in a folder for each document."""

    @abstractmethod
    def content(self, job: Job, document: Document, page: Page, size: tuple[int, int]) -> bytes:
        """``size``: width and height of the upright image in pixels."""


def format_names() -> list[str]:
    """Nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(exports.formats.__path__))


def format_of(name: str) -> Format:
    """Raises QuireError for a name that is none."""
    if name not in format_names():
        raise QuireError(f"{name!r} is no format; there are {', '.join(format_names())}")
    found: Format = importlib.import_module(f"exports.formats.{name}").FORMAT
    return found
