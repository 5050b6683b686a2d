"""What a scanned page becomes: its text as blocks in reading order, and how it hangs together with its neighbours.

Here is the shape only, with the descriptions that travel to the model inside ``responseSchema``. How the model is asked
stands in ``config/prompts/page_transcript/``. A schema of your own goes beside this file or outside the repository; the
``schema`` setting names it. Nothing is imported but pydantic and the parts that the shipped schemas share, so that the
file can be used wherever results are read.

Without options the schema is what it was from the beginning: what is added to it would make every result of before
outdated, and cost tokens on each page. So what came later is an option (``schema_options``).
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from config.schemas.parts import ROTATION_DEGREES, Box, Rotation, box_field


class BlockKind(StrEnum):
    """The part that a block plays on the page."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    LIST = "list"
    TABLE = "table"
    CAPTION = "caption"
    RUNNING_HEAD = "running_head"
    PAGE_NUMBER = "page_number"
    FOOTNOTE = "footnote"
    MARGINALIA = "marginalia"
    ILLUSTRATION = "illustration"
    OTHER = "other"


class TextBlock(BaseModel):
    """A connected piece of text: one paragraph, one heading, one list, one table."""

    model_config = ConfigDict(extra="forbid")

    kind: BlockKind = Field(
        description=(
            "What the block is. running_head: the line at the top or foot that repeats from page to page. page_number: "
            "the printed number of the page. marginalia: notes in the margin, by hand or printed, and stamps. "
            "illustration: words inside a picture or a seal. other: nothing else fits."
        )
    )
    text: str = Field(
        description=(
            "The text exactly as printed: spelling, capitals and punctuation unchanged, nothing added or left out. "
            "Lines of a paragraph are joined with a space, and a word that is divided at the end of a line is joined "
            "again. A list has one item a line; a table has one row a line, with a tab between its cells. [illegible] "
            "stands for what cannot be read."
        )
    )


class BoxedTextBlock(TextBlock):
    """A connected piece of text: one paragraph, one heading, one list, one table."""

    box_2d: Box | None = box_field("the block")


class Heading(BaseModel):
    """A heading, with its rank."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="The text of the heading as printed, its lines joined with a space.")
    level: int = Field(ge=1, le=6, description="Its rank: 1 for the heading of a part or chapter, 2 for one below, ...")


class PageTranscript(BaseModel):
    """The transcript of one page."""

    model_config = ConfigDict(extra="forbid")

    class Options(BaseModel):
        """What ``schema_options`` may hold. ``boxes``: each block tells where it stands; ``rotation``: the page tells
        by how much it has to be turned."""

        model_config = ConfigDict(extra="forbid")

        boxes: bool = False
        rotation: bool = False

    printed_page_number: str | None = Field(
        description="The page number as it is printed, Roman or Arabic, without ornaments; null if the page bears none."
    )
    language: str = Field(
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        description="The language of most of the text as a BCP 47 tag, such as en, de or la; und if there is no text.",
    )
    continues_previous_page: bool = Field(
        description="Whether the page begins in the middle of a sentence, list or table of the page before."
    )
    continues_on_next_page: bool = Field(
        description="Whether the last sentence, list or table of the page goes on on the next page."
    )
    headings: list[Heading] = Field(description="The headings of the page from top to bottom. Running heads are none.")
    blocks: list[TextBlock] = Field(
        description=(
            "All text of the page in reading order, column by column; headings, running heads and the page number are "
            "blocks too. Empty if the page is blank."
        )
    )

    @classmethod
    def with_options(cls, options: Options) -> type[BaseModel]:
        """The model that a page becomes with these options."""
        fields: dict[str, Any] = {}
        if options.boxes:
            blocks = Field(description=cls.model_fields["blocks"].description)
            fields["blocks"] = (list[BoxedTextBlock], blocks)
        if options.rotation:
            fields[ROTATION_DEGREES] = Rotation
        return create_model(cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **fields)
