"""A gateway in front of the API refuses a line of one run, because the line looks like an attack. This run loses only
what the gateway refuses, and other runs lose nothing."""

import pytest

from fault_proxy import Rule, not_json, reset, status
from parts import wait_for

ATTACK = "<script>alert(1)</script>"
FAILS = {"command": f"sh -c 'echo first; echo \"{ATTACK}\"; echo last; exit 3'", "auto_remove": True}
LOGS, SET_STATE = r"POST /api/logs/ ?$", r"POST /api/flow_runs/[^/]+/set_state"
BLOCKED = {
    "403": not_json(b"<html><body>Request blocked</body></html>", 403),
    "406": not_json(b"Not Acceptable!", 406),
    "200": not_json(b"<html><body>The requested URL was rejected.</body></html>"),
    "400": not_json(b"<html><body>400 Bad Request</body></html>", 400),
}
each_gateway = pytest.mark.parametrize("action", BLOCKED.values(), ids=BLOCKED.keys())


def lines(api, run, *words):
    return [line for line in api.text(run).splitlines() if line in words]


@each_gateway
def test_logs(api, engine, pool, proxy, start_worker, action):
    """The logs of another run arrive, and so do the lines before and after the refused one. The run ends, and its
    container is removed."""
    proxy.add(Rule(LOGS, action, body="<script>"))
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {**FAILS, "command": FAILS["command"].replace("exit 3", "exit 0")})
    other = api.go(pool, {"command": "sh -c 'sleep 5; echo of the other'"}, name="other")
    worker.wait_line(f"A log record of flow run {run} is not accepted, so the record is dropped", timeout=240)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    api.wait_text(run, "last")
    assert lines(api, run, "first", "last") == ["first", "last"]
    assert "a log record is missing here" in api.text(run)
    api.wait_text(other, "of the other")
    wait_for(lambda: not engine.containers_of(run), 60, "container removed")


@pytest.mark.parametrize(
    "action",
    [*BLOCKED.values(), reset(), status(422, b'{"exception_message":"Invalid request received."}')],
    ids=[*BLOCKED.keys(), "reset", "422"],
)
def test_end(api, engine, pool, proxy, start_worker, action):
    """The end is reported without the lines that its message would quote, or without a message."""
    proxy.add(Rule(SET_STATE, action, body="<script>"))
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, FAILS)
    wait_for(lambda: api.state(run)["type"] == "FAILED", 90, lambda: f"FAILED: {api.state(run)}")
    assert ATTACK not in (api.state(run)["message"] or "")
    assert "perhaps because of its message" in worker.output()


def test_end_whose_every_message_is_refused(api, engine, pool, proxy, start_worker):
    proxy.add(Rule(SET_STATE, BLOCKED["403"], body="exited with status 3"))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, FAILS)
    wait_for(lambda: api.state(run)["type"] == "FAILED", 180, lambda: f"FAILED: {api.state(run)}")
    assert not api.state(run)["message"]


def test_gateway_before_everything(api, engine, pool, proxy, start_worker):
    """While the gateway refuses everything, nothing is dropped."""
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {**FAILS, "command": f"sh -c 'echo first; sleep 4; echo \"{ATTACK}\"; exit 3'"})
    api.wait_text(run, "first")
    with proxy.with_rules(Rule(".", BLOCKED["403"])):
        seen = proxy.count(LOGS)
        proxy.wait_count(LOGS, seen + 4, 60)
    state = api.wait_end(run)["state"]
    assert state["type"] == "FAILED" and ATTACK in state["message"]
    assert ATTACK in api.wait_text(run, ATTACK).splitlines()
