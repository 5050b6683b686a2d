"""The section of a configuration file that says how images are fetched. All others stand in `sections`."""

from pydantic import Field

from assets.domain.page_names import PageNames
from config.values import Number, Section, Whole


class IiifSection(Section):
    """How `quire fetch` gets images from IIIF servers. Tries and pauses are those of `retries`."""

    max_side_pixels: Whole | None = Field(
        default=3072,
        ge=256,
        le=20_000,
        description="The longest side of an image that is asked for. Nothing is enlarged; a server that has images of "
        "certain sizes alone is asked for the largest of them that fits. null: as large as the server gives it.",
    )
    page_names: PageNames = Field(
        default=PageNames.NUMBER,
        description="What the images are called, and with them their pages: `number`, by the place in the manifest; "
        "`label`, by the labels of the manifest, such as `0012r.jpg` for `f. 12r`, where every page has one of its own "
        "that `record.page_pattern` takes, in the manifest's order. Elsewhere by their places, which is told.",
    )
    requests_per_second: Number = Field(
        default=2, ge=0.01, le=1_000, description="The most that servers are asked; one request at a time."
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Whether servers of this machine and this network are asked, too: a manifest is written by "
        "somebody else, and could name them.",
    )
