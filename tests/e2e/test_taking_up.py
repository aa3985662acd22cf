"""After a worker was killed, the next one continues where it was: nothing is lost, and nothing comes twice."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import time
import uuid

import httpx
import pytest

import engines
from fault_proxy import Rule, altered, cut_after, not_json, reset, reset_after_passing, slow, status
from parts import fill, small_disk, wait_for
from prefect_api import running_spans, when
from test_states import DIES_BEFORE_RETRY, PAUSES, SAY, as_engine
from worker import call, environment

LINES = 60
# Numbered lines on both streams, ten a second.
COUNT = f"sh -c 'for i in $(seq {LINES}); do echo line $i; echo error $i >&2; sleep 0.1; done'"


def numbers(api, run, word):
    """Returns the numbers N of the container's lines "WORD N" in the log."""
    lines = [record["message"] for record in api.logs(run) if record["name"].startswith("prefect.flow_runs.std")]
    return [int(line.split()[1]) for line in lines if line.split()[0] == word]


def check_log(api, run):
    """Checks that each line is there once, and in order."""
    api.wait_text(run, f"error {LINES}")
    assert numbers(api, run, "line") == list(range(1, LINES + 1))
    assert numbers(api, run, "error") == list(range(1, LINES + 1))


def check_nothing_left(engine, run, folder):
    wait_for(lambda: not engine.containers_of(run), 20, lambda: f"no container left: {engine.containers_of(run)}")
    wait_for(lambda: not entries(folder), 10, lambda: f"no journal entry left: {entries(folder)}")


def entries(folder):
    return list(folder.glob("state/*/runs/*"))


def lose_entries(folder):
    for path in entries(folder):
        path.unlink()


def lose_start(folder, **more):
    """Changes the journal entry as if the start had not been written down."""
    (entry,) = [path for path in entries(folder) if path.suffix == ".json"]
    written = json.loads(entry.read_text(encoding="utf-8")) | {"phase": "CLAIMED"} | more
    entry.write_text(json.dumps(written), encoding="utf-8")


def go_and_kill(api, engine, pool, start_worker, command, seen, **variables):
    """Starts a run, and kills its worker once the run's log has SEEN."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": command, "auto_remove": True, **variables})
    api.wait_text(run, seen)
    worker.end(signal.SIGKILL)
    return run


@pytest.mark.parametrize("engine", ["podman", "podman5", "rootless", "docker"], indirect=True)
def test_running_container_is_followed_on(api, engine, pool, start_worker, tmp_path):
    run = go_and_kill(api, engine, pool, start_worker, COUNT, "line 10")
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "COMPLETED", state
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)


# A container whose log is deleted piece by piece. It prints two hundred lines a second on both streams, up to each of
# these numbers, and waits there for SIGUSR1.
CHATTY_HOLDS = (340, 540, 640, 800)
CHATTY = """sh -c 'held=0; trap "held=\\$((held+1))" USR1
say () { for i in $(seq $1 $2); do echo line $i; echo error $i >&2; sleep 0.005; done; }
hold () { while [ $held -lt $1 ]; do sleep 0.05; done; }
say 1 340; hold 1; say 341 540; hold 2; say 541 640; hold 3; say 641 800'"""


def small_log(engine):
    """Limits the log of CHATTY. conmon keeps one file, which has three hundred lines of each stream. Docker keeps two
    files, each with two hundred lines of each stream. If the log is followed up to one hold, all lines since then are
    still there at the next hold, but the first lines are gone."""
    if engine.kind == "docker":
        return {"log_config": {"type": "json-file", "config": {"max-size": "32k", "max-file": "2"}}}
    return {"log_config": {"type": "k8s-file", "config": {"max-size": "32kb"}}}


def go_on(engine, run):
    (container,) = engine.containers_of(run)
    engine.kill(container["Id"], "USR1")


def check_chatty(api, run, *workers):
    """Checks that each line is once and in order in the log, and that each is on standard output. After a kill,
    the next worker may show lines again on standard output: the last hundred lines before the hold, and lines after it,
    but no earlier lines."""
    last = CHATTY_HOLDS[-1]
    api.wait_text(run, f"error {last}")
    for word in ("line", "error"):
        assert numbers(api, run, word) == list(range(1, last + 1))
        shown = [
            [int(line.split()[1]) for line in worker.output().splitlines() if line.startswith(f"{word} ")]
            for worker in workers
        ]
        assert set().union(*shown) == set(range(1, last + 1))
        for lines, hold in zip(shown[1:], CHATTY_HOLDS[::2]):
            assert min(lines) > hold - 100
    assert not [line for line in api.text(run).splitlines() if "is lost" in line]


@pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)
def test_log_whose_beginning_is_gone(api, engine, pool, start_worker, tmp_path):
    """The log no longer begins with the container's first line. The log's times show what was delivered."""
    first = start_worker(api, engine, pool)
    run = api.go(pool, {"command": CHATTY, "auto_remove": True, "container_create_kwargs": small_log(engine)})
    api.wait_text(run, f"error {CHATTY_HOLDS[0]}")
    go_on(engine, run)
    time.sleep(0.4)
    first.end(signal.SIGKILL)
    second = start_worker(api, engine, pool)
    api.wait_text(run, f"error {CHATTY_HOLDS[1]}")
    go_on(engine, run)
    api.wait_text(run, f"error {CHATTY_HOLDS[2]}")
    go_on(engine, run)
    time.sleep(0.4)
    second.end(signal.SIGKILL)
    third = start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_chatty(api, run, first, second, third)
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_stream_of_a_log_whose_beginning_is_gone_breaks(api, engine, pool, door, start_worker, tmp_path):
    """The same, but the worker lives and its stream breaks. The log has a new beginning, so the number of bytes read
    does not tell the place where the stream broke."""
    worker = start_worker(api, door.url, pool)
    door.add(Rule(r"GET .*/logs", cut_after(30000), times=3))
    command = CHATTY.replace("say 641 800'", "say 641 800; printf last >&2'")
    run = api.go(pool, {"command": command, "auto_remove": True, "container_create_kwargs": small_log(engine)})
    for number in CHATTY_HOLDS[:-1]:
        api.wait_text(run, f"error {number}")
        go_on(engine, run)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert door.count(r"GET .*/logs") >= 4
    assert api.wait_text(run, "\nlast").splitlines().count("last") == 1
    check_chatty(api, run, worker)
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_shown_is_not_shown_again(api, engine, pool, start_worker, tmp_path, number):
    """The next worker shows nothing on standard output again, also if the container was silent meanwhile."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo before; sleep 8; echo after'", "auto_remove": True})
    worker.wait_line("(?m)^before$")
    api.wait_text(run, "before")
    # The position is written a moment after the line. A kill in between would show the line twice.
    wait_for(lambda: any(path.suffix != ".json" for path in entries(tmp_path)), 10, "the position is written down")
    worker.end(number)
    worker = start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    worker.wait_line("(?m)^after$")
    assert "before" not in worker.output().splitlines()


def test_container_that_ended_meanwhile_is_reported(api, engine, pool, start_worker, tmp_path):
    command = COUNT.replace("done'", "done; exit 3'")
    run = go_and_kill(api, engine, pool, start_worker, command, "line 10")
    container = engine.containers_of(run)[0]["Id"]
    wait_for(lambda: engine.inspect(container)["State"]["Status"] == "exited", 30, "the container has ended")
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "FAILED" and "status 3" in state["message"], state
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)


def test_container_that_vanished_meanwhile_is_said(api, engine, pool, start_worker, tmp_path):
    run = go_and_kill(api, engine, pool, start_worker, "sh -c 'echo up; sleep 600'", "up")
    engine.remove(engine.containers_of(run)[0]["Id"])
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED", state
    assert re.search("infrastructure vanished: .* no worker saw its end", state["message"])
    check_nothing_left(engine, run, tmp_path)


def test_start_that_could_not_be_written_down(api, engine, pool, start_worker, tmp_path):
    """The disk is full, and then the worker is killed. The container has run and is not run again."""
    run = go_and_kill(api, engine, pool, start_worker, "sh -c 'echo up; sleep 2'", "up")
    (container,) = engine.containers_of(run)
    wait_for(lambda: not engine.inspect(container["Id"])["State"]["Running"], 20, "the container has ended")
    lose_start(tmp_path, claimed_at=container["Created"] * 1_000_000 + 900_000)
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert api.text(run).splitlines().count("up") == 1
    check_nothing_left(engine, run, tmp_path)


def test_start_takes_effect_late_and_the_engine_stumbles(api, engine, pool, door, start_worker, tmp_path):
    """The list says "created", and the engine fails at the inspect after it. Meanwhile the container has begun to
    run."""
    door.add(Rule(r"POST .*/start", slow(4), times=1))
    worker = start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "sh -c 'echo only once; sleep 2'", "auto_remove": True})
    door.wait_count(r"POST .*/start", 1)
    worker.end(signal.SIGKILL)
    door.add(Rule(r"GET .*/containers/.*/json", status(500, b'{"message":"busy"}'), times=3))
    start_worker(api, door.url, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert api.wait_text(run, "only once").splitlines().count("only once") == 1
    check_nothing_left(engine, run, tmp_path)


def test_damaged_entry_of_a_worker_that_does_not_come_back(api, engine, pool, start_worker, tmp_path):
    first = start_worker(api, engine, pool)
    run = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(run, "line 2")
    start_worker(api, engine, pool)
    first.end(signal.SIGKILL)
    for entry in entries(tmp_path):
        entry.write_text("{", encoding="utf-8")
    assert api.wait_end(run, timeout=60)["state"]["type"] == "COMPLETED"
    wait_for(lambda: not engine.containers_of(run), 20, "no container left")


def test_containers_of_a_lost_state_directory_are_spoken_of(api, engine, pool, start_worker, tmp_path):
    run = go_and_kill(api, engine, pool, start_worker, "sh -c 'echo up; sleep 600'", "up")
    shutil.rmtree(tmp_path / "state")
    said = r"containers of its work pool .* does not know their workers\. Number of containers: 1; one is "
    start_worker(api, engine, pool).wait_line(said)
    assert engine.containers_of(run)[0]["State"] == "running"


@pytest.mark.parametrize("answer", [not_json(), status(200, b"null"), status(401, b'{"detail":"no"}')])
def test_something_else_answers_at_the_start(api, engine, pool, proxy, start_worker, answer):
    """The server is down, and a gateway answers in its place. The worker has worked with that server before."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 3'", "auto_remove": True})
    api.wait_text(run, "up")
    worker.end(signal.SIGKILL)
    proxy.add(Rule("", answer))
    start_worker(proxy.api, engine, pool, health=False).wait_line("trying again")
    proxy.clear()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


def test_run_of_a_server_by_another_name(api, engine, pool, proxy, start_worker):
    """A slash at the end of the URL makes no difference. Runs of another URL are named in a warning until that URL
    is used again."""
    worker = start_worker(f"{api.url}/", engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 15'", "auto_remove": True})
    api.wait_text(run, "up")
    worker.end(signal.SIGKILL)
    other = start_worker(proxy.api, engine, pool)
    other.wait_line(rf"1 flow run .* used the API {api.url} and .* uses the API {proxy.api} and")
    other.end(signal.SIGTERM)
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


@pytest.mark.slow
def test_concurrency_slot_is_kept(api, engine, pool, start_worker):
    """The next worker renews the server's lease of 30 s. The second run waits until the first one has ended."""
    deployment = api.deploy(pool, variables={"command": "sleep 35", "auto_remove": True}, concurrency_limit=1)
    worker = start_worker(api, engine, pool)
    first = api.run(deployment)
    api.wait_state(first, "RUNNING")
    worker.end(signal.SIGKILL)
    start_worker(api, engine, pool)
    second = api.run(deployment, variables={"command": "true"})
    for run in api.wait_end(first, second):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    (_, end), (begin, _) = running_spans(api, [first, second])
    assert end <= begin


RENEWAL = r"POST /api/v2/concurrency_limits/leases/[0-9a-f-]{36}/renew"


@pytest.mark.parametrize("killed", [False, True])
def test_concurrency_slot_is_kept_until_prefect_is_running(api, engine, pool, proxy, start_worker, killed):
    """A container that first installs packages may take longer than the lease lasts. From Running on, Prefect inside
    it renews the lease, and the worker no longer does."""
    variables = {"command": "sleep 600", "state_reporting": "engine", "auto_remove": True, "stop_timeout": 1}
    deployment = api.deploy(pool, variables=variables, concurrency_limit=1)
    worker = start_worker(proxy.api, engine, pool)
    run = api.run(deployment)
    wait_for(lambda: any(c["State"] == "running" for c in engine.containers_of(run)), 60, "container that runs")
    if killed:
        worker.end(signal.SIGKILL)
        worker = start_worker(proxy.api, engine, pool)
    proxy.add(Rule(RENEWAL, status(503), times=1))  # tried again after 10 s
    proxy.wait_count(RENEWAL, 1, 30)
    api.call("POST", f"/flow_runs/{run}/set_state", json={"state": {"type": "RUNNING"}})
    time.sleep(15)
    assert proxy.count(RENEWAL) == 1 and "Could not renew the lease" not in worker.output()
    api.set_state(run, "CANCELLED")
    assert api.wait_end(run)["state"]["type"] == "CANCELLED"


def test_concurrency_slot_is_kept_while_an_image_is_pulled(api, engine, pool, proxy, door, start_worker):
    door.add(Rule(r"POST .*/images/create", slow(600)))
    worker = start_worker(proxy.api, door.url, pool)
    variables = {"command": "true", "image": "localhost:9/far/away:1", "image_pull_policy": "Always"}
    run = api.run(api.deploy(pool, variables=variables, concurrency_limit=1))
    door.wait_count(r"POST .*/images/create", 1)
    worker.end(signal.SIGKILL)
    start_worker(proxy.api, door.url, pool)
    door.wait_count(r"POST .*/images/create", 2)
    proxy.wait_count(r"POST .*/leases/.*/renew", proxy.count(r"POST .*/leases/.*/renew") + 1)
    api.set_state(run, "CANCELLING")
    assert api.wait_end(run)["state"]["type"] == "CANCELLED"


def test_container_that_was_not_started_goes_first(api, engine, pool, door, start_worker, tmp_path):
    """The engine refuses the removal for a moment."""
    door.add(Rule(r"POST .*/start", status(503)))
    worker = start_worker(api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    door.wait_count(r"POST .*/start", 1)
    worker.end(signal.SIGKILL)
    (leftover,) = engine.containers_of(run)
    door.clear()
    door.add(Rule(r"DELETE .*/containers/", status(503), times=2))
    start_worker(api, door.url, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert api.wait_text(run, "only once").splitlines().count("only once") == 1
    assert not api.flow_run(run)["infrastructure_pid"].endswith(leftover["Id"])
    check_nothing_left(engine, run, tmp_path)


def test_run_of_which_only_the_states_are_told_waits(api, engine, pool, proxy, door, start_worker, tmp_path):
    """A server whose database has no free connections fails at reads of the run, but not at reads of its states."""
    door.add(Rule(r"POST .*/start", status(503)))
    worker = start_worker(proxy.api, door.url, pool)
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    door.wait_count(r"POST .*/start", 1)
    worker.end(signal.SIGKILL)
    door.clear()
    failure = status(500, b'{"exception_message":"Internal Server Error"}')
    with proxy.with_rules(Rule(rf"POST /api/flow_runs/filter|GET /api/flow_runs/{run}$", failure)):
        worker = start_worker(proxy.api, door.url, pool, "--output-prefix")
        worker.wait_line(f"{run}.* is not submitted again yet: the server returns only its states")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert api.wait_text(run, "only once").splitlines().count("only once") == 1
    check_nothing_left(engine, run, tmp_path)


@pytest.fixture
def own_podman():
    with engines.podman() as engine:
        engine.need(engines.BUSYBOX)
        yield engine


def test_host_that_went_down_meanwhile_is_said(api, pool, own_podman, start_worker, tmp_path):
    """Podman reports "created", or "exited" with status 0, for a container that ran when the host went down. The run
    does not count as a success, and is not run again."""
    command = "sh -c 'echo up; sleep 600'"
    run = go_and_kill(api, own_podman, pool, start_worker, command, "up")
    own_podman.crash_host()
    for entry in entries(tmp_path):
        text = entry.read_text(encoding="utf-8")
        entry.write_text(text.replace(boot_id(), str(uuid.uuid4())), encoding="utf-8")
    start_worker(api, own_podman, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED", state
    assert "the host was restarted" in state["message"]
    assert api.text(run).splitlines().count("up") == 1
    check_nothing_left(own_podman, run, tmp_path)


def boot_id():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@pytest.mark.parametrize(
    "asked,lose", [("CANCELLING", None), ("CANCELLED", None), ("CANCELLED", lose_start), ("CANCELLING", lose_entries)]
)
def test_run_that_was_cancelled_meanwhile_is_stopped(api, engine, pool, start_worker, tmp_path, asked, lose):
    """The container is stopped and removed, whatever auto_remove says, also if the journal does not describe it."""
    command = "sh -c 'echo up; sleep 600'"
    run = go_and_kill(api, engine, pool, start_worker, command, "up", stop_timeout=1, auto_remove=False)
    if lose:
        lose(tmp_path)
    api.set_state(run, asked)
    start_worker(api, engine, pool)
    wait_for(lambda: api.state(run)["type"] == "CANCELLED", 30, "the run is cancelled")
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("lose", [None, lose_start])
def test_run_that_was_deleted_meanwhile_is_stopped(api, engine, pool, start_worker, tmp_path, lose):
    command = "sh -c 'echo up; trap \"exit 0\" TERM; sleep 600 & wait'"
    run = go_and_kill(api, engine, pool, start_worker, command, "up", stop_timeout=1)
    if lose:
        lose(tmp_path)
    api.call("DELETE", f"/flow_runs/{run}")
    start_worker(api, engine, pool)
    check_nothing_left(engine, run, tmp_path)


def test_worker_that_stops_as_asked_leaves_its_runs_to_the_next(api, engine, pool, start_worker, tmp_path):
    """The server sees the next worker as the same worker."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(run, "line 10")
    name = worker.wait_line(r"Worker '([^']+)' started").group(1)
    assert worker.end(signal.SIGTERM) == 0
    assert name == start_worker(api, engine, pool).wait_line(r"Worker '([^']+)' started").group(1)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)


def test_container_without_an_entry_is_followed(api, engine, pool, start_worker, tmp_path):
    """The state directory's entries were lost."""
    run = go_and_kill(api, engine, pool, start_worker, COUNT, "line 10")
    lose_entries(tmp_path)
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)


def test_container_without_an_entry_nor_deployment_is_followed(api, engine, pool, start_worker, tmp_path):
    """Nothing tells how the run was configured. It still ends well."""
    worker = start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": COUNT, "auto_remove": True})
    run = api.run(deployment)
    api.wait_text(run, "line 10")
    worker.end(signal.SIGKILL)
    lose_entries(tmp_path)
    api.delete_deployment(deployment)
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "COMPLETED", state
    check_log(api, run)
    kept = lambda: [left["State"] for left in engine.containers_of(run)]  # noqa: E731
    wait_for(lambda: kept() == ["exited"], 10, lambda: f"the container is kept: {kept()}")
    wait_for(lambda: not entries(tmp_path), 10, "no journal entry left")


def test_container_without_an_entry_whose_run_cannot_be_read(api, engine, pool, proxy, start_worker, tmp_path):
    """The worker reads the run again."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(run, "line 10")
    worker.end(signal.SIGKILL)
    lose_entries(tmp_path)
    proxy.add(Rule("flow_runs/filter|GET .*/flow_run(s|_states)/", status(422, b'{"detail":"no"}')))
    start_worker(proxy.api, engine, pool).wait_line("The worker checks it again later")
    proxy.clear()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)


def test_container_without_an_entry_that_vanishes_while_it_is_looked_at(api, engine, pool, proxy, start_worker, tmp_path):
    """The worker is killed before it knows how the run is configured. Then the container is removed."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 600'", "auto_remove": True})
    api.wait_text(run, "up")
    worker.end(signal.SIGKILL)
    lose_entries(tmp_path)
    seen = proxy.count(r"GET .*/deployments/")
    proxy.add(Rule(r"GET .*/deployments/", slow(600)))
    worker = start_worker(proxy.api, engine, pool)
    proxy.wait_count(r"GET .*/deployments/", seen + 1)
    worker.end(signal.SIGKILL)
    engine.remove(engine.containers_of(run)[0]["Id"])
    proxy.clear()
    start_worker(proxy.api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED", state
    assert re.search("infrastructure vanished: .* no worker saw its end", state["message"])
    check_nothing_left(engine, run, tmp_path)


def test_two_containers_without_an_entry(api, engine, pool, start_worker, tmp_path):
    """The container of the first attempt was kept. The worker continues with that of the second attempt."""
    kept = tmp_path / "kept"
    kept.mkdir()
    command = f"sh -c 'test -e /kept/seen || {{ touch /kept/seen; exit 1; }}; {COUNT[7:-1]}'"
    worker = start_worker(api, engine, pool)
    run = api.run(api.deploy(pool, variables={"command": command, "volumes": [f"{kept}:/kept"]}), after=2)
    api.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 1, "retry_delay": 0}})
    api.wait_text(run, "line 10")
    worker.end(signal.SIGKILL)
    assert len(engine.containers_of(run)) == 2
    lose_entries(tmp_path)
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
    wait_for(lambda: not entries(tmp_path), 10, "no journal entry left")


def test_container_without_an_entry_that_waits_for_its_start(api, engine, pool, proxy, start_worker, tmp_path):
    """The run is started at its time, although Running is refused at first."""
    worker = start_worker(proxy.api, engine, pool)
    due = time.time() + 8
    run = api.run(api.deploy(pool, variables={"command": "echo up", "auto_remove": True}), after=8)
    wait_for(lambda: engine.containers_of(run), 20, "its container is made")
    worker.end(signal.SIGKILL)
    lose_entries(tmp_path)
    proxy.add(Rule(r"POST .*/set_state", status(503), times=1))
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    (running,) = [state for state in api.states(run) if state["type"] == "RUNNING"]
    assert when(running["timestamp"]).timestamp() >= due - 1
    assert api.wait_text(run, "up").splitlines().count("up") == 1
    check_nothing_left(engine, run, tmp_path)


def test_container_without_an_entry_whose_run_is_paused(api, engine, pool, start_worker, tmp_path):
    worker = start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, PAUSES))
    api.wait_state(run, "PAUSED")
    worker.end(signal.SIGKILL)
    lose_entries(tmp_path)
    start_worker(api, engine, pool).wait_line("goes on with flow run")
    api.call("POST", f"/flow_runs/{run}/resume")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("after", [0, 12])
def test_run_that_another_worker_was_faster_to_claim(api, engine, pool, proxy, start_worker, tmp_path, after):
    """A worker is killed before its claim reaches the server, and another worker claims the run. After its restart,
    the first worker leaves the other's container alone."""
    proxy.add(Rule(r"POST .*/set_state", reset()))
    first = start_worker(proxy.api, engine, pool)
    second = start_worker(proxy.api, engine, pool)
    second.send(signal.SIGSTOP)
    run = api.run(api.deploy(pool, variables={"command": COUNT, "auto_remove": True}), after=after)
    proxy.wait_count(r"POST .*/set_state", 1)
    first.end(signal.SIGKILL)
    proxy.clear()
    second.send(signal.SIGCONT)
    wait_for(lambda: engine.containers_of(run), 30, "its container is made")
    back = start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
    check_nothing_left(engine, run, tmp_path)
    assert [state["type"] for state in api.states(run)].count("RUNNING") == 1
    assert "goes on with" not in back.output() and "submitted again" not in back.output()


def test_end_of_a_resumed_run_that_is_not_reported_yet(api, engine, pool, proxy, start_worker, tmp_path):
    """The server itself set Running when the run was resumed, so that state has no worker's id."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 8; exit 3'", "auto_remove": True})
    api.wait_text(run, "up")
    api.set_state(run, "PAUSED", state_details={"pause_timeout": "2100-01-01T00:00:00Z", "pause_reschedule": False})
    api.call("POST", f"/flow_runs/{run}/resume", json={})
    assert api.state(run)["type"] == "RUNNING"
    proxy.add(Rule(r"POST .*/set_state", status(503)))
    proxy.wait_count(r"POST .*/set_state", proxy.count(r"POST .*/set_state") + 1)
    worker.end(signal.SIGKILL)
    proxy.clear()
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "FAILED"
    check_nothing_left(engine, run, tmp_path)


def test_container_of_an_attempt_before_is_left_alone(api, engine, pool, start_worker):
    """The user keeps the container and retries the run. A worker elsewhere has claimed the retry and pulls the
    image."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'exit 3'"})
    api.wait_end(run)
    (container,) = engine.containers_of(run)
    assert worker.end(signal.SIGTERM) == 0
    api.set_state(run, "SCHEDULED", name="AwaitingRetry", state_details={"scheduled_time": "2020-01-01T00:00:00Z"})
    api.set_state(run, "PENDING")
    start_worker(api, engine, pool)
    # If the worker took the old container for the retry's container, it would follow it and report its end within 3 s.
    api.wait_end(api.go(pool, {"command": "sleep 5", "auto_remove": True}))
    assert api.state(run)["type"] == "PENDING"
    assert [left["Id"] for left in engine.containers_of(run)] == [container["Id"]]


@pytest.fixture
def elsewhere(testbed, api, pool, start_worker, tmp_path):
    """Returns a function that starts a worker of the pool as if on another host, with its own engine and state
    directory."""
    docker = testbed.engine("docker")
    docker.need(engines.BUSYBOX)

    def start():
        start_worker(api, docker, pool, settings={"PREFECT_PODMAN_STATE_DIR": str(tmp_path / "elsewhere")})
        return docker

    return start


def retry_elsewhere(api, run, elsewhere):
    """Ends RUN by hand, and sets it to AwaitingRetry. Starts a worker elsewhere, and waits until the retry runs.
    RUN's own worker is gone, is pulling the image, or cannot reach the server."""
    api.set_state(run, "CRASHED")
    api.set_state(run, "SCHEDULED", name="AwaitingRetry")
    other = elsewhere()
    api.wait_state(run, "RUNNING")
    return other


@pytest.mark.parametrize("ended", [False, True])
def test_run_that_was_begun_again_elsewhere(api, engine, pool, start_worker, elsewhere, tmp_path, ended):
    """Our old container is stopped. The other worker's attempt is left alone."""
    run = go_and_kill(api, engine, pool, start_worker, "sh -c 'echo up; sleep 20'", "up", stop_timeout=1)
    if ended:
        engine.kill(engine.containers_of(run)[0]["Id"])
    retry_elsewhere(api, run, elsewhere)
    start_worker(api, engine, pool)
    check_nothing_left(engine, run, tmp_path)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("CRASHED") == 1


# Its first attempt ends badly, its second one well.
TWICE = "sh -c 'test -e /kept/seen && exit 0; touch /kept/seen; echo up; sleep 14; exit 3'"


@pytest.mark.parametrize("other", [False, True])
def test_run_that_is_scheduled_again_while_it_runs(api, engine, pool, start_worker, elsewhere, tmp_path, other):
    """The user schedules the run again. The end of the first container does not count for the second attempt."""
    kept = tmp_path / "kept"
    kept.mkdir()
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": TWICE, "volumes": [f"{kept}:/kept"], "stop_timeout": 1, "auto_remove": True})
    api.wait_text(run, "up")
    if other:
        elsewhere()
    api.set_state(run, "SCHEDULED")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_nothing_left(engine, run, tmp_path)
    types = [state["type"] for state in api.states(run)]
    assert types.count("RUNNING") == 2 and "FAILED" not in types, types


def ids(engine, run):
    return [container["Id"] for container in engine.containers_of(run)]


# Its first attempt hangs, and sets Crashed on SIGTERM, as Prefect does. Its second attempt takes a while and completes.
HANGS = SAY + r"""
if [ $(wget -q -O - "$API_URL/flow_run_states/?flow_run_id=$id" | grep -o '"type":"RUNNING"' | wc -l) = 1 ]; then
  trap 'say "{\"type\": \"CRASHED\"}"; exit 143' TERM
  while :; do sleep 0.2; done
fi
sleep 15
say '{"type": "COMPLETED"}'
"""


@pytest.mark.parametrize("engine,other", [("podman", False), ("podman", True), ("docker", False)], indirect=["engine"])
def test_hung_run_that_prefect_reports_is_retried(api, engine, pool, start_worker, elsewhere, tmp_path, other):
    """Somebody sets the run to Crashed, and retries it long after. The hung container neither delays nor ends the
    retry."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, HANGS, stop_timeout=5))
    api.wait_state(run, "RUNNING")
    (hung,) = engine.containers_of(run)
    api.set_state(run, "CRASHED")
    if other:
        worker.send(signal.SIGSTOP)
        docker = elsewhere()
    api.set_state(run, "SCHEDULED", name="AwaitingRetry")
    if other:
        wait_for(lambda: docker.containers_of(run), 20, "the other worker has begun it")
        api.wait_state(run, "RUNNING")
        worker.send(signal.SIGCONT)
    wait_for(lambda: hung["Id"] not in ids(engine, run), 20, "the hung container is gone")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_nothing_left(engine, run, tmp_path)
    assert [state["type"] for state in api.states(run)].count("CRASHED") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "ended,action",
    [
        (True, reset()),
        pytest.param(False, reset(), marks=pytest.mark.long),
        pytest.param(True, status(503), marks=pytest.mark.long),
    ],
)
def test_run_that_is_begun_again_while_the_server_is_out_of_reach(
    api, engine, pool, proxy, start_worker, elsewhere, tmp_path, ended, action
):
    """The worker that cannot reach the server is alive, and so is its container. Both seemed to be lost."""
    first = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 40'", "stop_timeout": 1, "auto_remove": True})
    api.wait_text(run, "up")
    proxy.add(Rule("", action))
    proxy.wait_count("/flow_runs/filter", proxy.count("/flow_runs/filter") + 1)
    if ended:
        engine.kill(engine.containers_of(run)[0]["Id"])
        first.wait_line("as CRASHED", 30)
    retry_elsewhere(api, run, elsewhere)
    proxy.clear()
    check_nothing_left(engine, run, tmp_path)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("CRASHED") == 1


@pytest.mark.parametrize("ended", ["CRASHED", None])
def test_run_that_is_begun_again_at_once(api, engine, pool, start_worker, elsewhere, tmp_path, ended):
    """Another worker begins the run again between two reads of the first worker, which is alive. The first worker finds
    RUNNING in both reads."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 50'", "stop_timeout": 1, "auto_remove": True})
    api.wait_text(run, "up")
    docker = elsewhere()
    if ended:
        api.set_state(run, ended)
    api.set_state(run, "SCHEDULED", name="AwaitingRetry")
    wait_for(lambda: docker.containers_of(run), 20, "the other worker has begun it")
    check_nothing_left(engine, run, tmp_path)
    assert docker.containers_of(run)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("RUNNING") == 2


def test_run_that_is_begun_again_while_its_image_is_pulled(api, engine, pool, door, start_worker, elsewhere):
    """The pull fails in the end. That failure does not belong to the other attempt."""
    door.add(Rule(r"POST .*/images/create", slow(14), times=1))
    worker = start_worker(api, door.url, pool)
    image = "127.0.0.1:1/no-such-registry/busybox"
    run = api.go(pool, {"command": "sleep 20", "image": image, "image_pull_policy": "Always", "infrastructure_retries": 0})
    door.wait_count("/images/create", 1)
    deployment = api.flow_run(run)["deployment_id"]
    api.call("PATCH", f"/deployments/{deployment}", json={"job_variables": {"command": "sleep 20", "image": engines.BUSYBOX}})
    retry_elsewhere(api, run, elsewhere)
    worker.wait_line("Another worker has claimed flow run .* again", 40)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("CRASHED") == 1


def test_run_that_was_made_here_and_begun_again_elsewhere(api, engine, pool, start_worker, elsewhere, tmp_path):
    """The run's time is past when its first worker comes back. That worker does not start the run a
    second time."""
    worker = start_worker(api, engine, pool)
    due = time.time() + 6
    run = api.run(api.deploy(pool, variables={"command": "sleep 20"}), after=6)
    wait_for(lambda: engine.containers_of(run), 20, "its container is made")
    worker.end(signal.SIGKILL)
    retry_elsewhere(api, run, elsewhere)
    wait_for(lambda: time.time() > due, 30, "its time is past")
    start_worker(api, engine, pool)
    check_nothing_left(engine, run, tmp_path)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("RUNNING") == 1


# Suspends the flow like Prefect, after a while. If it runs again, it takes a while to complete.
SUSPENDS_LATE = SAY + r"""
if [ $(wget -q -O - "$API_URL/flow_run_states/?flow_run_id=$id" | grep -o '"type":"RUNNING"' | wc -l) = 1 ]; then
  sleep 4
  say '{"type": "PAUSED", "name": "Suspended", "state_details": {"pause_timeout": "2100-01-01T00:00:00Z", "pause_reschedule": true}}'
else
  sleep 20
  say '{"type": "COMPLETED"}'
fi
"""


def test_run_that_was_suspended_and_resumed_elsewhere(api, engine, pool, start_worker, elsewhere, tmp_path):
    """The end of the first container is not the run's end."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, SUSPENDS_LATE))
    api.wait_state(run, "RUNNING")
    worker.end(signal.SIGKILL)
    api.wait_state(run, "PAUSED")
    api.call("POST", f"/flow_runs/{run}/resume")
    elsewhere()
    api.wait_state(run, "RUNNING")
    start_worker(api, engine, pool)
    check_nothing_left(engine, run, tmp_path)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "CRASHED" not in [state["type"] for state in api.states(run)]


@pytest.mark.parametrize("removed", [False, True])
def test_container_that_died_before_its_retry_meanwhile(api, engine, pool, start_worker, tmp_path, removed):
    worker = start_worker(api, engine, pool)
    script = DIES_BEFORE_RETRY.replace("  exit 137", "  sleep 4\n  exit 137")
    run = api.run(api.deploy(pool, variables=as_engine(api, script)), after=2)
    api.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 1, "retry_delay": 600}})
    wait_for(lambda: api.state(run)["name"] == "AwaitingRetry", 60, "its retry is awaited")
    worker.end(signal.SIGKILL)
    (container,) = engine.containers_of(run)
    wait_for(lambda: engine.inspect(container["Id"])["State"]["Status"] == "exited", 30, "the container has ended")
    if removed:
        engine.remove(container["Id"])
    start_worker(api, engine, pool)
    check_nothing_left(engine, run, tmp_path)
    assert api.flow_run(run)["empirical_policy"]["retry_type"] == "reschedule"


def test_container_of_a_paused_run_vanished_meanwhile(api, engine, pool, start_worker, tmp_path):
    worker = start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, PAUSES))
    api.wait_state(run, "PAUSED")
    worker.end(signal.SIGKILL)
    engine.remove(engine.containers_of(run)[0]["Id"])
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED" and "infrastructure vanished" in state["message"], state
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.parametrize("refused", ["POST /api/flow_runs/[0-9a-f-]{36}/set_state", ".*"], ids=["report", "all"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_success_that_is_not_reported_yet(api, engine, pool, proxy, start_worker, tmp_path, number, refused):
    """The worker has seen a success that the server did not accept. Then the container is pruned, and the worker ends."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sleep 2"})
    api.wait_state(run, "RUNNING")
    proxy.add(Rule(refused, status(503, b"{}")))
    (entry,) = tmp_path.glob("state/*/runs/*.json")
    wait_for(lambda: "REPORTING" in entry.read_text(encoding="utf-8"), 20, "the end is written down")
    engine.remove(engine.containers_of(run)[0]["Id"])
    worker.end(number)
    proxy.clear()
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_state_that_was_forced_meanwhile(api, engine, pool, proxy, start_worker, number):
    """A user forces a run back to Pending while no worker is there. No other worker has claimed it, so its end stays."""
    worker = start_worker(proxy.api, engine, pool)
    runs = [api.go(pool, {"command": f"sh -c 'sleep 6; exit {status}'"}, name=f"exit-{status}") for status in (0, 3)]
    for run in runs:
        api.wait_state(run, "RUNNING")
    worker.end(number)
    for run in runs:
        api.set_state(run, "PENDING")
    start_worker(proxy.api, engine, pool)
    ends = ["COMPLETED", "FAILED"]
    for run, end in zip(runs, ends, strict=True):
        assert api.wait_end(run)["state"]["type"] == end
    polls = f"POST /api/work_pools/{pool}/get_scheduled_flow_runs"
    proxy.wait_count(polls, proxy.count(polls) + 6)
    assert [api.state(run)["type"] for run in runs] == ends


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_state_that_was_forced_before_the_start(api, engine, pool, start_worker, killed):
    """The runs are claimed and wait for their time. Prefect's client gives a forced state a transition id."""
    options = ("--prefetch-seconds", "60")
    worker = start_worker(api, engine, pool, *options)
    deployment = api.deploy(pool, variables={"command": "true"})
    forced = [("PENDING", True), ("PENDING", False), ("RUNNING", True)]
    runs = [api.run(deployment, after=25) for _ in forced]
    for run in runs:
        wait_for(lambda run=run: engine.containers_of(run), 20, "container")
    if killed:
        worker.end(signal.SIGKILL)
    for run, (type, has_id) in zip(runs, forced, strict=True):
        api.set_state(run, type, state_details={"transition_id": str(uuid.uuid4())} if has_id else {})
    if killed:
        start_worker(api, engine, pool, *options)
    for run in runs:
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"


def test_time_out_that_is_not_reported_yet(api, engine, pool, proxy, start_worker, tmp_path):
    """The exit status comes from the signals of the earlier worker, so the run has not crashed."""
    worker = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sleep 600", "timeout_seconds": 3, "stop_timeout": 1, "auto_remove": True})
    api.wait_state(run, "RUNNING")
    proxy.add(Rule(r"POST /api/flow_runs/[0-9a-f-]{36}/set_state", status(503)))
    worker.wait_line("timed out", 40)
    worker.end(signal.SIGKILL)
    proxy.clear()
    start_worker(proxy.api, engine, pool)
    state = api.wait_end(run)["state"]
    assert (state["type"], state["name"]) == ("FAILED", "TimedOut"), state
    check_nothing_left(engine, run, tmp_path)


def test_time_out_whose_container_is_being_stopped(api, engine, pool, start_worker, tmp_path):
    """After its worker was killed, the container ends with status 0 on SIGTERM. The run has timed out all the same."""
    command = "sh -c 'trap \"echo told to go; sleep 2; exit 0\" TERM; sleep 600 & wait'"
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": command, "timeout_seconds": 3, "auto_remove": True})
    worker.wait_line("(?m)^told to go", 40)
    (container,) = engine.containers_of(run)
    worker.end(signal.SIGKILL)
    wait_for(lambda: engine.inspect(container["Id"])["State"]["Status"] == "exited", 30, "the container has ended")
    start_worker(api, engine, pool)
    state = api.wait_end(run)["state"]
    assert (state["type"], state["name"]) == ("FAILED", "TimedOut"), state
    check_nothing_left(engine, run, tmp_path)


def test_worker_that_does_not_come_back_is_stood_in_for(api, engine, pool, start_worker, tmp_path):
    """Another worker of the pool on this host takes its runs over. It leaves the runs of a living worker alone."""
    first = start_worker(api, engine, pool)
    lost = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(lost, "line 2")
    second = start_worker(api, engine, pool, "--limit", "1")
    first.send(signal.SIGSTOP)
    kept = api.go(pool, {"command": "sh -c 'echo mine; sleep 40'", "auto_remove": True})
    api.wait_text(kept, "mine")
    first.send(signal.SIGCONT)
    first.end(signal.SIGKILL)
    assert api.wait_end(lost, timeout=60)["state"]["type"] == "COMPLETED"
    check_log(api, lost)
    assert "Recovery of flow run" not in second.output().split(kept)[0] or kept not in second.output()
    assert api.wait_end(kept, timeout=60)["state"]["type"] == "COMPLETED"
    check_nothing_left(engine, lost, tmp_path)


@pytest.mark.slow
def test_worker_that_comes_back_late_leaves_its_runs_to_its_stand_in(api, engine, pool, start_worker, tmp_path):
    """Each container is followed and reported by one worker only. A second report would end the retry."""
    kept = tmp_path / "kept"
    kept.mkdir()
    lines = "for i in $(seq 20); do echo line $i; sleep 2; done"
    command = f"sh -c 'test -e /kept/seen && {{ echo second; exit 0; }}; touch /kept/seen; {lines}; exit 1'"
    first = start_worker(api, engine, pool)
    variables = {"command": command, "volumes": [f"{kept}:/kept"], "auto_remove": True}
    run = api.run(api.deploy(pool, variables=variables), after=2)
    api.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 1, "retry_delay": 0}})
    api.wait_text(run, "line 1")
    second = start_worker(api, engine, pool)
    first.end(signal.SIGKILL)
    second.wait_line("its container is followed", 40)
    back = start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert numbers(api, run, "line") == list(range(1, 21))
    assert api.wait_text(run, "second").splitlines().count("second") == 1
    assert "Recovery of flow run" not in back.output()
    check_nothing_left(engine, run, tmp_path)


@pytest.mark.slow
def test_worker_that_does_not_come_back_nor_do_its_entries(api, engine, pool, start_worker, tmp_path):
    first = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 30; exit 3'", "auto_remove": True})
    api.wait_text(run, "up")
    start_worker(api, engine, pool)
    first.end(signal.SIGKILL)
    lose_entries(tmp_path)
    assert api.wait_end(run)["state"]["type"] == "FAILED"
    check_nothing_left(engine, run, tmp_path)


def test_entries_are_lost_and_the_servers_clock_is_ahead(api, engine, pool, proxy, start_worker, tmp_path):
    """The container's label names its claim. It seems to have ended before the run's last state, but only because
    the clocks differ."""
    first = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo up; sleep 3; exit 3'", "auto_remove": True})
    api.wait_text(run, "up")
    first.end(signal.SIGKILL)
    lose_entries(tmp_path)
    (container,) = engine.containers_of(run)
    wait_for(lambda: not engine.inspect(container["Id"])["State"]["Running"], 20, "the container's end")
    ahead = altered(rb'"timestamp":"20', b'"timestamp":"21')
    proxy.add(Rule(r"POST /api/flow_runs/filter|GET /api/flow_run", ahead))
    start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "FAILED"
    check_nothing_left(engine, run, tmp_path)


def test_status_tells_of_runs_without_a_server(api, engine, pool, start_worker, tmp_path):
    run = go_and_kill(api, engine, pool, start_worker, "sh -c 'echo up; sleep 600'", "up")
    done = call("worker", "status", "--json", env=environment(tmp_path))
    workers = json.loads(done.stdout)
    text = json.dumps(workers)
    assert done.returncode == 0 and run in text and pool in text, done
    human = call("worker", "status", env=environment(tmp_path)).stdout
    assert run in human and "RUNNING" in human.split(run)[1].splitlines()[0], human
    engine.remove(engine.containers_of(run)[0]["Id"])


def health_reason(worker):
    """Returns the reason if /health answers 503, else ""."""
    answer = httpx.get(f"http://127.0.0.1:{worker.port}/health", timeout=5)
    return answer.json()["message"] if answer.status_code == 503 else ""


def test_full_disk_stops_the_taking_of_runs(api, engine, pool, start_worker, tmp_path):
    """A run that cannot be written down is not taken. Runs in flight go on, and /health says why."""
    with small_disk(tmp_path / "state") as state:
        worker = start_worker(api, engine, pool)
        before = api.go(pool, {"command": "sh -c 'echo up; sleep 8; echo still'", "auto_remove": True})
        api.wait_text(before, "up")
        filler = state / "filler"
        fill(filler)
        after = api.go(pool, {"command": "true"})
        wait_for(lambda: "No space left" in health_reason(worker), 20, "health says that there is no space")
        assert api.wait_end(before)["state"]["type"] == "COMPLETED"
        assert api.state(after)["type"] == "SCHEDULED"
        filler.unlink()
        assert api.wait_end(after)["state"]["type"] == "COMPLETED"
        wait_for(worker.healthy, 10, "health is well again")
        worker.end()


def test_state_directory_is_read_only_at_the_start(api, engine, pool, start_worker, tmp_path):
    """Runs of an earlier worker go on, no new runs are taken, and /health says why. Later the directory can be
    written."""
    with small_disk(tmp_path / "state") as state:
        run = go_and_kill(api, engine, pool, start_worker, COUNT, "line 10")
        subprocess.run(["mount", "-o", "remount,ro", state], check=True)
        worker = start_worker(api, engine, pool, wait=False)
        worker.wait_ready(lambda: "Read-only file system" in health_reason(worker), 20)
        other = start_worker(api, engine, pool, wait=False)
        assert other.wait(20) == 2 and "Read-only file system" in other.output()
        after = api.go(pool, {"command": "true"})
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        check_log(api, run)
        wait_for(lambda: not engine.containers_of(run), 20, "no container left")
        assert api.state(after)["type"] == "SCHEDULED"
        subprocess.run(["mount", "-o", "remount,rw", state], check=True)
        assert api.wait_end(after)["state"]["type"] == "COMPLETED"
        wait_for(worker.healthy, 10, "health is well again")
        worker.end()


def test_disk_that_hangs(api, engine, pool, start_worker, clocks):
    """/health says so, and the output of runs is delivered. Steps that wait to be written down are done once the
    disk answers."""
    worker = start_worker(api, engine, pool, settings=clocks.settings)
    running = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(running, "line 2")
    clocks.step(disk_hangs=True)
    api.wait_text(running, f"error {LINES}")
    run = api.go(pool, {"command": "true", "auto_remove": True})
    worker.wait_line(f"submitting flow run '{run}'")
    assert worker.healthy()
    clocks.step(disk_hangs=True, monotonic=60)
    wait_for(lambda: "the disk has not answered for 30 s" in health_reason(worker), 10, "health says that the disk hangs")
    assert api.state(run)["type"] == "SCHEDULED"
    clocks.step(monotonic=60)
    for ended in api.wait_end(run, running):
        assert ended["state"]["type"] == "COMPLETED"
    check_log(api, running)
    wait_for(worker.healthy, 10, "health is well again")


def test_disk_that_hangs_while_it_is_looked_for_runs_left_behind(api, engine, pool, start_worker, clocks):
    """The worker looks every 10 s, also if it has nothing to write. Health and polls go on, and the worker can be
    stopped."""
    worker = start_worker(api, engine, pool, settings=clocks.settings)
    worker.wait_line("started!")
    clocks.step(disk_hangs=True, monotonic=15)
    run = api.go(pool, {"command": "true", "auto_remove": True})
    worker.wait_line(f"submitting flow run '{run}'")
    assert worker.healthy()
    clocks.step(disk_hangs=True, monotonic=75)
    wait_for(lambda: "the disk has not answered for 30 s" in health_reason(worker), 10, "health says that the disk hangs")
    assert worker.end() == 0
    assert "the disk does not answer" in worker.output()


def test_wall_clock_is_set_forward_meanwhile(api, engine, pool, start_worker, clocks):
    """The wall clock jumps by an hour. That hour does not count for timeout_seconds."""
    worker = start_worker(api, engine, pool, settings=clocks.settings)
    run = api.go(pool, {"command": "sh -c 'sleep 10'", "timeout_seconds": 120, "auto_remove": True})
    api.wait_state(run, "RUNNING")
    worker.end(signal.SIGKILL)
    clocks.step(wall=3600)
    start_worker(api, engine, pool, settings=clocks.settings)
    state = api.wait_end(run)["state"]
    assert state["type"] == "COMPLETED", state


def test_retry_that_never_ran_is_taken_up(api, engine, pool, start_worker):
    """Only an earlier attempt of the run was Running; this one never was. So the log gets the last lines of its output,
    which tell why it failed."""
    run = api.go(pool, {"command": "sh -c 'echo the cause; sleep 8; exit 1'", "state_reporting": "engine"})
    for type in ("RUNNING", "SCHEDULED"):
        api.call("POST", f"/flow_runs/{run}/set_state", json={"state": {"type": type}, "force": True})
    assert api.call("GET", f"/flow_runs/{run}")["run_count"] == 1
    worker = start_worker(api, engine, pool)
    wait_for(lambda: any(c["State"] == "running" for c in engine.containers_of(run)), 60, "container that runs")
    worker.end(signal.SIGKILL)
    worker = start_worker(api, engine, pool)
    worker.wait_line("goes on with flow run")
    api.call("POST", f"/flow_runs/{run}/set_state", json={"state": {"type": "FAILED"}})  # as Prefect inside would
    assert "the cause" in api.wait_text(run, "The last lines of its output")


def test_wall_clock_is_set_back_meanwhile(api, engine, pool, proxy, start_worker, clocks):
    """By the new clock, the next worker's time stamps would be earlier than the last ones on the server. Some
    records are on the server although their sender got no answer."""
    clocks.step(wall=3600)
    worker = start_worker(proxy.api, engine, pool, settings=clocks.settings)
    run = api.go(pool, {"command": COUNT, "auto_remove": True})
    api.wait_text(run, "line 5")
    proxy.add(Rule(r"POST /api/logs/filter", status(503)), Rule(r"POST /api/logs/ ?$", reset_after_passing()))
    proxy.wait_count(r"POST /api/logs/filter", 1)
    worker.end(signal.SIGKILL)
    proxy.clear()
    clocks.step()
    worker = start_worker(proxy.api, engine, pool, settings=clocks.settings)
    api.wait_text(run, "line 30")
    worker.end(signal.SIGKILL)
    start_worker(proxy.api, engine, pool, settings=clocks.settings)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    check_log(api, run)
