"""Who owns a container: labels, names and images that the author of one job writes have no effect on other runs."""

import signal
import uuid

import pytest

from engines import BUSYBOX
from fault_proxy import Rule, status
from parts import CACHE, wait_for

SPELLINGS = ["prefect.io/flow-run-id", "io.prefect.flow-run-id"]


def identity(folder):
    """Returns the name of the only identity in the state directory of FOLDER."""
    (path,) = folder.glob("state/*/identity.json")
    return path.parent.name


def forge(engine, name, labels, script):
    """Makes a container NAME with LABELS that runs SCRIPT, as any user of the engine's socket could. Returns its id."""
    body = {
        "Image": BUSYBOX,
        "Cmd": ["sh", "-c", script],
        "Labels": labels,
        "HostConfig": {"NetworkMode": "none"},
    }
    return engine.call("POST", "/containers/create", params={"name": name}, json=body).json()["Id"]


def start(engine, container):
    engine.call("POST", f"/containers/{container}/start")
    return container


@pytest.mark.parametrize("place", ["deployment", "run"])
def test_labels_of_another_run(api, engine, pool, start_worker, place):
    """A job labels its container as if it belonged to another run. That run is recovered with its own container."""
    worker = start_worker(api, engine, pool)
    variables = {"command": "echo mine", "name": f"{pool}-victim"}
    victim = api.run(api.deploy(pool, "victim", variables=variables), after=6)
    labels = {"labels": {spelling: victim for spelling in SPELLINGS}}
    forger = api.deploy(
        pool, "forger", variables={"command": "sh -c 'echo forged; sleep 600'", **(labels if place == "deployment" else {})}
    )
    run = api.run(forger, variables=labels if place == "run" else None)
    api.wait_text(run, "forged")
    made = lambda: engine.http.get(f"/containers/{pool}-victim/json").status_code == 200  # noqa: E731
    wait_for(made, 20, "the victim's container is made")
    worker.end(signal.SIGKILL)
    start_worker(api, engine, pool)
    assert api.wait_end(victim)["state"]["type"] == "COMPLETED"
    assert "mine" in api.wait_text(victim, "mine").splitlines()
    assert "forged" not in api.text(victim)
    assert api.state(run)["type"] == "RUNNING"


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_name_and_labels_of_the_next_container(api, engine, pool, start_worker, tmp_path):
    """A container has all labels of the run, except its claim. It is left alone, and the run's container gets the
    next name."""
    worker = start_worker(api, engine, pool)
    worker.send(signal.SIGSTOP)
    name = f"{pool}-victim"
    victim = api.go(pool, {"command": "echo mine", "name": name})
    labels = {
        "io.prefect.flow-run-id": victim,
        "io.prefect.work-pool-name": pool,
        "io.prefect-podman.identity": identity(tmp_path),
        "io.prefect-podman.state-reporting": "worker",
        "io.prefect-podman.claim": str(uuid.uuid4()),
    }
    forged = forge(engine, name, labels, "echo forged")
    worker.send(signal.SIGCONT)
    assert api.wait_end(victim)["state"]["type"] == "COMPLETED"
    assert "mine" in api.wait_text(victim, "mine").splitlines()
    assert "forged" not in api.text(victim)
    assert engine.inspect(forged)["State"]["Status"] == "created"


def test_containers_that_no_journal_knows_of(api, engine, pool, start_worker, tmp_path):
    """The server knows each run's claim and pool. Of four containers that look alike, the worker continues with one."""
    other_pool = f"{pool}-other"
    api.create_pool(other_pool)
    start_worker(api, engine, pool).end(signal.SIGTERM)
    deployments = {name: api.deploy(name, variables={"command": "echo own"}) for name in (pool, other_pool)}

    def stray(of_pool, labelled=True, claimed=True):
        run, claim = api.run(deployments[of_pool]), str(uuid.uuid4())
        api.set_state(run, "PENDING", state_details={"transition_id": claim if claimed else str(uuid.uuid4())})
        labels = {
            "io.prefect.flow-run-id": run,
            "io.prefect.work-pool-name": pool,
            "io.prefect-podman.identity": identity(tmp_path),
            "io.prefect-podman.state-reporting": "worker",
        }
        if labelled:
            labels["io.prefect-podman.claim"] = claim
        start(engine, forge(engine, f"{pool}-{run}", labels, "echo of nobody; sleep 3; exit 3"))
        return run

    true = stray(pool)
    others = [stray(pool, claimed=False), stray(other_pool), stray(pool, labelled=False)]
    worker = start_worker(api, engine, pool)
    assert api.wait_end(true)["state"]["type"] == "FAILED"
    assert "of nobody" in api.wait_text(true, "of nobody")
    for run in others:
        assert api.state(run)["type"] == "PENDING" and not api.logs(run)
        assert run not in worker.output()


def test_two_containers_that_no_journal_knows_of(api, engine, pool, start_worker, tmp_path):
    """The worker continues with the container that was made for the claim, although another one runs and is younger."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo mine; sleep 4'", "auto_remove": True})
    api.wait_text(run, "mine")
    worker.end(signal.SIGKILL)
    for path in tmp_path.glob("state/*/runs/*"):
        path.unlink()
    (own,) = engine.containers_of(run)
    labels = {key: value for key, value in own["Labels"].items() if key != "io.prefect-podman.claim"}
    wait_for(lambda: engine.inspect(own["Id"])["State"]["Status"] == "exited", 20, "it has ended")
    start(engine, forge(engine, f"{pool}-forged", labels, "echo forged; sleep 600"))
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "forged" not in api.text(run)


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_container_of_an_image_of_the_container(api, engine, pool, start_worker, tmp_path):
    """`podman commit` copies all labels into an image. A container of it looks like the run's own, runs, and is
    younger."""
    image = f"localhost/pp/{pool}:1"
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo mine; sleep 4; exit 3'"})
    api.wait_text(run, "mine")
    worker.end(signal.SIGKILL)
    for path in tmp_path.glob("state/*/runs/*"):
        path.unlink()
    (own,) = engine.containers_of(run)
    wait_for(lambda: engine.inspect(own["Id"])["State"]["Status"] == "exited", 20, "it has ended")
    repository, tag = image.split(":")
    params = {"container": own["Id"], "repo": repository, "tag": tag}
    assert engine.call("POST", "/commit", params=params, json={}).status_code == 201
    body = {"Image": image, "Cmd": ["sh", "-c", "echo a copy; sleep 600"], "HostConfig": {"NetworkMode": "none"}}
    copy = engine.call("POST", "/containers/create", params={"name": f"{pool}-copy"}, json=body).json()["Id"]
    start(engine, copy)
    assert engine.inspect(copy)["Config"]["Labels"]["io.prefect-podman.claim"] == own["Labels"]["io.prefect-podman.claim"]
    start_worker(api, engine, pool)
    ended = api.wait_end(run)
    assert ended["state"]["type"] == "FAILED" and "3" in ended["state"]["message"]
    assert "a copy" not in api.text(run)
    assert engine.inspect(copy)["State"]["Running"]
    engine.call("DELETE", f"/containers/{copy}", params={"force": "true"})
    engine.remove_image(image)


def test_container_of_version_0_1(api, engine, pool, start_worker, tmp_path):
    """The container has no claim label. The worker recognizes it by the id in the journal entry."""
    worker = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo made now; sleep 600'"})
    api.wait_text(run, "made now")
    worker.end(signal.SIGKILL)
    (container,) = engine.containers_of(run)
    labels = {key: value for key, value in container["Labels"].items() if key != "io.prefect-podman.claim"}
    old = start(engine, forge(engine, f"{pool}-old", labels, "echo made now; echo made by 0.1; sleep 2"))
    (entry,) = [path for path in tmp_path.glob("state/*/runs/*.json")]
    entry.write_text(entry.read_text(encoding="utf-8").replace(container["Id"], old), encoding="utf-8")
    start_worker(api, engine, pool)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    assert "made by 0.1" in api.wait_text(run, "made by 0.1")
    assert engine.inspect(container["Id"])["State"]["Running"]


@pytest.mark.parametrize("engine", ["podman", "docker"], indirect=True)
def test_labels_of_an_image(api, engine, pool, start_worker, tmp_path):
    """A container inherits the image's labels, unless the worker sets a label of that name."""
    image = "localhost/pp/labelled:1"
    names = ["io.prefect.flow-run-id", "io.prefect.work-pool-name"]
    names += [f"io.prefect-podman.{name}" for name in ("identity", "claim", "state-reporting")]
    labels = [f"LABEL {name}=forged" for name in [*names, "site"]]
    engine.import_image(CACHE / "images" / "busybox.tar", image, ["ENV PATH=/bin", *labels])
    start_worker(api, engine, pool)
    run = api.go(pool, {"image": image, "command": "true"})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    (container,) = engine.containers_of(run)
    engine.remove_image(image)
    assert container["Labels"]["site"] == "forged"
    for name in names:
        assert container["Labels"][name] not in ("forged", ""), name
    claim = next(state for state in api.states(run) if state["type"] == "PENDING")
    assert container["Labels"]["io.prefect-podman.claim"] == claim["state_details"]["transition_id"]


def test_log_of_another_container(api, engine, pool, start_worker):
    """With that `log_config`, Podman would write a job's output to the log of another container."""
    start_worker(api, engine, pool)
    victim = api.go(pool, {"command": "sh -c 'echo mine; sleep 6; echo over'", "name": f"{pool}-victim"}, "victim")
    api.wait_text(victim, "mine")
    (container,) = engine.containers_of(victim)
    (log,) = engine.folder.glob(f"root/*-containers/{container['Id']}/userdata/ctr.log")
    kwargs = {"log_config": {"type": "k8s-file", "config": {"Path": str(log)}}}
    run = api.wait_end(api.go(pool, {"command": "echo of another", "container_create_kwargs": kwargs}))
    assert run["state"]["type"] == "CRASHED"
    assert "log_config" in run["state"]["message"] and "path" in run["state"]["message"], run["state"]
    assert api.wait_end(victim)["state"]["type"] == "COMPLETED"
    assert "of another" not in api.wait_text(victim, "over")


def test_all_names_are_taken(api, engine, pool, door, start_worker):
    """Other users' containers have all names that the run would get. The run's container gets a name that nobody
    could foresee."""
    taken = status(409, b'{"message":"Conflict. The container name \\"/x\\" is already in use by container \\"0\\"."}')
    door.add(Rule(rf"POST .*/containers/create\?name={pool}-victim(-[0-9]+)?( |&|$)", taken))
    worker = start_worker(api, door.url, pool)
    run = api.wait_end(api.go(pool, {"command": "echo mine", "name": f"{pool}-victim"}))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert "mine" in api.wait_text(run["id"], "mine").splitlines()
    assert worker.healthy()
    (container,) = engine.containers_of(run["id"])
    engine.remove(container["Id"])
