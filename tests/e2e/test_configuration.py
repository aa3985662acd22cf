"""A container has the configuration that its deployment asks for, as seen from inside it and by the engine."""

import json
import os
import re

import pytest

from engines import BUSYBOX
from parts import wait_for
from worker import call, environment

ENGINES = pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)


def finish(api, engine, run):
    """Waits for the run; returns its log and the engine's inspect answer about its container."""
    done = api.wait_end(run)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    (container,) = engine.containers_of(run)
    log = api.wait_text(run, "the end")
    return log.splitlines(), engine.inspect(container["Id"])


@ENGINES
def test_env_and_labels(api, engine, pool, start_worker):
    """The deployment's and the run's values are merged key by key. The worker adds its own."""
    start_worker(api, engine, pool, "--name", "labeller")
    variables = {
        "command": "sh -c 'env; echo the end'",
        "env": {"FROM": "deployment", "KEPT": "a = b \"c\" 'd' $HOME"},
        "labels": {"site": "here", "empty": ""},
    }
    deployment = api.deploy(pool, variables=variables)
    run = api.run(deployment, variables={"env": {"FROM": "run", "ADDED": "ünïcode"}})
    lines, container = finish(api, engine, run)
    assert "FROM=run" in lines and "ADDED=ünïcode" in lines
    assert "KEPT=a = b \"c\" 'd' $HOME" in lines
    assert f"PREFECT__FLOW_RUN_ID={run}" in lines
    assert f"PREFECT_API_URL={api.url}" in lines  # host network: the address stays
    labels = container["Config"]["Labels"]
    assert labels["site"] == "here" and labels["empty"] == ""
    assert labels["io.prefect.flow-run-id"] == run
    assert labels["io.prefect.worker-name"] == "labeller"
    assert labels["io.prefect.work-pool-name"] == pool
    assert labels["io.prefect.deployment-id"] == deployment
    assert container["Name"].lstrip("/") == api.flow_run(run)["name"]


@ENGINES
def test_nul_in_a_name(api, engine, pool, start_worker):
    """Each NUL becomes U+FFFD. The run ends, another run beside it ends, and a worker that starts meanwhile can read
    the engine's answers."""
    variables = {"command": "sh -c 'env; sleep 4; echo the end'", "env": {"CUT": "a\0b"}, "labels": {"site": "c\0d"}}
    start_worker(api, engine, pool)
    deployment = api.deploy(pool, variables=variables)
    run = api.run(deployment, name="with\0nul")
    plain = api.run(deployment, name="plain")
    api.wait_state(run, "RUNNING")
    worker = start_worker(api, engine, pool)
    for each in (run, plain):
        lines, container = finish(api, engine, each)
        assert "CUT=a\ufffdb" in lines
        assert container["Config"]["Labels"]["site"] == "c\ufffdd"
    assert "not a container engine" not in worker.output()


@ENGINES
def test_volumes(api, engine, pool, start_worker, testbed):
    """The Python worker refuses Z ("Invalid volume option: 'Z'")."""
    start_worker(api, engine, pool)
    folder = testbed.flows
    script = "cat /plain/hello.py | head -n1; touch /plain/x 2>&1; ls /labelled/hello.py; echo the end"
    volumes = [f"{folder}:/plain:ro", f"{folder}:/labelled:ro,Z"]
    lines, _ = finish(api, engine, api.go(pool, {"command": f"sh -c '{script}'", "volumes": volumes}))
    assert any("Flows that run inside a container" in line for line in lines)
    assert any("Read-only file system" in line for line in lines)
    assert "/labelled/hello.py" in lines


@pytest.mark.parametrize("engine", ["podman", "rootless"], indirect=True)
def test_volume_given_to_the_containers_user(api, engine, pool, start_worker, testbed, request):
    """With U, the container's user becomes the owner of the folder."""
    folder = testbed.flows / f"given-{engine.kind}"
    folder.mkdir()
    if engine.kind == "rootless":
        import pwd

        user = pwd.getpwnam("pptest")
        os.chown(folder, user.pw_uid, user.pw_gid)
    start_worker(api, engine, pool)
    variables = {
        "command": "sh -c 'stat -c owner=%u /given; touch /given/x && echo written; echo the end'",
        "volumes": [f"{folder}:/given:U"],
        "container_create_kwargs": {"user": "1234:1234"},
    }
    lines, _ = finish(api, engine, api.go(pool, variables))
    assert "owner=1234" in lines and "written" in lines


@pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)
def test_networks(api, engine, pool, start_worker):
    """The container gets its first network at create. The other is connected before the start."""
    start_worker(api, engine, pool)
    with engine.network("pp-one") as one, engine.network("pp-two") as two:
        variables = {"command": "sh -c 'ip -o link; echo the end'", "networks": [one, two]}
        run = api.go(pool, variables)
        lines, container = finish(api, engine, run)
        assert {one, two} <= set(container["NetworkSettings"]["Networks"])
        assert any("eth0" in line for line in lines) and any("eth1" in line for line in lines)
        engine.remove(container["Id"])


def test_host_network_is_the_default_with_a_local_api(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    _, container = finish(api, engine, api.go(pool, {"command": "echo the end"}))
    assert container["HostConfig"]["NetworkMode"] == "host"


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_memory(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = {"command": "echo the end", "mem_limit": "64m", "memswap_limit": "96m"}
    _, container = finish(api, engine, api.go(pool, variables))
    assert container["HostConfig"]["Memory"] == 64 << 20
    assert container["HostConfig"]["MemorySwap"] == 96 << 20


@pytest.mark.parametrize("engine", ["podman", "rootless"], indirect=True)
def test_privileged(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    script = "sh -c 'grep CapEff /proc/self/status; echo the end'"
    _, container = finish(api, engine, api.go(pool, {"command": script, "privileged": True}))
    assert container["HostConfig"]["Privileged"] is True


@ENGINES
def test_container_create_kwargs(api, engine, pool, start_worker):
    """docker-py's own spellings of the arguments of create()."""
    start_worker(api, engine, pool)
    more = {
        "working_dir": "/tmp",
        "hostname": "boxname",
        "user": "12:34",
        "shm_size": "48m",
        "network_mode": "none",
        "tmpfs": {"/scratch": "size=1m"},
        "entrypoint": ["sh", "-c"],
        "cap_drop": ["NET_RAW"],
    }
    if engine.kind == "rootless":
        more.pop("user")  # on some hosts, a rootless user has no group 34
    script = "pwd; hostname; id -u; df -k /dev/shm | tail -n1; grep scratch /proc/mounts; echo the end"
    variables = {"command": f"'{script}'", "container_create_kwargs": more}
    lines, container = finish(api, engine, api.go(pool, variables))
    assert "/tmp" in lines and "boxname" in lines
    assert "user" not in more or "12" in lines
    assert any(re.search(r"\b49152\b", line) for line in lines), lines
    assert any("/scratch" in line for line in lines)
    assert "NET_RAW" in str(container["HostConfig"]["CapDrop"])


def test_unknown_kwarg_is_named(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.wait_end(api.go(pool, {"command": "true", "container_create_kwargs": {"no_such_thing": 1}}))
    assert run["state"]["type"] == "CRASHED"
    assert "no_such_thing" in run["state"]["message"]
    assert not engine.containers_of(run["id"])


@pytest.mark.parametrize("engine", ["rootless"], indirect=True)
def test_keep_id(api, engine, pool, start_worker):
    """docker-py refuses userns keep-id, which exists for rootless Podman."""
    start_worker(api, engine, pool)
    variables = {"command": "sh -c 'id -un; echo the end'", "container_create_kwargs": {"userns_mode": "keep-id"}}
    lines, _ = finish(api, engine, api.go(pool, variables))
    assert "pptest" in lines


def test_references(api, engine, pool, start_worker, tmp_path):
    """Prefect variables, secret blocks and ctx in job variables. Neither the output nor the saved file has the
    secret, and the saved file renders to the same output."""
    api.variable("region", "north")
    api.block("secret", "token", {"value": "s3cret-of-the-test"})
    variables = {
        "command": "sh -c 'echo region $REGION token $TOKEN; echo the end'",
        "env": {"REGION": "{{ prefect.variables.region }}", "TOKEN": "{{ prefect.blocks.secret.token }}"},
        "forward_output": "always",
        "stream_output": False,
    }
    run = api.go(pool, variables)
    saved, given = tmp_path / "saved", environment(tmp_path, api, engine)
    rendered = call("render", run, "--save", saved, env=given)
    assert rendered.returncode == 0, rendered.stderr
    assert "s3cret-of-the-test" not in rendered.stdout + rendered.stderr + saved.read_text(encoding="utf-8")
    again = call("render", "--file", saved, env=given)
    assert (again.returncode, again.stdout) == (0, rendered.stdout), again.stderr
    assert BUSYBOX in rendered.stdout
    both = tmp_path / "both"
    call("render", run, "--save", "/dev/stdout", env=given, before=("sh", "-c", 'exec "$@" >"$0"', both))
    text = both.read_text(encoding="utf-8")
    parts, end = json.JSONDecoder().raw_decode(text)
    assert (parts["flow_run"]["id"], text[end:].lstrip()) == (run, rendered.stdout)
    worker = start_worker(api, engine, pool, settings={"PREFECT_LOGGING_LEVEL": "DEBUG"})
    lines, _ = finish(api, engine, run)
    assert "region north token s3cret-of-the-test" in lines
    assert "s3cret-of-the-test" not in worker.output()


@ENGINES
def test_api_is_reached_from_a_bridged_container(api, engine, pool, start_worker):
    """If the network is not the host's, a local API becomes host.docker.internal, and the container can resolve that
    name."""
    start_worker(api, engine, pool)
    with engine.network("pp-bridge") as network:
        script = "echo $PREFECT_API_URL; grep host.docker.internal /etc/hosts; echo the end"
        run = api.go(pool, {"command": f"sh -c '{script}'", "networks": [network]})
        lines, container = finish(api, engine, run)
        assert f"http://host.docker.internal:{api.server.port}/api" in lines
        assert any(re.search(r"^\S+\s.*host\.docker\.internal", line) for line in lines), lines
        engine.remove(container["Id"])
    wait_for(lambda: not engine.containers_of(run), 30, "removed")


def test_redeployment_between_two_runs(api, engine, pool, start_worker):
    """Each run gets the job variables that its deployment had when the run was created, also if the run is created
    right after a redeployment."""
    start_worker(api, engine, pool)
    for word in ("one", "two", "three", "four"):
        run = api.go(pool, {"command": f"echo {word}", "auto_remove": True})
        assert api.wait_end(run)["state"]["type"] == "COMPLETED"
        assert word in api.wait_text(run, word)
