"""Requests that are carried out after their sender is gone: a proxy holds one back, and the worker is killed
meanwhile."""

import signal
import threading
import time

import pytest

from engines import BUSYBOX
from fault_proxy import Rule, held, status, unanswered
from parts import wait_for
from test_states import SAY, as_engine
from test_taking_up import check_nothing_left

PROGRAM = "sh -c 'echo only once; sleep 1'"
SET_STATE = r"POST .*/set_state"


class Hold:
    """Holds back one call until let_go(): the next call that matches PATTERN after the first AFTER such calls."""

    def __init__(self, proxy, pattern, after=0, breaks=False):
        self.proxy = proxy
        self.pattern = pattern
        self.number = proxy.count(pattern) + after + 1
        self.gate = threading.Event()
        proxy.add(Rule(pattern, held(self.gate, breaks), after=after, times=1))

    def kill(self, worker):
        """Kills WORKER once it has made the call."""
        self.proxy.wait_count(self.pattern, self.number)
        worker.end(signal.SIGKILL)

    def let_go(self):
        passed = self.proxy.passed
        self.gate.set()
        wait_for(lambda: self.proxy.passed > passed, 20, "the call was carried out")


def starts(api, run):
    """How often the program of RUN has run."""
    api.wait_text(run, "only once")
    records = [record for record in api.logs(run) if record["name"].startswith("prefect.flow_runs.std")]
    return [record["message"] for record in records].count("only once")


def wait_type(api, run, kind, seconds=30):
    wait_for(lambda: api.state(run)["type"] == kind, seconds, lambda: f"{kind}: {api.states(run)}")


def test_claim(api, engine, pool, proxy, start_worker, tmp_path):
    """The claim is carried out after the next worker has read that the run is Scheduled."""
    settings = {"PREFECT_WORKER_QUERY_SECONDS": 3}
    hold = Hold(proxy, SET_STATE)
    worker = start_worker(proxy.api, engine, pool, settings=settings)
    run = api.go(pool, {"command": PROGRAM, "auto_remove": True})
    hold.kill(worker)
    start_worker(proxy.api, engine, pool, settings=settings).wait_line("it is scheduled, and will be picked up")
    hold.let_go()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert starts(api, run) == 1
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("killed", [False, True])
def test_claim_on_top_of_an_end(api, engine, pool, proxy, start_worker, tmp_path, killed):
    """The next worker makes a claim of its own and runs the run to its end. Then the first claim arrives. In one
    case the next worker is killed before that, too."""
    hold = Hold(proxy, SET_STATE)
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": PROGRAM, "auto_remove": True})
    hold.kill(worker)
    worker = start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    if killed:
        check_nothing_left(engine, run, tmp_path)
        worker.end(signal.SIGKILL)
        start_worker(proxy.api, engine, pool)
    hold.let_go()
    assert api.state(run)["type"] == "PENDING" or not killed
    wait_type(api, run, "COMPLETED")
    assert starts(api, run) == 1
    check_nothing_left(engine, run, tmp_path)


def test_submitting(api, engine, pool, proxy, start_worker, tmp_path):
    """The late request arrives after Prefect inside the container has reported the end."""
    command = f"{SAY}echo only once; say '{{\"type\": \"COMPLETED\"}}'"
    hold = Hold(proxy, SET_STATE, after=1)
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, as_engine(api, command, forward_output="always"))
    hold.kill(worker)
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    hold.let_go()
    wait_type(api, run, "COMPLETED")
    assert starts(api, run) == 1
    check_nothing_left(engine, run, tmp_path)


def test_running(api, engine, pool, proxy, start_worker, tmp_path):
    """The late request arrives after the run's end."""
    hold = Hold(proxy, SET_STATE, after=1)
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": PROGRAM, "auto_remove": True})
    hold.kill(worker)
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    hold.let_go()
    wait_type(api, run, "COMPLETED")
    assert starts(api, run) == 1
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("when", ["RUNNING", "COMPLETED"])
def test_failure_that_was_retried(api, engine, pool, proxy, start_worker, tmp_path, when):
    """The late failure arrives while the retry runs, or after it."""
    (tmp_path / "kept").mkdir()
    hold = Hold(proxy, SET_STATE, after=2)
    worker = start_worker(proxy.api, engine, pool)
    command = "sh -c 'echo only once; test -e /kept/seen || { touch /kept/seen; exit 1; }; sleep 5'"
    variables = {"command": command, "auto_remove": True, "volumes": [f"{tmp_path}/kept:/kept"]}
    run = api.run(api.deploy(pool, variables=variables), empirical_policy={"retries": 1, "retry_delay": 0})
    hold.kill(worker)
    start_worker(proxy.api, engine, pool)
    running = lambda: [state["type"] for state in api.states(run)].count("RUNNING") == 2  # noqa: E731
    wait_for(running, 30, "the retry runs")
    wait_type(api, run, when)
    hold.let_go()
    wait_type(api, run, "COMPLETED")
    assert starts(api, run) == 2
    check_nothing_left(engine, run, tmp_path)
    assert api.state(run)["type"] == "COMPLETED"


@pytest.mark.parametrize("once", [False, True], ids=["SIGQUIT", "--run-once"])
def test_failure_that_was_retried_by_a_worker_that_ends(api, engine, pool, proxy, start_worker, tmp_path, once):
    """The late failure arrives while the retry runs, on a worker that takes no more runs."""
    (tmp_path / "kept").mkdir()
    hold = Hold(proxy, SET_STATE, after=2)
    worker = start_worker(proxy.api, engine, pool)
    command = "sh -c 'echo only once; test -e /kept/seen || { touch /kept/seen; exit 1; }; sleep 7'"
    variables = {"command": command, "auto_remove": True, "volumes": [f"{tmp_path}/kept:/kept"]}
    run = api.run(api.deploy(pool, variables=variables), empirical_policy={"retries": 1, "retry_delay": 0})
    hold.kill(worker)
    if once:
        worker = start_worker(proxy.api, engine, pool, settings={"PREFECT_WORKER_QUERY_SECONDS": 60})
        wait_type(api, run, "SCHEDULED")
        time.sleep(2)
        worker.end(signal.SIGKILL)
        worker = start_worker(proxy.api, engine, pool, "--run-once", health=False)
    else:
        worker = start_worker(proxy.api, engine, pool)
    running = lambda: [state["type"] for state in api.states(run)].count("RUNNING") == 2  # noqa: E731
    wait_for(running, 30, "the retry runs")
    if not once:
        worker.send(signal.SIGQUIT)
        worker.wait_line("SIGQUIT: no more runs are taken")
    hold.let_go()
    assert worker.wait(40) == 0
    assert api.state(run)["type"] == "COMPLETED"
    assert starts(api, run) == 2
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("listed", [True, False])
def test_create(api, engine, pool, door, start_worker, tmp_path, listed):
    """The late container is made after the run was submitted again and has ended. If one broken container keeps the
    engine from listing all containers, it still lists those of one claim."""
    hold = Hold(door, r"POST .*/containers/create")
    worker = start_worker(api, door.url, pool)
    run = api.go(pool, {"command": PROGRAM, "auto_remove": True})
    hold.kill(worker)
    if not listed:
        door.add(Rule(r"GET .*/containers/json(?!.*claim%3D)", status(500, b'{"message":"no such file"}')))
    start_worker(api, door.url, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_nothing_left(engine, run, tmp_path)
    hold.let_go()
    assert engine.containers_of(run)
    check_nothing_left(engine, run, tmp_path)
    assert starts(api, run) == 1


def test_start(api, engine, pool, door, start_worker):
    """The late start arrives after the run was submitted again and has ended; its container is kept."""
    hold = Hold(door, r"POST .*/start")
    worker = start_worker(api, door.url, pool)
    run = api.go(pool, {"command": PROGRAM})
    hold.kill(worker)
    start_worker(api, door.url, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    hold.let_go()
    time.sleep(1)
    assert [container["State"] for container in engine.containers_of(run)] == ["exited"]
    assert starts(api, run) == 1


@pytest.mark.parametrize("when", ["ended", "waiting"])
def test_start_of_a_worker_that_lives(api, engine, pool, door, start_worker, tmp_path, when):
    """The connection to the engine breaks during the start. The start is carried out after the run has ended and its
    container was kept, or while the run waits for its next try."""
    (tmp_path / "kept").mkdir()
    hold = Hold(door, r"POST .*/start", breaks=True)
    start_worker(api, door.url, pool)
    command = "sh -c 'echo only once | tee -a /kept/seen; sleep 1'"
    run = api.go(pool, {"command": command, "volumes": [f"{tmp_path}/kept:/kept"]})
    door.wait_count(hold.pattern, 1)
    if when == "ended":
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    hold.let_go()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    time.sleep(3)
    assert [container["State"] for container in engine.containers_of(run)] == ["exited"]
    assert (tmp_path / "kept" / "seen").read_text() == "only once\n"
    assert starts(api, run) == 1


def test_removal_of_what_has_run_after_all(api, engine, pool, door, start_worker, tmp_path):
    """Two requests are carried out late: the start that one dead worker sent, and then the removal that the next
    worker sent, because the container had not run. The removal does not hit the container, which has run meanwhile."""
    start = Hold(door, r"POST .*/start")
    worker = start_worker(api, door.url, pool)
    run = api.go(pool, {"command": PROGRAM, "auto_remove": True})
    start.kill(worker)
    removal = Hold(door, r"DELETE .*/containers/")
    removal.kill(start_worker(api, door.url, pool))
    start.let_go()
    ended = lambda: [item["State"] for item in engine.containers_of(run)] == ["exited"]  # noqa: E731
    wait_for(ended, 30, lambda: f"it has run: {engine.containers_of(run)}")
    start_worker(api, door.url, pool).wait_line("its container is followed")
    removal.let_go()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert starts(api, run) == 1
    check_nothing_left(engine, run, tmp_path)


def test_start_of_a_run_that_is_given_up(api, engine, pool, door, start_worker):
    """No try is left. The run is reported as Crashed, and its container does not run later."""
    hold = Hold(door, r"POST .*/start", breaks=True)
    start_worker(api, door.url, pool)
    run = api.go(pool, {"command": PROGRAM, "infrastructure_retries": 0})
    assert api.wait_end(run)["state"]["type"] == "CRASHED"
    assert engine.containers_of(run) == []
    hold.let_go()
    assert "only once" not in api.text(run)


def test_lines_that_found_no_connection(api, engine, pool, proxy, start_worker):
    """The lines were never sent, so the next worker does not wait for them."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'sleep 6; echo line 1; sleep 20'", "auto_remove": True})
    api.wait_text(run, "submitted to infrastructure")
    with proxy.refusing():
        worker.wait_line("asking again in", 40)
        worker.end(signal.SIGKILL)
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    text = api.wait_text(run, "line 1")
    assert text.splitlines().count("line 1") == 1
    assert "may still be storing lines" not in text


def test_lines(api, engine, pool, proxy, start_worker, tmp_path):
    """The late lines arrive after the next worker has counted the lines on the server."""
    logs, count = r"POST /api/logs/ ?$", r"POST /api/logs/filter"
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'sleep 4; for i in 1 2 3; do echo line $i; done; sleep 4'", "auto_remove": True})
    api.wait_text(run, "submitted to infrastructure")
    hold = Hold(proxy, logs)
    hold.kill(worker)
    seen = proxy.count(count)
    start_worker(proxy.api, engine, pool)
    # A worker that counts only twice would have sent the lines again by then.
    wait_for(lambda: proxy.count(count) > seen + 3 or "line 3" in api.text(run), 30, "lines are counted, or sent again")
    hold.let_go()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "line 3").splitlines() if line.startswith("line ")]
    assert lines == ["line 1", "line 2", "line 3"]
    check_nothing_left(engine, run, tmp_path)


# Prints "1-1", "1-2", ... in its first attempt, and "2-1", ... in its second one.
NUMBERED = "sh -c 'n=1; test -e /kept/seen && n=2; touch /kept/seen; for i in $(seq 40); do echo $n-$i; sleep 0.5; done'"


def test_lines_of_a_retry_and_late_ones_of_the_first_attempt(testbed, api, engine, pool, proxy, start_worker, tmp_path):
    """The second worker is killed before it hears that its batch has arrived. Meanwhile the first worker has sent late
    lines of the first attempt. They must not count as lines of the second one."""
    kept = tmp_path / "kept"
    kept.mkdir()
    docker = testbed.engine("docker")
    docker.need(BUSYBOX)
    elsewhere = {"PREFECT_PODMAN_STATE_DIR": str(tmp_path / "elsewhere")}
    first = start_worker(api, engine, pool)
    run = api.go(pool, {"command": NUMBERED, "volumes": [f"{kept}:/kept"], "auto_remove": True, "stop_timeout": 1})
    api.wait_text(run, "1-3")
    first.end(signal.SIGKILL)
    second = start_worker(proxy.api, docker, pool, settings=elsewhere)
    api.set_state(run, "CRASHED")
    api.set_state(run, "SCHEDULED", name="AwaitingRetry")
    api.wait_text(run, "2-3")
    start_worker(api, engine, pool)
    api.wait_text(run, "1-12")
    proxy.add(Rule(r"POST /api/logs/ ?$", unanswered(), times=1))
    proxy.wait_count(r"POST /api/logs/ ?$", proxy.count(r"POST /api/logs/ ?$") + 1)
    second.end(signal.SIGKILL)
    start_worker(proxy.api, docker, pool, settings=elsewhere)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    lines = [line for line in api.wait_text(run, "2-40").splitlines() if line.startswith("2-")]
    assert lines == [f"2-{number}" for number in range(1, 41)]


def test_infrastructure_pid(api, engine, pool, proxy, door, start_worker):
    """The late pid names a container that was never started. It arrives after the pid of the container that replaced
    that one."""
    told, start = Hold(proxy, r"PATCH /api/flow_runs/[^/]+$"), Hold(door, r"POST .*/start")
    worker = start_worker(proxy.api, door.url, pool)
    run = api.go(pool, {"command": PROGRAM})
    door.wait_count(start.pattern, 1)
    told.kill(worker)
    start_worker(proxy.api, door.url, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    told.let_go()
    start.let_go()
    (container,) = engine.containers_of(run)
    ours = lambda: api.flow_run(run)["infrastructure_pid"].endswith(container["Id"])  # noqa: E731
    wait_for(ours, 20, lambda: f"the pid is that of {container['Id']}: {api.flow_run(run)['infrastructure_pid']}")
    assert starts(api, run) == 1
