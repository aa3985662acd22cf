"""How the worker starts if something is in its way."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from parts import fill, free_port, place, small_disk
from worker import BINARY, EXIT_SECONDS, environment


def hold(port):
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", port))
    holder.listen()
    return holder


def test_port_is_in_use_for_a_while(api, engine, pool, start_worker):
    """The worker says which process has the port, and waits for the port. It takes runs once it listens."""
    port = free_port()
    with hold(port):
        worker = start_worker(api, engine, pool, settings={"PREFECT_WORKER_WEBSERVER_PORT": port}, wait=False)
        worker.wait_line(rf"127.0.0.1:{port} .*Address already in use.*process {os.getpid()} \(.*Trying again for 10 s")
        run = api.go(pool, {"command": "true", "auto_remove": True})
        worker.wait_line("Worker '.*' started!")
        assert api.state(run)["type"] == "SCHEDULED"
    worker.port = port
    worker.wait_healthy(12)
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"


def test_port_stays_in_use(api, engine, pool, start_worker):
    """After 10 s the worker exits with an error. A run that it has in flight keeps running."""
    first = start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sleep 60"})
    api.wait_state(run, "RUNNING")
    assert first.end() == 0
    with hold(first.port):
        began = time.monotonic()
        worker = start_worker(api, engine, pool, settings={"PREFECT_WORKER_WEBSERVER_PORT": first.port}, wait=False)
        worker.wait_line("goes on with flow run")
        assert worker.wait(25) == 1
    assert 9 < time.monotonic() - began
    assert re.search(r"ERROR .*Address already in use.*PREFECT_WORKER_WEBSERVER_PORT", worker.output())
    assert api.state(run)["type"] == "RUNNING"


def test_restart_while_the_one_before_is_stopping(api, engine, pool, proxy, start_worker):
    """The next worker waits for the previous one, and takes its port, its name and its runs."""
    first = start_worker(proxy.api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'while true; do echo busy; sleep 0.1; done'"})
    api.wait_state(run, "RUNNING")
    name = first.wait_line("Worker '(.*)' started!").group(1)
    with proxy.refusing():
        first.send(signal.SIGTERM)
        first.wait_line("stopping")
        second = start_worker(
            proxy.api, engine, pool, settings={"PREFECT_WORKER_WEBSERVER_PORT": first.port}, wait=False
        )
        second.port = first.port
        second.wait_line("An earlier worker is still stopping")
        assert first.wait(EXIT_SECONDS + 1) == 0
    second.wait_line(f"Worker '{re.escape(name)}' started!", 30)
    second.wait_line("goes on with flow run", 5)
    second.wait_healthy()


@pytest.mark.parametrize("kind", ["none", "file", "full disk", "read-only"])
def test_user_without_a_home(tmp_path, kind):
    """The state is kept in a directory below /tmp, and `worker status` finds it."""
    user = 54321
    state = pathlib.Path(f"/tmp/prefect-podman-{user}")
    with place("home") as folder, small_disk(folder / "disk") as disk:
        home = {"none": folder / "none", "file": folder / "file"}.get(kind, disk)
        (folder / "file").touch()
        disk.chmod(0o777)
        fill(disk / "filling")
        if kind == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        settings = {"PREFECT_PODMAN_STATE_DIR": None, "HOME": home}
        made = environment(tmp_path, "http://127.0.0.1:9/api", "unix:///nowhere", settings)
        binary = shutil.copy(BINARY, folder)
        argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", binary, "worker"]
        options = {"env": made, "cwd": "/", "text": True}
        try:
            with subprocess.Popen([*argv, "start", "--pool", "pool"], stderr=subprocess.PIPE, **options) as worker:
                try:
                    line = worker.stderr.readline()
                    assert str(home) in line and f"Using {state} instead" in line and "reboot" in line, line
                    status = state.stat()
                    assert (status.st_uid, status.st_mode & 0o777) == (user, 0o700)
                    done = subprocess.run([*argv, "status"], capture_output=True, check=True, **options)
                    assert "running for" in done.stdout
                finally:
                    worker.terminate()
                    assert worker.wait(EXIT_SECONDS + 2) == 0
        finally:
            shutil.rmtree(state, ignore_errors=True)
