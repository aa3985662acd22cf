"""Ends of containers that the engine reports late or not at all."""

import os
import pathlib
import signal

import engines
import pytest
from engines import BUSYBOX, shims_of
from fault_proxy import Rule, slow, status
from parts import wait_for
from prefect_api import when

PODMANS = ["podman", "podman5", "rootless"]


def processes(engine, run):
    """Returns the process ids of conmon and of the program of RUN's container, once the container runs."""

    def both():
        for container in engine.containers_of(run):
            state = engine.call("GET", f"http://localhost/v4.0.0/libpod/containers/{container['Id']}/json").json()["State"]
            if state["Status"] == "running" and state["Pid"] and state["ConmonPid"]:
                return state["ConmonPid"], state["Pid"]
        return None

    return wait_for(both, 60, "container that runs")


def kill(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def is_gone(pid):
    """A zombie counts as gone; its parent does not matter here."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def check_lost(api, run, timeout=20):
    state = api.wait_end(run, timeout=timeout)["state"]
    assert state["type"] == "CRASHED" and "exit status was lost" in state["message"], state
    assert "conmon" in state["message"], state


@pytest.mark.parametrize("engine", PODMANS, indirect=True)
def test_conmon_is_killed(api, engine, pool, start_worker):
    """conmon is killed together with the program: the run ends at once, whoever reports it. Or conmon is killed
    alone: the run ends with the program, and until then the worker carries out what the server asks for."""
    start_worker(api, engine, pool)
    variables = {"command": "sh -c 'echo up; exec sleep 600'", "auto_remove": True, "stop_timeout": 1}
    timed_out = api.go(pool, {**variables, "timeout_seconds": 10}, name="timed-out")
    kill(processes(engine, timed_out)[0])
    both, engines_, alone, cancelled, deleted = [
        api.go(pool, {**variables, **more}, name=name)
        for name, more in (
            ("both", {}),
            ("engines", {"state_reporting": "engine"}),
            ("alone", {}),
            ("cancelled", {}),
            ("deleted", {}),
        )
    ]
    runs = (both, engines_, alone, cancelled, deleted)
    pids = {run: processes(engine, run) for run in runs}
    for run in (both, alone, cancelled, deleted):
        api.wait_text(run, "up")  # the worker follows the container, so it has seen conmon
    kill(*pids[both], *pids[engines_], *(pids[run][0] for run in (alone, cancelled, deleted)))
    check_lost(api, both)
    check_lost(api, engines_)
    assert "further output and its exit status are lost" in api.wait_text(alone, "conmon")
    api.set_state(cancelled, "CANCELLING")
    api.call("DELETE", f"/flow_runs/{deleted}")
    assert not is_gone(pids[alone][1]) and api.state(alone)["type"] == "RUNNING"
    kill(pids[alone][1])
    check_lost(api, alone)
    state = api.wait_end(cancelled, timeout=45)["state"]
    assert state["type"] == "CANCELLED", state
    state = api.wait_end(timed_out)["state"]
    assert state["type"] == "FAILED" and state["name"] == "TimedOut", state
    wait_for(lambda: all(is_gone(pid) for pair in pids.values() for pid in pair), 45, "all processes are gone")
    wait_for(lambda: not any(map(engine.containers_of, (*runs, timed_out))), 45, "all containers are gone")


@pytest.mark.parametrize("program_too", [True, False], ids=["both", "alone"])
def test_conmon_was_killed_while_no_worker_watched(api, engine, pool, start_worker, program_too):
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 600", "auto_remove": True})
    conmon, program = processes(engine, run)
    api.wait_state(run, "RUNNING")
    worker.end(signal.SIGKILL)
    kill(conmon, *([program] if program_too else []))
    start_worker(api, engine, pool)
    if not program_too:
        api.wait_text(run, "further output and its exit status are lost")
        kill(program)
    check_lost(api, run, timeout=45)
    wait_for(lambda: not engine.containers_of(run), 30, "the container is gone")


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_shim_is_killed(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 600", "auto_remove": True})
    api.wait_state(run, "RUNNING")
    (container,) = wait_for(lambda: engine.containers_of(run), 10, "container")
    pid = wait_for(lambda: engine.inspect(container["Id"])["State"]["Pid"], 10, "process")
    shim = int(pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    assert str(shim) in shims_of(engine.folder)
    kill(shim)
    assert api.wait_end(run, timeout=30)["state"]["type"] == "CRASHED"
    wait_for(lambda: is_gone(pid), 30, "the program is gone")


def seconds_late(api, engine, run):
    """Returns the seconds from the end of RUN's container, which is kept, until the server has the final state."""
    done = api.wait_end(run)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    (container,) = engine.containers_of(run)
    finished = engine.inspect(container["Id"])["State"]["FinishedAt"]
    return (when(done["state"]["timestamp"]) - when(finished[:23] + "+00:00")).total_seconds()


SLEEPERS = [
    {"command": "sleep 9"},
    {"command": "true"},
    # Its log cannot be read.
    {"command": "sleep 9", "container_create_kwargs": {"log_config": {"type": "none"}}},
]


def check_in_time(api, engine, pool):
    runs = [api.go(pool, variables, name=f"sleeper-{i}") for i, variables in enumerate(SLEEPERS)]
    assert [late for late in (seconds_late(api, engine, run) for run in runs) if late > 2.5] == []


@pytest.fixture(scope="module")
def silent_podman():
    with engines.podman(events="none") as engine:
        engine.need(BUSYBOX)
        yield engine


def test_engine_without_events(api, silent_podman, pool, start_worker):
    start_worker(api, silent_podman, pool)
    check_in_time(api, silent_podman, pool)


@pytest.mark.parametrize("action", [slow(3600), status(500, b'{"message":"unreadable"}')], ids=["silent", "refused"])
def test_events_are_not_to_be_had(api, engine, pool, door, start_worker, action):
    """The event stream stays open and is silent, as if its journal could not be read; or the engine refuses it."""
    door.add(Rule("GET .*/events", action))
    start_worker(api, door.url, pool)
    check_in_time(api, engine, pool)


def test_engine_does_not_answer_a_stop(api, engine, pool, door, start_worker):
    """The worker asks for a kill instead; if that is not answered either, it removes the container by force."""
    door.add(Rule("POST .*/containers/[^/]*/stop", slow(3600)))
    start_worker(api, door.url, pool)
    variables = {"command": "sleep 600", "stop_timeout": 1}
    cancelled, timed_out = api.go(pool, variables, "cancelled"), api.go(pool, {**variables, "timeout_seconds": 1}, "late")
    api.wait_state(cancelled, "RUNNING")
    wait_for(lambda: engine.containers_of(cancelled), 10, "container")
    api.set_state(cancelled, "CANCELLING")
    state = api.wait_end(cancelled, timeout=60)["state"]
    assert state["type"] == "CANCELLED", state
    assert "removes it by force" in api.wait_text(cancelled, "has not stopped container")
    state = api.wait_end(timed_out, timeout=60)["state"]
    assert state["type"] == "FAILED" and state["name"] == "TimedOut", state
    wait_for(lambda: not engine.containers_of(cancelled), 30, "the container is gone")


@pytest.mark.parametrize("engine", ["podman"], indirect=True)
@pytest.mark.parametrize("how", ["restart", "stop and start"])
def test_restarted_by_hand(api, engine, pool, start_worker, how):
    """The run goes on with its container, and ends with it."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo begin; sleep 6; echo done'"})
    first = processes(engine, run)
    api.wait_text(run, "begin")
    (container,) = engine.containers_of(run)
    for step in how.split(" and "):
        engine.call("POST", f"/containers/{container['Id']}/{step}", params={} if step == "start" else {"t": 0})
    if how == "restart":
        assert processes(engine, run) != first
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        api.wait_text(run, "done")
        return
    # The worker may have seen the container's end between the stop and the start.
    ended = api.wait_end(run)["state"]
    assert ended["type"] == "COMPLETED" or "signal from outside" in ended["message"], ended
