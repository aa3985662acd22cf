"""A small client of the Prefect API for tests: it does what a user would do, and reads what a user would see."""

import datetime
import functools
import json
import subprocess
import time
import uuid

import httpx

from engines import BUSYBOX
from parts import TestbedError, wait_for
from servers import venv

BUSY_SECONDS = 120
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@functools.cache
def docker_template():
    """The base job template that the Python worker gives a `docker` pool."""
    program = "import json; from prefect_docker.worker import DockerWorker as W; "
    program += "print(json.dumps(W.get_default_base_job_template()))"
    argv = [venv(3) / "bin" / "python", "-c", program]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


class Api:
    def __init__(self, server):
        self.server = server
        self.url = server.url
        self.version = server.version
        # Each call has a connection of its own: the server closes idle ones, sometimes just when the next request is
        # sent.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=server.url, headers=server.headers, timeout=60, limits=limits)
        self._flows = {}

    def __repr__(self):
        return f"prefect{self.version}"

    def call(self, method, path, **options):
        """Makes a call. Repeats it at once if a busy SQLite server answers 503 because of another writer."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self.http.request(method, path, **options)
            if answer.status_code == 403 and "CSRF" in answer.text:
                self._fetch_csrf_token()
                answer = self.http.request(method, path, **options)
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if answer.status_code >= 400:
            raise TestbedError(f"{method} {path}: {answer.status_code}: {answer.text}")
        return answer.json() if answer.content else None

    def _fetch_csrf_token(self):
        client = str(uuid.uuid4())
        token = self.call("GET", "/csrf-token", params={"client": client})["token"]
        self.http.headers.update({"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token})

    # What a site sets up

    def create_pool(self, name, type="docker", **more):
        more.setdefault("base_job_template", docker_template() if type == "docker" else {})
        return self.call("POST", "/work_pools/", json={"name": name, "type": type, **more})

    def pool(self, name):
        return self.call("GET", f"/work_pools/{name}")

    def wait_pool(self, name):
        """Waits until a pool that a worker creates or completes has a template."""

        def filled():
            answer = self.http.get(f"/work_pools/{name}")
            return answer.status_code == 200 and answer.json()["base_job_template"] and answer.json()

        return wait_for(filled, 20, f"pool {name} with a template")

    def update_pool(self, name, **changes):
        self.call("PATCH", f"/work_pools/{name}", json=changes)

    def create_queue(self, pool, name, **more):
        return self.call("POST", f"/work_pools/{pool}/queues", json={"name": name, **more})

    def flow(self, name):
        if name not in self._flows:
            self._flows[name] = self.call("POST", "/flows/", json={"name": name})["id"]
        return self._flows[name]

    def deploy(self, pool, name="run", flow="e2e", variables=None, **more):
        """Makes a deployment with job VARIABLES (of the busybox image, unless they name another one). Returns its
        id."""
        variables = {"image": BUSYBOX, "image_pull_policy": "Never", **(variables or {})}
        body = {"name": f"{pool}-{name}", "flow_id": self.flow(flow), "work_pool_name": pool, **more}
        body["infra_overrides" if self.version == 2 else "job_variables"] = variables
        return self.call("POST", "/deployments/", json=body)["id"]

    def block(self, slug, name, data, secret_fields=()):
        """Makes a block document of the type SLUG, and registers that type without a schema of its own."""
        types = self.call("POST", "/block_types/filter", json={"block_types": {"slug": {"any_": [slug]}}})
        known = [item for item in types if item["slug"] == slug]
        block_type = known[0] if known else self.call("POST", "/block_types/", json={"name": slug, "slug": slug})
        fields = {"title": slug, "type": "object", "properties": {key: {} for key in data}}
        fields["secret_fields"] = list(secret_fields)
        schema = {"block_type_id": block_type["id"], "fields": fields, "capabilities": []}
        schema_id = self.call("POST", "/block_schemas/", json=schema)["id"]
        body = {"name": name, "data": data, "block_type_id": block_type["id"], "block_schema_id": schema_id}
        return self.call("POST", "/block_documents/", json=body)["id"]

    def variable(self, name, value):
        self.call("POST", "/variables/", json={"name": name, "value": value})

    def delete_deployment(self, deployment):
        self.call("DELETE", f"/deployments/{deployment}")

    # Flow runs

    def run(self, deployment, variables=None, after=0, **more):
        """Schedules a run AFTER seconds from now. Returns its id."""
        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=after)
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": when.isoformat()}}
        body = {"state": state, **more}
        if variables is not None:
            body["job_variables"] = variables
        return self.call("POST", f"/deployments/{deployment}/create_flow_run", json=body)["id"]

    def go(self, pool, variables=None, name="run", **more):
        """Makes a deployment in POOL and runs it now. Returns the run's id."""
        return self.run(self.deploy(pool, name, variables=variables, **more))

    def retried(self, pool, folder, **more):
        """Makes a run that fails at first and succeeds in its only retry. It remembers that in FOLDER. MORE is about
        its deployment."""
        command = "sh -c 'test -e /kept/seen || { touch /kept/seen; exit 1; }'"
        variables = {"command": command, "volumes": [f"{folder}:/kept"], "auto_remove": True}
        run = self.run(self.deploy(pool, variables=variables, **more), after=2)
        self.call("PATCH", f"/flow_runs/{run}", json={"empirical_policy": {"retries": 1, "retry_delay": 0}})
        return run

    def flow_run(self, run):
        return self.call("GET", f"/flow_runs/{run}")

    def flow_runs(self, runs):
        found = []
        for start in range(0, len(runs), 100):
            body = {"flow_runs": {"id": {"any_": runs[start : start + 100]}}}
            found += self.call("POST", "/flow_runs/filter", json=body)
        return {item["id"]: item for item in found}

    def state(self, run):
        return self.flow_run(run)["state"]

    def states(self, run):
        """All states the run has been in, oldest first."""
        found = self.call("GET", "/flow_run_states/", params={"flow_run_id": run})
        return sorted(found, key=lambda state: state["timestamp"])

    def set_state(self, run, type, **more):
        return self.call("POST", f"/flow_runs/{run}/set_state", json={"state": {"type": type, **more}, "force": True})

    def wait_state(self, run, *types, timeout=60):
        """Waits until the run's state has one of TYPES; returns the run. Another terminal state ends the wait with
        an error that quotes its message."""
        last = {}

        def reached():
            nonlocal last
            last = self.flow_run(run)
            state = last["state"]
            if state["type"] not in types and state["type"] in TERMINAL:
                raise TestbedError(f"run is {words(state)}; its log:\n{self.text(run)}")
            return state["type"] in types

        wait_for(reached, timeout, lambda: f"{types}; the run is {words(last['state'])}\n{self.text(run)}", 0.2)
        return last

    def wait_end(self, *runs, timeout=90):
        """Waits until RUNS are in terminal states; returns the runs in this order (for a single run, that run)."""
        last = {}

        def ended():
            nonlocal last
            last = self.flow_runs(list(runs))
            return all(last[run]["state"]["type"] in TERMINAL for run in runs)

        def what():
            open_runs = [item for item in last.values() if item["state"]["type"] not in TERMINAL]
            return "ended: " + "; ".join(f"{item['name']} is {words(item['state'])}" for item in open_runs)

        wait_for(ended, timeout, what, 0.2)
        return last[runs[0]] if len(runs) == 1 else [last[run] for run in runs]

    def logs(self, run):
        """The run's log records, oldest first."""
        found = []
        while True:
            body = {
                "logs": {"flow_run_id": {"any_": [run]}},
                "sort": "TIMESTAMP_ASC",
                "limit": 200,
                "offset": len(found),
            }
            page = self.call("POST", "/logs/filter", json=body)
            found += page
            if len(page) < 200:
                return found

    def text(self, run):
        return "\n".join(record["message"] for record in self.logs(run))

    def wait_text(self, run, text, timeout=20):
        """Waits until the run's log has TEXT (batches are sent every 2 s); returns the whole log."""
        wait_for(lambda: text in self.text(run), timeout, lambda: f"{text!r} in the log:\n{self.text(run)}", 0.3)
        return self.text(run)


def words(state):
    return f"{state['type']} {state['name']!r}: {state.get('message')}"


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def running_spans(api, runs):
    """(start, end) of each run's time in RUNNING, sorted."""
    spans = []
    for run in runs:
        states = api.states(run)
        begun = next(state for state in states if state["type"] == "RUNNING")
        spans.append((when(begun["timestamp"]), when(states[-1]["timestamp"])))
    return sorted(spans)
