"""How the worker ends."""

import os
import signal
import subprocess
import time

import pytest

from parts import wait_for
from worker import EXIT_SECONDS, command, environment


def begin(api, engine, pool, worker_api, start_worker, command="sleep 30", door=None, **options):
    """A worker with one run in its container; it reaches the engine through DOOR."""
    worker = start_worker(worker_api, door or engine, pool, **options)
    run = api.go(pool, {"command": command})
    api.wait_state(run, "RUNNING")
    (container,) = wait_for(lambda: engine.containers_of(run), 10, "container")
    wait_for(lambda: engine.inspect(container["Id"])["State"]["Running"], 10, "container running")
    return worker, run, container["Id"]


def check_usual_stop(api, engine, worker, run, container, number):
    """Signal NUMBER ends WORKER soon, its container goes on, and what was buffered was sent before the end."""
    began = time.monotonic()
    assert worker.end(number) == 0
    assert time.monotonic() - began < EXIT_SECONDS
    assert engine.inspect(container)["State"]["Running"]
    assert api.state(run)["type"] == "RUNNING"
    assert "said before the end" in api.text(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_stop_leaves_containers_running(api, engine, pool, start_worker, number):
    command = "sh -c 'echo said before the end; sleep 30'"
    settings = {"PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "60"}
    worker, run, container = begin(api, engine, pool, api, start_worker, command, settings=settings)
    worker.wait_line("said before the end")
    check_usual_stop(api, engine, worker, run, container, number)


def test_ignored_signals_stay_ignored(api, engine, pool, start_worker):
    """A script's background job has these signals ignored: Ctrl-C at the script's terminal must not stop the worker."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        worker = start_worker(api, engine, pool)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    worker.wait_line("ignores these signals, because the program that started it ignores them: SIGINT, SIGQUIT")
    worker.send(signal.SIGINT)
    worker.send(signal.SIGQUIT)
    assert api.wait_end(api.go(pool, {"command": "true", "auto_remove": True}))["state"]["type"] == "COMPLETED"
    assert worker.end(signal.SIGTERM) == 0
    assert "SIGINT:" not in worker.output() and "SIGQUIT:" not in worker.output()


def test_idle_worker_ends_at_once(api, engine, pool, start_worker):
    worker = start_worker(api, engine, pool)
    began = time.monotonic()
    assert worker.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 8


def test_quit_waits_for_runs_in_flight(api, engine, pool, start_worker):
    worker, run, _ = begin(api, engine, pool, api, start_worker, "sh -c 'sleep 4; echo finished'")
    worker.send(signal.SIGQUIT)
    not_taken = api.go(pool, {"command": "true"}, name="late")
    assert worker.wait(30) == 0
    assert api.state(run)["type"] == "COMPLETED"
    assert "finished" in api.text(run)
    assert api.state(not_taken)["type"] == "SCHEDULED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signal_after_quit_stops_as_usual(api, engine, pool, start_worker, number):
    """After SIGQUIT the worker waits for its runs. A second signal stops it as if it were the first one: nothing that
    is buffered is lost."""
    settings = {"PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "60"}
    script = "sh -c 'echo said before the end; sleep 60'"
    worker, run, container = begin(api, engine, pool, api, start_worker, script, settings=settings)
    worker.wait_line("said before the end")
    worker.send(signal.SIGQUIT)
    worker.wait_line("SIGQUIT: ")
    check_usual_stop(api, engine, worker, run, container, number)


def test_second_signal_ends_at_once(api, engine, pool, start_worker):
    worker, _, container = begin(api, engine, pool, api, start_worker)
    worker.send(signal.SIGQUIT)
    worker.wait_line(r"(?i)quit|finish|wait|in flight|stop")
    began = time.monotonic()
    worker.end(signal.SIGINT)
    assert time.monotonic() - began < 8
    assert engine.inspect(container)["State"]["Running"]


def test_stop_while_the_server_is_away(api, engine, pool, proxy, start_worker):
    """The Python worker would go on for ever and hold its port."""
    command = "sh -c 'while true; do echo busy; sleep 0.1; done'"
    worker, _, container = begin(api, engine, pool, proxy.api, start_worker, command)
    with proxy.refusing():
        time.sleep(2)  # so that the worker has noticed the outage
        began = time.monotonic()
        code = worker.end(signal.SIGTERM)
        assert time.monotonic() - began < EXIT_SECONDS + 1
    assert code == 0
    assert engine.inspect(container)["State"]["Running"]


def test_stop_while_server_and_engine_are_away(api, engine, pool, proxy, door, start_worker):
    worker, _, container = begin(api, engine, pool, proxy.api, start_worker, door=door.url)
    with proxy.refusing(), door.refusing():
        time.sleep(2)
        began = time.monotonic()
        code = worker.end(signal.SIGTERM)
        assert time.monotonic() - began < EXIT_SECONDS + 1
    assert code == 0
    assert engine.inspect(container)["State"]["Running"]


def test_standard_error_that_nobody_reads(api, engine, pool, tmp_path):
    """The pipe is full. Log lines are dropped; the worker goes on, and it can be stopped."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    argv = [str(part) for part in (*command(), "worker", "start", "--pool", pool, "--log-level", "DEBUG")]
    made = environment(tmp_path, api, engine)
    with subprocess.Popen(argv, env=made, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=write) as worker:
        try:
            assert api.wait_end(api.go(pool, {"command": "true", "auto_remove": True}))["state"]["type"] == "COMPLETED"
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(EXIT_SECONDS + 2) == 0
        finally:
            worker.kill()
            os.close(read)
            os.close(write)
