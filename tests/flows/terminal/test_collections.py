"""Several collections in one Prefect: what is told of all of them, and what is said to a second one of one name."""

import pytest

from assets.domain.errors import HomeMismatchError
from flows.terminal.collections import collections_text
from flows.terminal.show import status_text
from tests.project import Project


@pytest.mark.light
async def test_all_collections_are_told_and_a_second_of_one_name_is_refused(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    said = await collections_text()
    (line,) = [line for line in said.splitlines() if line.startswith(project.collection)]
    assert line.removeprefix(project.collection).strip() == "1 batch in flight, 0 records with failures that count"

    await project.edit_variable("record_failure_counts", {"CA:Lincoln:1901:1": "two"})
    said = await collections_text()
    assert "the count 'two' is no whole number" in said

    # A folder of its own, and the same name: as a forgotten --config or a copied file would have it.
    project.manifests.rename(project.manifests.with_name("elsewhere"))
    with pytest.raises(HomeMismatchError) as refused:
        await status_text(str(project.config))
    said = str(refused.value)
    assert f"is this a second collection in this Prefect, called '{project.collection}' ({project.config})" in said
    assert "Then set collection: to a name of its own" in said
