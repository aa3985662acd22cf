"""The log files of containers: damaged, replaced by something that is not a file, and written faster than they are
read."""

import json
import os
import pathlib

import pytest

pytestmark = pytest.mark.parametrize("engine", ["podman"], indirect=True)


def log_of(engine, run):
    """The log file of RUN's container."""
    labels = json.dumps({"label": [f"io.prefect.flow-run-id={run}"]})
    found = engine.call("GET", "/containers/json", params={"all": "1", "filters": labels}).json()
    inspected = engine.call("GET", f"/libpod/containers/{found[0]['Id']}/json").json()
    return pathlib.Path(inspected["HostConfig"]["LogConfig"]["Path"])


def messages(api, run):
    return [record["message"] for record in api.logs(run)]


def test_damaged_log(api, engine, pool, start_worker):
    """Data that is not a record of conmon is skipped and reported. All records around it arrive once."""
    start_worker(api, engine, pool)
    script = "echo before; sleep 4; echo amid; echo after; exit 3"
    run = api.go(pool, {"command": f"sh -c '{script}'"})
    api.wait_text(run, "before")
    with log_of(engine, run).open("ab") as log:
        log.write(b"2026-11-28T05:13:48.1" + bytes(5000) + b"\n2026-11-28T05:13:48.100000000+01:00 stdout F\n")
        log.write(b"half a rec")
    api.wait_end(run)
    api.wait_text(run, "after")
    log = messages(api, run)
    assert [line for line in log if line in ("before", "amid", "after")] == ["before", "amid", "after"]
    assert len([line for line in log if "2 damaged records" in line and "the first at byte" in line]) == 1, log
    assert "after" in api.state(run)["message"]


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_log_that_is_no_file(api, engine, pool, start_worker, tmp_path, kind):
    """A container that has the storage mounted can replace its log. The worker survives that, and does not read
    other users' files."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo before; sleep 60'"})
    api.wait_text(run, "before")
    log = log_of(engine, run)
    instead = log.with_name("instead")
    if kind == "fifo":
        os.mkfifo(instead)
    else:
        secret = tmp_path / "secret"
        secret.write_text("2026-11-28T05:13:48.100000000+01:00 stdout F a secret\n")
        instead.symlink_to(secret)
    instead.rename(log)
    worker.wait_line("ctr.log is no longer read")
    assert worker.healthy()
    other = api.wait_end(api.go(pool, {"command": "echo another"}))
    assert other["state"]["type"] == "COMPLETED"
    assert "a secret" not in api.text(run)
    assert worker.end() == 0


def test_quiet_run_beside_a_loud_one(api, engine, pool, start_worker):
    """A log with a small limit gets a new file many times while the worker reads a loud run. Nothing of it is lost."""
    start_worker(api, engine, pool)
    script = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); seq 1 20000; done; echo the end"
    loud = api.go(pool, {"command": f"sh -c '{script}'", "forward_output": "never"})
    script = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i; if [ $((i % 100)) = 0 ]; then sleep 0.1; fi; done"
    small = {"log_config": {"type": "k8s-file", "config": {"max-size": "8kb"}}}
    quiet = api.go(pool, {"command": f"sh -c '{script}'", "container_create_kwargs": small})
    for run in api.wait_end(loud, quiet):
        assert run["state"]["type"] == "COMPLETED"
    api.wait_text(quiet, "line 1000")
    lines = [line for line in messages(api, quiet) if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(1, 1001)]
    assert "is lost" not in api.text(quiet)
