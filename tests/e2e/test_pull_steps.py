"""Runs that fail before they are Running: the log tells why."""

import pytest

from engines import PREFECT3

STEPS = "prefect.deployments.steps"
# name: a pull step that fails, and words of its cause that only the container's standard error has
PULL_STEPS = {
    "git": ({f"{STEPS}.git_clone": {"repository": "file:///nowhere/at-all.git"}}, "'git'"),
    "directory": ({f"{STEPS}.set_working_directory": {"directory": "/nowhere/at-all"}}, "/nowhere/at-all"),
    "module": ({"nowhere_at_all.steps.pull": {}}, "nowhere_at_all"),
    "requirements": ({f"{STEPS}.pip_install_requirements": {"directory": "/"}}, "pip_install_requirements failed"),
    "script": ({f"{STEPS}.run_shell_script": {"script": "cat /nowhere/at-all"}}, "/nowhere/at-all: No such file"),
    "s3": ({"prefect_aws.deployments.steps.pull_from_s3": {"bucket": "b", "folder": "f"}}, "prefect_aws"),
}
TOLD = "The last lines of its output"


@pytest.mark.slow
@pytest.mark.xdist_group("image")
@pytest.mark.parametrize(
    "kinds", [["git", "script"], pytest.param(list(PULL_STEPS), marks=pytest.mark.long)], ids=["two", "all"]
)
def test_pull_step_fails(testbed, api, engine, pool, start_worker, kinds):
    """Prefect inside the container reports the end. The log gets the last lines with or without stream_output, and
    nothing twice if it has the output already."""
    engine.need(PREFECT3)
    start_worker(api, engine, pool)
    runs = {}
    for kind in kinds:
        variables = {"image": PREFECT3, "auto_remove": True, "stream_output": kind != "git"}
        variables["forward_output"] = "always" if kind == "script" else "auto"
        runs[kind] = api.go(pool, variables, kind, entrypoint="hello.py:hello", pull_steps=[PULL_STEPS[kind][0]])
    for run in api.wait_end(*runs.values(), timeout=240):
        assert run["state"]["type"] == "CRASHED" and run["run_count"] == 0, run["state"]
    for kind in kinds:
        cause = PULL_STEPS[kind][1]
        log = api.wait_text(runs[kind], cause if kind == "script" else TOLD, timeout=30)
        assert log.count(TOLD) == (0 if kind == "script" else 1), log
        assert cause in log[max(log.find(TOLD), 0):], f"{kind}: {log}"


@pytest.mark.xdist_group("image")
def test_image_without_the_command(api, engine, pool, start_worker):
    """Only the worker can report the end. After a success, it adds no lines to the log."""
    start_worker(api, engine, pool)
    variables = {"state_reporting": "engine", "stream_output": False, "auto_remove": True}
    lost = api.go(pool, {**variables, "command": "sh -c 'echo no such flow >&2; exec prefect flow-run execute'"}, "lost")
    well = api.go(pool, {**variables, "command": "sh -c 'echo nothing to do'"}, "well")
    failed, fine = api.wait_end(lost, well)
    assert failed["state"]["type"] == "CRASHED" and fine["state"]["type"] == "COMPLETED"
    log = api.wait_text(lost, TOLD)
    assert "no such flow" in log and "prefect: not found" in log and log.count(TOLD) == 1, log
    assert TOLD not in api.text(well)
