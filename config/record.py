"""The section of a configuration file that says what documents and pages are. All others stand in `sections`."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from assets.domain.labels import USUAL_PAGES
from assets.domain.page_orders import PAGE_ORDER_NAMES, End, PageOrder
from assets.file_pages import FilePages
from config.values import FLAT_FIELD, DocumentFields, DocumentName, PagePattern, Section


class RecordSection(Section):
    """What a record key is made of."""

    document_fields: DocumentFields = Field(
        default=("state", "school", "year"),
        max_length=8,
        description="The fields that name a document, in the order of the folders; the page follows by itself. []: the "
        "images lie in `paths.page_images` itself, without a folder, and are one document, whose field is called "
        "`volume` in prompts and filters.",
    )
    document: DocumentName = Field(
        default="document",
        description="The name of that one document where `document_fields` is []: `document:4` is the record of its "
        "page 4, and `document/4.json` its result. Name it before the first run, or never.",
    )
    page_pattern: PagePattern = Field(
        default=USUAL_PAGES,
        description="What the name of a page's image looks like without its ending: a regular expression that matches "
        "all of it, with the page's label in the group `page`. Leading zeros do not count.",
    )
    file_pages: FilePages = Field(
        default=FilePages.AUTO,
        description="What the pages of one file (a TIFF) are called. `counted`: on from its own, `5.tif` has 5, 6, 7; "
        "`suffix`: 5.1, 5.2, 5.3; `auto`: counted, unless several files of a document claim each other's pages so.",
    )
    page_order: PageOrder = Field(
        default=PageOrder.NATURAL,
        description="The order of a document's pages. `natural`: 12, 12a, 12r, 12v, 13, then Roman numbers and words; "
        "`roman_first`: Roman numbers before all others; `file_name`: by the names of the files, numbers by value.",
    )
    page_order_names: Mapping[str, End] = Field(
        default=PAGE_ORDER_NAMES,
        description="Words that a page's label can begin with, and the end of its document where such pages stand: "
        "`first` or `last`.",
    )
    _is_flat: bool = PrivateAttr(default=False)

    @model_validator(mode="after")
    def _one_document_has_a_field_like_any_other(self) -> Self:
        if not self.document_fields:
            self._is_flat = True
            object.__setattr__(self, "document_fields", (FLAT_FIELD,))
        return self

    @property
    def fixed(self) -> tuple[str, ...]:
        """The fields of the one document, where its images lie in no folder of their own; else ()."""
        return (self.document,) if self._is_flat else ()

    @property
    def depth(self) -> int:
        """How many folders deep the images lie, below the folder of them all."""
        return 0 if self._is_flat else len(self.document_fields)
