"""The other parts a worker talks with: Prefect servers, PostgreSQL, an image registry."""

import os
import pathlib
import pwd
import shutil
import subprocess
from contextlib import contextmanager

import httpx

from parts import CACHE, TestbedError, as_user, clean_environment, free_port, place, process

POSTGRES_USER = "postgres"


def venv(version):
    """The Python environment with Prefect VERSION (2 or 3)."""
    folder = CACHE / f"venv-prefect{version}"
    if not (folder / "bin" / "prefect").exists():
        raise TestbedError(f"{folder} is missing: run contrib/run-tests.sh install")
    return folder


class Server:
    def __init__(self, version, port, process_, home, headers=None):
        self.version = version
        self.home = home
        self.port = port
        self.url = f"http://127.0.0.1:{port}/api"
        self.process = process_
        self.headers = headers or {}

    def __repr__(self):
        return self.url

    def ready(self):
        answer = httpx.get(f"{self.url}/health", timeout=5, headers=self.headers)
        return answer.status_code == 200


@contextmanager
def prefect_server(version=3, database=None, port=None, headers=None, folder=None, **settings):
    """A Prefect server of major VERSION, on SQLite or on DATABASE (its connection URL). SETTINGS:
    PREFECT_* of its own; HEADERS: what a client must send then. FOLDER: its home, to start it a second
    time with what it knew."""
    port = port or free_port()
    with place(f"prefect{version}") as made:
        folder = folder or made
        environment = clean_environment(
            HOME=folder,
            PREFECT_HOME=folder,
            PREFECT_API_DATABASE_CONNECTION_URL=database,
            PREFECT_UI_ENABLED="false",
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            DO_NOT_TRACK="1",
        )
        environment |= settings
        binary = venv(version) / "bin" / "prefect"
        argv = [binary, "server", "start", "--host", "127.0.0.1", "--port", port]
        with process(argv, folder / "server.log", env=environment) as service:
            server = Server(version, port, service, folder, headers)
            service.wait_ready(server.ready, timeout=120)
            yield server


def postgres_programs():
    """Where initdb is: not on PATH in Debian's packages, on PATH in others."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if shutil.which("initdb"):
        return pathlib.Path(shutil.which("initdb")).resolve().parent
    raise TestbedError("PostgreSQL is missing: install postgresql (apt) or postgresql-server (dnf)")


class Postgres:
    def __init__(self, programs, folder, port):
        self._programs = programs
        self._folder = folder
        self._port = port

    def psql(self, command):
        argv = [self._programs / "psql", "-h", self._folder, "-p", str(self._port), "-U", POSTGRES_USER]
        argv += ["-v", "ON_ERROR_STOP=1", "-q", "-c", command, "postgres"]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def query(self, database, statement):
        """The rows of a SELECT of one column."""
        argv = [self._programs / "psql", "-h", self._folder, "-p", str(self._port), "-U", POSTGRES_USER]
        argv += ["-v", "ON_ERROR_STOP=1", "-qAt", "-c", statement, database]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]

    def database(self, name):
        """A new database; returns its URL as Prefect wants it."""
        made = self.psql(f"CREATE DATABASE {name}")
        if made.returncode != 0:
            raise TestbedError(f"CREATE DATABASE {name}: {made.stderr}")
        return f"postgresql+asyncpg://{POSTGRES_USER}@127.0.0.1:{self._port}/{name}"


@contextmanager
def postgres():
    programs = postgres_programs()
    owner = pwd.getpwnam(POSTGRES_USER)
    port = free_port()
    with place("postgres") as folder:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        environment = clean_environment(HOME=folder)
        # Nothing here outlives a test run: what makes a crash survivable only costs time.
        initdb = as_user(POSTGRES_USER, [programs / "initdb", "-D", folder / "data", "-A", "trust", "--no-sync"])
        made = subprocess.run(initdb, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise TestbedError(f"initdb: {made.stdout}{made.stderr}")
        argv = [programs / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-h", "127.0.0.1"]
        argv += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "max_connections=200"]
        log = folder / "postgres.log"
        with process(as_user(POSTGRES_USER, argv), log, env=environment, cwd=folder) as service:
            server = Postgres(programs, folder, port)
            service.wait_ready(lambda: server.psql("SELECT 1").returncode == 0)
            yield server


class Registry:
    def __init__(self, port, username, password):
        self.host = f"127.0.0.1:{port}"
        self.username = username
        self.password = password

    def ready(self):
        answer = httpx.get(f"http://{self.host}/v2/", auth=(self.username, self.password), timeout=5)
        return answer.status_code == 200

    def image(self, name):
        return f"{self.host}/{name}"


@contextmanager
def image_registry(username="robot", password='a pass$word: with "all" of it'):
    """A registry on a free port that wants a password."""
    port = free_port()
    with place("registry") as folder:
        made = subprocess.run(
            ["htpasswd", "-niB", username], input=password, capture_output=True, text=True, check=True
        )
        (folder / "htpasswd").write_text(made.stdout, encoding="utf-8")
        (folder / "registry.yml").write_text(
            f"""version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: testbed, path: {folder}/htpasswd}}}}
""",
            encoding="utf-8",
        )
        argv = ["docker-registry", "serve", folder / "registry.yml"]
        with process(argv, folder / "registry.log") as service:
            registry = Registry(port, username, password)
            service.wait_ready(registry.ready)
            yield registry
