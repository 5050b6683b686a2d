"""The end of the demo: what was read, carried away in each format that applies to it."""

import asyncio
from dataclasses import dataclass

from assets.domain.errors import QuireError
from exports.registry import RowFormat, format_names, format_of
from exports.run import Asked, export
from flows.demo.place import DemoFolder
from flows.terminal.facts import fact, short

WEB = "https://example.org/demo"
"""Where the files of a format would stand that name their own addresses."""


@dataclass(frozen=True, slots=True)
class DemoExports:
    """``made``: formats; ``left_out``: format -> why it could not be made of these results."""

    made: tuple[str, ...]
    left_out: dict[str, str]

    def lines(self, folder: DemoFolder) -> list[str]:
        lines = fact("exports", f"{', '.join(self.made)}, in {short(folder.exports)}")
        for name, why in self.left_out.items():
            lines += fact("", f"{name}: {why}")
        return lines


async def export_each(folder: DemoFolder) -> DemoExports:
    """What is whole from a demo of before is passed over. Raises OSError."""
    made, left_out = list[str](), dict[str, str]()
    for name in format_names():
        try:
            await asyncio.to_thread(_export, folder, name)
        except QuireError as error:
            left_out[name] = str(error)
        else:
            made.append(name)
    return DemoExports(tuple(made), left_out)


def _export(folder: DemoFolder, name: str) -> None:
    found = format_of(name)
    to = folder.exports / (f"pages{found.suffix}" if isinstance(found, RowFormat) else name)
    export(str(folder.config), Asked(name, to, base_url=WEB if found.needs_base_url else ""))
