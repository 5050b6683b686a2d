"""``quire verify`` where the disk does not give a result."""

import errno
from pathlib import Path

from flows.gateways.files.parquet import write_table
from flows.questions.verify import verify
from tests.errno_matrix.faults import Fault, faults_in
from tests.unit.assets.tables import manifest_of


async def test_a_result_that_the_disk_does_not_give_is_named_and_all_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "dataset/page_images").mkdir(parents=True)
    folder = tmp_path / "dataset/output_results/CA/Lincoln/2023"
    folder.mkdir(parents=True)
    for page in (1, 2, 3):
        (folder / f"{page}.json").write_text("no JSON")
    config = tmp_path / "quire.yaml"
    config.write_text("{}")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/reruns.parquet").write_text("damaged, and no matter of what lies there")

    with faults_in(tmp_path, Fault("open", errno.EIO, "open /dataset/output_results/CA/Lincoln/2023/2.json")) as calls:
        found = await verify(str(config))

    assert calls.struck == [str(folder / "2.json")]
    assert found.counts == {"unreadable": 1, "no JSON": 2, "edited": 2}
    assert found.results == 2
    said = "cannot be read: Input/output error; the disk or the share has a fault: check it, then run again"
    assert (str(folder / "2.json"), said) in found.problems
    assert found.is_wrong(edited_is_fine=True)


async def test_what_a_person_keeps_among_the_results_is_none_unless_a_page_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "dataset/page_images").mkdir(parents=True)
    folder = tmp_path / "dataset/output_results/CA/Lincoln/2023"
    folder.mkdir(parents=True)
    for name in ("index", "1", "cover"):
        (folder / f"{name}.json").write_text("[]")
    config = tmp_path / "quire.yaml"
    config.write_text("{}")
    (tmp_path / "manifests").mkdir()
    write_table(manifest_of(["CA:Lincoln:2023:cover"]), tmp_path / "manifests/records.parquet", compression="zstd")

    found = await verify(str(config))

    assert {Path(path).name for path, _ in found.problems} == {"1.json", "cover.json"}
