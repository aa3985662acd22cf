"""None of a worker's secrets is in anything that it writes: its log, its state directory, its command line."""

import base64
import copy
import pathlib
import signal

import pytest

from conftest import new_pool_name
from engines import BUSYBOX
from parts import wait_for
from prefect_api import Api, docker_template
from servers import image_registry, prefect_server
from worker import call, environment

AUTH_PASSWORD = "Auth-7c1f-password"
KEY = "pnu_Key5d0a9b1c"
HEADER = "Header-91be-token"
PLAIN = "Environment-3f7a-value"
BLOCK = "Block-58d2-value"
REGISTRY = "Registry-c04e-password"
MASKED = "********"
SECRETS = (AUTH_PASSWORD, KEY, HEADER, PLAIN, BLOCK, REGISTRY)


def in_state(folder):
    """Returns all bytes below the state directory, file names included."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(str(path).encode())
        if path.is_file():
            found.append(path.read_bytes())
    return b"\n".join(found)


def command_lines(pid):
    """Returns the command lines of the process and its children."""
    folder = pathlib.Path(f"/proc/{pid}")
    children = (folder / "task" / str(pid) / "children").read_text(encoding="ascii").split()
    return b"\n".join(pathlib.Path(f"/proc/{one}/cmdline").read_bytes() for one in [str(pid), *children])


def check(text, where):
    for secret in SECRETS:
        assert secret.encode() not in text, f"{secret} is in {where}"


@pytest.fixture
def guarded():
    word = f"admin:{AUTH_PASSWORD}"
    headers = {"Authorization": "Basic " + base64.b64encode(word.encode()).decode()}
    with prefect_server(headers=headers, PREFECT_SERVER_API_AUTH_STRING=word) as server:
        yield Api(server), {"PREFECT_API_AUTH_STRING": word}


@pytest.fixture
def keyed(api):
    return api, {"PREFECT_API_KEY": KEY, "PREFECT_CLIENT_CUSTOM_HEADERS": f'{{"X-Site-Token": "{HEADER}"}}'}


def deploy(api, pool, registry):
    """Makes deployments whose runs have secrets of every kind: runs that work, that the engine refuses, that cannot
    be pulled."""
    name = new_pool_name().replace("pool", "secrets")
    api.block("secret", name, {"value": BLOCK}, secret_fields=["value"])
    data = {"username": registry.username, "password": registry.password, "registry_url": registry.host, "reauth": True}
    document = api.block("docker-registry-credentials", name, data, secret_fields=["password"])
    template = copy.deepcopy(docker_template())
    template["job_configuration"]["registry_credentials"] = {"$ref": {"block_document_id": document}}
    api.create_pool(pool, base_job_template=template)
    env = {"DB_PASSWORD": PLAIN, "TOKEN": f"{{{{ prefect.blocks.secret.{name} }}}}"}
    works = {"image": BUSYBOX, "env": env, "command": "sh -c 'echo begun; sleep 4; test -n \"$DB_PASSWORD\"'"}
    refused = {**works, "container_create_kwargs": {"cgroup_parent": "no/such/place"}, "networks": ["no-such-network"]}
    absent = {**works, "image": registry.image("team/absent:1"), "image_pull_policy": "Always"}
    kinds = {"works": works, "refused": refused, "absent": absent}
    return {kind: api.deploy(pool, kind, variables=variables) for kind, variables in kinds.items()}


@pytest.mark.parametrize("how", ["guarded", "keyed"])
def test_no_secret_is_written(request, how, engine, start_worker, tmp_path):
    """During a run, a kill -9 in the middle of it, and its recovery."""
    api, settings = request.getfixturevalue(how)
    settings |= {"PREFECT_LOGGING_LEVEL": "DEBUG"}
    pool = new_pool_name()
    with image_registry(password=REGISTRY) as registry:
        runs = {kind: api.run(deployment) for kind, deployment in deploy(api, pool, registry).items()}
        for format_ in ("json", "podman-run"):
            saved = tmp_path / f"saved-{format_}"
            arguments = ("render", runs["works"], "--format", format_, "--save", saved)
            given = environment(tmp_path, api, engine, settings)
            done = call(*arguments, env=given)
            assert done.returncode == 0, done.stderr
            check((done.stdout + done.stderr).encode() + saved.read_bytes(), f"render --format={format_}")
            again = call("render", "--file", saved, "--format", format_, env=given)
            assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
        first = start_worker(api, engine, pool, settings=settings)
        api.wait_text(runs["works"], "begun")
        entries = wait_for(lambda: list((tmp_path / "state").glob("*/runs/*")), 10, "a journal entry")
        assert entries
        check(in_state(tmp_path / "state"), "the state directory of a living worker")
        check(command_lines(first.pid), "the command line")
        first.stop(signal.SIGKILL)
        second = start_worker(api, engine, pool, settings=settings)
        ended = api.wait_end(*runs.values(), timeout=120)
        assert [run["state"]["type"] for run in ended] == ["COMPLETED", "CRASHED", "CRASHED"]
        assert registry.image("team/absent:1") in ended[2]["state"]["message"]
        assert second.end() == 0
    for worker in (first, second):
        check(worker.log.read_bytes(), worker.log.name)
    check(in_state(tmp_path / "state"), "the state directory afterwards")
    for run, state in zip(runs.values(), ended):
        check(api.text(run).encode(), "the run's log")
        check(str(state["state"]).encode(), "the run's state")


REFUSED = {
    "volumes": lambda secret: {"volumes": [secret]},
    "mem_limit": lambda secret: {"mem_limit": secret},
    "ulimits": lambda secret: {"container_create_kwargs": {"ulimits": [secret]}},
    "network_mode": lambda secret: {"network_mode": secret},
    "command": lambda secret: {"command": secret},
    "image": lambda secret: {"image": f"registry.invalid/{secret}", "image_pull_policy": "Never"},
}


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_no_secret_is_in_a_refusal(api, engine, pool, start_worker, tmp_path):
    """An error message quotes the refused value, whether it is the worker's own message or the engine's. A secret in
    that value is masked."""
    name = new_pool_name().replace("pool", "refused")
    api.block("login", name, {"host": "Open-host", "word": BLOCK}, secret_fields=["word"])
    worker = start_worker(api, engine, pool, settings={"PREFECT_LOGGING_LEVEL": "DEBUG"})
    secret = f"{{{{ prefect.blocks.login.{name}.word }}}}"
    runs = {key: api.go(pool, made(secret), name=key) for key, made in REFUSED.items()}
    shown = api.go(pool, {"command": f"/{{{{ prefect.blocks.login.{name}.host }}}}"})
    for key, run in runs.items():
        state = api.wait_end(run)["state"]
        assert state["type"] == "CRASHED" and "********" in state["message"], (key, state)
        check(str(api.states(run)).encode(), f"a state of {key}")
        check(api.text(run).encode(), f"the log of {key}")
        done = call("render", run, env=environment(tmp_path, api, engine))
        check((done.stdout + done.stderr).encode(), f"render of {key}")
    assert "/Open-host" in api.wait_end(shown)["state"]["message"]
    assert worker.end() == 0
    check(worker.log.read_bytes(), worker.log.name)
    check(in_state(tmp_path / "state"), "the state directory")


def forwarded(api, run):
    return "\n".join(record["message"] for record in api.logs(run))


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_plain_image_gets_no_secrets(api, engine, pool, start_worker, tmp_path):
    """`env` in an image without Prefect shows settings but no secrets, unless `prefect_env` asks for them. Then they
    are masked wherever the container's lines go."""
    auth = f"admin:{AUTH_PASSWORD}"
    basic = base64.b64encode(auth.encode()).decode()
    settings = {
        "PREFECT_API_KEY": KEY,
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_CLIENT_CUSTOM_HEADERS": f'{{"X-Site-Token": "{HEADER}"}}',
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://u:Database-2b@db/prefect",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    worker = start_worker(api, engine, pool, settings=settings)
    script = f"env; echo basic=$BASIC; echo {KEY[:9]}; printf {KEY[9:]}; echo; >&2 printf {KEY[:9]}; >&2 echo {KEY[9:]}; exit 3"
    variables = {"command": f"sh -c '{script}'", "env": {"BASIC": basic, "OWN_KEY": PLAIN}}
    plain = api.wait_end(api.go(pool, variables))
    told = api.wait_end(api.go(pool, {**variables, "prefect_env": "always"}))
    for run in (plain, told):
        assert run["state"]["type"] == "FAILED"
        api.wait_text(run["id"], "basic=")
        text = forwarded(api, run["id"]) + run["state"]["message"]
        assert "PREFECT_LOGGING_LEVEL=DEBUG" in text and f"OWN_KEY={PLAIN}" in text, text
        assert f"basic={MASKED}" in text and ("PREFECT_API_KEY=" in text) == (run is told), text
        assert ("The container did not get PREFECT_API_" in text) == (run is plain), text
        for secret in (KEY, AUTH_PASSWORD, basic, HEADER, "Database-2b"):
            assert secret not in text and secret not in worker.output(), secret
    assert worker.end() == 0
