"""Which runs the worker takes, when, and how many at once."""

import signal
import time

import pytest

from conftest import new_pool_name
from fault_proxy import Rule, altered, kept, reset, slow, status
from parts import wait_for
from prefect_api import Api, running_spans, when
from servers import prefect_server

POLL = r"POST /api/work_pools/[^/]+/get_scheduled_flow_runs"


def test_limit(api, engine, pool, start_worker):
    """--limit 1: never two at a time, and none forgotten."""
    start_worker(api, engine, pool, "--limit", "1")
    deployment = api.deploy(pool, variables={"command": "sleep 0.5", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(4)]
    assert {run["state"]["type"] for run in api.wait_end(*runs)} == {"COMPLETED"}
    spans = running_spans(api, runs)
    for (_, end), (begin, _) in zip(spans, spans[1:]):
        assert end <= begin, spans


def test_without_limit_runs_go_side_by_side(api, engine, pool, start_worker):
    deployment = api.deploy(pool, variables={"command": "sleep 6", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(4)]
    start_worker(api, engine, pool)
    assert {run["state"]["type"] for run in api.wait_end(*runs)} == {"COMPLETED"}
    spans = running_spans(api, runs)
    assert max(begin for begin, _ in spans) < min(end for _, end in spans), spans


@pytest.mark.parametrize("waits_for", ["logs", "logs, by its policy", "removal"])
def test_limit_and_a_retry_that_waits(api, engine, pool, proxy, door, start_worker, waits_for):
    """The run awaits a retry while the lines of its first attempt, or the removal of its container, are refused. It
    needs no slot, and takes no place in the poll's answer."""
    if waits_for == "removal":
        door.add(Rule(r"DELETE .*/containers/", slow(8)))
    else:
        proxy.add(Rule(r"POST /api/logs/ ?$", status(403)))
    start_worker(proxy.api, door.url, pool, "--limit", "1")
    policy = {"empirical_policy": {"retries": 1, "retry_delay": 0}} if "policy" in waits_for else {}
    variables = {"command": "sh -c 'echo first; exit 3'", "auto_remove": True}
    retried = api.run(api.deploy(pool, variables=variables), **policy)
    ended = "SCHEDULED" if policy else "FAILED"
    wait_for(lambda: "RUNNING" in str(api.states(retried)) and api.state(retried)["type"] == ended, 30, "the first end")
    if not policy:
        api.set_state(retried, "SCHEDULED", name="AwaitingRetry", state_details={"scheduled_time": "2020-01-01T00:00:00Z"})
    other = api.go(pool, {"command": "true"}, name="other")
    assert api.wait_end(other)["state"]["type"] == "COMPLETED"
    if waits_for != "removal":
        assert api.state(retried)["type"] == "SCHEDULED"
    proxy.clear()
    door.clear()
    types = lambda: [state["type"] for state in api.states(retried)]  # noqa: E731
    wait_for(lambda: types().count("FAILED") == (1 if policy else 2), 90, "the retry ends")
    assert types().count("RUNNING") == 2


def test_limit_and_a_run_that_is_being_stopped(api, engine, pool, start_worker):
    """A run was retried by hand, and its container ignores SIGTERM. Meanwhile it takes no place in the poll's answer."""
    worker = start_worker(api, engine, pool, "--limit", "2")
    variables = {"command": "sh -c 'trap \"\" TERM; echo up; sleep 600 & wait'", "stop_timeout": 40, "auto_remove": True}
    retried = api.go(pool, variables)
    api.wait_text(retried, "up")
    api.set_state(retried, "SCHEDULED", name="AwaitingRetry", state_details={"scheduled_time": "2020-01-01T00:00:00Z"})
    worker.wait_line("scheduled again", 20)
    other = api.go(pool, {"command": "true"}, name="other")
    assert api.wait_end(other, timeout=20)["state"]["type"] == "COMPLETED"
    assert api.state(retried)["type"] == "SCHEDULED"
    (container,) = engine.containers_of(retried)
    engine.call("POST", f"/containers/{container['Id']}/kill")
    api.wait_text(retried, "up")


SET_STATE = "POST /api/flow_runs/{}/set_state"
REFUSALS = {
    "500": status(500),
    "503": status(503, b'{"detail": "not now"}'),
    "422": status(422, b'{"detail": "no such state"}'),
    "403": status(403, b'{"detail": "not yours"}'),
    "403 of a gateway": status(403, b"<html>Forbidden</html>", [("server", "a gateway")]),
    "aborts": status(200, b'{"status": "ABORT", "state": null, "details": {"reason": "not now"}}'),
    "unanswered": reset(),
}
LONG = ("503", "403 of a gateway", "aborts", "unanswered")


@pytest.mark.parametrize("refusal", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in REFUSALS])
def test_limit_and_a_claim_that_is_refused(api, engine, pool, proxy, start_worker, refusal):
    """The server refuses to set one run to Pending, and answers all other calls. Another run gets the only slot. The
    refused run is claimed again and again, but seldom, and with few log lines."""
    deployment = api.deploy(pool, variables={"command": "true", "auto_remove": True})
    refused = api.run(deployment)
    proxy.add(Rule(SET_STATE.format(refused), REFUSALS[refusal]))
    worker = start_worker(proxy.api, engine, pool, "--limit", "1")
    proxy.wait_count(SET_STATE.format(refused), 1)
    other = api.run(deployment)
    assert api.wait_end(other, timeout=120)["state"]["type"] == "COMPLETED"
    time.sleep(5)
    assert proxy.count(SET_STATE.format(refused)) <= 9
    assert api.state(refused)["type"] == "SCHEDULED"
    proxy.clear()
    assert api.wait_end(refused, timeout=90)["state"]["type"] == "COMPLETED"
    said = "Aborted submission" if refusal == "aborts" else "Failed to update state"
    assert api.wait_text(refused, said).count(said) == 1
    assert worker.output().count(f"submitting flow run '{refused}'") == 2


def test_cancelled_run_whose_claim_is_refused(api, engine, pool, proxy, start_worker):
    """The slot is free again within seconds, and the log says why the run is left alone."""
    deployment = api.deploy(pool, variables={"command": "true", "auto_remove": True})
    refused = api.run(deployment)
    proxy.add(Rule(SET_STATE.format(refused), status(503, b'{"detail": "not now"}')))
    worker = start_worker(proxy.api, engine, pool, "--limit", "1")
    proxy.wait_count(SET_STATE.format(refused), 3)
    api.set_state(refused, "CANCELLED")
    worker.wait_line(f"This worker does not take flow run {refused}: it is Cancelled", 10)
    assert api.wait_end(api.run(deployment))["state"]["type"] == "COMPLETED"


def test_claim_and_a_server_that_goes_away(api, engine, pool, proxy, start_worker):
    """Failures before an outage do not count for the run after it: its claim is not put off."""
    run = api.go(pool, {"command": "true"})
    proxy.add(Rule(SET_STATE.format(run), status(500), times=4))
    start_worker(proxy.api, engine, pool, "--limit", "1")
    proxy.wait_count(SET_STATE.format(run), 3)
    with proxy.refusing():
        time.sleep(9)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "Failed to update state" not in api.text(run)
    assert proxy.count(SET_STATE.format(run)) >= 5


@pytest.mark.long  # in CI, test_state_reader.c tests such a limit
def test_server_with_a_small_limit(engine, start_worker):
    """An answer of the server names fewer runs than the worker has slots, and fewer than it has in flight. All runs
    are done, and only the deleted one is stopped."""
    with prefect_server(PREFECT_SERVER_API_DEFAULT_LIMIT="2") as server:
        api = Api(server)
        pool = new_pool_name()
        api.create_pool(pool)
        worker = start_worker(api, engine, pool, "--limit", "5")
        deployment = api.deploy(pool, variables={"command": "sleep 20", "stop_timeout": 1})
        runs = [api.run(deployment) for _ in range(5)]
        for run in runs:
            api.wait_state(run, "RUNNING")
        deleted = runs.pop()
        api.call("DELETE", f"/flow_runs/{deleted}")
        worker.wait_line(f"{deleted}.*(deleted|not on the server)")
        for run in runs:
            wait_for(lambda: api.state(run)["type"] not in ("PENDING", "RUNNING"), 60, "end")
            assert api.state(run)["type"] == "COMPLETED", api.state(run)
        assert worker.output().count("the worker now polls without a limit") == 1
        assert worker.end() == 0


def test_pool_concurrency(api, engine, start_worker):
    pool = new_pool_name()
    api.create_pool(pool, concurrency_limit=1)
    deployment = api.deploy(pool, variables={"command": "sleep 0.5", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(3)]
    start_worker(api, engine, pool)
    assert {run["state"]["type"] for run in api.wait_end(*runs)} == {"COMPLETED"}
    spans = running_spans(api, runs)
    for (_, end), (begin, _) in zip(spans, spans[1:]):
        assert end <= begin, spans


def test_queues(api, engine, pool, start_worker):
    """Only the two queues that --work-queue names are served."""
    for queue in ("red", "green", "blue"):
        api.create_queue(pool, queue)
    start_worker(api, engine, pool, "-q", "red", "--work-queue", "green")
    runs = {
        queue: api.go(pool, {"command": "true"}, name=queue, work_queue_name=queue)
        for queue in ("blue", "red", "green")
    }
    for run in api.wait_end(runs["red"], runs["green"]):
        assert run["state"]["type"] == "COMPLETED"
    assert api.state(runs["blue"])["type"] == "SCHEDULED"


def test_pool_is_paused_while_the_worker_runs(api, engine, pool, start_worker):
    """Each pause and each resumption is logged once. Heartbeats without a change log nothing."""
    worker = start_worker(api, engine, pool, settings={"PREFECT_WORKER_HEARTBEAT_SECONDS": 0.5})
    for n in (1, 2):
        api.update_pool(pool, is_paused=True)
        worker.wait_line(rf"(?s)(Work pool '{pool}' is paused: no runs come.*){{{n}}}")
        time.sleep(2)
        api.update_pool(pool, is_paused=False)
        worker.wait_line(rf"(?s)(Work pool '{pool}' is resumed.*){{{n}}}")
        time.sleep(2)
        for word in ("paused", "resumed"):
            assert worker.output().count(f"Work pool '{pool}' is {word}") == n


def test_paused_pool(api, engine, pool, proxy, start_worker):
    api.update_pool(pool, is_paused=True)
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "true"})
    proxy.wait_count(POLL, proxy.count(POLL) + 3)
    assert api.state(run)["type"] == "SCHEDULED"
    api.update_pool(pool, is_paused=False)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


@pytest.mark.parametrize("what", ["queue", "pool"])
def test_deployment_whose_queue_was_deleted(api, engine, pool, start_worker, what):
    """A new run of it is in no queue. Messages of the worker say to deploy it again."""
    worker = start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "true"}, work_queue_name="queue")
    if what == "queue":
        api.call("DELETE", f"/work_pools/{pool}/queues/queue")
    else:
        api.call("DELETE", f"/work_pools/{pool}")
        worker.wait_line("deploy them again", 60)
    lost = api.run(deployment)
    assert api.flow_run(lost)["work_queue_id"] is None
    assert api.deploy(pool, variables={"command": "true"}, work_queue_name="queue") == deployment
    assert api.wait_end(api.run(deployment))["state"]["type"] == "COMPLETED"
    assert api.state(lost)["type"] == "SCHEDULED"


def test_prefetched_run_starts_at_its_time(api, engine, pool, start_worker):
    start_worker(api, engine, pool, "--prefetch-seconds", "60")
    deployment = api.deploy(pool, variables={"command": "true"})
    run = api.wait_end(api.run(deployment, after=6))
    assert run["state"]["type"] == "COMPLETED"
    (begin, _), *_ = running_spans(api, [run["id"]])
    late = (begin - when(run["next_scheduled_start_time"] or run["expected_start_time"])).total_seconds()
    assert 0 <= late < 5


def test_run_once(api, engine, pool, start_worker):
    deployment = api.deploy(pool, variables={"command": "true"})
    runs = [api.run(deployment) for _ in range(3)]
    later = api.run(deployment, after=3600)
    worker = start_worker(api, engine, pool, "--run-once", health=False)
    assert worker.wait(60) == 0
    for run in api.flow_runs(runs).values():
        assert run["state"]["type"] == "COMPLETED"
    assert api.state(later)["type"] == "SCHEDULED"


@pytest.mark.parametrize("api", ["3pg"], indirect=True)
def test_two_workers_share_a_pool(api, engine, pool, start_worker):
    """20 runs, two workers: each run is done once, by one of them."""
    deployment = api.deploy(pool, variables={"command": "sh -c 'echo done by $PREFECT__WORKER_NAME'", "auto_remove": True})
    runs = [api.run(deployment) for _ in range(20)]
    workers = [start_worker(api, engine, pool, "--name", name, "--limit", "5", wait=False) for name in ("left", "right")]
    for worker in workers:
        worker.wait_healthy()
    for run in api.wait_end(*runs, timeout=180):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    by = {"left": 0, "right": 0}
    for run in runs:
        states = [state["type"] for state in api.states(run)]
        assert states.count("RUNNING") == 1, states
        lines = [line for line in api.wait_text(run, "done by").splitlines() if line.startswith("done by")]
        assert len(lines) == 1
        by[lines[0].split()[-1]] += 1
    assert all(by.values()), by
    wait_for(lambda: not engine.containers(**{"io.prefect.work-pool-name": pool}), 30, "all containers removed")


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_claim_that_arrives_after_another_workers_whole_run(api, engine, pool, proxy, start_worker, killed):
    """The server accepts PENDING after COMPLETED. The run is not run a second time, and its state is COMPLETED
    again."""
    late = start_worker(proxy.api, engine, pool)
    proxy.add(Rule(r"POST /api/flow_runs/[^/]+/set_state", slow(14), times=1))
    run = api.go(pool, {"command": "echo only once", "auto_remove": True})
    proxy.wait_count("set_state", 1)
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    if killed:
        late.end(signal.SIGKILL)
    states = wait_for(lambda: [state["type"] for state in api.states(run)][4:], 40, "the late claim")
    assert states[0] == "PENDING"
    if killed:
        start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "somebody else has ended it" in api.wait_text(run, "Aborted submission")
    states = [state["type"] for state in api.states(run)]
    assert states.count("RUNNING") == 1, states
    assert api.text(run).splitlines().count("only once") == 1
    wait_for(lambda: not engine.containers_of(run), 20, "no container left")


def test_names_in_use(api, engine, pool, start_worker):
    """Three runs that want one container name get it with numbers behind it."""
    start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"name": "The Same: Name", "command": "true"})
    runs = [api.run(deployment) for _ in range(3)]
    for run in api.wait_end(*runs):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    names = sorted(engine.containers_of(run)[0]["Names"][0].lstrip("/") for run in runs)
    assert names == ["The-Same-Name", "The-Same-Name-1", "The-Same-Name-2"]


def test_heartbeat_shows_the_worker_online(api, engine, pool, start_worker):
    start_worker(api, engine, pool, "--name", "here I am")

    def online():
        found = api.call("POST", f"/work_pools/{pool}/workers/filter", json={})
        return [(worker["name"], worker["status"]) for worker in found] == [("here I am", "ONLINE")]

    wait_for(online, 10, "the worker shown online")


def test_cancelled_before_its_time_is_never_started(api, engine, pool, start_worker):
    start_worker(api, engine, pool, "--prefetch-seconds", "1")
    deployment = api.deploy(pool, variables={"command": "true"})
    cancelled = api.run(deployment, after=3)
    api.set_state(cancelled, "CANCELLED")
    after = api.run(deployment, after=4)
    assert api.wait_end(after)["state"]["type"] == "COMPLETED"
    assert api.state(cancelled)["type"] == "CANCELLED"
    assert not engine.containers_of(cancelled)


def test_runs_of_many_deployments_in_a_burst(api, engine, pool, start_worker):
    """A SQLite server answers 503 under a burst; no run is lost to that."""
    deployments = [api.deploy(pool, f"d{n}", variables={"command": "true", "auto_remove": True}) for n in range(3)]
    runs = [api.run(deployment) for deployment in deployments for _ in range(10)]
    began = time.monotonic()
    start_worker(api, engine, pool)
    for run in api.wait_end(*runs, timeout=240):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    print(f"{len(runs)} runs in {time.monotonic() - began:.1f} s")


def test_poll_with_a_date_beyond_what_was_asked_for(api, engine, pool, proxy, start_worker):
    """A proxy has altered the dates in the poll's answer. The run is not claimed, because it would stay
    Pending until 2099. The worker does not ask again at once. The run is claimed when the answers are right again."""
    in_2099 = altered(rb'(scheduled_(?:start_)?time":")20\d\d', rb"\g<1>2099")
    proxy.add(Rule(POLL, in_2099))
    run = api.go(pool, {"command": "true"})
    worker = start_worker(proxy.api, engine, pool, "--limit", "1", settings={"PREFECT_WORKER_QUERY_SECONDS": "4"})
    worker.wait_line("The worker skips 1 of 1 flow runs .*: no usable id, or due later than the worker asked for")
    before = proxy.count(POLL)
    time.sleep(6)
    assert proxy.count(POLL) <= before + 3
    assert [state["type"] for state in api.states(run)] == ["SCHEDULED"]
    proxy.clear()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


def test_poll_whose_answer_is_repeated(api, engine, pool, proxy, start_worker):
    """A proxy gives the answer to an earlier poll again. The run has ended meanwhile, and is not executed a second
    time: the server would accept Pending after Completed. It is executed again after it was scheduled again."""
    answer = bytearray()
    run = api.go(pool, {"command": "true", "auto_remove": True})
    proxy.add(Rule(POLL, kept(answer), times=1))
    worker = start_worker(proxy.api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert run.encode() in answer, answer
    wait_for(lambda: not engine.containers_of(run), 20, "the container's removal")
    before = len(api.states(run))
    with proxy.with_rules(Rule(POLL, status(200, bytes(answer)))):
        worker.wait_line("The worker skips 1 of 1 flow runs .*: already claimed by this worker, but ")
        proxy.wait_count(POLL, proxy.count(POLL) + 3)
    assert len(api.states(run)) == before, api.states(run)
    api.set_state(run, "SCHEDULED")
    wait_for(lambda: [state["type"] for state in api.states(run)].count("COMPLETED") == 2, 60, "the second end")
