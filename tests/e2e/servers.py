"""The other parts a worker talks with: Prefect servers, what stands in front of them, PostgreSQL, an image registry."""

import fcntl
import os
import pathlib
import pwd
import re
import shutil
import socket
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


def migrated_database(version):
    """Returns a SQLite database with the tables of Prefect VERSION. It is made once and kept, because making the
    tables takes most of a server's start."""
    stamp = (venv(version) / ".lock-sum").read_text(encoding="utf-8")[:16]
    folder = CACHE / "databases"
    folder.mkdir(exist_ok=True)
    made = folder / f"prefect{version}-{stamp}.db"
    with open(folder / f"prefect{version}.lock", "w", encoding="utf-8") as lock, place("database") as home:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            argv = [venv(version) / "bin" / "prefect", "server", "database", "upgrade", "-y"]
            done = subprocess.run(
                argv,
                env=clean_environment(HOME=home, PREFECT_HOME=home),
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise TestbedError(f"{' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
            for old in folder.glob(f"prefect{version}-*.db"):
                old.unlink()
            shutil.copy(home / "prefect.db", made)
    return made


@contextmanager
def prefect_server(version=3, database=None, port=None, headers=None, folder=None, **settings):
    """Starts a Prefect server of major VERSION, on SQLite or on DATABASE (a connection URL). SETTINGS: its own
    PREFECT_* settings. HEADERS: those that a client must then send. FOLDER: its home, for a second start with the
    same data."""
    port = port or free_port()
    with place(f"prefect{version}") as made:
        folder = folder or made
        if not database and not (folder / "prefect.db").exists():
            shutil.copy(migrated_database(version), folder / "prefect.db")
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
        # No database outlives a test run, so the writes that protect it from a crash would only cost time.
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


class HttpProxy:
    def __init__(self, port, username, password, process_):
        self.host = f"127.0.0.1:{port}"
        self.username = username
        self.password = password
        self.url = f"http://{username}:{password}@{self.host}"
        self.process = process_

    def requests(self):
        """The request lines it was sent: "GET http://..." and "CONNECT host:port"."""
        return re.findall(r"Request \(file descriptor \d+\): (.*) HTTP/", self.process.output())

    def ready(self):
        return httpx.get(f"http://{self.host}/").status_code == 407


@contextmanager
def http_proxy(username="robot", password="secret-of-the-proxy"):
    """A forward proxy that wants a password."""
    port = free_port()
    with place("proxy") as folder:
        configuration = folder / "tinyproxy.conf"
        configuration.write_text(
            f"Port {port}\nListen 127.0.0.1\nLogLevel Connect\nMaxClients 100\nTimeout 60\n"
            f"BasicAuth {username} {password}\n",
            encoding="utf-8",
        )
        with process(["tinyproxy", "-d", "-c", configuration], folder / "proxy.log") as service:
            proxy = HttpProxy(port, username, password, service)
            service.wait_ready(proxy.ready)
            yield proxy


class Http2Front:
    def __init__(self, port, log, process_):
        self.port = port
        self.url = f"https://127.0.0.1:{port}/api"
        self.process = process_
        self._log = log

    def calls(self):
        """(protocol, "METHOD /path HTTP/x", status) of each call so far."""
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        return [tuple(line.split(" | ")) for line in lines]

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True


@contextmanager
def http2_front(upstream, certificate, *options, port=None):
    """TLS with HTTP/2 and HTTP/1.1 in front of the server UPSTREAM; CERTIFICATE: paths of a certificate and its
    key; OPTIONS: nghttpx's."""
    port = port or free_port()
    with place("front") as folder:
        log = folder / "access.log"
        argv = ["nghttpx", "--conf=/dev/null", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{upstream.port}"]
        argv += ["--no-ocsp", f"--accesslog-file={log}", "--accesslog-format=$alpn | $request | $status"]
        argv += [*options, certificate[1], certificate[0]]
        with process(argv, folder / "front.log") as service:
            front = Http2Front(port, log, service)
            service.wait_ready(front.ready)
            yield front
