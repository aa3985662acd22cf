"""If the worker itself is short of something, it does not blame the other side, and no run is lost."""

import pathlib
import subprocess
import time

import httpx
import pytest

from parts import wait_for
from worker import call, environment


def set_limit(worker, limit):
    """Sets the soft limit, which can be raised again."""
    subprocess.run(["prlimit", "--pid", str(worker.pid), f"--nofile={limit}:"], check=True)


def take_descriptors(worker):
    """Lets the worker open nothing more."""
    used = {int(entry.name) for entry in pathlib.Path(f"/proc/{worker.pid}/fd").iterdir()}
    limit = min(set(range(len(used) + 1)) - used)
    set_limit(worker, limit)
    return limit


def health(worker):
    return httpx.get(f"http://127.0.0.1:{worker.port}/health", timeout=5)


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_no_descriptors(api, engine, pool, start_worker):
    """The worker names the shortage and the limit, and takes no more runs. Runs in flight end well, and afterwards
    all continues by itself."""
    worker = start_worker(api, engine, pool)
    held = api.go(pool, {"command": "sh -c 'echo begun; sleep 4; echo ended'"})
    api.wait_text(held, "begun")
    limit = take_descriptors(worker)
    line = worker.wait_line(r"WARNING .*No flow runs are taken.*").group()
    for words in (f"the limit of this process is {limit} (RLIMIT_NOFILE)", "ulimit", "LimitNOFILE="):
        assert words in line
    waits = api.go(pool, {"command": "echo later"})
    answer = health(worker)
    assert answer.status_code == 503 and "RLIMIT_NOFILE" in answer.text, answer.text
    time.sleep(4)  # the first run ends meanwhile, and polls pass
    assert api.state(waits)["type"] == "SCHEDULED"
    assert "RLIMIT_NOFILE" in health(worker).text
    set_limit(worker, 4096)
    for run, text in ((held, "ended"), (waits, "later")):
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        api.wait_text(run, text)
    wait_for(lambda: health(worker).status_code == 200, 10, "healthy again")
    assert worker.end() == 0
    assert "systemctl" not in worker.output() and "does not answer" not in worker.output()


LONG = "x" * 1_200_000


@pytest.mark.parametrize(
    "variables",
    [
        {"networks": ["podman", LONG]},
        {"env": {"A": "{{ prefect.variables.%s }}" % LONG}},
        {"env": {"A": "{{ prefect.blocks.secret.%s }}" % LONG}},
        {
            "image": "127.0.0.1:1/busybox:1",
            "image_pull_policy": "Always",
            "registry_credentials": {"username": "u", "password": LONG, "registry_url": "127.0.0.1:1"},
        },
    ],
    ids=["network", "variable", "block", "credentials"],
)
def test_request_is_too_long(api, engine, pool, start_worker, variables):
    """A run with a very long name ends with a short reason. Other runs go on, and no lack of memory is reported."""
    worker = start_worker(api, engine, pool)
    bad = api.go(pool, {"command": "true", **variables}, name="bad")
    state = api.wait_end(bad)["state"]
    assert state["type"] == "CRASHED" and "bytes" in state["message"], state
    assert len(state["message"]) < 10000
    good = api.go(pool, {"command": "echo well"}, name="good")
    assert api.wait_end(good)["state"]["type"] == "COMPLETED"
    assert health(worker).status_code == 200
    assert "No flow runs are taken" not in worker.output()


def test_few_descriptors(api, engine, pool, start_worker):
    """There are more runs at once than descriptors for them. No run is lost."""
    worker = start_worker(api, engine, pool)
    set_limit(worker, 40)
    deployment = api.deploy(pool, variables={"command": "sh -c 'echo one; sleep 1; echo two'", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(10)]
    for run in runs:
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        api.wait_text(run, "two")
        assert [record["message"] for record in api.logs(run) if record["message"] in ("one", "two")] == ["one", "two"]
    assert worker.end() == 0


def test_start_without_descriptors(api, tmp_path):
    """Without descriptors, GLib alone would end the process without an error message."""
    before = ["prlimit", "--nofile=12:12"]
    done = call("worker", "start", "--pool", "x", env=environment(tmp_path, api), before=before)
    assert done.returncode == 2
    assert "the limit of this process is 12 (RLIMIT_NOFILE)" in done.stderr, done.stderr
