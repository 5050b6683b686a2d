"""What the tests of the locks run in processes of their own: ``python -m tests.contracts.prefect.worker change|hold
COLLECTION NAME``. ``change``: fifty changes of the ledger. ``hold``: take the pass lock, say so, and never let go."""

import asyncio
import sys

from assets.domain.ledger import CountChange
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.ledger import PrefectLedger
from flows.gateways.prefect.locks import PrefectLock


async def change(collection: str, name: str) -> None:
    async with PrefectApi() as api:
        lock = PrefectLock(f"{collection}_quire_ledger", api=api, poll_seconds=0.02)
        ledger = PrefectLedger(collection=collection, field_count=3, lock=lock, api=api)
        for page in range(1, 51):
            async with ledger.transaction() as transaction:
                await transaction.apply_counts([CountChange(f"CA:{name}:2023:{page}", 0, 1)])
                await transaction.set_active([*transaction.ledger.active, f"batches/{name}-{page}"])


async def hold(collection: str, name: str) -> None:
    async with PrefectLock(f"{collection}_{name}").hold(wait=False):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"change": change, "hold": hold}[sys.argv[1]](*sys.argv[2:]))
