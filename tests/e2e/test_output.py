"""A container's output: none of it lost, all of it in order, however much it is."""

import contextlib
import os
import pty
import subprocess
import threading
import time
import tty

import httpx
import pytest

from parts import wait_for
from worker import EXIT_SECONDS, command, environment

def health(worker):
    return httpx.get(f"http://127.0.0.1:{worker.port}/health", timeout=5).json()["message"]


ENGINES = pytest.mark.parametrize("engine", ["podman", "rootless", "docker"], indirect=True)


@pytest.mark.parametrize("engine", ["podman", "podman5", "rootless", "docker"], indirect=True)
def test_odd_output(api, engine, pool, start_worker):
    """Invalid UTF-8, blank lines, a last line without a newline, both streams."""
    start_worker(api, engine, pool)
    script = r'printf "bad \377 byte\n\nafter a blank\nno end"; printf "err: no end" >&2'
    run = api.wait_end(api.go(pool, {"command": f"sh -c '{script}'"}))
    assert run["state"]["type"] == "COMPLETED"
    log = api.wait_text(run["id"], "err: no end")
    for text in ("bad \ufffd byte", "after a blank", "no end"):
        assert text in log.splitlines(), log


def test_long_lines_are_split(api, engine, pool, start_worker):
    start_worker(api, engine, pool, settings={"PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "2000"})
    script = "i=0; while [ $i -lt 900 ]; do printf %05d $i; i=$((i+1)); done; echo; echo the end"
    run = api.go(pool, {"command": f"sh -c '{script}'"})
    api.wait_end(run)
    api.wait_text(run, "the end")
    parts = [record["message"] for record in api.logs(run) if record["message"][:5].isdigit() or record["message"].isdigit()]
    assert len(parts) >= 3
    assert "".join(parts) == "".join(f"{number:05d}" for number in range(900))


def test_forward_and_stream_are_two_things(api, engine, pool, start_worker):
    worker = start_worker(api, engine, pool)
    only_api = {"command": "echo only in the API", "stream_output": False}
    only_here = {"command": "echo only at the worker", "forward_output": "never"}
    runs = [api.go(pool, only_api, name="api"), api.go(pool, only_here, name="here")]
    for run in api.wait_end(*runs):
        assert run["state"]["type"] == "COMPLETED"
    api.wait_text(runs[0], "only in the API")
    worker.wait_line("only at the worker")
    assert "only in the API" not in worker.output()
    assert "only at the worker" not in api.text(runs[1])


def test_terminal_is_not_steered(api, engine, pool, tmp_path):
    """On a terminal, control characters are escaped, and each line starts with its run's name. A state's message has
    no control characters either."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    argv = [str(part) for part in (*command(), "worker", "start", "--pool", pool)]
    made = environment(tmp_path, api, engine)
    shown = bytearray()

    def read():
        with contextlib.suppress(OSError):
            while block := os.read(master, 65536):
                shown.extend(block)

    with subprocess.Popen(argv, env=made, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave) as worker:
        os.close(slave)
        threading.Thread(target=read, daemon=True).start()
        try:
            script = r'printf "\033[2Jcleared\n12:00:00.000 | ERROR   | worker - forged\n\342\200\256txt\n"; exit 3'
            run = api.wait_end(api.go(pool, {"command": f"sh -c '{script}'"}))
            assert run["state"]["type"] == "FAILED", run["state"]["message"]
            assert not [c for c in run["state"]["message"] if c in "\x1b\u202e"], run["state"]["message"]
        finally:
            worker.terminate()
            assert worker.wait(EXIT_SECONDS + 2) == 0
    text = shown.decode()
    prefix = f"{run['name']}/{run['id'][:8]} | "
    for line in (r"\x1b[2Jcleared", "12:00:00.000 | ERROR   | worker - forged", r"\u202etxt"):
        assert f"\n{prefix}{line}\n" in text, text
    assert not [c for c in text if c in "\x1b\u202e"], text


def test_full_disk_for_standard_output(api, engine, pool, tmp_path):
    """A file size limit that is raised later. The lines that fit into the worker's memory are in the file in the
    end, and so is its last line."""
    out = tmp_path / "out"
    out.write_bytes(b"x" * 65535 + b"\n")  # none of the worker's other files becomes that large
    argv = [str(part) for part in (*command(), "worker", "start", "--pool", pool, "--output-prefix")]
    made = environment(tmp_path, api, engine)
    with open(out, "ab") as file, subprocess.Popen(
        ["prlimit", "--fsize=65536:", *argv], env=made, cwd=tmp_path, stdout=file, stderr=subprocess.PIPE, text=True
    ) as worker:
        try:
            run = api.wait_end(api.go(pool, {"command": "echo shown at last", "auto_remove": True}))
            assert run["state"]["type"] == "COMPLETED"
            subprocess.run(["prlimit", f"--pid={worker.pid}", "--fsize=unlimited"], check=True)
        finally:
            worker.terminate()
            assert worker.wait(EXIT_SECONDS + 2) == 0
        log = worker.stderr.read()
    assert "Standard output cannot be written (File too large)" in log
    lines = out.read_text(encoding="utf-8").splitlines()[1:]
    assert "started!" in lines[0]
    goodbye = lines[0].split("!")[0].replace("started", "stopped!")
    assert lines[1:] == [f"{run['name']}/{run['id'][:8]} | shown at last", goodbye]


def test_standard_output_on_a_disk_that_hangs(api, engine, pool, start_worker, clocks):
    """Output and log go to one file. Runs go on, /health says what hangs, and the file has everything once the disk
    answers."""
    worker = start_worker(api, engine, pool, settings=clocks.settings)
    worker.wait_line("started!")
    clocks.step(output_hangs=True)
    run = api.wait_end(api.go(pool, {"command": "echo shown at last", "auto_remove": True}))
    assert run["state"]["type"] == "COMPLETED"
    assert worker.healthy()
    clocks.step(output_hangs=True, monotonic=61)
    wait_for(lambda: "standard output" in health(worker), 10, "health says that the disk hangs")
    assert "shown at last" not in worker.output()
    clocks.step(monotonic=61)
    worker.wait_line(r"\nshown at last\n")
    worker.wait_line("Nothing could be written to standard output for 60 s.* until its disk answers")
    worker.wait_line("Standard output takes data again")
    assert "are missing" not in worker.output()
    wait_for(worker.healthy, 10, "health is well again")


def test_stopped_while_the_disk_of_standard_output_hangs(api, engine, pool, start_worker, clocks):
    worker = start_worker(api, engine, pool, settings=clocks.settings)
    worker.wait_line("started!")
    clocks.step(output_hangs=True)
    run = api.wait_end(api.go(pool, {"command": "echo not shown", "auto_remove": True}))
    assert run["state"]["type"] == "COMPLETED"
    assert worker.end() == 0


def test_lines_come_while_the_container_runs(api, engine, pool, start_worker):
    start_worker(api, engine, pool)
    run = api.go(pool, {"command": "sh -c 'echo early; sleep 20'"})
    api.wait_text(run, "early", timeout=15)
    assert api.state(run)["type"] == "RUNNING"


def small_log(size):
    return {"log_config": {"type": "k8s-file", "config": {"max-size": size}}}


@pytest.mark.parametrize("engine", ["podman", "rootless"], indirect=True)
def test_log_that_is_begun_anew(api, engine, pool, start_worker):
    """conmon begins a new file whenever the log reaches its limit. The worker reads all files in order."""
    start_worker(api, engine, pool)
    script = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i; if [ $((i % 20)) = 0 ]; then sleep 0.02; fi; done"
    run = api.go(pool, {"command": f"sh -c '{script}'", "container_create_kwargs": small_log("8kb")})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    log = api.wait_text(run, "line 1000").splitlines()
    assert [line for line in log if line.startswith("line ")] == [f"line {number}" for number in range(1, 1001)]
    assert not [line for line in log if "is lost" in line]


def test_log_that_is_begun_anew_too_often(api, engine, pool, start_worker):
    """Files that were deleted before the worker could read them are reported once. The rest of the output and the
    end arrive."""
    start_worker(api, engine, pool)
    script = "seq 1 50000; echo the end"
    run = api.go(pool, {"command": f"sh -c '{script}'", "container_create_kwargs": small_log("4kb")})
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    log = api.wait_text(run, "the end").splitlines()
    assert len([line for line in log if "Part of the output of container" in line and "is lost" in line]) == 1, log[-5:]


@pytest.mark.slow
@pytest.mark.long
def test_nobody_reads_standard_output(api, engine, pool, start_worker):
    """The worker says that nobody reads. Nothing is lost, and the run ends once somebody reads."""
    worker = start_worker(api, engine, pool, output="pipe")
    run = api.go(pool, {"command": "seq 1 200000", "forward_output": "never", "auto_remove": True})
    worker.wait_line("Nothing could be written to standard output for 60 s", 90)
    taken = []
    threading.Thread(target=lambda: taken.extend(worker.popen.stdout), daemon=True).start()
    assert api.wait_end(run)["state"]["type"] == "COMPLETED"
    worker.wait_line("Standard output takes data again")
    wait_for(lambda: taken and taken[-1] == b"200000\n", 30, "the last line")
    numbers = [int(line) for line in taken if line.strip().isdigit()]
    assert numbers == list(range(1, 200001))


@pytest.mark.slow
@pytest.mark.parametrize("lines", [20000, pytest.param(200000, marks=pytest.mark.long)])
@pytest.mark.parametrize("api", ["3pg"], indirect=True)
def test_many_lines_arrive_in_order(testbed, api, engine, pool, start_worker, lines):
    start_worker(api, engine, pool)
    began = time.monotonic()
    run = api.wait_end(api.go(pool, {"command": f"seq 1 {lines}", "stream_output": False}), timeout=400)
    assert run["state"]["type"] == "COMPLETED"
    # Through the API this would take a thousand pages; the server's own table has the same lines.
    query = f"SELECT message FROM log WHERE flow_run_id = '{run['id']}' AND message ~ '^[0-9]+$' ORDER BY timestamp"

    count = query.replace("SELECT message", "SELECT count(*)").split(" ORDER")[0]

    def arrived():
        return int(testbed.postgres.query("prefect", count)[0])

    wait_for(lambda: arrived() == lines, 60, lambda: f"{lines} lines in the server's table: {arrived()}", 0.5)
    print(f"{lines} lines in {time.monotonic() - began:.1f} s")
    assert testbed.postgres.query("prefect", query) == [str(number) for number in range(1, lines + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [100_000_000, pytest.param(1_000_000_000, marks=pytest.mark.long)])
def test_memory_stays_flat_under_a_flood(api, engine, pool, start_worker, size):
    """Standard output is read as fast as the test's own reader takes it. The output does not pile up in the worker."""
    # AddressSanitizer keeps freed memory (256 MB by default). With a small quarantine, growth is the worker's own.
    settings = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=86:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
    worker = start_worker(api, engine, pool, settings=settings, output="count")
    before = worker.resident_kib()
    peak = 0
    run = api.go(pool, {"command": f"sh -c 'yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c {size}'", "forward_output": "never"})
    stop = threading.Event()

    def watch():
        nonlocal peak
        while not stop.wait(0.2):
            peak = max(peak, worker.resident_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        began = time.monotonic()
        assert api.wait_end(run, timeout=400)["state"]["type"] == "COMPLETED"
        took = time.monotonic() - began
    finally:
        stop.set()
        watcher.join()
    print(f"{size} bytes in {took:.1f} s; resident {before} KiB before, {peak} KiB at most")
    wait_for(lambda: worker.bytes_read >= size, 20, lambda: f"{size} bytes at stdout: {worker.bytes_read}")
    assert peak - before < 16 * 1024, (before, peak)
