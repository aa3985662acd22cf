"""Runs that are cancelled, or ended before they start: their containers are stopped, and nothing is left behind."""

import signal
import time

import pytest

from engines import USR1
from fault_proxy import Rule, limited, reset_after_passing, slow, status
from parts import wait_for
from prefect_api import when

# On SIGTERM, it prints that and keeps running.
STUBBORN = "sh -c 'trap \"echo told to go\" TERM; while :; do sleep 0.2; done'"


def seconds_to_signal(api, run):
    """Returns the seconds from Cancelling on the server until the container prints that it got SIGTERM."""
    api.wait_text(run, "told to go", timeout=30)
    said = next(record["timestamp"] for record in api.logs(run) if record["message"] == "told to go")
    asked = next(state["timestamp"] for state in api.states(run) if state["type"] == "CANCELLING")
    return (when(said) - when(asked)).total_seconds()


def check_cancelled(api, engine, run, timeout=60):
    state = api.wait_end(run, timeout=timeout)["state"]
    assert state["type"] == "CANCELLED", state
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


@pytest.mark.parametrize("engine", ["podman", "podman5", "rootless", "docker"], indirect=True)
def test_running_run_is_stopped(api, engine, pool, start_worker):
    """A container that obeys SIGTERM is stopped by it; another one is killed after stop_timeout. Then it is removed,
    whatever auto_remove says."""
    start_worker(api, engine, pool)
    obeys = "sh -c 'trap \"echo told to go; exit 0\" TERM; sleep 600 & wait'"
    variables = {"auto_remove": False, "stop_timeout": 2}
    runs = [api.go(pool, {**variables, "command": command}, name=name) for name, command in
            (("obeys", obeys), ("stubborn", "sleep 600"))]
    for run in runs:
        api.wait_state(run, "RUNNING")
        wait_for(lambda run=run: engine.containers_of(run), 10, "container")
        api.set_state(run, "CANCELLING")
    for run in runs:
        check_cancelled(api, engine, run)
    assert "told to go" in api.wait_text(runs[0], "told to go")


TELLS = "trap \"echo told by USR1; exit 0\" USR1; trap \"echo told by TERM\" TERM; echo up; sleep 600 & wait; wait"


@pytest.mark.parametrize(
    "engine, variables",
    [
        ("podman", {"image": USR1}),
        ("podman", {"container_create_kwargs": {"stop_signal": "SIGUSR1"}}),
        ("docker", {"container_create_kwargs": {"stop_signal": "SIGUSR1"}}),
    ],
    ids=["podman-image", "podman", "docker"],
    indirect=["engine"],
)
def test_container_is_stopped_by_its_own_signal(api, engine, pool, start_worker, variables):
    """The stop signal is the image's or the job's."""
    if "image" in variables:
        engine.need(USR1)
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": f"sh -c '{TELLS}'", "stop_timeout": 5, **variables})
    api.wait_text(run, "up")
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run)
    assert "told by TERM" not in api.wait_text(run, "told by USR1")


@pytest.mark.slow
def test_engine_is_given_the_grace_to_end_its_run(api, engine, pool, start_worker):
    """Prefect inside the container has 30 s to end its cancelled run. Then the worker stops the container and reports
    the end."""
    start_worker(api, engine, pool)
    command = "sh -c 'trap \"echo told to go\" TERM; echo up; while true; do sleep 1; done'"
    variables = {"command": command, "state_reporting": "engine", "forward_output": "always", "stop_timeout": 1}
    run = api.go(pool, variables)
    api.wait_text(run, "up")
    api.set_state(run, "RUNNING")
    api.set_state(run, "CANCELLING")
    begun = time.monotonic()
    api.wait_text(run, "told to go", 60)
    assert time.monotonic() - begun > 29
    check_cancelled(api, engine, run)


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_paused_container_is_stopped(api, engine, pool, start_worker):
    """Podman refuses to stop a paused container."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 600'", "stop_timeout": 1})
    api.wait_text(run, "up")
    (container,) = engine.containers_of(run)
    engine.call("POST", f"/containers/{container['Id']}/pause")
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run)


def test_two_lists_a_beat_for_all_runs(api, engine, pool, proxy, start_worker):
    """For any number of runs, the worker asks for two lists every 10 s: the runs that have ended, and the runs'
    states. A cancelled run gets its SIGTERM within 15 s."""
    query = "POST /api/flow_runs/filter"
    start_worker(proxy.api, engine, pool)
    deployment = api.deploy(pool, variables={"command": STUBBORN, "stop_timeout": 1, "auto_remove": True})
    runs = [api.run(deployment) for _ in range(5)]
    for run in runs:
        api.wait_state(run, "RUNNING")
    seen = proxy.count(query)
    proxy.wait_count(query, seen + 1)
    began = time.monotonic()
    proxy.wait_count(query, seen + 5)
    assert time.monotonic() - began > 19
    for run in runs:
        api.set_state(run, "CANCELLING")
    for run in runs:
        assert seconds_to_signal(api, run) < 15
        check_cancelled(api, engine, run)


def test_more_runs_are_cancelled_than_the_server_names_in_an_answer(api, engine, pool, proxy, start_worker):
    """Cancelled runs whose containers end slowly do not hide the others."""
    start_worker(proxy.api, engine, pool)
    deployment = api.deploy(pool, variables={"command": STUBBORN, "stop_timeout": 40, "auto_remove": True})
    runs = [api.run(deployment) for _ in range(3)]
    for run in runs:
        api.wait_state(run, "RUNNING")
    proxy.add(Rule("POST /api/flow_runs/filter", limited(1)))
    for run in runs:
        api.set_state(run, "CANCELLING")
    for run in runs:
        assert seconds_to_signal(api, run) < 15
    proxy.clear()
    for run in runs:
        engine.remove(engine.containers_of(run)[0]["Id"])
        check_cancelled(api, engine, run)


def test_deleted_run_is_stopped(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 600", "stop_timeout": 1})
    api.wait_state(run, "RUNNING")
    wait_for(lambda: engine.containers_of(run), 10, "container")
    api.call("DELETE", f"/flow_runs/{run}")
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


def test_run_before_its_time_is_cancelled(api, engine, pool, start_worker):
    """The run was prefetched: its container exists and waits for the run's time."""
    start_worker(api, engine, pool, "--prefetch-seconds", "60")
    run = api.run(api.deploy(pool, variables={"command": "echo never", "auto_remove": True}), after=45)
    api.wait_state(run, "PENDING")
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run, timeout=30)
    assert "never" not in api.text(run).splitlines()


def test_run_is_cancelled_just_before_it_runs(api, engine, pool, proxy, start_worker):
    """The run is cancelled between two looks at the runs: the worker first hears of it in the answer to RUNNING."""
    proxy.add(Rule(r"set_state", slow(1), after=1, times=1))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "echo never", "auto_remove": True})
    api.wait_state(run, "PENDING")
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run)
    assert "never" not in api.text(run).splitlines()


def test_run_that_is_ended_by_hand_while_running_is_refused(api, engine, pool, proxy, start_worker):
    """The server would accept RUNNING after a final state."""
    rule = Rule(r"set_state", status(503), after=1)
    proxy.add(rule)
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "echo never", "auto_remove": True})
    wait_for(lambda: rule.done >= 2, 30, "Running is refused")
    api.set_state(run, "CRASHED")
    proxy.clear()
    wait_for(lambda: not engine.containers_of(run), 30, "its container is removed")
    assert api.state(run)["type"] == "CRASHED"
    assert "never" not in api.text(run).splitlines()


@pytest.mark.parametrize("state", ["COMPLETED", "CRASHED"])
def test_run_that_is_ended_by_hand_is_stopped(api, engine, pool, start_worker, state):
    """The state that the user set stays: the end of the stopped container does not overwrite it."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 600'", "stop_timeout": 1})
    api.wait_text(run, "up")
    api.set_state(run, state)
    wait_for(lambda: not engine.containers_of(run), 30, "its container is removed")
    assert api.state(run)["type"] == state
    api.wait_text(run, "not by this worker")


@pytest.mark.parametrize("state", ["CANCELLED", "COMPLETED", "PAUSED"])
def test_run_that_was_ended_by_hand_before_its_time_is_not_started(api, engine, pool, start_worker, state):
    """The server would accept RUNNING after such a state."""
    start_worker(api, engine, pool, "--prefetch-seconds", "60")
    run = api.run(api.deploy(pool, variables={"command": "echo never", "auto_remove": True}), after=14)
    wait_for(lambda: engine.containers_of(run), 20, "its container")
    api.set_state(run, state)
    wait_for(lambda: not engine.containers_of(run), 30, "its container is removed")
    assert api.state(run)["type"] == state
    assert "never" not in api.text(run).splitlines()


def test_run_whose_image_is_pulled_is_cancelled(api, engine, pool, door, start_worker):
    door.add(Rule(r"POST .*/images/create", slow(600)))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo never", "image": "localhost:9/far/away:1", "image_pull_policy": "Always"})
    door.wait_count(r"POST .*/images/create", 1)
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run)
    assert "never" not in api.text(run).splitlines()


def test_run_whose_blocks_are_read_is_cancelled(api, engine, pool, proxy, start_worker):
    proxy.add(Rule(r"GET /api/block_types/", slow(600)))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "echo {{ prefect.blocks.secret.never }}"})
    proxy.wait_count(r"GET /api/block_types/", 1)
    api.wait_state(run, "PENDING")
    api.set_state(run, "CANCELLING")
    check_cancelled(api, engine, run)


def test_run_that_waits_for_the_engine_is_cancelled(api, engine, pool, door, start_worker):
    """The engine does not say whether the container runs. Once it does say so, the container is stopped."""
    door.add(Rule(r"POST .*/start", reset_after_passing(), times=1))
    start_worker(api, door.url, pool)
    refusal = Rule(r"GET .*/containers/.*/json", status(503))
    door.add(refusal)
    run = api.go(pool, {"command": "sleep 600", "stop_timeout": 1, "auto_remove": True})
    door.wait_count(r"POST .*/start", 1)
    api.set_state(run, "CANCELLING")
    seen = door.count(r"GET .*/containers/.*/json")
    door.wait_count(r"GET .*/containers/.*/json", seen + 3, timeout=60)
    assert api.state(run)["type"] == "CANCELLING"
    door.clear()
    check_cancelled(api, engine, run)


def test_timeout(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = {"command": "sh -c 'echo up; sleep 600'", "timeout_seconds": 2, "stop_timeout": 1, "auto_remove": True}
    run = api.wait_end(api.go(pool, variables))
    assert (run["state"]["type"], run["state"]["name"]) == ("FAILED", "TimedOut"), run["state"]
    assert "timeout_seconds" in run["state"]["message"]
    wait_for(lambda: not engine.containers_of(run["id"]), 30, "no container left")


@pytest.mark.parametrize(
    "limit", [{"timeout_seconds": 5}, {"startup_timeout_seconds": 5, "state_reporting": "engine"}], ids=lambda it: min(it)
)
def test_run_that_ended_in_time_is_not_timed_out(api, engine, pool, start_worker, limit):
    """The worker (or its host) sleeps, and sees the end only after the limit."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 3", **limit})

    def is_(state):
        return [item["State"] for item in engine.containers_of(run)] == [state]

    wait_for(lambda: is_("running"), 20, "its container runs")
    begun = time.monotonic()
    worker.send(signal.SIGSTOP)
    wait_for(lambda: is_("exited"), 30, "the container ends")
    wait_for(lambda: time.monotonic() - begun > 10, 30, "the limit has passed")
    worker.send(signal.SIGCONT)
    state = api.wait_end(run)["state"]
    assert state["type"] == "COMPLETED", state


def test_startup_timeout(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = {"command": "sh -c 'echo stuck; sleep 600'", "state_reporting": "engine",
                 "startup_timeout_seconds": 2, "stop_timeout": 1}
    run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "CRASHED"
    assert "startup_timeout_seconds" in run["state"]["message"]
    assert "stuck" in api.wait_text(run["id"], "stuck")
