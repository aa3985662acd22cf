"""The environment of the proofs: a Prefect server, a Podman, proxies in front of both, and workers."""

import pathlib
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress

import engines
import fleet
import servers
from conftest import make_certificate
from fault_proxy import FaultProxy
from parts import CACHE, Process, TestbedError, clean_environment, place
from prefect_api import Api
from worker import BINARY, Worker


STORY_LINES = 60


def note(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def has_sanitizer():
    return b"__asan_init" in BINARY.read_bytes()


class Scene:
    """FOLDER holds the workers' files; its parts have their own subfolders."""

    def __init__(self, folder, server, engine, api_proxy, door, certificate):
        self.folder = folder
        self.server = server
        self.engine = engine
        self.api = Api(server)
        self.api_proxy = api_proxy
        self.door = door  # the proxy in front of the engine
        self.certificate = certificate
        self.state = folder / "state"
        self.marks = folder / "marks"
        self.temporary = folder / "tmp"
        for made in (self.marks, self.temporary):
            made.mkdir()
        self.workers = []
        self.spilled = set()  # files and command lines that contain a secret

    @property
    def proxied_api(self):
        return f"{self.api_proxy.url}/api"

    def worker(self, pool, through_proxies=False, **settings):
        """Starts a worker of this build. It may end at once."""
        settings = {"TMPDIR": self.temporary, "PREFECT_LOGGING_LEVEL": "DEBUG", **settings}
        api, engine = self.api, self.engine
        if through_proxies:
            api, engine = self.proxied_api, self.door.url
            settings["PREFECT_API_SSL_CERT_FILE"] = self.certificate[0]
        made = Worker(self.folder, api, engine, pool, settings=settings, health=through_proxies)
        self.workers.append(made)
        return made

    def peer(self, pool, through_proxies=False):
        """Starts the Python worker."""
        home = self.folder / "peer"
        home.mkdir(exist_ok=True)
        environment = clean_environment(
            HOME=home,
            PREFECT_HOME=home / ".prefect",
            PREFECT_API_URL=self.proxied_api if through_proxies else self.api.url,
            PREFECT_API_SSL_CERT_FILE=self.certificate[0],
            DOCKER_HOST=self.door.url if through_proxies else self.engine.url,
            PREFECT_WORKER_QUERY_SECONDS="0.5",
            DO_NOT_TRACK="1",
        )
        argv = [CACHE / "venv-prefect3" / "bin" / "prefect", "worker", "start", "--pool", pool, "--type", "docker"]
        log = self.folder / f"peer-{len(self.workers)}.log"
        made = Process(argv, log, env=environment, cwd=home)
        self.workers.append(made)
        return made

    def look_for_secrets(self):
        """Searches everything that the workers have written so far."""
        lines = [pathlib.Path(f"/proc/{worker.popen.pid}/cmdline") for worker in self.workers if worker.running()]
        ours = [worker.log for worker in self.workers if isinstance(worker, Worker)]
        for path in [*lines, *ours, *self.state.rglob("*"), *self.temporary.rglob("*")]:
            # A run's files may disappear during the search.
            with suppress(OSError):
                if fleet.SECRET.encode() in path.read_bytes():
                    self.spilled.add(str(path))

    def end_workers(self):
        for worker in self.workers:
            worker.stop(signal.SIGKILL)

    def reports(self):
        """Returns the sanitizers' reports of all workers, unexpected ends, and leaked secrets."""
        self.look_for_secrets()
        found = [f"a run's secret is in {path}" for path in sorted(self.spilled)]
        for worker in self.workers:
            if not isinstance(worker, Worker):
                continue
            try:
                worker.check()
            except AssertionError as error:
                found.append(str(error))
            if worker.popen.returncode not in (0, -signal.SIGKILL, None):
                found.append(f"{worker.log.name} ended with {worker.popen.returncode}:\n{worker.tail(20)}")
        return found

    def story(self, run):
        """Yields the workers' log lines about RUN in order, then its states on the server."""
        for worker in self.workers:
            for line in worker.output().splitlines():
                if run.id in line and " Skipping " not in line:
                    yield f"  {worker.log.stem}: {line}"
        for state in self.api.states(run.id):
            yield f"  server {state['timestamp']}: {state['type']} {state['name']!r} {state.get('message') or ''}"

    def keep_logs(self):
        """Copies the logs of the workers and the server to a permanent folder; returns the folder."""
        kept = pathlib.Path(tempfile.mkdtemp(prefix="pp-proof-logs-", dir="/tmp"))
        for log in [*self.folder.glob("*.log"), self.server.home / "server.log"]:
            shutil.copy(log, kept)
        return kept


@contextmanager
def scene():
    """Starts all parts. Ends the workers at the end."""
    with ExitStack() as stack:
        folder = stack.enter_context(place("proof"))
        engine = stack.enter_context(engines.podman())
        fleet.make_image(engine, folder)
        server = stack.enter_context(servers.prefect_server(3))
        certificate = make_certificate(folder)
        upstream = server.url.removesuffix("/api")
        api_proxy = stack.enter_context(FaultProxy(upstream, tls=certificate))
        door = stack.enter_context(FaultProxy(engine.url, folder / "engine.sock"))
        made = Scene(folder, server, engine, api_proxy, door, certificate)
        stack.callback(made.end_workers)
        try:
            yield made
        except TestbedError:
            note(f"the logs: {made.keep_logs()}")
            raise


def end_well(worker):
    """Ends WORKER by SIGTERM; its exit code must be 0."""
    code = worker.end()
    if code != 0:
        raise TestbedError(f"exit code {code} after SIGTERM:\n{worker.tail()}")


def wait_quiet(fleet_, seconds=20):
    """Waits until nothing is left behind, SECONDS at most; returns what is left."""
    deadline = time.monotonic() + seconds
    while (left := fleet_.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def print_table(head, rows):
    texts = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[index]) for row in texts) for index in range(len(head))]
    rule = ["-" * width for width in widths]
    for row in [texts[0], rule, *texts[1:]]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def judge(scene_, fleet_, left, what):
    """Prints the faults, and keeps the logs and the story of each faulty run. Returns True if there are no faults."""
    wrong = [run for run in fleet_.runs.values() if run.faults]
    said = [f"{run.kind.name} run {run.id} {run.group}: {'; '.join(run.faults)}" for run in wrong]
    said += [f"left behind: {text}" for text in left]
    said += scene_.reports()
    if not said:
        return True
    for text in said:
        print(f"{what}: {text}", file=sys.stderr)
    kept = scene_.keep_logs()
    for run in wrong:
        (kept / f"{run.id}.story").write_text("\n".join(scene_.story(run)) + "\n", encoding="utf-8")
    if wrong:
        print("\n".join(list(scene_.story(wrong[0]))[-STORY_LINES:]), file=sys.stderr)
    note(f"the workers' logs, and the stories of these runs: {kept}")
    return False
