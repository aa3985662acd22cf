"""An argument that an engine would silently drop is refused with its name, or given to the engine in another form."""

import contextlib
import json
import pathlib
import re

import pytest

from engines import BUSYBOX
from parts import wait_for

VOLUME = {"Type": "volume", "Source": "some-volume", "Target": "/mnt"}
CDI = pathlib.Path("/etc/cdi")


def kwargs(**more):
    return {"command": "sh -c 'ls /sys/class/net; env; echo the end'", "container_create_kwargs": more}


def assert_refused(api, engine, pool, variables, *words):
    """Runs each of VARIABLES. Each run is Crashed, its message has the key and WORDS, and no container is left."""
    runs = [api.go(pool, each, name=f"run-{number}") for number, (_, each) in enumerate(variables)]
    ended = api.wait_end(*runs) if len(runs) > 1 else [api.wait_end(*runs)]
    for run, (key, each) in zip(ended, variables):
        message = run["state"]["message"]
        assert run["state"]["type"] == "CRASHED", (each, run["state"])
        assert re.search(rf"\b{re.escape(key)}\b", message), (each, message)
        for word in words:
            assert word in message, (each, message)
    wait_for(lambda: not any(engine.containers_of(run) for run in runs), 30, "no container left")


def version(engine):
    return engine.call("GET", "/version").json()["Version"]


def test_podman_drops(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = [
        ("network_disabled", kwargs(network_disabled=True)),
        ("runtime", kwargs(runtime="no-such-runtime")),
        ("volume_driver", kwargs(volume_driver="no-such-driver")),
        ("device_cgroup_rules", kwargs(device_cgroup_rules=["c 1:11 rwm"])),
        ("mac_address", kwargs(mac_address="02:42:ac:11:00:99")),
        ("device_requests", kwargs(device_requests=[{"driver": "tpu", "count": 1}])),
        ("cpu_count", kwargs(cpu_count=1)),
        ("VolumeOptions.Subpath", kwargs(mounts=[{**VOLUME, "VolumeOptions": {"Subpath": "a"}}])),
        ("Read_Only", kwargs(mounts=[{**VOLUME, "Read_Only": True}])),
    ]
    assert_refused(api, engine, pool, variables, f"Podman {version(engine)}")


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_docker_drops(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = [
        ("userns_mode", kwargs(userns_mode="keep-id")),
        ("userns_mode", {"command": "true", "userns": "auto"}),
        ("lxc_conf", kwargs(lxc_conf={"a": "b"})),
        ("cpu_count", kwargs(cpu_count=1)),
        ("VolumeOptions.Subpath", kwargs(mounts=[{**VOLUME, "VolumeOptions": {"Subpath": "a"}}])),
    ]
    assert_refused(api, engine, pool, variables, f"Docker {version(engine)}")
    run = api.wait_end(api.go(pool, kwargs(network_disabled=True)))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert "eth0" not in api.wait_text(run["id"], "the end")


def test_ports_on_the_hosts_network(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = [
        ("ports", kwargs(ports={"80/tcp": 8080})),  # the API is on this host, so the network is the host's
        ("ports", {**kwargs(ports={"80/tcp": 8080}), "network_mode": "none"}),
    ]
    assert_refused(api, engine, pool, variables, "network_mode is incompatible with port_bindings")


@pytest.mark.parametrize("engine", ["rootless"], indirect=True)
def test_limits_that_were_not_taken(api, engine, pool, start_worker):
    """Rootless, on cgroups v1, Podman has no limits at all."""
    start_worker(api, engine, pool)
    variables = [
        ("mem_limit", {"command": "true", "mem_limit": "64m"}),
        ("pids_limit", kwargs(pids_limit=50)),
        ("ulimits", {"command": "true", "ulimits": ["nofile=100:200"]}),
        ("nano_cpus", kwargs(nano_cpus=500000000)),
    ]
    assert_refused(api, engine, pool, variables, f"Podman {version(engine)} created the container without")


@contextlib.contextmanager
def cdi_device(kind, **env):
    """Describes the device `all` of KIND on this host; it sets ENV in a container."""
    CDI.mkdir(exist_ok=True)
    path = CDI / f"{kind.replace('/', '-')}-test.json"
    edits = {"env": [f"{name}={value}" for name, value in env.items()]}
    device = {"name": "all", "containerEdits": edits}
    path.write_text(json.dumps({"cdiVersion": "0.3.0", "kind": kind, "devices": [device]}), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink()


@pytest.mark.xdist_group("cdi")
def test_gpus(api, engine, pool, start_worker):
    """GPUs are requested in Docker's way, beside a tmpfs and other settings. All of them then go through Podman's
    own API only."""
    start_worker(api, engine, pool)
    request = {"count": -1, "capabilities": [["gpu"]]}
    variables = kwargs(
        device_requests=[request],
        tmpfs={"/scratch": "size=1m,mode=700"},
        healthcheck={"test": "true"},
        stop_signal="SIGUSR1",
        mem_swappiness=10,
        platform="linux/amd64",
    )
    assert_refused(api, engine, pool, [("nvidia.com/gpu=all", variables)], "nvidia-ctk cdi generate")
    with cdi_device("nvidia.com/gpu", FAKE_GPU="here"):
        run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert "FAKE_GPU=here" in api.wait_text(run["id"], "the end")
    (container,) = engine.containers_of(run["id"])
    inspect = engine.inspect(container["Id"])
    assert "size=1m" in inspect["HostConfig"]["Tmpfs"]["/scratch"]
    assert inspect["Config"]["StopSignal"] in ("SIGUSR1", "10")


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_image_of_another_platform(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    other = {**kwargs(platform="linux/arm64"), "image": BUSYBOX, "image_pull_policy": "Never"}
    assert_refused(api, engine, pool, [("linux/arm64", other)], "linux/amd64")
    run = api.wait_end(api.go(pool, {**other, **kwargs(platform="linux/x86_64")}))
    assert run["state"]["type"] == "COMPLETED", run["state"]


def test_numbers_and_images_as_text_gives_them(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    variables = {"image": f" {BUSYBOX}\n", "command": "sleep 60", "timeout_seconds": " 1.5 ", "stop_timeout": "1"}
    timed_out, wrong = api.wait_end(
        api.go(pool, variables), api.go(pool, {**variables, "timeout_seconds": "1m"}, name="wrong")
    )
    assert timed_out["state"]["name"] == "TimedOut", timed_out["state"]
    assert wrong["state"]["type"] == "CRASHED" and "timeout_seconds" in wrong["state"]["message"], wrong["state"]
