#!/usr/bin/env python3
"""Compares the create call of prefect-podman with the peer's, field by field.

The peer is the installed DockerWorker with docker-py. It runs against an engine that only records its requests. The
same finished job configuration goes to spec_harness.

This test does not cover the worker's own secrets. The peer gives them to every container, prefect-podman only to
containers that run Prefect: see prefect_env in test_own_secrets.c.

Run with the Python of a venv that has prefect and prefect-docker:

    python tests/unit/infrastructure/containers/peer_create/run.py --harness build/tests/unit/infrastructure/containers/spec_harness
"""

import argparse
import base64
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import uuid
import warnings

import cases
from engine import Engine

GATEWAY = "10.88.0.1"
ENGINES = [
    {"kind": "docker", "version": "24.0.7", "gateway": None},
    {"kind": "docker", "version": "20.10.24+dfsg1", "gateway": None},
    {"kind": "podman", "version": "5.2.1", "gateway": None},
    {"kind": "podman", "version": "4.3.1", "gateway": GATEWAY},
]
NEWEST = ENGINES[0]  # an unknown engine counts as this one


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--harness", required=True, help="the built spec_harness")
    parser.add_argument("--mixed", type=int, default=200, help="how many mixed deployments")
    parser.add_argument("--seed", type=int, default=20260101)
    return parser.parse_args()


def make_worker():
    from prefect_docker.worker import DockerWorker

    worker = DockerWorker(work_pool_name="pool", name="worker")
    # Events go to a server, and there is none here.
    worker._emit_container_status_change_event = lambda *args, **kwargs: None
    worker._emit_container_creation_failed_event = lambda *args, **kwargs: None
    worker._logger.setLevel(logging.CRITICAL)
    return worker


def make_configuration(case):
    """The peer's job configuration after prepare_for_flow_run()."""
    from prefect.client.schemas.objects import FlowRun
    from prefect_docker.worker import DockerWorkerJobConfiguration

    values = {"command": cases.COMMAND, "image": "busybox:1", **case}
    configuration = DockerWorkerJobConfiguration(**values)
    flow_run = FlowRun(id=uuid.UUID(int=7), flow_id=uuid.UUID(int=8), name="tidy-otter")
    configuration.prepare_for_flow_run(flow_run)
    return configuration


def as_finished(configuration):
    """CONFIGURATION in the form in which this project's template room returns it."""
    finished = configuration.model_dump(mode="json")
    # pp_template_prepare() chooses the network mode, and leaves secrets unmasked.
    finished["network_mode"] = configuration.get_network_mode()
    if configuration.registry_credentials:
        credentials = configuration.registry_credentials
        finished["registry_credentials"] = {
            "username": credentials.username,
            "password": credentials.password.get_secret_value(),
            "registry_url": credentials.registry_url,
        }
    return finished


def run_peer(worker, engine, case, version):
    engine.start_recording(version)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            worker._create_and_start_container(make_configuration(case))
    except Exception as error:  # noqa: BLE001: any error with which the peer refuses the case
        return {"error": f"{type(error).__name__}: {error}"}
    return dict(engine.record)


# --- deliberate differences: each is a narrow rule for the peer's result ---


def without_auto_remove(peer):
    """AutoRemove: here the worker removes the container, after its exit status and the last byte of output are safe."""
    peer["create_body"]["HostConfig"].pop("AutoRemove", None)


def without_restart_policy(peer):
    """RestartPolicy: a flow run is one run of its container."""
    peer["create_body"]["HostConfig"].pop("RestartPolicy", None)


def with_host_gateway(peer, newer, mode, engine):
    """The peer compares Podman's version with Docker's version numbers, and so leaves host-gateway out. Here Podman
    gets what the peer sends to a Docker that knows the word, or an address if this Podman does not know the word."""
    hosts = newer["create_body"]["HostConfig"].get("ExtraHosts")
    if hosts is None:
        peer["create_body"]["HostConfig"].pop("ExtraHosts", None)
        return
    known = engine["gateway"] is None
    named_network = mode in ("one", "two")
    address = "127.0.0.1" if mode == "host" else GATEWAY
    if not known and not named_network:
        word = "host-gateway"
        hosts = [h.removesuffix(word) + address if h.endswith(":" + word) else h for h in hosts]
    peer["create_body"]["HostConfig"]["ExtraHosts"] = hosts


def in_anothers_network(case, peer):
    """If a container joins another's network, engines refuse the entry that the peer itself adds to /etc/hosts."""
    host_config = peer["create_body"]["HostConfig"]
    own = "host.docker.internal:"
    if not str(host_config["NetworkMode"]).startswith("container:") or "ExtraHosts" not in host_config:
        return
    users = (case.get("container_create_kwargs") or {}).get("extra_hosts") or {}
    if "host.docker.internal" not in str(users):
        host_config["ExtraHosts"] = [entry for entry in host_config["ExtraHosts"] if not entry.startswith(own)]
    if not host_config["ExtraHosts"]:
        del host_config["ExtraHosts"]


def refused_for_the_engine(ours):
    """The peer sends settings that an engine silently drops. Here the run is refused
    (src/infrastructure/containers/dropped.c)."""
    return bool(re.search(r"silently ignores (\S+|this setting):|would silently ignore", ours.get("error", "")))


def ports_nobody_reaches(ours):
    """docker-py refuses published ports on the host's network, but accepts them without a network. Here both are
    refused."""
    return re.search(r'"(none|container:\S+)" network_mode is incompatible', ours.get("error", ""))


def no_variable_name(ours):
    """docker-py joins NAME and value, so a NAME with "=" in it would set another variable. Here it is refused."""
    return "cannot be the name of a variable" in ours.get("error", "")


def without_gpu_requests(peer):
    """Podman drops GPU requests of the Docker API. Here they become CDI devices."""
    peer["create_body"]["HostConfig"].pop("DeviceRequests", None)


def with_nothing_as_podman_has_it(body):
    """Podman drops an empty entrypoint, and takes a variable without a value from its own service's environment."""
    if body.get("Entrypoint") == []:
        body["Entrypoint"] = [""]
    unset = [entry for entry in body.get("Env") or [] if "=" not in entry]
    if unset:
        body["UnsetEnv"] = unset
        body["Env"] = [entry for entry in body["Env"] if "=" in entry]
        if not body["Env"]:
            del body["Env"]


# ---


def differences(wanted, got, path=""):
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(set(wanted) | set(got)):
            if key not in got:
                yield f"{path}.{key}: peer {wanted[key]!r}, here absent"
            elif key not in wanted:
                yield f"{path}.{key}: peer absent, here {got[key]!r}"
            else:
                yield from differences(wanted[key], got[key], f"{path}.{key}")
    elif wanted != got or type(wanted) is not type(got):
        yield f"{path}: peer {wanted!r}, here {got!r}"


class Harness:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, configuration, engine):
        case = {"configuration": configuration, "engine": engine}
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"peer-create: the harness died (status {self.process.wait()}) on {case}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit(f"peer-create: the harness ended with status {self.process.returncode}")


def compare(worker, engine, harness, case, target):
    """Returns the differences of one case on one engine, or None if both sides refuse it."""
    finished = as_finished(make_configuration(case))
    peer = run_peer(worker, engine, case, target["version"])
    ours = harness.run(finished, target)
    if refused_for_the_engine(ours):
        target = NEWEST
        peer = run_peer(worker, engine, case, target["version"])
        ours = harness.run(finished, None)
    if ports_nobody_reaches(ours):
        return []
    if no_variable_name(ours):
        return []
    if "error" in peer or "error" in ours:
        if "error" in peer and "error" in ours:
            return None
        return [f"peer: {peer.get('error', 'takes it')}; here: {ours.get('error', 'takes it')}"]

    without_auto_remove(peer)
    without_restart_policy(peer)
    if target["kind"] == "podman":
        mode = peer["create_body"]["HostConfig"]["NetworkMode"]
        with_host_gateway(peer, run_peer(worker, engine, case, "24.0.7"), mode, target)
        without_gpu_requests(peer)
        with_nothing_as_podman_has_it(peer["create_body"])
    in_anothers_network(case, peer)
    found = list(differences(peer["create_body"], ours["create_body"], "body"))
    for key in ("name", "platform"):
        found += differences(peer.get(key), ours[key], key)
    found += differences(peer.get("networks", []), ours["networks"], "networks")
    if "pull" in peer:
        found += differences(
            decoded(peer["registry_auth"]), decoded(ours["registry_auth"]), "X-Registry-Auth"
        )
    if ("pull" in peer) != (ours["pull_policy"] in ("Always", "IfPossible")):
        found.append(f"pull: peer {'pull' in peer}, here {ours['pull_policy']}")
    return found


def asks_for_hosts(case):
    """True if the result of CASE depends on the engine's version."""
    keys = {"env", "networks", "network_mode"} & set(case)
    return bool(keys) or "extra_hosts" in (case.get("container_create_kwargs") or {})


def decoded(header):
    if header is None:
        return None
    auth = json.loads(base64.urlsafe_b64decode(header))
    # docker-py adds an e-mail address that nobody has asked for.
    auth.pop("email", None)
    return auth


def main():
    arguments = parse_arguments()
    counts = {"deployments": 0, "comparisons": 0, "refused by both": 0, "different": 0}
    with tempfile.TemporaryDirectory(prefix="peer-create-") as folder:
        os.environ.update(
            PREFECT_HOME=os.path.join(folder, "prefect"),
            PREFECT_API_URL="http://127.0.0.1:4200/api",
            PREFECT_LOGGING_TO_API_ENABLED="false",
            DOCKER_CONFIG=os.path.join(folder, "docker"),
            DOCKER_HOST=f"unix://{folder}/engine.sock",
        )
        for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CLIENT_TIMEOUT"):
            os.environ.pop(name, None)
        engine = Engine(os.path.join(folder, "engine.sock"))
        harness = Harness(arguments.harness)
        worker = make_worker()

        def check(case, targets, must_refuse=False):
            counts["deployments"] += 1
            for target in targets:
                counts["comparisons"] += 1
                found = compare(worker, engine, harness, case, target)
                if found is None:
                    counts["refused by both"] += 1
                elif must_refuse and not found:
                    found = ["taken by both, to be refused"]
                if found:
                    counts["different"] += 1
                    print(f"{target['kind']} {target['version']} {json.dumps(case)}")
                    for line in found:
                        print(f"    {line}")

        for case in cases.every_value_once():
            check(case, ENGINES if asks_for_hosts(case) else ENGINES[:1])
        for number, case in enumerate(cases.mixed(arguments.mixed, arguments.seed)):
            check(case, [ENGINES[number % len(ENGINES)]])
        for case in cases.refused():
            check(case, ENGINES[:1], must_refuse=True)
        for case in cases.no_variable_names():
            check(case, ENGINES[:1])
            if not no_variable_name(harness.run(as_finished(make_configuration(case)), None)):
                counts["different"] += 1
                print(f"{json.dumps(case)}\n    taken here, to be refused")
        harness.close()
        engine.close()
    print("peer-create: " + ", ".join(f"{value} {key}" for key, value in counts.items()))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
