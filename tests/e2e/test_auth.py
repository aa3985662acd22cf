"""Servers that authenticate their clients: an auth string, CSRF tokens, TLS with a CA of their own."""

import base64

import pytest

from conftest import new_pool_name
from fault_proxy import Rule, not_json, status
from prefect_api import Api
from servers import prefect_server
from worker import call, environment

AUTH = "admin:pa ss:word"


@pytest.fixture(scope="module")
def guarded():
    """A server with an auth string and CSRF protection."""
    headers = {"Authorization": "Basic " + base64.b64encode(AUTH.encode()).decode()}
    settings = {
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CSRF_TOKEN_EXPIRATION": "00:00:02",
    }
    with prefect_server(headers=headers, **settings) as server:
        yield Api(server)


@pytest.mark.xdist_group("guarded")
def test_auth_string_and_csrf(guarded, engine, start_worker):
    """A token expires after 2 s and is renewed, also in the middle of a run."""
    pool = new_pool_name()
    guarded.create_pool(pool)
    worker = start_worker(guarded, engine, pool, "--log-level", "DEBUG", settings={"PREFECT_API_AUTH_STRING": AUTH})
    run = guarded.wait_end(guarded.go(pool, {"command": "sh -c 'echo one; sleep 4; echo two'"}))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    guarded.wait_text(run["id"], "two")
    assert "pa ss:word" not in worker.output()
    assert base64.b64encode(AUTH.encode()).decode() not in worker.output()


@pytest.mark.xdist_group("guarded")
@pytest.mark.parametrize("auth", [None, "admin:wrong"])
def test_wrong_auth_string(guarded, engine, tmp_path, auth):
    env = environment(tmp_path, guarded, engine, {"PREFECT_API_AUTH_STRING": auth})
    done = call("worker", "start", "--pool", "x", env=env)
    assert done.returncode in (1, 2)
    assert guarded.url in done.stderr and "401" in done.stderr
    assert "wrong" not in done.stderr.replace("wrong?", "")


def test_key_and_custom_headers(api, engine, pool, proxy, start_worker):
    """The key and the headers are sent with every call and never shown."""
    settings = {
        "PREFECT_API_KEY": "pnu_topsecretkey",
        "PREFECT_CLIENT_CUSTOM_HEADERS": '{"X-Site": "north", "User-Agent": "spoofed"}',
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    worker = start_worker(proxy.api, engine, pool, settings=settings)
    run = api.wait_end(api.go(pool, {"command": "true"}))
    assert run["state"]["type"] == "COMPLETED"
    assert proxy.headers
    for headers in list(proxy.headers):
        assert headers["authorization"] == "Bearer pnu_topsecretkey"
        assert headers["x-site"] == "north"
        assert headers["user-agent"] != "spoofed"
    assert worker.end() == 0
    assert "pnu_topsecretkey" not in worker.output()


WORKER_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"


def test_worker_id_of_prefect_cloud(api, engine, pool, proxy, start_worker):
    """Cloud answers the heartbeat with a worker id. Runs and calls carry it from the first run on."""
    proxy.add(Rule(r"/workers/heartbeat", not_json(WORKER_ID.encode())))
    settings = {"PREFECT_CLOUD_API_URL": proxy.api, "PREFECT_SILENCE_API_URL_MISCONFIGURATION": "true"}
    run = api.go(pool, {"command": "sh -c 'echo id=$PREFECT__WORKER_ID'"})
    start_worker(proxy.api, engine, pool, settings=settings)
    api.wait_end(run)
    api.wait_text(run, f"id={WORKER_ID}")
    assert any(headers.get("x-prefect-worker-id") == WORKER_ID for headers in list(proxy.headers))


def test_no_worker_id(api, engine, pool, proxy, start_worker):
    """The server turns out not to be Cloud: the heartbeat is sent once more without return_id, and runs go on."""
    proxy.add(Rule(r"/workers/heartbeat", status(422, b'{"detail": "no return_id here"}'), times=1))
    settings = {"PREFECT_CLOUD_API_URL": proxy.api, "PREFECT_SILENCE_API_URL_MISCONFIGURATION": "true"}
    worker = start_worker(proxy.api, engine, pool, settings=settings)
    worker.wait_line("WARNING.*no id")
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"
    assert proxy.count("/workers/heartbeat") == 2


def test_tls_with_an_own_ca(api, engine, pool, tls_proxy, start_worker, certificate):
    settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0]}
    start_worker(tls_proxy.api, engine, pool, settings=settings)
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"


def test_tls_unverified_with_a_warning(api, engine, pool, tls_proxy, start_worker):
    settings = {"PREFECT_API_TLS_INSECURE_SKIP_VERIFY": "true"}
    worker = start_worker(tls_proxy.api, engine, pool, settings=settings)
    worker.wait_line(r"WARNING.*PREFECT_API_TLS_INSECURE_SKIP_VERIFY|WARNING.*verif")
    assert api.wait_end(api.go(pool, {"command": "true"}))["state"]["type"] == "COMPLETED"


def test_tls_certificate_nobody_knows(engine, pool, tmp_path, tls_proxy):
    done = call("worker", "start", "--pool", pool, env=environment(tmp_path, tls_proxy.api, engine))
    assert done.returncode in (1, 2)
    assert "certificate" in done.stderr and tls_proxy.url in done.stderr


def test_https_to_a_server_of_http(api, engine, pool, tmp_path):
    done = call("worker", "start", "--pool", pool, env=environment(tmp_path, api.url.replace("http:", "https:"), engine))
    assert done.returncode == 2
    assert "PREFECT_API_URL must begin with http://" in done.stderr
    assert "CERT_FILE" not in done.stderr


def test_http_to_a_server_of_https(engine, pool, tls_proxy, start_worker):
    """The server may still be starting, so the worker names the likely cause and tries again."""
    worker = start_worker(tls_proxy.api.replace("https:", "http:"), engine, pool, health=False)
    worker.wait_line(r"WARNING.*trying again.*PREFECT_API_URL must begin with https://")
