"""The command line: its output, and the exit codes that scripts depend on."""

import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

import worker as under_test
from conftest import new_pool_name
from worker import call, command, environment


def start(folder, *arguments, api=None, engine=None, settings=None, timeout=30):
    env = environment(folder, api, engine, settings)
    return call("worker", "start", *arguments, env=env, cwd=folder, timeout=timeout)


@pytest.mark.parametrize("arguments", [["--help"], ["worker", "--help"], ["worker", "start", "--help"], ["--version"]])
def test_help_and_version(tmp_path, arguments):
    done = call(*arguments, env=environment(tmp_path))
    assert done.returncode == 0
    assert done.stdout and not done.stderr


@pytest.mark.parametrize("script", ["quickstart.sh", "run-tests.sh", "prove.sh"])
def test_help_of_the_scripts(tmp_path, script):
    """`--help` works without installed packages, and changes nothing."""
    env = {"PATH": os.environ["PATH"], "PREFECT_PODMAN_CACHE": str(tmp_path), "PREFECT_PODMAN_BUILD": str(tmp_path)}
    path = pathlib.Path(__file__).resolve().parents[2] / "contrib" / script
    done = subprocess.run([path, "--help"], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  contrib/{script} " in done.stdout and not done.stdout.startswith("#")
    assert not list(tmp_path.iterdir())


def test_help_names_every_flag_of_the_peer(tmp_path):
    text = call("worker", "start", "--help", env=environment(tmp_path)).stdout
    flags = "--pool --work-queue --name --type --limit --prefetch-seconds --run-once --with-healthcheck"
    flags += " --install-policy --base-job-template --create-pool-if-not-found --engine-url --log-level"
    for flag in flags.split():
        assert flag in text
    for short in ("-p", "-q", "-n", "-t", "-l"):
        assert re.search(rf"{short}\b", text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-flag", "--pool", "x"],
        [],  # no pool
        ["--pool", "x", "--limit", "many"],
        ["--pool", "x", "--limit", "-1"],
        ["--pool", "x", "--prefetch-seconds", "soon"],
        ["--pool", "x", "--type", "kubernetes"],
        ["--pool", "x", "--base-job-template", "/does/not/exist.json"],
        ["--pool", "x", "--engine-url", "ssh://elsewhere"],
        ["--pool", "x", "--engine-url", "tcp://127.0.0.1:99999"],
        ["--pool", "x", "--engine-url", "tcp://127.0.0.1"],
        ["--pool", "x", "--log-level", "LOUD"],
        ["--pool", "x", "stray"],
    ],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_wrong_usage(tmp_path, arguments):
    done = start(tmp_path, *arguments, api="http://127.0.0.1:1/api", engine="unix:///nowhere.sock")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("command", [["start", "--pool", "x"], ["status"]], ids=lambda command: command[0])
def test_state_dir_of_an_unset_variable(tmp_path, command):
    """An empty value does not mean the default directory, because that may hold the runs of other workers."""
    done = call("worker", *command, "--state-dir", "", env=environment(tmp_path))
    assert done.returncode == 2 and "--state-dir: the value is empty" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"PREFECT_API_URL": None}, "PREFECT_API_URL"),
        ({"PREFECT_API_URL": "http://127.0.0.1:473100/api"}, "the port must be a number from 1 to 65535"),
        ({"PREFECT_WORKER_QUERY_SECONDS": "often"}, "PREFECT_WORKER_QUERY_SECONDS"),
        ({"PREFECT_WORKER_WEBSERVER_PORT": "http"}, "PREFECT_WORKER_WEBSERVER_PORT"),
        ({"PREFECT_CLIENT_CUSTOM_HEADERS": "{not json"}, "PREFECT_CLIENT_CUSTOM_HEADERS"),
        ({"PREFECT_PROFILE": "no-such-profile"}, "no-such-profile"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_settings(tmp_path, settings, expected):
    done = start(tmp_path, "--pool", "x", api="http://127.0.0.1:1/api", settings=settings)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr


def test_error_in_a_file_names_file_line_and_key(tmp_path):
    (tmp_path / "prefect.toml").write_text('[worker]\n\nquery_seconds = "often"\n', encoding="utf-8")
    settings = {"PREFECT_WORKER_QUERY_SECONDS": None}
    done = start(tmp_path, "--pool", "x", api="http://127.0.0.1:1/api", settings=settings)
    assert done.returncode == 2
    assert re.search(r"prefect\.toml:3.*query_seconds", done.stderr), done.stderr


def test_settings_from_a_profile(tmp_path, api, engine, pool):
    """No variable is set in the environment: the profile that `prefect config set` wrote is enough."""
    home = tmp_path / ".prefect"
    home.mkdir()
    profile = f'active = "site"\n[profiles.site]\nPREFECT_API_URL = "{api.url}"\n'
    (home / "profiles.toml").write_text(profile, encoding="utf-8")
    run = api.go(pool, {"command": "true"})
    done = start(tmp_path, "--pool", pool, "--run-once", engine=engine, timeout=60)
    assert done.returncode == 0, done.stderr
    assert api.state(run)["type"] == "COMPLETED"


def test_both_spellings_and_a_link_named_prefect(tmp_path, api, engine, pool):
    """A script that says `prefect worker start ...` needs no change."""
    link = tmp_path / "prefect"
    link.symlink_to(under_test.BINARY)
    run = api.go(pool, {"command": "true"})
    env = environment(tmp_path, api, engine)
    arguments = [f"--pool={pool}", "-q", "default", "-l", "3", "-n", "linked", "--type=docker", "--run-once"]
    arguments += ["--install-policy", "if-not-present", "--prefetch-seconds=5", "--create-pool-if-not-found"]
    done = under_test.subprocess.run(
        [link, "worker", "start", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "linked" in done.stdout
    assert api.state(run)["type"] == "COMPLETED"


def test_banner_and_log_lines(api, engine, pool, start_worker):
    """The banner says who, what and where in one line. The log lines look like the Python worker's, without colours
    if there is no terminal."""
    worker = start_worker(api, engine, pool, "--name", "the worker", health=False)
    worker.wait_line(r"(?m)^.*the worker.*started")
    banner = next(line for line in worker.output().splitlines() if "the worker" in line)
    for part in (pool, "docker", api.url):
        assert part in banner, banner
    api.wait_end(api.go(pool, {"command": "true"}))
    worker.wait_line(r"(?m)^\d\d:\d\d:\d\d\.\d{3} \| INFO +\| prefect\.[\w.]+ - ")
    assert "\033[" not in worker.output()


def test_url_without_api(tmp_path, api, engine):
    done = start(tmp_path, "--pool", "x", api=api.url.removesuffix("/api"), engine=engine)
    assert done.returncode == 2
    assert "check PREFECT_API_URL, which must end in /api" in done.stderr


@pytest.mark.parametrize("type_", ["process", "kubernetes"])
def test_pool_of_another_type(tmp_path, api, engine, type_):
    pool = new_pool_name()
    api.create_pool(pool, type=type_)
    done = start(tmp_path, "--pool", pool, api=api, engine=engine)
    assert done.returncode in (1, 2)
    assert type_ in done.stderr and pool in done.stderr


def test_pool_that_is_not_there(api, engine, start_worker):
    """The worker is told not to create the pool. It says so, and serves the pool as soon as somebody else has
    created it."""
    pool = new_pool_name()
    settings = {"PREFECT_WORKER_HEARTBEAT_SECONDS": "1"}
    worker = start_worker(api, engine, pool, "--no-create-pool-if-not-found", health=False, settings=settings)
    worker.wait_line(rf"WARNING.*'{pool}' not found.*left runs of this pool in flight")
    api.create_pool(pool)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"


def test_run_once_of_a_pool_that_is_not_there(tmp_path, api, engine):
    arguments = ["--pool", "nowhere", "--no-create-pool-if-not-found", "--run-once"]
    done = start(tmp_path, *arguments, api=api, engine=engine)
    assert done.returncode == 1
    assert "'nowhere' not found" in done.stderr and "heartbeat" not in done.stderr, done.stderr


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "fifo"])
def test_base_job_template_of_a_new_pool(tmp_path, api, engine, start_worker, is_file):
    pool = new_pool_name()
    template = {"job_configuration": {"image": "{{ image }}"}, "variables": {"properties": {"image": {"type": "string"}}}}
    path = tmp_path / "template.json"
    if not is_file:
        os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=[json.dumps(template)], daemon=True)
    writer.start()
    if is_file:
        writer.join()
    start_worker(api, engine, pool, "--base-job-template", path)
    made = api.wait_pool(pool)
    assert made["base_job_template"]["job_configuration"] == {"image": "{{ image }}"}


def test_engine_that_answers_is_named(api, engine, pool, start_worker):
    worker = start_worker(api, None, pool, "--engine-url", engine.url)
    worker.wait_line(r"Podman.*4\.|Podman")
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"


@pytest.mark.parametrize("arguments", [("--version",), ("worker", "start", "--help"), ("worker", "status")], ids=" ".join)
def test_output_that_cannot_be_written(tmp_path, arguments):
    """If the disk is full, the command fails; half an output is not a success."""
    argv = [str(part) for part in (*command(), *arguments)]
    (tmp_path / "state").mkdir()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(argv, env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "cannot write to standard output" in done.stderr


@pytest.mark.parametrize("named", ["option", "variable"])
def test_status_of_a_state_directory_that_is_missing(tmp_path, named):
    """A directory that the user names must exist, because the name may be mistyped."""
    missing = tmp_path / "missing"
    option = ["--state-dir", str(missing)] if named == "option" else []
    settings = {"PREFECT_PODMAN_STATE_DIR": str(missing) if named == "variable" else None}
    argv = [str(part) for part in (*command(), "worker", "status", *option)]
    done = subprocess.run(
        argv, env=environment(tmp_path, settings=settings), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{missing}: cannot be opened: No such file or directory" in done.stderr


def test_health(api, engine, pool, start_worker):
    import httpx

    worker = start_worker(api, engine, pool)
    answer = httpx.get(f"http://127.0.0.1:{worker.port}/health")
    assert answer.json() == {"message": "OK"}
    assert httpx.get(f"http://127.0.0.1:{worker.port}/elsewhere").status_code == 404


def test_unhealthy_when_polls_stop(engine, pool, proxy, start_worker):
    """If no poll was answered for 30 times the query interval, /health answers 503. It answers 200 again once the
    server is back."""
    import httpx

    from parts import wait_for

    worker = start_worker(proxy.api, engine, pool, settings={"PREFECT_WORKER_QUERY_SECONDS": "0.1"})

    def code():
        return httpx.get(f"http://127.0.0.1:{worker.port}/health").status_code

    with proxy.refusing():
        wait_for(lambda: code() == 503, 20, "503 from /health")
    wait_for(lambda: code() == 200, 60, "200 from /health")


def test_idle_worker_sleeps(api, engine, pool, start_worker):
    """Between polls it does nothing: no timer, no busy loop."""
    worker = start_worker(api, engine, pool, settings={"PREFECT_WORKER_QUERY_SECONDS": "5"})

    def cpu():
        with open(f"/proc/{worker.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu()
    time.sleep(5)
    assert cpu() - before < 0.2
