"""One bad member of a call for many (a run that the server cannot write into a list, or cannot write out at all; a
queue that is not there) costs the others nothing."""

import contextlib
import signal

import pytest

from fault_proxy import Rule, status
from parts import wait_for
from test_loop import POLL

HUGE = 10**20  # beyond 64 bits: orjson, which writes the server's lists, refuses it


@contextlib.contextmanager
def deleted_at_end(api, *runs):
    """Such a run spoils every list of the session's server that it is in."""
    try:
        yield
    finally:
        for run in runs:
            api.http.delete(f"/flow_runs/{run}")


def wait_type(api, run, type):
    wait_for(lambda: api.state(run)["type"] == type, 60, lambda: f"{run} {type}: {api.state(run)}\n{api.text(run)}")


@pytest.mark.parametrize("api", ["3", "3pg"], indirect=True)
def test_runs_that_no_list_can_hold(api, engine, pool, start_worker):
    """They end, are cancelled, and are taken up by the next worker, and so is the run beside them."""
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
        worker.wait_line(f"fails at every list that flow run ({ends}|{cancelled}) is in")
        api.set_state(cancelled, "CANCELLING")
        wait_type(api, cancelled, "CANCELLED")
        wait_for(lambda: not engine.containers_of(cancelled), 20, "the cancelled run's container gone")


def test_run_that_the_server_cannot_write_out(api, engine, pool, start_worker):
    """Its parameters are nested deeper than the server's JSON writer goes: each poll it is due in is a 500. It ends, and
    the others run."""
    worker = start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "true"}, enforce_parameter_schema=False)
    body = {"state": {"type": "SCHEDULED"}, "parameters": {"deep": "DEEP"}, "name": "spoiler"}
    text = api.http.build_request("POST", "/", json=body).content.replace(b'"DEEP"', b"[" * 300 + b"]" * 300)
    answer = api.http.post(f"/deployments/{deployment}/create_flow_run", content=text)
    assert answer.status_code == 500, answer.text  # made all the same
    found = worker.wait_line(r"[Ff]low run ([0-9a-f-]{36}) was set to CRASHED.*waited behind it")
    with deleted_at_end(api, found.group(1)):
        assert api.wait_end(api.run(deployment))["state"]["type"] == "COMPLETED"
        assert api.states(found.group(1))[-1]["type"] == "CRASHED"


def test_poll_fails_for_one_queue(api, engine, pool, proxy, start_worker):
    """The server fails at the poll of all queues: they are polled one by one."""
    proxy.add(Rule(POLL, status(500, b'{"exception_message":"Internal Server Error"}'), times=2))
    worker = start_worker(proxy.api, engine, pool)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"
    worker.wait_line("answers the poll of all queues again")


def test_missing_queue(api, engine, pool, start_worker):
    """It is named, once; the others are served, and so is itself when it comes."""
    api.create_queue(pool, "red")
    worker = start_worker(api, engine, pool, "-q", "nope", "-q", " red ", "-q", "red")
    red = api.go(pool, {"command": "true"}, name="red", work_queue_name="red")
    assert api.wait_end(red)["state"]["type"] == "COMPLETED"
    worker.wait_line(f"Work pool '{pool}' has no work queue 'nope'")
    api.create_queue(pool, "nope", is_paused=True)
    worker.wait_line("Work queue 'nope' is there now")
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
