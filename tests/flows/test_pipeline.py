"""The main job, end to end: pages in, validated results out, everything let go of at the end."""

from tests.project import Project


async def test_every_page_becomes_a_result_and_each_is_paid_for_once(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", ["001", "002", "003"])
    keys += project.add_pages("TX:Peñón High:1901", [9, 10, 12])

    reports = await project.run_until_idle()

    for key in keys:
        result = project.result(key)
        assert result is not None
        assert key in result["printed_page_number"], "the answer belongs to its key"
        assert project.gemini.record(key)["billed"] == 1
    assert [report.submit.waves for report in reports] == [3, 2, 1, 0]
    variables = await project.variables()
    assert variables["active_batch_ids"] == []
    assert variables["batch_record_keys"] == {}
    assert variables["inflight_record_ids"] == []
    assert variables["record_failure_counts"] == {}
    assert {row["kind"] for row in project.outcomes()} == {"success"}
    assert sorted(row["record_key"] for row in project.outcomes()) == sorted(keys)
    assert project.gemini.existing_files() == []


async def test_failures_are_counted_until_the_record_is_a_dead_letter(project: Project) -> None:
    project.configure(execution={"max_retries": 1})
    dead, flaky, waiting = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Lincoln:1903", [1, 2])
    project.gemini.set_steps(dead, "not_json")
    project.gemini.set_steps(flaky, "empty", "auto")

    await project.run_until_idle()

    assert project.result(dead) is None
    assert project.result(flaky) is not None
    assert project.result(waiting) is not None
    assert await project.variable("record_failure_counts") == {dead: 2, flaky: 1}
    rows = [row for row in project.outcomes() if row["record_key"] == dead]
    assert [(row["count_before"], row["count_after"]) for row in rows] == [(0, 1), (1, 2)]
    assert {row["kind"] for row in rows} == {"not_json"}
    assert {row["raw_text"] for row in rows} != {None}
    assert project.gemini.record(dead)["submitted"] == 2
    assert project.gemini.record(flaky)["submitted"] == 2
