"""The worker under test, as a process."""

import os
import pathlib
import re
import signal
import subprocess

import httpx

from parts import CACHE, TOP, Process, TestbedError, clean_environment, free_port, wait_for

# If this is set, the Python worker runs in place of ours. That checks the tests themselves.
PEER = bool(os.environ.get("PREFECT_PODMAN_PEER"))
BINARY = pathlib.Path(os.environ.get("PREFECT_PODMAN", TOP / "prefect-podman")).absolute()

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=86:detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": "exitcode=86:report_objects=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=86",
}
# A sanitizer's report, or GLib's message about a call that should not have been made.
REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|\| +(GLib|GLib-GIO|GLib-GObject) - |-CRITICAL \*\*")
EXIT_SECONDS = 10  # what the worker promises


def command():
    if PEER:
        return [CACHE / "venv-prefect3" / "bin" / "prefect"]
    if not BINARY.exists():
        raise TestbedError(f"{BINARY} is missing: build it, or name one by PREFECT_PODMAN")
    return [BINARY]


def environment(folder, api=None, engine=None, settings=None):
    made = clean_environment(HOME=folder, TERM="dumb")
    made |= SANITIZERS
    if api is not None:
        made["PREFECT_API_URL"] = api if isinstance(api, str) else api.url
    if engine is not None:
        made["DOCKER_HOST"] = engine if isinstance(engine, str) else engine.url
    made["PREFECT_PODMAN_STATE_DIR"] = str(folder / "state")
    made["PREFECT_WORKER_QUERY_SECONDS"] = "0.5"
    made["PREFECT_LOGGING_TO_API_BATCH_INTERVAL"] = "0.5"
    made["PREFECT_WORKER_WEBSERVER_HOST"] = "127.0.0.1"
    for name, value in (settings or {}).items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = str(value)
    return made


def call(*arguments, timeout=30, before=(), **options):
    """Runs the command to its end, with the words BEFORE in front of it. Returns subprocess's CompletedProcess, with
    text in stdout and stderr."""
    argv = [str(argument) for argument in (*before, *command(), *arguments)]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False, **options
    )


class Worker(Process):
    """A running `worker start`. ARGUMENTS: more flags. SETTINGS: PREFECT_* variables (None removes one)."""

    def __init__(self, folder, api, engine, pool, *arguments, settings=None, health=True, output="file"):
        self.port = free_port()
        self.pool = pool
        settings = {"PREFECT_WORKER_WEBSERVER_PORT": self.port, **(settings or {})}
        argv = [*command(), "worker", "start", "--pool", pool]
        if PEER:
            argv += ["--type", "docker"]
        argv += arguments
        self.health = health
        if health:
            argv.append("--with-healthcheck")
        log = folder / f"worker-{self.port}.log"
        super().__init__(argv, log, env=environment(folder, api, engine, settings), cwd=folder, output=output)

    def healthy(self):
        return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=5).status_code == 200

    def wait_healthy(self, timeout=20):
        self.wait_ready(self.healthy, timeout)
        return self

    def wait_line(self, pattern, timeout=20):
        """Waits until the output has a match of PATTERN; returns the match."""
        what = f"{pattern!r} in the worker's output"
        return wait_for(lambda: re.search(pattern, self.output()), timeout, lambda: f"{what}:\n{self.tail()}")

    def end(self, number=signal.SIGTERM, timeout=EXIT_SECONDS + 2):
        """Sends a signal and waits for the end; returns the exit code."""
        self.send(number)
        return self.wait(timeout)

    def check(self):
        """Checks what must hold after any end: no sanitizer has reported anything."""
        found = REPORT.search(self.output())
        if found:
            text = self.output()
            raise AssertionError(f"the worker's output has a report:\n{text[max(0, found.start() - 500):][:8000]}")

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
