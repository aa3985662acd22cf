"""The two workers as processes, and what /proc says of them."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager

from parts import CACHE, TOP, Process, TestbedError, clean_environment, free_port

PEER = "peer"
OURS = "ours"
NAMES = {PEER: "Python worker", OURS: "prefect-podman"}
HEALTHY_SECONDS = 60


def build(into):
    """A release build (plain ./configure, no sanitizers) of this tree in the folder INTO. Returns the
    program. Built from a copy: the tree itself may be configured for something else."""
    made = shutil.ignore_patterns(".git", ".cache", "build*", "*.o", "*.a", ".deps", "Makefile", "config.*")
    tree = pathlib.Path(into) / "tree"
    shutil.copytree(TOP, tree, ignore=made, symlinks=True)
    make = ["make", "-s", f"-j{os.cpu_count()}", "prefect-podman"]
    for step in (["./autogen.sh"], ["./configure", "--quiet"], make):
        done = subprocess.run(step, cwd=tree, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TestbedError(f"{' '.join(step)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return tree / "prefect-podman"


class Worker(Process):
    """A running `worker start` of KIND with its health check, measured from the start on."""

    def __init__(self, kind, program, folder, api_url, engine_url, pool, query_seconds):
        self.port = free_port()
        home = folder / f"home-{kind}"
        home.mkdir(exist_ok=True)
        environment = clean_environment(
            HOME=home,
            PREFECT_HOME=home / ".prefect",
            PREFECT_API_URL=api_url,
            DOCKER_HOST=engine_url,
            PREFECT_WORKER_QUERY_SECONDS=query_seconds,
            PREFECT_WORKER_WEBSERVER_HOST="127.0.0.1",
            PREFECT_WORKER_WEBSERVER_PORT=self.port,
            PREFECT_PODMAN_STATE_DIR=home / "state",
            DO_NOT_TRACK="1",
        )
        argv = [program, "worker", "start", "--pool", pool, "--type", "docker", "--with-healthcheck"]
        started = time.monotonic()
        super().__init__(argv, folder / f"{kind}-{self.port}.log", env=environment, cwd=home)
        self.healthy_ms = self._wait_healthy(started)

    def _wait_healthy(self, started):
        """Milliseconds from STARTED to the first 200 of /health."""
        while time.monotonic() < started + HEALTHY_SECONDS:
            if answers_200(self.port):
                return (time.monotonic() - started) * 1000
            if not self.running():
                raise TestbedError(f"{self.argv[0]} ended with {self.popen.returncode}:\n{self.tail()}")
            time.sleep(0.001)
        self.stop(signal.SIGKILL)
        raise TestbedError(f"{self.argv[0]} is not healthy after {HEALTHY_SECONDS} s:\n{self.tail()}")

    def memory(self):
        """KiB: resident, and private to the process."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        fields = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        return {"rss": fields["Rss"], "private": fields["Private_Clean"] + fields["Private_Dirty"]}

    def cpu(self):
        """Returns the CPU seconds of all threads so far, ended threads included. utime + stime of /proc/PID/stat
        count the same in ticks of 10 ms; this reads the process's CPU clock (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)


def answers_200(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


class Workers:
    """Starts workers; knows where their programs are."""

    def __init__(self, folder, binary=None):
        self.folder = folder
        self.programs = {PEER: CACHE / "venv-prefect3" / "bin" / "prefect", OURS: binary}

    @contextmanager
    def run(self, kind, site, pool, query_seconds, api_url=None, engine_url=None, end=signal.SIGTERM):
        """Runs a worker for POOL at SITE until the block ends, then sends it the signal END."""
        urls = (api_url or site.api.url, engine_url or site.engine.url)
        worker = Worker(kind, self.programs[kind], self.folder, *urls, pool, query_seconds)
        try:
            yield worker
        finally:
            worker.stop(end)


@contextmanager
def workers(kinds, binary=None):
    with tempfile.TemporaryDirectory(prefix="pp-bench-", dir="/tmp") as name:
        folder = pathlib.Path(name)
        if OURS in kinds and binary is None:
            binary = build(folder)
        yield Workers(folder, binary)
