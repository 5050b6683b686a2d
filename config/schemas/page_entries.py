"""What a page of a list becomes: a directory, a catalogue, a register, a ledger, an index. Its entries in reading
order, each with its text as it stands there, where it stands, and whether it goes on on another page.

What an entry consists of (a name, a street, a sum) differs from book to book: that is a schema of your own, for which
this one is a beginning. How the model is asked stands in ``config/prompts/page_entries/``.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from config.schemas.parts import ROTATION_DEGREES, Box, Rotation, box_field


class Entry(BaseModel):
    """One entry of the list: a person of a directory, a title of a catalogue, a line of a register."""

    model_config = ConfigDict(extra="forbid")

    heading: str | None = Field(
        description="The heading under which the entry stands, as printed: a letter, a street, a class; null if there "
        "is none on the page."
    )
    text: str = Field(
        description="The whole entry exactly as printed: spelling, capitals and punctuation unchanged, nothing added "
        "or left out. Its lines are joined with a space, a word that is divided at the end of a line is joined again, "
        "and columns are divided by a tab. [illegible] stands for what cannot be read."
    )
    continues_previous_page: bool = Field(description="Whether the entry began on the page before.")
    continues_on_next_page: bool = Field(description="Whether the entry goes on on the next page.")
    box_2d: Box | None = box_field("the entry")


class PageEntries(BaseModel):
    """The entries of one page of a list."""

    model_config = ConfigDict(extra="forbid")

    class Options(BaseModel):
        """What ``schema_options`` may hold. ``rotation``: the page tells by how much it has to be turned."""

        model_config = ConfigDict(extra="forbid")

        rotation: bool = False

    printed_page_number: str | None = Field(
        description="The page number as it is printed, Roman or Arabic, without ornaments; null if the page bears none."
    )
    entries: list[Entry] = Field(
        description="All entries of the page in reading order, column by column. Running heads, page numbers and "
        "headings are none. Empty if the page has none."
    )

    @classmethod
    def with_options(cls, options: Options) -> type[BaseModel]:
        """The model that a page becomes with these options."""
        fields: dict[str, Any] = {ROTATION_DEGREES: Rotation} if options.rotation else {}
        return create_model(cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **fields)
