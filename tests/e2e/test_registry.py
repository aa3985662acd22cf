"""Images from a registry that wants a password: pull policies and credentials."""

import base64
import copy
import json
import re

import pytest

from conftest import new_pool_name
from engines import BUSYBOX
from fault_proxy import FaultProxy, Rule, reset, status
from prefect_api import docker_template

ENGINES = pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)


@pytest.fixture(scope="session")
def pushed(testbed):
    """Pushes an image with rootful Podman and returns its name. Only the registry has it, no engine."""
    engine, registry = testbed.engine("podman"), testbed.registry
    engine.need(BUSYBOX)
    image = registry.image("team/tool:1")
    engine.tag(BUSYBOX, image)
    engine.push(image, registry.username, registry.password)
    engine.call("DELETE", f"/images/{image}")
    return image


def give_credentials(api, pool, registry, host):
    """Puts the registry's credentials into a block that the pool's template refers to. The server accepts such a
    reference in the template, and refuses it (422) in job variables."""
    data = {
        "username": registry.username,
        "password": registry.password,
        "registry_url": host,
        "reauth": True,
    }
    name = new_pool_name().replace("pool", "credentials")
    block = api.block("docker-registry-credentials", name, data, secret_fields=["password"])
    template = copy.deepcopy(docker_template())
    template["job_configuration"]["registry_credentials"] = {"$ref": {"block_document_id": block}}
    api.update_pool(pool, base_job_template=template)


@pytest.fixture
def credentials(api, pool, testbed):
    give_credentials(api, pool, testbed.registry, testbed.registry.host)


@pytest.fixture
def far(api, pool, testbed):
    """A proxy in front of the registry, which may fail; .host stands for the registry in an image's name."""
    with FaultProxy(f"http://{testbed.registry.host}") as made:
        made.host = f"127.0.0.1:{made.port}"
        give_credentials(api, pool, testbed.registry, made.host)
        yield made


@ENGINES
def test_pull_with_credentials(api, engine, pool, start_worker, pushed, credentials, testbed):
    engine.remove_image(pushed)
    worker = start_worker(api, engine, pool, settings={"PREFECT_LOGGING_LEVEL": "DEBUG"})
    variables = {"image": pushed, "image_pull_policy": "IfNotPresent", "command": "echo pulled and run"}
    run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    log = api.wait_text(run["id"], "pulled and run")
    assert pushed in log and "ull" in log  # it says that the image is pulled, and which one
    assert len(log.splitlines()) < 30, log  # a few lines, not one a chunk
    for text in (log, worker.output()):
        assert testbed.registry.password not in text


@ENGINES
def test_pull_after_docker_login(api, engine, pool, start_worker, pushed, testbed, tmp_path):
    """Docker's own configuration has the credentials, and the job has none. The file's proxies are in the
    container's environment."""
    engine.remove_image(pushed)
    registry = testbed.registry
    secret = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    folder = tmp_path / "docker-login"
    folder.mkdir()
    proxies = {"default": {"httpProxy": "http://proxy.invalid:3128"}}
    config = {"auths": {registry.host: {"auth": secret}}, "proxies": proxies}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    settings = {"DOCKER_CONFIG": folder, "PREFECT_LOGGING_LEVEL": "DEBUG"}
    worker = start_worker(api, engine, pool, settings=settings)
    variables = {"image": pushed, "image_pull_policy": "Always", "command": "sh -c 'echo by $http_proxy, $HTTP_PROXY'"}
    run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    log = api.wait_text(run["id"], "by http://proxy.invalid:3128, http://proxy.invalid:3128")
    for text in (log, worker.output()):
        assert registry.password not in text and secret not in text


@ENGINES
def test_pull_without_credentials(api, engine, pool, start_worker, pushed):
    """The refusal comes inside a stream with status 200. The state's message has the registry's words."""
    engine.remove_image(pushed)
    start_worker(api, engine, pool)
    variables = {"image": pushed, "image_pull_policy": "Always", "command": "true"}
    run = api.wait_end(api.go(pool, variables))
    assert run["state"]["type"] == "CRASHED"
    message = run["state"]["message"]
    assert pushed in message
    assert any(word in message for word in ("unauthorized", "authentication required", "no basic auth")), message
    assert not engine.containers_of(run["id"])


@ENGINES
def test_pull_policies(api, engine, pool, start_worker, pushed, credentials):
    """All policies at once: with and without a local image, and with a registry that has the image or refuses it."""
    start_worker(api, engine, pool)
    local = pushed.replace("team/tool:1", "team/only-here:1")
    engine.tag(BUSYBOX, local)
    missing = pushed.replace("team/tool:1", "team/nowhere:1")

    def go(image, policy, number):
        variables = {"image": image, "image_pull_policy": policy, "command": "true"}
        return api.run(api.deploy(pool, f"policy-{number}", variables=variables))

    cases = [
        (local, "IfNotPresent", "COMPLETED"),
        (local, "IfPossible", "COMPLETED"),
        (local, "Never", "COMPLETED"),
        (local, "Always", "CRASHED"),
        (pushed, "Always", "COMPLETED"),
        (missing, "IfNotPresent", "CRASHED"),
        (missing, "IfPossible", "CRASHED"),
        (missing, "Never", "CRASHED"),
    ]
    runs = api.wait_end(*(go(image, policy, number) for number, (image, policy, _) in enumerate(cases)))
    for run, (image, policy, expected) in zip(runs, cases):
        assert run["state"]["type"] == expected, (image, policy, run["state"])
    engine.remove_image(local)


@ENGINES
def test_local_image_with_the_tag_latest(api, engine, pool, start_worker, testbed):
    """As a site may configure it: no pull policy, and the engine's socket inside the container. Whatever the reason
    why the pull fails, the local image is used. It is not used if the job asks for a pull, and the run fails if
    there is no local image."""
    registry = testbed.registry.host
    short = "prefect-with-docker:latest"
    local = [f"localhost/{short}" if engine.kind != "docker" else short]
    local += ["localhost:1/pp/refused:latest", "no-such-host.invalid/pp/tool:latest", f"{registry}/team/denied:latest"]
    for image in local:
        engine.tag(BUSYBOX, image)
    socket = "/var/run/docker.sock"
    variables = {
        "command": f"sh -c 'test -S {socket} && echo $DOCKER_HOST'",
        "volumes": [f"{engine.socket}:{socket}"],
        "env": {"DOCKER_HOST": f"unix://{socket}"},
        "auto_remove": True,
        "image_pull_policy": None,
    }
    start_worker(api, engine, pool)

    def go(number, image, **more):
        return api.run(api.deploy(pool, f"local-{number}", variables={**variables, "image": image, **more}))

    good = [go(number, image) for number, image in enumerate([short, *local, "no-such-host.invalid/pp/tool"])]
    insisted = go("always", local[-1], image_pull_policy="Always")
    absent = go("absent", "no-such-host.invalid/pp/absent:latest")
    for run in api.wait_end(*good):
        assert run["state"]["type"] == "COMPLETED", run["state"]
        text = api.wait_text(run["id"], f"unix://{socket}")
        assert "could not be pulled. The run uses the local image of that name" in text
        assert "Trying again" not in text
    denied, missing = api.wait_end(insisted, absent)
    assert denied["state"]["type"] == missing["state"]["type"] == "CRASHED"
    assert re.search("unauthorized|authentication required|no basic auth", denied["state"]["message"])
    assert re.search("no such host|name resolution|server misbehaving", missing["state"]["message"])
    for image in local:
        engine.remove_image(image)


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
@pytest.mark.parametrize(
    "action, policy", [(reset(), "Always"), (status(503), "IfPossible")], ids=["reset", "503-if-possible"]
)
def test_pull_that_fails_for_a_while_is_tried_again(api, engine, pool, far, start_worker, pushed, action, policy):
    """The run's log says that the pull failed and when the next try is. The registry fails for more than 3 s,
    because Podman itself retries for 3 s."""
    image = pushed.replace(pushed.split("/")[0], far.host)
    engine.remove_image(image)
    worker = start_worker(api, engine, pool)
    far.add(Rule("/manifests/", action))
    run = api.go(pool, {"image": image, "image_pull_policy": policy, "command": "echo pulled and run"})
    text = api.wait_text(run, "Trying again in 2 s (1 of 3).")
    assert f"pull image '{image}': " in text
    far.clear()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "pulled and run" in api.wait_text(run, "pulled and run")
    assert worker.healthy()
