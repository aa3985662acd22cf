"""One bad member of a call for many does not affect the others: a run that the server cannot return in a
list, a run that it cannot return at all, or a queue that does not exist."""

import contextlib
import json
import signal

import pytest

from fault_proxy import Rule, not_json, status
from parts import wait_for
from test_loop import POLL

HUGE = 10**20  # beyond 64 bits: orjson, which writes the server's lists, refuses it


@contextlib.contextmanager
def deleted_at_end(api, *runs):
    """Deletes RUNS at the end: if one of them is in a list, the session's server cannot return that list."""
    try:
        yield
    finally:
        for run in runs:
            api.http.delete(f"/flow_runs/{run}")


def wait_type(api, run, type):
    wait_for(lambda: api.state(run)["type"] == type, 60, lambda: f"{run} {type}: {api.state(run)}\n{api.text(run)}")


@pytest.mark.parametrize("api", ["3", "3pg"], indirect=True)
def test_runs_that_no_list_can_hold(api, engine, pool, start_worker):
    """Such runs end, are cancelled, and are recovered by the next worker. The same holds for the run beside them."""
    worker = start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "sleep 5"}, enforce_parameter_schema=False)
    long = api.deploy(pool, "long", variables={"command": "sleep 600", "stop_timeout": 1})
    ends = api.run(deployment, parameters={"dose": HUGE})
    plain = api.run(deployment)
    cancelled = api.run(long, variables={"extra": HUGE})
    with deleted_at_end(api, ends, cancelled):
        for run in (ends, plain, cancelled):
            wait_type(api, run, "RUNNING")
        worker.send(signal.SIGKILL)
        worker.wait(10)
        worker = start_worker(api, engine, pool)
        for run in (ends, plain):
            wait_type(api, run, "COMPLETED")
        worker.wait_line(rf"fails at every list that contains flow run ({ends}|{cancelled})\.")
        api.set_state(cancelled, "CANCELLING")
        wait_type(api, cancelled, "CANCELLED")
        wait_for(lambda: not engine.containers_of(cancelled), 20, "the cancelled run's container gone")


def test_run_that_the_server_cannot_write_out(api, engine, pool, start_worker):
    """The run's parameters are nested too deep for the server's JSON writer, so the server answers 500 to each poll
    in which the run is due. The run ends, and the others run."""
    worker = start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "true"}, enforce_parameter_schema=False)
    body = {"state": {"type": "SCHEDULED"}, "parameters": {"deep": "DEEP"}, "name": "spoiler"}
    text = api.http.build_request("POST", "/", json=body).content.replace(b'"DEEP"', b"[" * 300 + b"]" * 300)
    answer = api.http.post(f"/deployments/{deployment}/create_flow_run", content=text)
    assert answer.status_code == 500, answer.text  # the run was created all the same
    found = worker.wait_line(r"[Ff]low run ([0-9a-f-]{36}) was set to CRASHED.*waited behind it")
    with deleted_at_end(api, found.group(1)):
        assert api.wait_end(api.run(deployment))["state"]["type"] == "COMPLETED"
        assert api.states(found.group(1))[-1]["type"] == "CRASHED"


def test_server_that_gives_out_no_run(api, engine, pool, proxy, start_worker):
    """The server fails at every read of a run for a while. No run is the cause, so all of them run."""
    start_worker(proxy.api, engine, pool)
    proxy.wait_count("get_scheduled_flow_runs", 1)
    deployment = api.deploy(pool, variables={"command": "true"})
    failing = status(500, b'{"exception_message":"Internal Server Error"}')
    with proxy.with_rules(Rule(f"{POLL}|POST /api/flow_runs/filter|GET /api/flow_runs/[^/]+$", failing)):
        runs = [api.run(deployment) for _ in range(3)]
        proxy.wait_count("ui/flow_runs/history", 5, 60)
    for run in api.wait_end(*runs):
        assert run["state"]["type"] == "COMPLETED"


def test_end_that_the_server_does_not_take_holds_no_slot(api, engine, pool, proxy, start_worker):
    """The server fails whenever the end of one run is reported, and at nothing else. The next run is started, and the
    end is reported again."""
    start_worker(proxy.api, engine, pool, "--limit", "1")
    stuck = api.go(pool, {"command": "sh -c 'sleep 2; exit 3'"}, "stuck")
    wait_type(api, stuck, "RUNNING")
    failing = status(500, b'{"exception_message":"Internal Server Error"}')
    with proxy.with_rules(Rule(f"POST /api/flow_runs/{stuck}/set_state", failing)):
        assert api.wait_end(api.go(pool, {"command": "true"}, "next"))["state"]["type"] == "COMPLETED"
    assert api.wait_end(stuck)["state"]["type"] == "FAILED"


@pytest.mark.parametrize("code", [422, 409])
def test_state_at_the_end_is_refused_for_a_while(api, engine, pool, proxy, start_worker, code):
    """Only a 404 in the API's own words means that the run is gone. After any other refusal, the end is still
    reported, both for the run that Prefect reports and for the run whose end the worker proposes."""
    worker = start_worker(proxy.api, engine, pool)
    inside = api.go(pool, {"command": "sh -c 'sleep 3; exit 5'", "state_reporting": "engine"}, "inside")
    plain = api.go(pool, {"command": "sh -c 'sleep 3'"}, "plain")
    wait_for(lambda: engine.containers_of(inside) and engine.containers_of(plain), 60, "containers")
    wait_type(api, plain, "RUNNING")
    refuse = status(code, b'{"exception_message":"refused"}')
    reads = r"POST /api/flow_runs/filter|GET /api/flow_runs/[^/]+$|GET /api/flow_run_states/"
    with proxy.with_rules(Rule(f"{reads}|POST /api/flow_runs/[^/]+/set_state", refuse)):
        worker.wait_line(f"Could not read or change flow run '.*' .{inside}. at its end", 40)
        proxy.wait_count("set_state", proxy.count("set_state") + 2, 40)
    for run, type in ((inside, "CRASHED"), (plain, "COMPLETED")):
        assert api.wait_end(run, timeout=60)["state"]["type"] == type


def test_logs_of_one_run_are_refused(api, engine, pool, proxy, start_worker):
    """Each POST with log records of one run fails, whatever is in them. The logs of other runs arrive, and their
    ends and removals do not wait. After a minute and a half, the records of that run are dropped, and its container
    is removed, too."""
    worker = start_worker(proxy.api, engine, pool)
    bad = api.go(pool, {"command": "sh -c 'sleep 4; echo bad'", "auto_remove": True}, "bad")
    failing = status(500, b'{"exception_message":"Internal Server Error"}')
    with proxy.with_rules(Rule(r"POST /api/logs/ ?$", failing, body=bad)):
        command = "sh -c 'sleep 6; echo good; sleep 2; echo over'"
        good = [api.go(pool, {"command": command, "auto_remove": True}, f"good-{number}") for number in range(4)]
        for run in [*good, bad]:
            assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        for run in good:
            api.wait_text(run, "over")
            wait_for(lambda run=run: not engine.containers_of(run), 30, "the good run's container gone")
        assert "accepts logs of other runs, but none" not in worker.output()
        assert "are not accepted" not in worker.output()
        worker.wait_line(rf"The server accepts logs of other runs, but none of flow run {bad}\. ", timeout=180)
        wait_for(lambda: not engine.containers_of(bad), 30, "the bad run's container gone")
    assert "No logs were accepted" not in worker.output()


def test_poll_fails_for_one_queue(api, engine, pool, proxy, start_worker):
    """The server fails at the poll of all queues, so the worker polls them one by one."""
    proxy.add(Rule(POLL, status(500, b'{"exception_message":"Internal Server Error"}'), times=2))
    worker = start_worker(proxy.api, engine, pool)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"
    worker.wait_line("answers the poll of all queues again")


def test_missing_queue(api, engine, pool, start_worker):
    """The worker names the missing queue once, and serves the other queue. Once the missing queue exists, the worker
    notices it."""
    api.create_queue(pool, "red")
    worker = start_worker(api, engine, pool, "-q", "nope", "-q", " red ", "-q", "red")
    red = api.go(pool, {"command": "true"}, name="red", work_queue_name="red")
    assert api.wait_end(red)["state"]["type"] == "COMPLETED"
    worker.wait_line(f"Work pool '{pool}' has no work queue 'nope'")
    api.create_queue(pool, "nope", is_paused=True)
    worker.wait_line("Work queue 'nope' exists now")
    worker.wait_line("Work queue 'nope' is paused")
    assert worker.output().count("has no work queue") == 1


def test_queue_is_deleted(api, engine, pool, start_worker):
    for queue in ("red", "blue"):
        api.create_queue(pool, queue)
    worker = start_worker(api, engine, pool, "-q", "red", "-q", "blue")
    api.call("DELETE", f"/work_pools/{pool}/queues/blue")
    worker.wait_line(f"Work pool '{pool}' has no work queue 'blue'")
    red = api.go(pool, {"command": "true"}, name="red", work_queue_name="red")
    assert api.wait_end(red)["state"]["type"] == "COMPLETED"


REFUSED = b'{"message":"container 5d1c7d80: unable to read exit file: no such file","response":500}'
LIST = r"GET .*/containers/json"


def begin_and_kill(api, engine, pool, start_worker, *commands):
    """Starts runs, and kills their worker once each run has printed "up". Returns the runs."""
    worker = start_worker(api, engine, pool)
    runs = [
        api.go(pool, {"command": command, "auto_remove": True}, name=f"number-{number}")
        for number, command in enumerate(commands)
    ]
    for run in runs:
        api.wait_text(run, "up")
    worker.end(signal.SIGKILL)
    return runs


def check_end(api, engine, run):
    """Checks that the run has its own end, and that it was started once."""
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert api.wait_text(run, "over").splitlines().count("up") == 1
    wait_for(lambda: not engine.containers_of(run), 20, lambda: f"no container left: {engine.containers_of(run)}")


@pytest.mark.parametrize(["answer", "words"], [
    (status(500, REFUSED), "does not list its containers"),
    (not_json(), "is not a container engine"),
], ids=["500", "not-json"])
@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_engine_lists_no_containers(api, engine, pool, door, start_worker, tmp_path, answer, words):
    """One broken container is enough to make the list fail. Runs with a journal entry are recovered without the
    list, by their own containers."""
    commands = ["sh -c 'echo up; sleep 15; echo over'", "sh -c 'echo up; sleep 1; echo over'"]
    long, short = begin_and_kill(api, door.url, pool, start_worker, *commands)
    door.add(Rule(LIST, answer))
    worker = start_worker(api, door.url, pool)
    check_end(api, engine, short)
    check_end(api, engine, long)
    wait_for(lambda: not list(tmp_path.glob("state/*/runs/*")), 10, "no journal entry left")
    assert words in worker.output()
    assert worker.output().count("does not list its containers") <= 1


def too_large():
    """Returns an answer as from an engine that has kept thousands of containers."""
    return status(200, b"[" + b"{}," * 6_000_000 + b"{}]")


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_engine_lists_too_many_containers(api, engine, pool, door, start_worker, tmp_path):
    """The worker asks for a list without ended containers. It continues with the runs in flight, also with one that
    has no journal entry."""
    commands = ["sh -c 'echo up; sleep 15; echo over'", "sh -c 'echo up; sleep 15; echo over'", "sh -c 'echo up; echo over'"]
    forgotten, long, short = begin_and_kill(api, door.url, pool, start_worker, *commands)
    (entry,) = tmp_path.glob(f"state/*/runs/{forgotten}.json")
    entry.unlink()
    door.add(Rule(r"GET .*/containers/json\?(?!.*status)", too_large()))
    worker = start_worker(api, door.url, pool)
    for run in short, long, forgotten:
        check_end(api, engine, run)
    assert worker.output().count("too many containers of flow runs") == 1
    assert "does not list its containers" not in worker.output()


def test_engine_lists_no_containers_while_one_has_no_entry(api, engine, pool, door, start_worker, tmp_path):
    """The run waits, and a warning says so. The worker continues with it once the engine lists its container."""
    (run,) = begin_and_kill(api, door.url, pool, start_worker, "sh -c 'echo up; sleep 5; echo over'")
    for entry in tmp_path.glob("state/*/runs/*"):
        entry.unlink()
    door.add(Rule(LIST, status(500, REFUSED), times=4))
    worker = start_worker(api, door.url, pool)
    worker.wait_line("Containers without an entry there wait until .* unable to read exit file")
    worker.wait_line("lists its containers again", timeout=40)
    check_end(api, engine, run)


def test_engine_lists_no_containers_and_a_start_was_not_written_down(api, engine, pool, door, start_worker, tmp_path):
    """The run's container name is in use by the run's own container. The worker follows that one and starts no
    second one."""
    (run,) = begin_and_kill(api, door.url, pool, start_worker, "sh -c 'echo up; sleep 10; echo over'")
    (entry,) = tmp_path.glob("state/*/runs/*.json")
    written = json.loads(entry.read_text(encoding="utf-8")) | {"phase": "CLAIMED"}
    for key in ("container_id", "container_name"):
        written.pop(key, None)
    entry.write_text(json.dumps(written), encoding="utf-8")
    door.add(Rule(LIST, status(500, REFUSED)))
    start_worker(api, door.url, pool)
    check_end(api, engine, run)
