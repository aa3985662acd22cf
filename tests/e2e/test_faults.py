"""Faults that real servers and engines do not produce on demand: 503, resets, slow and broken answers, absence. They
cause no run to be given up, run twice, or lose a line."""

import gzip
import itertools
import re
import signal
import time

import httpx
import pytest

import engines
from conftest import new_pool_name
from fault_proxy import (
    Rule,
    cut_after,
    gone_after_passing,
    half,
    late,
    not_json,
    redirect,
    reset,
    reset_after_passing,
    slow,
    status,
    status_after_passing,
    unanswered,
)
from parts import fill, small_disk, wait_for
from test_loop import POLL

RUN = r"/api/flow_runs/[0-9a-f-]{36}"


def check_once(api, run, text="only once"):
    """Checks that the run is Completed, that one container ran it, and that its line is in the log once."""
    done = api.wait_end(run, timeout=120)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    # The worker waits half a minute before it sends log lines again that were refused several times.
    lines = api.wait_text(run, text, 60).splitlines()
    assert lines.count(text) == 1, lines


@pytest.mark.long
def test_every_third_call_is_503(api, engine, pool, proxy, start_worker):
    deployment = api.deploy(pool, variables={"command": "echo only once", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(6)]
    proxy.add(Rule(".", status(503), every=3))
    start_worker(proxy.api, engine, pool)
    for run in runs:
        check_once(api, run)


@pytest.mark.parametrize(
    "action",
    [reset(), half(), not_json(), status(429, headers=[("retry-after", "1")]), status(502, b"<html>")],
    ids=["reset", "half", "not-json", "429", "502"],
)
def test_poll_and_sync_survive(api, engine, pool, proxy, start_worker, action):
    start_worker(proxy.api, engine, pool)
    with proxy.with_rules(Rule(r"work_pools", action, times=3)):
        run = api.go(pool, {"command": "echo only once"})
        check_once(api, run)


BREAKS = {
    "reset": reset(),
    "reset-after-passing": reset_after_passing(),
    "half": half(),
    "503": status(503),
}
CALLS = {
    "set_state": rf"POST {RUN}/set_state",
    "patch": rf"PATCH {RUN}$",
    "deployment": r"GET /api/deployments/",
    "flow": r"GET /api/flows/",
}


def each_break():
    """Every fault at every call. CI has all faults of the calls that change a run, and one fault of the calls that
    only read."""
    for (call, pattern), (name, action) in itertools.product(CALLS.items(), BREAKS.items()):
        marks = [pytest.mark.long] if call in ("deployment", "flow") and name != "half" else []
        yield pytest.param(pattern, action, id=f"{call}-{name}", marks=marks)


@pytest.mark.parametrize("call, action", list(each_break()))
def test_a_call_of_the_run_fails_once(api, engine, pool, proxy, start_worker, call, action):
    proxy.add(Rule(call, action, times=1))
    start_worker(proxy.api, engine, pool)
    check_once(api, api.go(pool, {"command": "echo only once"}))


def test_claim_is_not_repeated_without_a_look(api, engine, pool, proxy, start_worker):
    """Between two attempts another worker may have taken the run and ended it. The server would let a completed run be
    PENDING again."""
    proxy.add(Rule(rf"POST {RUN}/set_state", reset()))
    worker = start_worker(proxy.api, engine, pool)
    run = api.run(api.deploy(pool, variables={"command": "echo once more"}))
    proxy.wait_count(rf"POST {RUN}/set_state", 1)
    api.set_state(run, "COMPLETED")
    worker.wait_line(f"{run}.*it is Completed")
    assert api.state(run)["type"] == "COMPLETED"
    assert not engine.containers_of(run)


@pytest.mark.parametrize("code", [503, 404, 500])
def test_decoration_may_fail(api, engine, pool, proxy, start_worker, code):
    """The Python worker sets a run to Crashed if the server answers 503 to the call that sets its labels."""
    proxy.add(Rule(r"/labels", status(code)), Rule(r"POST /api/events", status(code)))
    start_worker(proxy.api, engine, pool)
    began = time.monotonic()
    check_once(api, api.go(pool, {"command": "echo only once"}))
    assert time.monotonic() - began < 20


def test_lines_survive_a_log_api_that_fails(api, engine, pool, proxy, start_worker):
    proxy.add(Rule(r"POST /api/logs", status(503), every=2), Rule(r"POST /api/logs", slow(1), every=3))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'for i in $(seq 1 12); do echo number $i; sleep 0.5; done'"})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "number 12").splitlines() if line.startswith("number")]
    assert lines == [f"number {number}" for number in range(1, 13)]


def test_lines_come_once_where_the_answer_to_them_is_lost(api, engine, pool, proxy, start_worker):
    start_worker(proxy.api, engine, pool)
    proxy.add(Rule(r"POST /api/logs/ ?$", reset_after_passing(), every=2))
    run = api.go(pool, {"command": "sh -c 'for i in $(seq 1 12); do echo number $i; sleep 0.5; done'"})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "number 12").splitlines() if line.startswith("number")]
    assert lines == [f"number {number}" for number in range(1, 13)]
    assert proxy.count(r"POST /api/logs/filter") >= 1


@pytest.mark.parametrize("call", [r"POST /api/logs/ ?$", rf"POST {RUN}/set_state"], ids=["logs", "state"])
def test_server_goes_away_once_it_has_the_call(api, engine, pool, proxy, start_worker, call):
    """libcurl sends the call again by itself and reports only that it could not connect. That does not mean that the
    call was never sent."""
    start_worker(proxy.api, engine, pool)
    proxy.add(Rule(call, gone_after_passing(2), every=2, times=1))
    run = api.go(pool, {"command": "sh -c 'for i in $(seq 1 12); do echo number $i; sleep 0.5; done'"})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "number 12").splitlines() if line.startswith("number")]
    assert lines == [f"number {number}" for number in range(1, 13)]
    assert proxy.count(call) >= 2


def test_lines_come_once_where_the_server_is_slow(api, engine, pool, proxy, start_worker):
    """The server takes the lines long after their sender has given up. The worker looks for them for a while."""
    start_worker(proxy.api, engine, pool, settings={"PREFECT_API_REQUEST_TIMEOUT": "3"})
    proxy.add(Rule(r"POST /api/logs/ ?$", late(6), times=1))
    run = api.go(pool, {"command": "sh -c 'for i in $(seq 1 12); do echo number $i; sleep 0.5; done'"})
    lines = [line for line in api.wait_text(run, "number 12").splitlines() if line.startswith("number")]
    assert lines == [f"number {number}" for number in range(1, 13)]


@pytest.mark.slow
def test_log_api_that_refuses_and_then_gives_no_answer(api, engine, pool, proxy, start_worker):
    start_worker(proxy.api, engine, pool)
    pattern = r"POST /api/logs/ ?$"
    proxy.add(Rule(pattern, status(409, b'{"detail":"no"}'), times=1), Rule(pattern, reset_after_passing(), times=1))
    run = api.go(pool, {"command": "sh -c 'echo number 1; sleep 34; echo number 2'", "auto_remove": True})
    text = api.wait_text(run, "number 2", 60)
    assert [line for line in text.splitlines() if line.startswith("number")] == ["number 1", "number 2"]
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


@pytest.mark.parametrize(
    "action, settings",
    [(reset_after_passing(), {}), (late(6), {"PREFECT_API_REQUEST_TIMEOUT": "3"})],
    ids=["lost", "late"],
)
def test_answer_to_a_failure_that_is_retried(api, engine, pool, proxy, start_worker, tmp_path, action, settings):
    """The server turns the failure into AwaitingRetry, at once or after the worker's time-out. If the worker
    proposed the same failure again, it would end the retry."""
    run = api.retried(pool, tmp_path)
    # After PENDING and RUNNING.
    proxy.add(Rule(f"POST /api/flow_runs/{run}/set_state", action, after=2, times=1))
    start_worker(proxy.api, engine, pool, "--prefetch-seconds", "0", settings=settings)
    wait_for(lambda: api.state(run)["type"] == "COMPLETED", 60, lambda: f"COMPLETED: {api.states(run)}")
    names = [state["name"] for state in api.states(run)]
    assert "AwaitingRetry" in names and "Failed" not in names, names


def test_slow_server(api, engine, pool, proxy, start_worker):
    proxy.add(Rule(".", slow(0.7)))
    start_worker(proxy.api, engine, pool)
    check_once(api, api.go(pool, {"command": "echo only once"}))


def test_redirect_is_an_error_with_both_addresses(api, engine, pool, proxy, start_worker):
    """A redirect of an API call leads to a login page or another server. A worker that followed it would send the
    key there."""
    proxy.add(Rule(r"/api/work_pools/", redirect("http://login.invalid/oauth")))
    worker = start_worker(proxy.api, engine, pool, wait=False)
    assert worker.wait(30) == 2
    assert proxy.api in worker.output() and "http://login.invalid/oauth" in worker.output()


@pytest.mark.slow
def test_server_away_for_20_s_during_a_run(api, engine, pool, proxy, start_worker):
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo before; sleep 5; echo only once'", "auto_remove": True})
    api.wait_text(run, "before")
    with proxy.refusing():
        time.sleep(20)
        assert worker.running()
    check_once(api, run)
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")
    check_once(api, api.go(pool, {"command": "echo only once"}, name="after"))


# Answers that say nothing about a run or its deployment: the key was changed or lacks the right for a while, or
# something else answers in the API's place.
REFUSALS = {
    "401": status(401, b'{"exception_message":"Unauthorized"}'),
    "403": status(403, b'{"detail":"Forbidden"}'),
    "403-page": not_json(b"<html><body>403 Forbidden</body></html>", 403),
    "403-gateway": status(403, b'{"message":"Forbidden"}'),
    "404-page": not_json(b"404 page not found\n", 404),
    "404-gateway": status(404, b'{"message":"no Route matched with those values"}'),
    "404-no-route": status(404, b'{"detail":"Not Found"}'),
}
each_refusal = pytest.mark.parametrize("action", REFUSALS.values(), ids=REFUSALS.keys())
# The same, but CI has only one answer of each status.
few_refusals = pytest.mark.parametrize(
    "action",
    [
        pytest.param(action, id=name, marks=[] if name in ("401", "403-gateway", "404-page") else [pytest.mark.long])
        for name, action in REFUSALS.items()
    ],
)


@each_refusal
def test_calls_are_refused_for_a_while(api, engine, pool, proxy, start_worker, action):
    """Runs in flight end while the calls are refused. Their ends are reported afterwards."""
    run = api.go(pool, {"command": "sh -c 'sleep 4; echo only once'", "auto_remove": True})
    failing = api.go(pool, {"command": "sh -c 'sleep 4; exit 3'", "auto_remove": True}, name="failing")
    start_worker(proxy.api, engine, pool)
    api.wait_state(run, "RUNNING")
    api.wait_state(failing, "RUNNING")
    with proxy.with_rules(Rule(".", action)):
        containers = engine.containers_of(run) + engine.containers_of(failing)
        runs_on = lambda: [c for c in containers if engine.inspect(c["Id"])["State"]["Running"]]  # noqa: E731
        wait_for(lambda: not runs_on(), 30, "containers ended")
        # The worker reads the runs before it reports their ends.
        proxy.wait_count("POST /api/flow_runs/filter", proxy.count("POST /api/flow_runs/filter") + 3)
        for flow_run in (run, failing):
            assert api.state(flow_run)["type"] == "RUNNING"
    check_once(api, run)
    assert api.wait_end(failing)["state"]["type"] == "FAILED"
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")


# All ways to read a run: in a list, by itself, by its states. If a list fails, its runs are read one by one.
READINGS = "POST /api/flow_runs/filter|GET .*/flow_run(s|_states)/"


@few_refusals
def test_deployment_is_refused_for_a_while(api, engine, pool, proxy, start_worker, action):
    proxy.add(Rule(r"GET /api/deployments/", action, times=2))
    start_worker(proxy.api, engine, pool)
    check_once(api, api.go(pool, {"command": "echo only once"}))


def blanks():
    """400 MB of blanks, which gzip makes small."""
    return gzip.compress(b" " * 400_000_000, 1)


@pytest.mark.parametrize(
    "code, make, headers",
    [
        (502, lambda: b"<html>Bad Gateway" + b" " * 17_000_000, ()),
        (200, lambda: b"<html>Sign in" + b" " * 17_000_000, ()),
        (200, blanks, [("content-encoding", "gzip")]),
        (200, lambda: b'{"a": [' + b"{}, " * 1_700_000 + b"{}]}", ()),
    ],
    ids=["502", "page", "gzip", "json"],
)
def test_answer_about_the_deployment_is_huge(api, engine, pool, proxy, start_worker, code, make, headers):
    proxy.add(Rule(r"GET /api/deployments/", status(code, make(), headers), times=2))
    start_worker(proxy.api, engine, pool)
    check_once(api, api.go(pool, {"command": "echo only once"}))


@pytest.mark.parametrize(
    "answer",
    [
        b'{"status": "ACCEPT"}',
        b'{"status": "ACCEPT", "state": {"id": "x", "type": "RUNNING", "state_details": {}}, "details": {}}',
        b'{"status": "WAIT", "state": null, "details": {"type": "wait_details", "delay_seconds": 1e300}}',
        b'{"status": "WAIT", "state": null, "details": {"type": "wait_details", "delay_seconds": -5}}',
        b'{"status": "WAIT", "state": null, "details": {"type": "wait_details", "delay_seconds": 3000}}',
        b'{"status": "REJECT", "state": {"type": "BOGUS"}, "details": {"type": "reject_details"}}',
        b'{"status": "ABORT", "state": null, "details": {"type": "abort_details", "reason": "no"}}',
    ],
    ids=["no-state", "another-state", "for-ever", "past", "an-hour", "unknown-state", "aborted"],
)
def test_wrong_answer_to_the_end(api, engine, pool, proxy, start_worker, answer):
    """A gateway gives an answer of its own and does not pass the request on."""
    proxy.add(Rule(r"POST .*/set_state", status(200, answer), times=2, body='"type":"COMPLETED"'))
    start_worker(proxy.api, engine, pool)
    check_once(api, api.go(pool, {"command": "echo only once"}))


@few_refusals
def test_state_is_refused_for_a_while_at_taking_up(api, engine, pool, proxy, start_worker, action):
    """The run does not count as deleted, so its container is kept."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo only once; sleep 12'", "auto_remove": True})
    api.wait_text(run, "only once")
    worker.end(signal.SIGKILL)
    reads = f"POST /api/flow_runs/filter|GET /api/flow_runs/{run}"
    seen = proxy.count(reads)
    with proxy.with_rules(Rule(READINGS, action)):
        worker = start_worker(proxy.api, engine, pool)
        proxy.wait_count(reads, seen + 3)
        assert [container["State"] for container in engine.containers_of(run)] == ["running"]
    check_once(api, run)
    assert re.search("Recovery of flow run .*: its container is followed", worker.output())


@pytest.mark.slow
def test_state_is_asked_for_again_at_taking_up(api, engine, pool, proxy, start_worker):
    """The worker asks again, whatever the server answers."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo only once; sleep 5'", "auto_remove": True})
    api.wait_text(run, "only once")
    worker.end(signal.SIGKILL)
    with proxy.with_rules(Rule(READINGS, status(422, b'{"detail":"not now"}'))):
        worker = start_worker(proxy.api, engine, pool)
        worker.wait_line(f"'{run}' is not recovered yet.*not now")
    check_once(api, run)


def test_server_comes_later_than_the_worker(api, engine, pool, proxy, start_worker):
    with proxy.refusing():
        worker = start_worker(proxy.api, engine, pool, wait=False)
        worker.wait_line(rf"127\.0\.0\.1:{proxy.port}")
        assert worker.running()
        run = api.go(pool, {"command": "echo only once"})
    check_once(api, run)


def test_proxy_without_a_server_behind_it(api, engine, pool, proxy, start_worker):
    """The proxy answers 404 when it and the worker start: the worker waits, and creates no pool."""
    proxy.add(Rule(".", not_json(b"404 page not found\n", 404)))
    worker = start_worker(proxy.api, engine, pool, wait=False)
    worker.wait_line(r"WARNING.*trying again.*404 page not found.*check PREFECT_API_URL")
    assert proxy.count("POST") == 0
    proxy.clear()
    check_once(api, api.go(pool, {"command": "echo only once"}))


def test_engine_comes_later_than_the_worker(api, engine, pool, door, start_worker):
    with door.refusing():
        worker = start_worker(api, door.url, pool, wait=False, settings={"PREFECT_WORKER_QUERY_SECONDS": "0.05"})
        worker.wait_line(r"engine\.sock")
        assert worker.running()
        wait_for(lambda: "engine.sock" in httpx.get(f"http://127.0.0.1:{worker.port}/health").text, 5, "the reason")
        run = api.go(pool, {"command": "echo only once"})
    check_once(api, run)


@pytest.mark.slow
def test_engine_comes_much_later_than_the_worker(api, engine, pool, door, start_worker):
    """The worker tries every few seconds, however long the engine is away."""
    with door.refusing():
        worker = start_worker(api, door.url, pool, wait=False)
        worker.wait_line(r"(?s)(trying again in .*){5}", timeout=40)
        waits = [float(seconds) for seconds in re.findall(r"trying again in ([\d.]+) s", worker.output())]
    assert 2 < waits[-1] < 11, waits


@pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)
def test_log_stream_breaks(api, engine, pool, door, start_worker):
    """The worker follows again from where the stream broke, so every line comes once."""
    door.add(Rule(r"GET .*/logs", cut_after(700), times=3))
    start_worker(api, door.url, pool)
    script = "for i in $(seq 1 100); do echo numbered line $i; [ $((i % 10)) = 0 ] && sleep 0.3; done; true"
    run = api.go(pool, {"command": f"sh -c '{script}'"})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "numbered line 100").splitlines() if line.startswith("numbered")]
    assert lines == [f"numbered line {number}" for number in range(1, 101)]
    if engine.kind == "docker":  # the worker reads Podman's log file itself, if it can
        assert door.count(r"GET .*/logs") >= 4


def test_engine_away_for_a_while_during_a_run(api, engine, pool, door, start_worker):
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "sh -c 'sleep 5; echo only once'", "auto_remove": True})
    api.wait_state(run, "RUNNING")
    wait_for(lambda: engine.containers_of(run), 10, "container")
    with door.refusing():
        time.sleep(3)
    check_once(api, run)
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_engine_away_for_long_during_a_run(api, engine, pool, door, start_worker, clocks):
    """The container runs on, however long the engine is away. The run ends as its container ends."""
    worker = start_worker(api, door.url, pool, settings=clocks.settings)
    run = api.go(pool, {"command": "sh -c 'echo begun; sleep 8; echo only once'", "auto_remove": True})
    api.wait_text(run, "begun")
    with door.refusing():
        for minutes in (0, 10, 20, 30, 40):
            clocks.step(monotonic=minutes * 60)
            time.sleep(2)
        assert api.state(run)["type"] == "RUNNING"
    check_once(api, run)
    said = f"Flow run '{api.flow_run(run)['name']}' waits: "
    assert worker.output().count(said) == (1 if engine.kind == "docker" else 0), worker.output()
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")


def test_start_that_was_interrupted_is_made_anew(api, engine, pool, door, start_worker):
    """If Podman is killed during a start, it may leave a half-made container in runc that never ran and never will."""
    door.add(Rule(r"POST .*/start", reset(), times=1))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    check_once(api, run)
    assert "The worker creates it again" in api.text(run)
    assert door.count(r"POST .*/containers/create") == 2
    wait_for(lambda: not engine.containers_of(run), 30, "no container left")


def test_start_is_interrupted_on_a_full_disk(api, engine, pool, door, start_worker, tmp_path):
    """The journal cannot record that the container is made anew. The run goes on."""
    start = r"POST .*/start"
    door.add(Rule(start, reset(), times=1))
    with small_disk(tmp_path / "state") as state:
        worker = start_worker(api, door.url, pool)
        run = api.go(pool, {"command": "echo only once", "auto_remove": True})
        door.wait_count(start, 1)
        fill(state / "filler")
        check_once(api, run)
        assert "The worker creates it again" in api.text(run)
        assert "If this worker stops now" in worker.output()
        worker.end()


@pytest.fixture
def own_podman(tmp_path):
    """A Podman that is killed when it starts a container, if the file "deadly" exists. If the file is empty, Podman
    dies after the program has started and before Podman has recorded that. Otherwise it dies before the program
    starts."""
    runtime, deadly = tmp_path / "runc", tmp_path / "deadly"
    script = f'''#!/bin/sh
case " $* " in
  *" start "*)
    if [ -e {deadly} ]; then
      [ -s {deadly} ] || runc "$@"
      rm {deadly}
      exec kill -9 $PPID
    fi
    ;;
esac
exec runc "$@"
'''
    runtime.write_text(script, encoding="utf-8")
    runtime.chmod(0o755)
    with engines.podman(runtime=runtime) as engine:
        engine.need(engines.BUSYBOX)
        engine.deadly = deadly
        yield engine


@pytest.mark.parametrize("both", [False, True], ids=["alone", "with the worker"])
@pytest.mark.parametrize("seconds", [0, 5], ids=["ended", "running"])
def test_podman_is_killed_once_the_program_runs(api, pool, own_podman, start_worker, tmp_path, seconds, both):
    """Podman has recorded neither a start nor an end. The program is not run again, its output is delivered, and its
    exit status counts as lost."""
    (tmp_path / "out").mkdir()
    command = f"sh -c 'echo only once; echo begun >> /out/seen; sleep {seconds}; echo last line'"
    worker = start_worker(api, own_podman, pool)
    own_podman.deadly.touch()
    run = api.go(pool, {"command": command, "volumes": [f"{tmp_path}/out:/out"], "auto_remove": True})
    own_podman.process.wait(60)
    own_podman.socket.unlink()
    if both:
        worker.end(signal.SIGKILL)
    if not seconds:
        wait_for(lambda: not engines.shims_of(own_podman.folder), 30, "the program has ended, and is cleared up")
    own_podman.start_service()
    if both:
        start_worker(api, own_podman, pool)
    state = api.wait_end(run, timeout=120)["state"]
    assert state["type"] == "CRASHED", state
    assert "its exit status was lost" in state["message"], state
    lines = api.wait_text(run, "last line").splitlines()
    assert lines.count("only once") == 1
    assert (tmp_path / "out" / "seen").read_text(encoding="utf-8") == "begun\n"
    wait_for(lambda: not own_podman.containers_of(run), 30, "container removed")


def test_podman_and_what_it_starts_are_killed(api, pool, own_podman, start_worker):
    """Podman reports a dead container as "initialized" for ever. That is not an end, but the run must end."""
    start_worker(api, own_podman, pool)
    own_podman.deadly.write_text("before", encoding="ascii")
    run = api.go(pool, {"command": "echo never", "auto_remove": True})
    own_podman.process.wait(60)
    engines.kill_shims(own_podman.folder)
    own_podman.socket.unlink()
    own_podman.start_service()
    state = api.wait_end(run, timeout=120)["state"]
    assert state["type"] == "CRASHED", state
    assert "does not know if it runs" in api.wait_text(run, "was interrupted")
    wait_for(lambda: not own_podman.containers_of(run), 30, "container removed")


@pytest.mark.parametrize("both", [False, True], ids=["alone", "with the worker"])
def test_podman_and_conmon_are_killed_before_the_program_runs(api, pool, own_podman, start_worker, both):
    """Nobody would record the container's output and exit status, so it is not started but made anew."""
    worker = start_worker(api, own_podman, pool)
    own_podman.deadly.write_text("before", encoding="ascii")
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    own_podman.process.wait(60)
    if both:
        worker.end(signal.SIGKILL)
    engines.kill_shims(own_podman.folder, children=False)
    own_podman.socket.unlink()
    own_podman.start_service()
    if both:
        start_worker(api, own_podman, pool)
    check_once(api, run)
    wait_for(lambda: not own_podman.containers_of(run), 30, "no container left")


@pytest.fixture
def own_docker():
    with engines.docker() as engine:
        engine.need(engines.BUSYBOX)
        yield engine


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_docker_restarts_during_a_run(api, pool, own_docker, start_worker, number):
    """Without live-restore, Docker ends its containers. The run reports that, nothing is left, and the next run
    works."""
    start_worker(api, own_docker, pool)
    run = api.go(pool, {"command": "sleep 600", "auto_remove": True, "network_mode": "none"})

    def runs():
        return [item for item in own_docker.containers_of(run) if item["State"] == "running"]

    wait_for(runs, 30, "its container runs")
    own_docker.restart(number)
    assert api.wait_end(run)["state"]["type"] == "CRASHED"
    wait_for(lambda: not own_docker.containers_of(run), 30, "container removed")
    again = api.go(pool, {"command": "true", "auto_remove": True, "network_mode": "none"}, name="again")
    assert api.wait_end(again)["state"]["type"] == "COMPLETED"


def test_engine_refuses_to_create(api, engine, pool, door, start_worker):
    """The state's message has the engine's words."""
    words = b'{"cause":"no space","message":"no space left on device: the disk is full","response":500}'
    door.add(Rule(r"POST .*/containers/create", status(500, words)))
    start_worker(api, door.url, pool)
    state = api.wait_end(api.go(pool, {"command": "true"}), timeout=120)["state"]
    assert state["type"] == "CRASHED"
    assert "the disk is full" in state["message"]


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_image_is_gone_between_pull_and_create(api, engine, pool, door, start_worker):
    door.add(Rule(r"POST .*/images/create", status(200, b'{"status":"Download complete","id":"4a7450df8b98"}\n')))
    start_worker(api, door.url, pool)
    image = "localhost/pp/gone:1"
    run = api.wait_end(api.go(pool, {"image": image, "image_pull_policy": "Always", "command": "true"}))
    assert run["state"]["type"] == "CRASHED"
    assert re.search(r"(?i)no such image", run["state"]["message"]) and image in run["state"]["message"], run["state"]
    assert door.count(r"POST .*/images/create") == 1


def test_engine_that_is_out_of_order_is_asked_again(api, engine, pool, door, start_worker):
    """The worker tries again after 2 s and then after 8 s, three times at most. The run's log says so."""
    door.add(Rule(r"POST .*/containers/create", status(503, b'{"message":"the engine is starting"}'), times=2))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    check_once(api, run)
    words = [line.partition("the engine is starting")[2] for line in api.text(run).splitlines()]
    assert [re.sub(r".*Trying", "Trying", rest) for rest in words if rest] == [
        "Trying again in 2 s (1 of 3).",
        "Trying again in 8 s (2 of 3).",
    ]


def test_engine_that_is_slow_to_say_what_it_is(api, engine, pool, door, start_worker):
    """Podman takes a minute for /version on a busy host. Each repetition of the request would take a minute more."""
    version = r"GET /version"
    door.add(Rule(version, slow(33)))
    worker = start_worker(api, door.url, pool, wait=False)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    worker.wait_healthy(60)
    check_once(api, run)
    assert door.count(version) == 1


LOCKED = b'{"cause":"database is locked","message":"beginning transaction: database is locked","response":500}'


CHANGES = [r"POST .*/containers/create", r"POST .*/start", r"DELETE .*/containers/"]


@pytest.mark.parametrize("carried_out", [False, True], ids=["refused", "carried-out"])
@pytest.mark.parametrize("call", CHANGES, ids=["create", "start", "remove"])
def test_database_of_the_engine_is_locked(api, engine, pool, door, start_worker, call, carried_out):
    """The database is locked for a moment. The engine is asked again. A call that it has carried out in spite of the
    error is not carried out twice."""
    answer = status_after_passing(500, LOCKED) if carried_out else status(500, LOCKED)
    check_one_answer(api, engine, pool, door, start_worker, call, answer)


@pytest.mark.parametrize("carried_out", [False, True], ids=["refused", "carried-out"])
@pytest.mark.parametrize("call", CHANGES, ids=["create", "start", "remove"])
def test_gateway_says_yes_in_place_of_the_engine(api, engine, pool, door, start_worker, call, carried_out):
    """The 200 is not the engine's status for these calls, so it says nothing about the container."""
    answer = status_after_passing(200, b"null") if carried_out else status(200, b"null")
    check_one_answer(api, engine, pool, door, start_worker, call, answer)


def check_one_answer(api, engine, pool, door, start_worker, call, answer):
    """Gives ANSWER to the first CALL. The run's container runs once all the same, and is removed."""
    door.add(Rule(call, answer, times=1))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    check_once(api, run)
    door.wait_count(call, 1)
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


@pytest.mark.parametrize("name", ["named", "???"])
def test_answer_to_create_is_lost(api, engine, pool, door, start_worker, name):
    """The container was made, but the worker does not know that. It runs once, and nothing is left. The worker also
    finds it if the run's name has no character that a container's name may have."""
    door.add(Rule(r"POST .*/containers/create", reset_after_passing(), times=1))
    start_worker(api, door.url, pool)
    run = api.run(api.deploy(pool, variables={"command": "echo only once", "auto_remove": True}), name=name)
    check_once(api, run)
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


def test_engine_goes_away_once_it_has_made_the_container(api, engine, pool, door, start_worker):
    door.add(Rule(r"POST .*/containers/create", gone_after_passing(2), times=1))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    check_once(api, run)
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


def test_answer_to_create_is_lost_and_what_follows_is_refused(api, engine, pool, door, start_worker):
    """The run is Crashed with the engine's words. The worker looks for the container of the first try until the
    engine reports it, and removes it."""
    busy = b'{"message":"the engine is busy","cause":"busy","response":500}'
    create = r"POST .*/containers/create"
    door.add(Rule(create, reset_after_passing(), times=1), Rule(create, status(500, busy), after=1))
    door.add(Rule(r"GET .*/containers/.*/json", status(500, busy), times=2))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo never"})
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED" and "the engine is busy" in state["message"], state
    wait_for(lambda: not engine.containers_of(run), 30, lambda: f"no container left: {engine.containers_of(run)}")


def test_container_that_is_removed_before_its_start_is_made_anew(api, engine, pool, start_worker):
    """`podman container prune` removes a container that was made ahead of the run's time."""
    start_worker(api, engine, pool, "--prefetch-seconds", "60")
    run = api.run(api.deploy(pool, variables={"command": "echo only once", "auto_remove": True}), after=9)
    (container,) = wait_for(lambda: engine.containers_of(run), 20, "its container")
    engine.remove(container["Id"])
    check_once(api, run)
    assert "was removed before its start. The worker creates it again" in api.text(run)
    wait_for(lambda: not engine.containers_of(run), 30, "no container left")


@pytest.mark.slow
def test_infrastructure_pid_that_is_never_taken_holds_nothing_up(api, engine, pool, proxy, start_worker):
    """A gateway that lets no PATCH through."""
    proxy.add(Rule(r"PATCH /api/flow_runs/", status(403, b"<html>Forbidden</html>")))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    check_once(api, run)
    wait_for(lambda: not engine.containers_of(run), 60, lambda: f"no container left: {engine.containers_of(run)}")


@pytest.mark.parametrize("body", [b"{}", b"[]"], ids=["object", "list"])
def test_stranger_that_says_yes_to_all(api, engine, pool, proxy, start_worker, body):
    """An outage. After it, something answers in the server's place and knows no run: the run does not count as
    deleted."""
    start_worker(proxy.api, engine, pool)
    script = "for i in $(seq 1 30); do echo line $i; sleep 0.5; done"
    run = api.go(pool, {"command": f"sh -c '{script}'", "auto_remove": True})
    api.wait_text(run, "line 3")
    with proxy.with_rules(Rule("", reset())):
        proxy.wait_count("/flow_runs/filter", proxy.count("/flow_runs/filter") + 1)
    with proxy.with_rules(Rule("", status(200, body))):
        proxy.wait_count(READINGS, proxy.count(READINGS) + 3)
        wait_for(lambda: not is_running(engine, run), 30, "its container has ended")
    state = api.wait_end(run)["state"]
    assert state["type"] == "COMPLETED", state
    lines = [line for line in api.wait_text(run, "line 30").splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(1, 31)]
    wait_for(lambda: not engine.containers_of(run), 60, "container removed")


def is_running(engine, run):
    return any(container["State"] == "running" for container in engine.containers_of(run))


def check_away(worker, door):
    """Health says why no flow runs are taken."""
    wait_for(lambda: not worker.healthy(), 30, "503 from /health")
    reason = httpx.get(f"http://127.0.0.1:{worker.port}/health").json()["message"]
    assert reason.startswith("No flow runs are taken while the container engine is unavailable: ")
    assert door.url in reason
    assert reason in worker.output()


def test_no_runs_are_taken_while_the_engine_is_away(api, engine, pool, proxy, door, start_worker):
    """Runs stay Scheduled instead of Crashed, and run once the engine is there."""
    worker = start_worker(proxy.api, door.url, pool)
    deployment = api.deploy(pool, variables={"command": "echo only once", "auto_remove": True})
    proxy.wait_count(POLL, 3)  # The engine last answered at the start: longer ago than one poll interval.
    with door.refusing():
        run = api.run(deployment)
        check_away(worker, door)
        assert api.state(run)["type"] == "SCHEDULED"
    check_once(api, run)
    assert "The container engine answers again" in worker.output()
    assert worker.healthy()


@pytest.mark.parametrize("engine", ["docker"], indirect=True)  # Podman's log file is read without Podman
def test_engine_goes_away_during_a_run(api, engine, pool, proxy, door, start_worker):
    """/health says so before the next run is due. That run is not taken then."""
    worker = start_worker(proxy.api, door.url, pool)
    deployment = api.deploy(pool, variables={"command": "sh -c 'echo only once; sleep 5'", "auto_remove": True})
    first = api.run(deployment)
    api.wait_text(first, "only once")
    with door.refusing():
        check_away(worker, door)
        second = api.run(deployment)
        proxy.wait_count(POLL, proxy.count(POLL) + 2)
        assert api.state(second)["type"] == "SCHEDULED"
    check_once(api, first)
    check_once(api, second)
    assert worker.healthy()


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_answer_to_start_is_lost(api, engine, pool, door, start_worker):
    """The container ran and ended, but the worker does not know that. It is not started again."""
    door.add(Rule(r"POST .*/start", reset_after_passing(), times=1))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once"})
    check_once(api, run)
    (container,) = engine.containers_of(run)
    engine.remove(container["Id"])


def test_start_is_not_answered(api, engine, pool, door, start_worker):
    """The container runs and the call hangs: timeout_seconds and cancelling do not wait for it."""
    door.add(Rule(r"POST .*/start", unanswered(), times=2))
    start_worker(api, door.url, pool)
    timed = api.go(pool, {"command": "sleep 300", "timeout_seconds": 3, "stop_timeout": 1}, name="timed")
    cancelled = api.go(pool, {"command": "sleep 300", "stop_timeout": 1})
    door.wait_count(r"POST .*/start", 2)
    api.set_state(cancelled, "CANCELLING")
    assert api.wait_end(timed, timeout=60)["state"]["name"] == "TimedOut"
    assert api.wait_end(cancelled, timeout=60)["state"]["type"] == "CANCELLED"
    assert door.count(r"POST .*/start") == 2


def test_last_answer_to_start_is_lost_and_the_engine_with_it(api, engine, pool, door, start_worker):
    """No try is left, and for a while the engine does not say whether the container runs. The container does run,
    and is followed."""
    door.add(
        Rule(r"POST .*/start", reset_after_passing(), times=1),
        Rule(r"GET .*/containers/.*/json", status(503), times=4),
    )
    start_worker(api, door.url, pool)
    variables = {"command": "sh -c 'sleep 6; echo only once'", "infrastructure_retries": 0, "auto_remove": True}
    run = api.go(pool, variables)
    check_once(api, run)
    assert door.count(r"POST .*/start") == 1
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")


def test_start_never_arrives(api, engine, pool, door, start_worker):
    """The state's message has the engine's words, and the container that never ran is removed."""
    door.add(Rule(r"POST .*/start", status(503, b'{"message":"the engine is shutting down"}')))
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "true", "infrastructure_retries": 1})
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED"
    assert "the engine is shutting down" in state["message"]
    assert door.count(r"POST .*/start") == 2
    assert api.wait_text(run, "Trying again in 2 s (1 of 1)")
    wait_for(lambda: not engine.containers_of(run), 30, "container removed")


def test_server_restarts_with_what_it_knew(engine, start_worker, tmp_path):
    """A real server, killed during a run and started again on the same port."""
    from prefect_api import Api
    from servers import prefect_server

    home = tmp_path / "server"
    home.mkdir()
    with prefect_server(folder=home) as server:
        api = Api(server)
        pool = new_pool_name()
        api.create_pool(pool)
        worker = start_worker(api, engine, pool)
        run = api.go(pool, {"command": "sh -c 'sleep 4; echo only once'"})
        api.wait_state(run, "RUNNING")
        server.process.stop(9)
    assert worker.running()
    with prefect_server(folder=home, port=server.port) as server:
        check_once(Api(server), run)
        assert worker.end() == 0
