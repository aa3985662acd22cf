"""Who reports a run's state, and what happens if the container or Prefect does not do its part."""

import datetime
import shlex
import signal
import uuid

import pytest

from engines import PREFECT3
from fault_proxy import Rule, status
from parts import wait_for
from prefect_api import running_spans


def test_engine_mode_exit_0_of_a_run_nobody_reported(api, engine, pool, start_worker):
    """The Python worker leaves such a run PENDING "Submitting" for ever."""
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"command": "true", "state_reporting": "engine"}))
    assert run["state"]["type"] == "COMPLETED"
    assert run["state"]["message"]


def test_engine_mode_exit_status_before_prefect_reported(api, engine, pool, start_worker):
    """The message has the Python worker's words. The run's log has the container's last 50 lines, whatever
    forward_output says, so the traceback is in the UI."""
    start_worker(api, engine, pool)
    command = "sh -c 'for i in $(seq 1 80); do echo line $i of 80; done; exit 4'"
    variables = {"command": command, "state_reporting": "engine", "forward_output": "never"}
    run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "CRASHED"
    assert "non-zero status code 4" in run["state"]["message"]
    log = api.wait_text(run["id"], "line 80 of 80")
    assert "line 31 of 80" in log and "line 30 of 80" not in log


@pytest.mark.xdist_group("image")
@pytest.mark.parametrize("exit_status", [0, 5])
def test_process_vanishes_while_its_run_is_running(testbed, api, engine, pool, start_worker, exit_status):
    engine.need(PREFECT3)
    start_worker(api, engine, pool)
    variables = {"image": PREFECT3, "volumes": [f"{testbed.flows}:/flows"], "auto_remove": True}
    deployment = api.deploy(pool, "vanish", "vanish", variables, path="/flows", entrypoint="hello.py:vanish")
    run = api.wait_end(api.run(deployment, parameters={"status": exit_status}), timeout=150)
    assert run["state"]["type"] == "CRASHED", run["state"]
    assert run["state"]["message"]


@pytest.mark.parametrize("engine", ["podman", "podman5", "rootless", "docker"], indirect=True)
def test_killed_from_outside(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 600"})
    api.wait_state(run, "RUNNING")
    (container,) = wait_for(lambda: engine.containers_of(run), 10, "container")
    wait_for(lambda: engine.inspect(container["Id"])["State"]["Running"], 10, "container running")
    engine.kill(container["Id"])
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED"
    assert "SIGKILL" in state["message"] or "137" in state["message"]


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_out_of_memory(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    command = "dd if=/dev/zero of=/dev/null bs=256M count=2"
    run = api.wait_end(api.go(pool, {"command": command, "mem_limit": "32m", "memswap_limit": "32m"}))
    assert run["state"]["type"] == "CRASHED", run["state"]
    (container,) = engine.containers_of(run["id"])
    if engine.inspect(container["Id"])["State"]["OOMKilled"]:
        assert "memory" in run["state"]["message"].lower()


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_out_of_memory_that_the_program_handles(api, engine, pool, start_worker):
    """The kernel kills a child of the program. The program's own exit status decides the run's end, and the log
    names the memory."""
    start_worker(api, engine, pool)
    limits = {"mem_limit": "32m", "memswap_limit": "32m"}
    child = "dd if=/dev/zero of=/dev/null bs=256M count=2"
    good, bad = (api.go(pool, {**limits, "command": f"sh -c '{child}; exit {code}'"}, f"exits-{code}") for code in (0, 3))
    good, bad = api.wait_end(good, bad)
    assert (good["state"]["type"], bad["state"]["type"]) == ("COMPLETED", "FAILED"), (good["state"], bad["state"])
    for run in (good, bad):
        (container,) = engine.containers_of(run["id"])
        if engine.inspect(container["Id"])["State"]["OOMKilled"]:
            assert "killed for lack of memory" in api.wait_text(run["id"], "lack of memory")


def test_retries_of_the_flow(api, engine, pool, start_worker, tmp_path):
    """The server answers FAILED with AwaitingRetry. A poll picks the run up again, and it may succeed then."""
    run = api.retried(pool, tmp_path)
    start_worker(api, engine, pool, "--prefetch-seconds", "0")
    done = wait_for(lambda: api.state(run)["type"] == "COMPLETED", 60, lambda: f"COMPLETED: {api.states(run)}")
    assert done
    names = [state["name"] for state in api.states(run)]
    assert "AwaitingRetry" in names or "Retrying" in names, names


@pytest.mark.parametrize("api", ["3", "3pg"], indirect=True)
def test_concurrency_limit_of_a_deployment_queues(api, engine, pool, start_worker):
    """The server answers REJECT with AwaitingConcurrencySlot. The run is dropped, picked up again by a poll, and
    runs."""
    variables = {"command": "sleep 1", "auto_remove": True}
    deployment = api.deploy(pool, variables=variables, concurrency_limit=1)
    runs = [api.run(deployment) for _ in range(3)]
    start_worker(api, engine, pool)
    for run in api.wait_end(*runs, timeout=120):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    names = {state["name"] for run in runs for state in api.states(run)}
    assert "AwaitingConcurrencySlot" in names


@pytest.mark.slow
@pytest.mark.parametrize("code", [503, 401])
def test_concurrency_slot_is_kept_and_given_back(api, engine, pool, proxy, start_worker, code):
    """The worker renews the server's lease of 30 s while the run holds the slot, also after a renewal that got no
    answer or was refused for a while. The second run waits until the first one has ended, and no longer."""
    renewal = r"POST /api/v2/concurrency_limits/leases/[0-9a-f-]{36}/renew"
    proxy.add(Rule(renewal, status(code), times=1))
    deployment = api.deploy(pool, variables={"command": "sleep 35", "auto_remove": True}, concurrency_limit=1)
    start_worker(proxy.api, engine, pool)
    first = api.run(deployment)
    api.wait_state(first, "RUNNING")
    second = api.run(deployment, variables={"command": "true"})
    for run in api.wait_end(first, second):
        assert run["state"]["type"] == "COMPLETED", run["state"]
    assert proxy.count(renewal) == 2
    (_, end), (begin, _) = running_spans(api, [first, second])
    assert end <= begin <= end + datetime.timedelta(seconds=10)
    limit = api.call("GET", f"/v2/concurrency_limits/deployment:{deployment}")
    assert limit["active_slots"] == 0


@pytest.mark.parametrize("strategy", ["CANCEL_NEW", "ENQUEUE"])
def test_concurrency_slot_of_a_retried_run(api, engine, pool, start_worker, tmp_path, strategy):
    """The server keeps the slot of a failed run for a retry in the same process. The worker gives it back, so the first
    attempt does not hold up the second one."""
    run = api.retried(pool, tmp_path, concurrency_limit=1, concurrency_options={"collision_strategy": strategy})
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    names = [state["name"] for state in api.states(run)]
    assert "AwaitingRetry" in names and "AwaitingConcurrencySlot" not in names, names


def test_concurrency_limit_of_a_deployment_cancels(api, engine, pool, start_worker):
    """The server turns PENDING into CANCELLED: no container is started for the run."""
    options = {"collision_strategy": "CANCEL_NEW"}
    variables = {"command": "sleep 8"}
    deployment = api.deploy(pool, variables=variables, concurrency_limit=1, concurrency_options=options)
    start_worker(api, engine, pool)
    first = api.run(deployment)
    api.wait_state(first, "RUNNING")
    second = api.run(deployment)
    assert api.wait_end(second)["state"]["type"] == "CANCELLED"
    assert not engine.containers_of(second)
    assert api.wait_end(first)["state"]["type"] == "COMPLETED"


SAY = r"""
id=$PREFECT__FLOW_RUN_ID
say () {
  wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "{\"state\": $1}" \
    $API_URL/flow_runs/$id/set_state
}
say '{"type": "RUNNING"}'
"""
# Suspends the flow like Prefect: reports that, and exits with status 0. If it runs again, it completes.
SUSPENDS = SAY + r"""
if [ $(wget -q -O - "$API_URL/flow_run_states/?flow_run_id=$id" | grep -o '"type":"RUNNING"' | wc -l) = 1 ]; then
  say '{"type": "PAUSED", "name": "Suspended", "state_details": {"pause_timeout": "2100-01-01T00:00:00Z", "pause_reschedule": true}}'
else
  say '{"type": "COMPLETED"}'
fi
"""


# Pauses the flow like Prefect: the process waits until somebody resumes the run.
PAUSES = SAY + r"""
say '{"type": "PAUSED", "state_details": {"pause_timeout": "2100-01-01T00:00:00Z"}}'
until wget -q -O - $API_URL/flow_runs/$id | grep -q '"state_type":"RUNNING"'; do sleep 0.5; done
say '{"type": "COMPLETED"}'
"""


# Reports a failure like Prefect, and dies before the retry. If it runs again, it completes.
DIES_BEFORE_RETRY = SAY + r"""
if [ $(wget -q -O - "$API_URL/flow_run_states/?flow_run_id=$id" | grep -o '"type":"RUNNING"' | wc -l) = 1 ]; then
  say '{"type": "FAILED"}'
  exit 137
else
  say '{"type": "COMPLETED"}'
fi
"""


def as_engine(api, script, **more):
    """Returns job variables of a container in which SCRIPT plays Prefect."""
    variables = {"command": f"sh -c {shlex.quote(script)}", "state_reporting": "engine"}
    return variables | {"auto_remove": True, "network_mode": "host", "env": {"API_URL": api.url}} | more


def test_container_dies_before_its_retry(api, engine, pool, start_worker):
    """A poll picks up the retry that the container had waited for."""
    start_worker(api, engine, pool)
    run = api.run(api.deploy(pool, variables=as_engine(api, DIES_BEFORE_RETRY)), after=2)
    api.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 1, "retry_delay": 3}})
    wait_for(lambda: api.state(run)["type"] == "COMPLETED", 60, lambda: f"COMPLETED: {api.states(run)}")
    names = [state["name"] for state in api.states(run)]
    assert names.count("AwaitingRetry") == 1 and names.count("Pending") == 2, names
    wait_for(lambda: not engine.containers_of(run), 30, "the containers are removed")


@pytest.mark.slow
@pytest.mark.long
def test_end_of_the_container_where_states_may_not_be_read(api, engine, pool, proxy, start_worker):
    """A gateway refuses reads of a run's states. The worker cannot know which claim is the last, and assumes that it
    is its own."""
    proxy.add(Rule(r"GET .*/flow_run_states/", status(403, b'{"detail":"Forbidden"}')))
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'exit 7'", "auto_remove": True, "state_reporting": "engine"})
    assert api.wait_end(run, timeout=150)["state"]["type"] == "CRASHED"


# Plays a wrapper that starts Prefect; the worker reports the run. Prefect waits for its retry, which succeeds.
RETRIES_INSIDE = SAY + r"""
say '{"type": "FAILED"}'
sleep 16
say '{"type": "RUNNING"}'
"""


@pytest.mark.parametrize("killed", [False, True])
def test_retry_that_prefect_waits_for_in_a_container_that_the_worker_reports_on(api, engine, pool, start_worker, killed):
    """The run is Scheduled while its container runs, but nobody wants a new attempt."""
    worker = start_worker(api, engine, pool)
    variables = as_engine(api, RETRIES_INSIDE, state_reporting="worker")
    run = api.run(api.deploy(pool, variables=variables), after=2)
    # When it fails, it has run twice: RUNNING was set once by the worker and once by Prefect.
    api.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 2, "retry_delay": 12}})
    if killed:
        wait_for(lambda: api.state(run)["name"] == "AwaitingRetry", 30, "AwaitingRetry")
        worker.end(signal.SIGKILL)
        start_worker(api, engine, pool)
    wait_for(lambda: api.state(run)["type"] == "COMPLETED", 60, lambda: f"COMPLETED: {api.states(run)}")
    names = [state["name"] for state in api.states(run)]
    assert names.count("AwaitingRetry") == 1 and names.count("Pending") == 1, names


# A wrapper that has more to do after its flow has ended.
ENDS_INSIDE = SAY + r"""
say '{"type": "COMPLETED", "state_details": {"transition_id": "6b0d1ae4-9a8e-4c3f-8d3b-0f2f3a5c7e11"}}'
sleep 14
echo everything is copied
"""


def test_command_that_goes_on_when_its_flow_is_over(api, engine, pool, start_worker):
    """Prefect inside the container has reported the end. The worker would stop the container if a user had set that
    state, but it does not do so here."""
    start_worker(api, engine, pool)
    run = api.run(api.deploy(pool, variables=as_engine(api, ENDS_INSIDE, state_reporting="worker")), after=2)
    api.wait_text(run, "everything is copied")
    wait_for(lambda: not engine.containers_of(run), 30, "the container is removed")
    names = [state["name"] for state in api.states(run)]
    assert names[-1] == "Completed" and names.count("Completed") == 1, names


def test_running_set_by_prefect_itself(api, engine, pool, start_worker):
    """Prefect's client gives each state its own id, as another worker would. The worker reports the end all the
    same."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'sleep 8; exit 3'", "auto_remove": True})
    api.wait_state(run, "RUNNING")
    api.set_state(run, "RUNNING", name="Halfway", state_details={"transition_id": str(uuid.uuid4())})
    state = api.wait_end(run)["state"]
    assert state["type"] == "FAILED" and "status 3" in state["message"], state


def test_container_dies_while_its_run_is_paused(api, engine, pool, start_worker):
    """Nobody could continue such a run after it is resumed."""
    start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, PAUSES))
    api.wait_state(run, "PAUSED")
    (container,) = engine.containers_of(run)
    engine.kill(container["Id"])
    state = api.wait_end(run)["state"]
    assert state["type"] == "CRASHED" and "137" in state["message"], state
    wait_for(lambda: not engine.containers_of(run), 30, "the container is removed")


def test_pause_is_not_an_ending(api, engine, pool, proxy, start_worker):
    start_worker(proxy.api, engine, pool)
    run = api.go(pool, as_engine(api, PAUSES))
    api.wait_state(run, "PAUSED")
    # The worker reads the run's state meanwhile.
    proxy.wait_count("POST /api/flow_runs/filter", proxy.count("POST /api/flow_runs/filter") + 1)
    assert [container["State"] for container in engine.containers_of(run)] == ["running"]
    api.call("POST", f"/flow_runs/{run}/resume")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    wait_for(lambda: not engine.containers_of(run), 30, "the container is removed")
    assert [state["type"] for state in api.states(run)][-4:] == ["RUNNING", "PAUSED", "RUNNING", "COMPLETED"]


def test_suspension_is_not_an_ending(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.go(pool, as_engine(api, SUSPENDS))
    api.wait_state(run, "PAUSED")
    wait_for(lambda: not engine.containers_of(run), 30, "the container is removed")
    assert api.state(run)["name"] == "Suspended"
    api.call("POST", f"/flow_runs/{run}/resume")
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert [state["type"] for state in api.states(run)].count("RUNNING") == 2


def test_retried_run_whose_deployment_was_deleted(api, engine, pool, start_worker):
    """The server refuses the run's claim. The run is cancelled, as by the Python worker."""
    start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "false"})
    run = api.run(deployment)
    assert api.wait_end(run)["state"]["type"] == "FAILED"
    api.call("DELETE", f"/deployments/{deployment}")
    api.set_state(run, "SCHEDULED", name="AwaitingRetry")
    api.wait_state(run, "CANCELLED")
    assert "no longer exists" in api.state(run)["message"]


def test_deployment_is_gone(api, engine, pool, proxy, start_worker):
    run = api.go(pool, {"command": "true"})
    proxy.add(Rule(r"GET /api/deployments/", status(404, b'{"detail":"Deployment not found"}')))
    start_worker(proxy.api, engine, pool)
    state = api.wait_end(run)["state"]
    assert state["type"] == "CANCELLED"
    assert "no longer exists" in state["message"]
    assert not engine.containers_of(run)


def test_cancelled_elsewhere_while_it_runs(api, engine, pool, start_worker):
    """Somebody sets another terminal state by hand. The worker goes on and takes other runs."""
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 3"})
    api.wait_state(run, "RUNNING")
    api.set_state(run, "CANCELLED")
    (container,) = engine.containers_of(run)
    wait_for(lambda: not engine.inspect(container["Id"])["State"]["Running"], 30, "container ended")
    api.wait_end(run)
    other = api.wait_end(api.go(pool, {"command": "true"}, name="other"))
    assert other["state"]["type"] == "COMPLETED"
