"""One run from its deployment to its end, on every engine and server."""

import re

import pytest

from engines import BUSYBOX, HELLO, PREFECT2, PREFECT3
from conftest import new_pool_name
from parts import wait_for

EVERYWHERE = pytest.mark.parametrize(
    ("engine", "api"),
    [
        pytest.param("podman", "3", marks=pytest.mark.xdist_group("image")),
        ("podman5", "3"),
        ("rootless", "3"),
        ("docker", "3"),
        ("podman", "3pg"),
        ("podman", "2"),
    ],
    indirect=True,
    ids=["podman", "podman5", "rootless", "docker", "postgres", "prefect2"],
)
ENGINES = pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)


@EVERYWHERE
def test_plain_image(testbed, api, engine, pool, start_worker):
    """An image without Prefect and a command. The API has state, output and infrastructure_pid, and nothing is left
    on the engine."""
    start_worker(api, engine, pool)
    command = "sh -c 'echo first line; echo second line >&2; echo third line'"
    done = api.go(pool, {"command": command, "auto_remove": True})
    failed = api.go(pool, {"command": "sh -c 'echo last words; exit 3'", "auto_remove": True}, name="failing")

    run = api.wait_end(done)
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert re.fullmatch(r"http\+docker://localhost:[0-9a-f]{64}", run["infrastructure_pid"])
    types = [state["type"] for state in api.states(done)]
    assert types[0] == "SCHEDULED" and types[-2:] == ["RUNNING", "COMPLETED"] and "PENDING" in types
    lines = api.wait_text(done, "third line").splitlines()
    for text in ("first line", "second line", "third line"):
        assert lines.count(text) == 1, lines
    assert lines.index("first line") < lines.index("third line")

    run = api.wait_end(failed)
    assert run["state"]["type"] == "FAILED", run["state"]
    assert run["state"]["message"].startswith("Container exited with status 3.")
    assert "last words" in run["state"]["message"]
    assert "last words" in api.wait_text(failed, "last words")
    for each in (done, failed):
        wait_for(lambda: not engine.containers_of(each), 30, f"container of {each} removed")


# Other engines run such an image like any other: see test_plain_image.
@pytest.mark.parametrize(
    ("engine", "api"),
    [
        pytest.param("podman", "3", marks=pytest.mark.xdist_group("image")),
        pytest.param("docker", "3", marks=pytest.mark.long),
        ("podman", "2"),
        pytest.param("podman5", "3", marks=pytest.mark.long),
        pytest.param("rootless", "3", marks=pytest.mark.long),
        pytest.param("podman", "3pg", marks=pytest.mark.long),
    ],
    indirect=True,
    ids=["podman", "docker", "prefect2", "podman5", "rootless", "postgres"],
)
def test_prefect_in_the_image(testbed, api, engine, pool, start_worker):
    """The usual case: Prefect inside the container reports the state and sends the logs."""
    image = PREFECT2 if api.version == 2 else PREFECT3
    engine.need(image)
    start_worker(api, engine, pool)
    common = {"image": image, "volumes": [f"{testbed.flows}:/flows"], "auto_remove": True}
    good = api.run(
        api.deploy(pool, "hello", "hello", common, path="/flows", entrypoint="hello.py:hello"),
        parameters={"name": "Podman"},
    )
    bad = api.run(api.deploy(pool, "broken", "broken", common, path="/flows", entrypoint="hello.py:broken"))

    run = api.wait_end(good, timeout=240)
    assert run["state"]["type"] == "COMPLETED", api.text(good)
    log = api.wait_text(good, "hello Podman from the flow")
    # Prefect inside the container sends the flow's log lines. The container's stderr has the same lines, and they must
    # not be sent a second time.
    assert log.count("hello Podman from the flow") == 1

    run = api.wait_end(bad, timeout=240)
    assert run["state"]["type"] == "FAILED"
    assert "broken on purpose" in run["state"]["message"]
    for each in (good, bad):
        wait_for(lambda: not engine.containers_of(each), 30, f"container of {each} removed")


@ENGINES
def test_without_auto_remove_the_container_stays(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"command": "sh -c 'exit 0'"}))
    assert run["state"]["type"] == "COMPLETED"
    (container,) = engine.containers_of(run["id"])
    assert run["infrastructure_pid"].endswith(container["Id"])
    # Podman cleans up a moment after the exit status is known. Until then the status is "stopped".
    wait_for(lambda: engine.inspect(container["Id"])["State"]["Status"] == "exited", 10, "container exited")


@ENGINES
def test_missing_image(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"image": "localhost/pp/nothing:1", "command": "true"}))
    assert run["state"]["type"] == "CRASHED"
    assert "localhost/pp/nothing:1" in run["state"]["message"]


@ENGINES
def test_missing_network(api, engine, pool, start_worker):
    """The image exists. The error has the engine's words for the missing network, and the image is not pulled."""
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"command": "true", "networks": ["nope"]}))
    assert run["state"]["type"] == "CRASHED"
    assert "nope" in run["state"]["message"], run["state"]
    assert "Pulling" not in api.text(run["id"])


@ENGINES
def test_missing_device(api, engine, pool, start_worker):
    """A container that could not be created or started leaves nothing behind."""
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"command": "true", "devices": ["/dev/nope"]}))
    assert run["state"]["type"] == "CRASHED"
    assert "/dev/nope" in run["state"]["message"], run["state"]
    assert re.search(r"(?i)no such (file|device)|not a device", run["state"]["message"]), run["state"]
    wait_for(lambda: not engine.containers_of(run["id"]), 30, "no container left")


@ENGINES
def test_network_of_another_container(api, engine, pool, start_worker):
    """In this network mode the engine refuses entries for /etc/hosts, so the worker adds none."""
    start_worker(api, engine, pool)
    first = api.go(pool, {"command": "sleep 60", "network_mode": "none", "auto_remove": True, "name": f"{pool}-first"})
    api.wait_state(first, "RUNNING")
    wait_for(lambda: [item["State"] for item in engine.containers_of(first)] == ["running"], 30, "it runs")
    variables = {"command": "true", "network_mode": f"container:{pool}-first", "auto_remove": True}
    run = api.wait_end(api.go(pool, variables, name="second"))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    api.set_state(first, "CANCELLING")
    api.wait_end(first)


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_restart_policy(api, engine, pool, start_worker):
    """The container runs once, and the run ends with it. The log says that the restart policy was left out."""
    start_worker(api, engine, pool)
    policies = [{"Name": "always"}, {"Name": "on-failure", "MaximumRetryCount": 5}, {"name": "unless-stopped"}]
    runs = []
    for number, policy in enumerate(policies):
        variables = {"command": "sh -c 'echo up; exit 3'", "container_create_kwargs": {"restart_policy": policy}}
        runs.append(api.go(pool, variables, name=f"policy-{number}"))
    for run, policy in zip(api.wait_end(*runs), policies):
        assert run["state"]["type"] == "FAILED" and "status 3" in run["state"]["message"], run["state"]
        text = api.wait_text(run["id"], "up")
        assert f"restart_policy: '{[*policy.values()][0]}' is ignored" in text
        (container,) = engine.containers_of(run["id"])
        assert engine.inspect(container["Id"])["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")


def test_command_that_is_not_in_the_image(api, engine, pool, start_worker):
    """Without a command, a docker pool runs `prefect flow-run execute`, which busybox does not have. The run ends
    with the engine's words and does not stay PENDING."""
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {}))
    assert run["state"]["type"] == "CRASHED"
    assert re.search(r"prefect.*not found", run["state"]["message"], re.S)


@ENGINES
def test_podman_pool_runs_the_image_as_it_is(api, engine, start_worker):
    """The worker makes the pool. Without a command, the image's entrypoint runs, and the worker reports the state."""
    engine.need(HELLO)
    pool = new_pool_name()
    start_worker(api, engine, pool, "--type", "podman")
    made = api.wait_pool(pool)
    assert made["type"] == "podman"
    assert {"image", "userns", "devices", "shm_size"} <= set(made["base_job_template"]["variables"]["properties"])
    run = api.wait_end(api.go(pool, {"image": HELLO}))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert "hello from the entrypoint" in api.wait_text(run["id"], "hello from the entrypoint")


def test_worker_fills_an_empty_template(api, engine, start_worker):
    pool = new_pool_name()
    api.create_pool(pool, base_job_template={})
    start_worker(api, engine, pool)
    assert "image" in api.wait_pool(pool)["base_job_template"]["variables"]["properties"]
    run = api.wait_end(api.go(pool, {"image": BUSYBOX, "command": "true"}))
    assert run["state"]["type"] == "COMPLETED"


def test_number_beyond_64_bits(api, engine, pool, start_worker):
    """A run with such a parameter does not keep the worker from other runs."""
    start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "true"}, enforce_parameter_schema=False)
    seed = api.run(deployment, parameters={"seed": 2**63})
    for run in api.wait_end(seed, api.run(deployment)):
        assert run["state"]["type"] == "COMPLETED", run["state"]


def test_nul_in_a_key(api, engine, pool, start_worker):
    """A flow run whose JSON must be repaired runs, and so do the others."""
    start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables={"command": "true"}, enforce_parameter_schema=False)
    runs = [api.run(deployment, parameters={"a\0b": 1}), api.run(deployment)]
    for run in api.wait_end(*runs):
        assert run["state"]["type"] == "COMPLETED", run["state"]
