"""Fixtures: the parts of the testbed. Each part is started when a test first asks for it, and kept for the whole
session."""

import os
import pathlib
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack

import pytest

import engines
import servers
from clocks import Clocks
from fault_proxy import FaultProxy
from parts import place
from prefect_api import Api
from worker import PEER, Worker

try:
    from xdist.workermanage import NodeManager
except ImportError:
    NodeManager = None

HERE = pathlib.Path(__file__).resolve().parent

# Settings of the session's servers that shorten what tests wait for.
SERVER_SETTINGS = {
    "PREFECT_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    # The shortest lease that the server allows. Every second, the server takes expired leases away.
    "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "30",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "1",
}


def pytest_addoption(parser):
    parser.addoption(
        "--podman",
        default="podman",
        choices=["podman", "podman5"],
        help="what the tests of rootful Podman get; podman5 leaves out those of other engines",
    )


def pytest_configure():
    """If the test run is told to end, it also ends its engines and servers, and those of pytest-xdist's processes."""
    own = os.getpid()
    if NodeManager is not None:
        NodeManager.EXIT_TIMEOUT = 30  # before it kills its processes, in seconds: 10 are too few on a busy machine

    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # execnet sends it too early: the parts are still being ended
        if "PYTEST_XDIST_WORKER_COUNT" not in os.environ:
            for child in pathlib.Path(f"/proc/{own}/task/{own}/children").read_text(encoding="utf-8").split():
                os.kill(int(child), signal.SIGTERM)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    # If this process ignores a signal (SIGHUP under nohup; SIGINT and SIGQUIT in a script's background job), all
    # programs that the tests start would ignore it, too. A signal with a handler gets its default again in these
    # programs. A blocked signal would stay blocked.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])


def parameters_of(item):
    return item.callspec.params if hasattr(item, "callspec") else {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """If tests run in parallel, all tests of a rarely used part run in one process, so that the part is started
    once. Slow tests run first, so that nobody waits for them at the end."""
    if config.getoption("--podman") != "podman":
        others = [item for item in items if parameters_of(item).get("engine", "podman") != "podman"]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        parameters = parameters_of(item)
        for name, common in (("engine", "podman"), ("api", "3")):
            part = parameters.get(name, common)
            if name in item.fixturenames and part != common:
                item.add_marker(pytest.mark.xdist_group(part))
                break


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
    def http_proxy(self):
        return self._part("http proxy", servers.http_proxy)

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


def make_certificate(folder, name="testbed"):
    """A certificate of 127.0.0.1 that is its own CA, by NAME; returns its path and its key's."""
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN={name}"
    command += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def engine(request, testbed):
    """Rootful Podman, or what the test's parameter names; with the busybox image."""
    kind = getattr(request, "param", "podman")
    made = testbed.engine(request.config.getoption("--podman") if kind == "podman" else kind)
    made.need(engines.BUSYBOX)
    return made


@pytest.fixture
def api(request, testbed):
    """Prefect 3 on SQLite, or what the test's parameter names."""
    return testbed.api(getattr(request, "param", "3"))


# Tests name these fixtures before start_worker. So they outlast the worker; otherwise the worker's end would wait for a
# part that is gone.


@pytest.fixture
def proxy(api):
    """A proxy in front of the server; .api is the URL of its API."""
    with FaultProxy(api.url.removesuffix("/api")) as made:
        made.api = f"{made.url}/api"
        yield made


@pytest.fixture
def tls_proxy(api, certificate):
    with FaultProxy(api.url.removesuffix("/api"), tls=certificate) as made:
        made.api = f"{made.url}/api"
        yield made


@pytest.fixture
def front(api, certificate):
    """TLS and HTTP/2 in front of the server."""
    with servers.http2_front(api.server, certificate) as made:
        yield made


@pytest.fixture
def door(engine, tmp_path):
    """A proxy in front of the engine."""
    with FaultProxy(engine.url, tmp_path / "engine.sock") as made:
        yield made


@pytest.fixture
def clocks(tmp_path):
    """The clocks of workers that are started with its settings."""
    return Clocks(tmp_path)


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
