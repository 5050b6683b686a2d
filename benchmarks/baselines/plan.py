"""Which pages can go, and in which order: merges and masks of pandas.

python benchmarks/baselines/plan.py FOLDER
"""

import json
import sys
from pathlib import Path

import pandas as pd

from benchmarks.measuring import measured

MAX_RETRIES = 3


def main(data: Path) -> None:
    done = pd.read_parquet(data / "done.parquet")
    with measured() as figures:
        figures["n"] = len(runnable(data, done))


def runnable(data: Path, done: pd.DataFrame) -> pd.DataFrame:
    """``done``: the keys of the records that have a result."""
    manifests = data / "manifests"
    pages = pd.read_parquet(manifests / "records.parquet", columns=["record_key", "predecessor"])
    inflight = pd.read_parquet(manifests / "batches", columns=["record_key"])
    failures = json.loads((data / "variables.json").read_text())["record_failure_counts"]
    dead = pd.DataFrame({"record_key": [key for key, count in failures.items() if count > MAX_RETRIES]})

    succeeded = pd.read_parquet(manifests / "results", columns=["record_key"])
    gone = succeeded.merge(done, on="record_key", how="left", indicator=True)
    vanished = int((gone["_merge"] == "left_only").sum())
    if vanished > 2:
        raise SystemExit(f"{vanished} results are gone")

    for name, those in (("done", done), ("inflight", inflight), ("dead", dead)):
        pages = pages.merge(those, on="record_key", how="left", indicator=name)
        pages[name] = pages[name] == "both"
    before = done.rename(columns={"record_key": "predecessor"})
    pages = pages.merge(before, on="predecessor", how="left", indicator="met")
    pages["met"] = (pages["met"] == "both") | pages["predecessor"].isna()

    pages["chain"] = pages["predecessor"].isna().cumsum()
    pending = ~pages["done"]
    of_chain = pending.groupby(pages["chain"])
    pages["remaining"] = of_chain.transform("sum") - of_chain.cumsum() + pending
    can_go = ~pages["done"] & ~pages["inflight"] & ~pages["dead"] & pages["met"]
    going = pages[can_go].sort_values("remaining", ascending=False, kind="stable")
    images = pd.read_parquet(manifests / "records.parquet", columns=["image_path", "image_bytes"])
    return going.join(images)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
