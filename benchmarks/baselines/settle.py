"""Results out of a result file, in a plain loop: read a line, validate its answer, write it. Nothing is kept, nothing
is synced, and whatever is wrong ends it.

    python benchmarks/baselines/settle.py FOLDER
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import measured
from config.schemas.page_transcript import PageTranscript


def main(data: Path) -> None:
    out = Path(tempfile.mkdtemp(prefix="plain-", dir=data))
    try:
        with measured() as figures:
            figures["n"] = write_results(data / "answers.jsonl", out)
    finally:
        shutil.rmtree(out)


def write_results(answers: Path, out: Path) -> int:
    count = 0
    folders = set()
    with answers.open(encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            text = document["response"]["candidates"][0]["content"]["parts"][0]["text"]
            page = PageTranscript.model_validate(json.loads(text))
            *fields, label = document["key"].split(":")
            folder = out.joinpath(*fields)
            if folder not in folders:
                folder.mkdir(parents=True, exist_ok=True)
                folders.add(folder)
            (folder / f"{label}.json").write_text(page.model_dump_json(indent=2))
            count += 1
    return count


if __name__ == "__main__":
    main(Path(sys.argv[1]))
