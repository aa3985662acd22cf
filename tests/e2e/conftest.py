"""Fixtures: the parts of the testbed, started when a test first asks, kept for the whole session."""

import pathlib
import shutil
import signal
import time
from contextlib import ExitStack

import pytest

import engines
import servers
from parts import place
from prefect_api import Api
from worker import PEER, Worker

HERE = pathlib.Path(__file__).resolve().parent

# What the session's servers are told so that tests need not wait.
SERVER_SETTINGS = {
    "PREFECT_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
}


def pytest_configure():
    """A run that is told to end ends its engines and servers too."""

    def end(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


class Testbed:
    """Parts by name, each started once."""

    __test__ = False

    def __init__(self):
        self._stack = ExitStack()
        self._parts = {}

    def close(self):
        self._stack.close()

    def _part(self, name, start):
        if name not in self._parts:
            began = time.monotonic()
            self._parts[name] = self._stack.enter_context(start())
            print(f"testbed: {name} up in {time.monotonic() - began:.1f} s")
        return self._parts[name]

    @property
    def registry(self):
        return self._part("registry", servers.image_registry)

    @property
    def postgres(self):
        return self._part("postgres", servers.postgres)

    @property
    def flows(self):
        """The folder of flow files, where every engine's user can read it."""
        folder = self._part("flows", lambda: place("flows"))
        if not any(folder.iterdir()):
            shutil.copytree(HERE / "flows", folder, dirs_exist_ok=True)
        return folder

    def engine(self, kind):
        return self._part(kind, lambda: engines.ENGINES[kind](self.registry.host))

    def api(self, name):
        """NAME: "3" (SQLite), "3pg" (PostgreSQL) or "2"."""
        if name not in self._parts:
            database = self.postgres.database("prefect") if name == "3pg" else None
            server = self._part(
                f"server {name}", lambda: servers.prefect_server(int(name[0]), database, **SERVER_SETTINGS)
            )
            self._parts[name] = Api(server)
        return self._parts[name]


@pytest.fixture(scope="session")
def testbed():
    made = Testbed()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def engine(request, testbed):
    """Rootful Podman, or what the test's parameter names; with the busybox image."""
    made = testbed.engine(getattr(request, "param", "podman"))
    made.need(engines.BUSYBOX)
    return made


@pytest.fixture
def api(request, testbed):
    """Prefect 3 on SQLite, or what the test's parameter names."""
    return testbed.api(getattr(request, "param", "3"))


@pytest.fixture
def pool(api):
    """A `docker` pool of the test's own."""
    name = new_pool_name()
    api.create_pool(name)
    return name


_pools = 0


def new_pool_name():
    global _pools
    _pools += 1
    return f"pool-{_pools}"


@pytest.fixture
def start_worker(tmp_path):
    """A function that starts workers (arguments of worker.Worker after the folder) and waits until they
    are healthy. Each must end well: exit code 0 when it is still running at the test's end, and never a
    sanitizer's report."""
    started = []

    def start(api, engine, pool, *arguments, wait=True, **options):
        made = Worker(tmp_path, api, engine, pool, *arguments, **options)
        started.append((made, engine))
        if wait and made.health:
            made.wait_healthy()
        return made

    yield start
    codes = []
    for made, engine in started:
        try:
            if made.running():
                codes.append(made.end())
        finally:
            made.stop()
            print(f"--- the worker's output (exit code {made.popen.returncode}):\n{made.tail(80)}")
            if isinstance(engine, engines.Engine):
                for container in engine.containers(**{"io.prefect.work-pool-name": made.pool}):
                    engine.remove(container["Id"])
    for made, _ in started:
        made.check()
    assert PEER or not any(codes), f"exit codes after SIGTERM: {codes}"
