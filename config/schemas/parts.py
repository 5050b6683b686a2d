"""What the shipped schemas share: where something stands on the page, and by how much the page has to be turned.
Nothing is imported but pydantic."""

from typing import Annotated, Any, Literal

from pydantic import Field

ROTATION_DEGREES = "rotation_degrees"
"""The field by which a result tells how its page lies. ``quire rotated`` reads it in any result."""

Box = Annotated[list[Annotated[int, Field(ge=0, le=1000)]], Field(min_length=4, max_length=4)]
"""Four numbers, in the order and by the scale that Gemini itself uses for boxes."""

Rotation = Annotated[
    Literal[0, 90, 180, 270] | None,
    Field(
        default=None,
        description="By how many degrees the image has to be turned clockwise so that the text stands upright: 0 if it "
        "does; null if the page is blank.",
    ),
]
"""With a default, so that answers from before it was asked for stay good when they are judged again."""


def box_field(what: str) -> Any:
    return Field(
        default=None,
        description=f"Where {what} stands in the image: [y_min, x_min, y_max, x_max], each from 0 at the top or left "
        "edge to 1000 at the bottom or right one; null if that cannot be told.",
    )
