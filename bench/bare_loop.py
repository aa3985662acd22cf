"""The limit of the machine: a loop that makes the same calls as a run, without a worker."""

import concurrent.futures
import http.client
import json
import socket
import threading
import urllib.parse

from parts import TestbedError

THREADS = 8


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=300)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class Loop:
    """Carries out runs in threads. Each thread has one connection to the server and one to the engine."""

    def __init__(self, site, image):
        self._site = site
        self._image = image
        self._base = urllib.parse.urlsplit(site.api.url)
        self._local = threading.local()

    def _connections(self):
        if not hasattr(self._local, "api"):
            self._local.api = http.client.HTTPConnection(self._base.hostname, self._base.port, timeout=300)
            self._local.engine = UnixConnection(self._site.engine.socket)
        return self._local.api, self._local.engine

    @staticmethod
    def _call(connection, method, path, body=None, repeat=()):
        content = json.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if content else {}
        while True:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status < 400:
                return data
            if answer.status not in repeat:
                raise TestbedError(f"bare loop: {method} {path}: {answer.status}: {data[:300]}")

    def _run(self, run):
        api, engine = self._connections()
        path = f"{self._base.path}/flow_runs/{run}"
        body = {
            "Image": self._image,
            "Cmd": ["prefect", "flow-run", "execute"],
            "Env": [f"PREFECT_API_URL={self._site.api.url}", f"PREFECT__FLOW_RUN_ID={run}"],
            "HostConfig": {"NetworkMode": "host"},
        }
        for name in ("Pending", "Submitting"):
            state = {"state": {"type": "PENDING", "name": name}}
            self._call(api, "POST", f"{path}/set_state", state, repeat=(503,))
        made = json.loads(self._call(engine, "POST", "/v1.41/containers/create", body))
        container = f"/v1.41/containers/{made['Id']}"
        pid = {"infrastructure_pid": f"http+docker://localhost:{made['Id']}"}
        self._call(api, "PATCH", path, pid, repeat=(503,))
        self._call(engine, "POST", f"{container}/start")
        self._call(engine, "GET", f"{container}/logs?follow=1&stdout=1&stderr=1")
        self._call(engine, "GET", f"{container}/json")

    def take(self, runs):
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._run, runs))
