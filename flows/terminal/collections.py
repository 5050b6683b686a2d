"""``quire status --all``: the collections of one Prefect, by their Variables alone. Where the files of one are, and so
how much of it is done, only its own ``quire.yaml`` knows.
"""

from assets.domain.errors import LedgerError
from assets.domain.ledger import Ledger
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.ledger import read_collections

UNNAMED = "(no name)"


async def collections_text() -> str:
    """A line for each. Raises PrefectUnavailableError."""
    async with PrefectApi() as api:
        found = await read_collections(api)
    width = max((len(name or UNNAMED) for name in found), default=0)
    return "\n".join(f"{name or UNNAMED:<{width}}  {_said_of(each)}" for name, each in found.items()) or (
        "no collection has run a pass with this Prefect yet"
    )


def _said_of(found: Ledger | LedgerError) -> str:
    if isinstance(found, LedgerError):
        return str(found)
    batches = len(found.active)
    return (
        f"{batches} {'batch' if batches == 1 else 'batches'} in flight, {len(found.counts)} records with failures that "
        "count"
    )
