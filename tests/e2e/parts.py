"""What all parts of the testbed share: processes, ports, waiting, folders."""

import contextlib
import errno
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager

import httpx

TOP = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("PREFECT_PODMAN_CACHE", TOP / ".cache"))
TESTBED = TOP / "tests" / "testbed"
TEST_USER = "pptest"  # the user that rootless Podman runs as


class TestbedError(RuntimeError):
    __test__ = False  # not a test class, whatever its name starts with


def free_port():
    """Returns a free port below the kernel's range for outgoing connections, so that a listener on it may end and
    come back. Several test processes may call this at once."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                return port


def wait_for(condition, timeout, what, interval=0.05):
    """Polls CONDITION until it returns a true value, and returns that value. WHAT may be a function, called at the
    time-out, so that it can tell the last observation."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TestbedError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


@contextmanager
def place(name):
    """Makes a folder for one part, and removes it with the part. Its path is short, because paths of unix sockets
    are limited to 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"pp-{name}-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        unmount_below(path)
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def small_disk(path):
    """Mounts a small file system at PATH, which is soon full."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=False)


def fill(path):
    """Writes to PATH until the disk is full."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def unmount_below(path):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        points = [line.split()[1] for line in mounts]
    for point in reversed(points):
        if point.startswith(f"{path}/"):
            subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)


def clean_environment(**more):
    """Returns the environment that parts start in: without this session's PREFECT_*, DOCKER_* and proxy settings."""
    kept = ("PATH", "LANG", "LC_ALL", "TERM", "HOME", "SSL_CERT_FILE", "TZ")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update({name: str(value) for name, value in more.items() if value is not None})
    return environment


class Process:
    """A process in a process group of its own, with its output in a file. With OUTPUT "count", its stdout is read
    and counted (bytes_read); with "pipe", the caller reads its stdout (popen.stdout). In both cases only stderr is
    in the file."""

    def __init__(self, argv, log, env=None, cwd=None, output="file"):
        self.argv = [str(argument) for argument in argv]
        self.log = pathlib.Path(log)
        self.bytes_read = 0
        self._output = open(self.log, "wb")
        self.popen = subprocess.Popen(
            self.argv,
            env=env if env is not None else clean_environment(),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._output if output == "file" else subprocess.PIPE,
            stderr=self._output,
            start_new_session=True,
        )
        if output == "count":
            threading.Thread(target=self._count, daemon=True).start()

    def _count(self):
        while block := os.read(self.popen.stdout.fileno(), 1 << 20):
            self.bytes_read += len(block)

    @property
    def pid(self):
        return self.popen.pid

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines=40):
        return "\n".join(self.output().splitlines()[-lines:])

    def running(self):
        return self.popen.poll() is None

    def wait_ready(self, probe, timeout=60):
        """Waits until PROBE() is true. Raises an error at once if the process ends before."""

        def ready():
            if not self.running():
                raise TestbedError(f"{self.argv[0]} ended with {self.popen.returncode}:\n{self.tail()}")
            try:
                return probe()
            except (OSError, httpx.HTTPError):
                return False

        wait_for(ready, timeout, lambda: f"{' '.join(self.argv)} ready:\n{self.tail()}", 0.1)

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, timeout):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TestbedError(f"{self.argv[0]} still runs after {timeout} s:\n{self.tail()}") from None

    def stop(self, number=signal.SIGTERM, timeout=5):
        """Asks the process to end, waits, and then kills the processes of its group that are left."""
        self.send(number)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
        self._output.close()


@contextmanager
def process(argv, log, **options):
    started = Process(argv, log, **options)
    try:
        yield started
    finally:
        started.stop()


def as_user(user, argv):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *argv]
