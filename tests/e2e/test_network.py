"""The way to the API: proxies of the environment, and HTTP/2 with TLS in front of the server."""

import contextlib
import re
import signal

import pytest

from conftest import make_certificate
from parts import free_port
from servers import http2_front
from worker import call, environment

POLL = "/get_scheduled_flow_runs"


@pytest.fixture
def proxy(testbed):
    """A proxy, and the requests that it gets from now on."""
    made = testbed.http_proxy
    before = len(made.requests())
    made.new_requests = lambda: made.requests()[before:]
    return made


def check_no_password(proxy, *texts):
    for text in texts:
        assert proxy.password not in text
        assert f"{proxy.username}:" not in text


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy(api, engine, pool, start_worker, proxy, name):
    """All calls of the API go through the proxy, and none of the engine's. Its password is never shown."""
    worker = start_worker(api, engine, pool, "--log-level", "DEBUG", settings={name: proxy.url})
    run = api.wait_end(api.go(pool, {"command": "echo through the proxy"}))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    log = api.wait_text(run["id"], "through the proxy")
    requests = proxy.new_requests()
    for part in (POLL, f"/flow_runs/{run['id']}/set_state", "/logs/"):
        assert any(part in request for request in requests), requests
    assert not any("/containers/" in request or "/_ping" in request for request in requests), requests
    check_no_password(proxy, worker.output(), log)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_proxy_of_tls(api, engine, pool, front, start_worker, proxy, name, certificate):
    """An https:// API is reached through a tunnel. HTTP_PROXY, which is for plain HTTP, is not used for it."""
    settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0], name: proxy.url, "HTTP_PROXY": "http://127.0.0.1:1"}
    worker = start_worker(front.url, engine, pool, "--log-level", "DEBUG", settings=settings)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"
    assert set(proxy.new_requests()) == {f"CONNECT 127.0.0.1:{front.port}"}
    check_no_password(proxy, worker.output())


def test_no_proxy(api, engine, pool, start_worker, proxy):
    settings = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, "NO_PROXY": "localhost,127.0.0.1"}
    start_worker(api, engine, pool, settings=settings)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"
    assert proxy.new_requests() == []


@pytest.mark.parametrize(
    ("user", "answer"),
    [("", "407"), ("robot:not-the-password@", "401")],  # this proxy's answer to a wrong password
    ids=["none", "wrong"],
)
def test_proxy_wants_a_password(api, engine, pool, tmp_path, proxy, user, answer):
    """The error names the proxy's password, not the server's auth string or key."""
    settings = {"HTTP_PROXY": f"http://{user}{proxy.host}"}
    done = call("worker", "start", "--pool", pool, env=environment(tmp_path, api, engine, settings))
    assert done.returncode in (1, 2)
    assert answer in done.stderr and "http://user:password@host:port" in done.stderr
    assert "not-the-password" not in done.stdout + done.stderr


def test_proxy_is_not_there(api, engine, pool, start_worker):
    """The error says that the proxy cannot be reached, not the server. The worker keeps waiting."""
    port = free_port()
    settings = {"HTTP_PROXY": f"http://robot:secret-of-the-proxy@127.0.0.1:{port}"}
    worker = start_worker(api, engine, pool, "--log-level", "DEBUG", wait=False, settings=settings)
    named = rf"the proxy http://127\.0\.0\.1:{port}, which HTTP_PROXY names"
    worker.wait_line(rf"{named}, gives no connection to the server: .*refused")
    assert worker.running()
    assert "secret-of-the-proxy" not in worker.output()


@pytest.mark.parametrize(("wanted", "protocol"), [("true", "h2"), ("false", "http/1.1")])
def test_http2(api, engine, pool, front, start_worker, certificate, wanted, protocol):
    settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0], "PREFECT_API_ENABLE_HTTP2": wanted}
    start_worker(front.url, engine, pool, settings=settings)
    run = api.wait_end(api.go(pool, {"command": "echo over TLS"}))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    api.wait_text(run["id"], "over TLS")
    calls = front.calls()
    assert {call[0] for call in calls} == {protocol}, calls
    assert any(POLL in call[1] for call in calls)


def test_ca_file_of_another_ca(engine, pool, front, tmp_path):
    """The error says what to look at."""
    other, _ = make_certificate(tmp_path)
    settings = {"PREFECT_API_SSL_CERT_FILE": other, "PREFECT_API_ENABLE_HTTP2": "true"}
    done = call("worker", "start", "--pool", pool, env=environment(tmp_path, front.url, engine, settings))
    assert done.returncode in (1, 2)
    line = done.stderr.strip().splitlines()[-1]
    for words in (front.url, "certificate", "PREFECT_API_SSL_CERT_FILE"):
        assert words in line, done.stderr


def check_numbered(api, run, last):
    done = api.wait_end(run)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    lines = [line for line in api.wait_text(run, f"number {last}").splitlines() if line.startswith("number")]
    assert lines == [f"number {number}" for number in range(1, last + 1)]


def test_http2_connections_that_are_told_to_go(api, engine, pool, start_worker, certificate):
    """The server sends GOAWAY after every fifth call, as a load balancer does. No call is lost or made twice."""
    script = "for i in 1 2 3 4; do echo number $i; sleep 0.7; done"
    variables = {"command": f"sh -c '{script}'", "auto_remove": True}
    deployment = api.deploy(pool, variables=variables)
    runs = [api.run(deployment) for _ in range(8)]
    with http2_front(api.server, certificate, "--frontend-max-requests=5") as front:
        settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0], "PREFECT_API_ENABLE_HTTP2": "true"}
        worker = start_worker(front.url, engine, pool, settings=settings)
        for run in runs:
            check_numbered(api, run, 4)
        assert {call[0] for call in front.calls()} == {"h2"}
        assert worker.end() == 0
    assert not re.search(r"\| (ERROR|CRITICAL)", worker.output()), worker.output()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL], ids=["gracefully", "killed"])
def test_http2_front_restarts_during_a_run(api, engine, pool, start_worker, certificate, number):
    script = "for i in 1 2 3 4 5 6 7 8; do echo number $i; sleep 0.5; done"
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(http2_front(api.server, certificate))
        settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0], "PREFECT_API_ENABLE_HTTP2": "true"}
        worker = start_worker(front.url, engine, pool, settings=settings)
        run = api.go(pool, {"command": f"sh -c '{script}'"})
        api.wait_text(run, "number 1")
        front.process.stop(number)
        stack.enter_context(http2_front(api.server, certificate, port=front.port))
        check_numbered(api, run, 8)
        assert worker.end() == 0
