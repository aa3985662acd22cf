"""Which servers the worker trusts and gives its key to: TLS to the API, to a proxy and to the engine."""

import contextlib
import http.server
import shutil
import socket
import ssl
import subprocess
import threading
import uuid

import pytest

from conftest import make_certificate
from worker import call, environment

KEY = "pnu_topsecretkey"


class Listener:
    """An HTTP server, with TLS if it has a CERTIFICATE. It answers every request with STATUS and records it:
    (method, path, headers)."""

    def __init__(self, certificate=None, status=404, headers=()):
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(handler):
                self.requests.append((handler.command, handler.path, dict(handler.headers)))
                handler.send_response(status)
                for name, value in headers:
                    handler.send_header(name, value)
                body = b'{"detail": "said by the listener"}'
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            do_GET = do_POST = do_CONNECT = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_port
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def keys(self):
        return [headers.get("Authorization") for _, _, headers in self.requests]


@pytest.fixture(scope="module")
def known(certificate):
    """A server whose CA the tests add to the system's CAs."""
    with Listener(certificate) as made:
        yield made


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The certificate file of another CA. Its name differs, because OpenSSL takes two CAs of one name for the same."""
    return make_certificate(tmp_path_factory.mktemp("other"), "another")[0]


@pytest.fixture(scope="module")
def ca_folder(tmp_path_factory, certificate, other):
    """A folder like /etc/ssl/certs: a file with one CA, and the CA `certificate` under its hash."""
    folder = tmp_path_factory.mktemp("system")
    shutil.copy(other, folder / "ca-certificates.crt")
    argv = ["openssl", "x509", "-hash", "-noout", "-in", certificate[0]]
    name = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(certificate[0], folder / f"{name}.0")
    return folder


def ask(tmp_path, url, settings, *before):
    """Makes one call of the API at URL with a key: runs `render`, with the words BEFORE in front of the command."""
    settings = {"PREFECT_API_KEY": KEY, "PREFECT_CLIENT_MAX_RETRIES": "0", "SSL_CERT_FILE": None, **settings}
    env = environment(tmp_path, f"{url}/api", settings=settings)
    return call("render", uuid.uuid4(), env=env, before=before)


def in_system(folder):
    """Returns words in front of a command that make FOLDER the system's folder of CAs for it."""
    return ["unshare", "-m", "sh", "-c", f'mount --bind {folder} /etc/ssl/certs && exec "$@"', "sh"]


def test_system_cas_count_without_a_setting(tmp_path, known, ca_folder):
    done = ask(tmp_path, known.url, {}, *in_system(ca_folder))
    assert "said by the listener" in done.stderr, done.stderr
    assert known.keys()[-1] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "settings",
    [
        {"PREFECT_API_SSL_CERT_FILE": "other"},
        {"SSL_CERT_FILE": "other"},
        {"SSL_CERT_DIR": "empty"},
        {"PREFECT_API_SSL_CERT_FILE": "other", "SSL_CERT_DIR": "system"},
        {"PREFECT_API_SSL_CERT_FILE": "other", "SSL_CERT_FILE": "known"},
        {"PREFECT_API_SSL_CERT_FILE": "other", "CURL_CA_BUNDLE": "known"},
        {"SSL_CERT_FILE": "other", "SSL_CERT_DIR": "system"},
    ],
    ids="+".join,
)
def test_a_setting_replaces_the_system_cas(tmp_path, known, ca_folder, other, certificate, settings):
    """The key does not go to a server whose CA the setting does not contain."""
    (tmp_path / "empty").mkdir()
    places = {"other": other, "empty": tmp_path / "empty", "system": ca_folder, "known": certificate[0]}
    before = len(known.requests)
    done = ask(tmp_path, known.url, {name: places[value] for name, value in settings.items()}, *in_system(ca_folder))
    assert done.returncode != 0
    assert "certificate" in done.stderr and known.url in done.stderr, done.stderr
    assert len(known.requests) == before


@pytest.mark.parametrize("name", ["PREFECT_API_SSL_CERT_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_what_a_setting_names_is_trusted(tmp_path, known, ca_folder, certificate, name):
    done = ask(tmp_path, known.url, {name: ca_folder if name == "SSL_CERT_DIR" else certificate[0]})
    assert "said by the listener" in done.stderr, done.stderr


def make_missing(path, _):
    return path


def make_empty(path, _):
    path.touch()
    return path


def make_folder(path, _):
    path.mkdir()
    return path


def make_key(path, certificate):
    shutil.copy(certificate[1], path)
    return path


def make_cut_off(path, certificate):
    path.write_text(certificate[0].read_text()[:400])
    return path


def make_broken(path, certificate):
    lines = certificate[0].read_text().splitlines()
    path.write_text("\n".join([lines[0], "bm90IGEgY2VydGlmaWNhdGU=", lines[-1], ""]))
    return path


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *(("PREFECT_API_SSL_CERT_FILE", make) for make in (make_missing, make_empty, make_folder, make_key)),
        *(("PREFECT_API_SSL_CERT_FILE", make) for make in (make_cut_off, make_broken)),
        ("SSL_CERT_FILE", make_missing),
    ],
)
def test_certificate_file_that_cannot_be_used(tmp_path, certificate, known, make, name):
    """The start fails and names the file; nothing is sent."""
    path = make(tmp_path / "ca.pem", certificate)
    before = len(known.requests)
    env = environment(tmp_path, f"{known.url}/api", settings={name: path, "DOCKER_HOST": "unix:///nowhere.sock"})
    done = call("worker", "start", "--pool", "x", env=env)
    assert done.returncode == 2
    assert str(path) in done.stderr and "CERT_FILE" in done.stderr, done.stderr
    assert len(known.requests) == before


def test_folder_of_certificates_that_is_not_there(tmp_path, known):
    done = ask(tmp_path, known.url, {"SSL_CERT_DIR": tmp_path / "nowhere"})
    assert done.returncode == 2 and f"SSL_CERT_DIR: {tmp_path}/nowhere" in done.stderr, done.stderr


def test_redirect_does_not_take_the_key_along(tmp_path):
    with Listener() as elsewhere:
        with Listener(status=307, headers=[("Location", f"{elsewhere.url}/api/x")]) as server:
            done = ask(tmp_path, server.url, {})
    assert server.keys() == [f"Bearer {KEY}"]
    assert elsewhere.requests == []
    assert "redirected" in done.stderr


def test_key_without_encryption_is_warned_of(tmp_path):
    """There is no warning if the API is on this host."""
    done = ask(tmp_path, "http://prefect.invalid", {})
    assert "PREFECT_API_KEY goes to http://prefect.invalid/api without encryption" in done.stderr, done.stderr
    with Listener() as server:
        assert "encryption" not in ask(tmp_path, server.url, {}).stderr


def test_proxy_of_tls_is_checked_by_the_system_cas(tmp_path, certificate):
    """The setting for the API's CAs does not apply to the proxy."""
    with Listener(certificate, status=502) as proxy:
        url = "https://prefect.invalid"
        done = ask(tmp_path, url, {"https_proxy": proxy.url, "PREFECT_API_SSL_CERT_FILE": certificate[0]})
        assert proxy.url in done.stderr and "certificate" in done.stderr, done.stderr
        assert proxy.requests == []
        done = ask(tmp_path, url, {"https_proxy": proxy.url, "SSL_CERT_FILE": certificate[0]})
        assert "502 to CONNECT" in done.stderr, done.stderr
        assert [request[:2] for request in proxy.requests] == [("CONNECT", "prefect.invalid:443")]
        assert proxy.keys() == [None]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_broken_proxy_url(tmp_path, known, certificate, name):
    settings = {"PREFECT_API_SSL_CERT_FILE": certificate[0], name: "http://robot:secret-word@proxy:port"}
    done = ask(tmp_path, known.url, settings)
    assert done.returncode == 2
    assert f"{name}: " in done.stderr and "secret-word" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [("127.0.0.1:{port}", True), ("127.0.0.1:1", False), ("127.0.0.0/8", True), ("10.0.0.0/8", False), ("a, *", True)],
)
def test_no_proxy(tmp_path, no_proxy, direct):
    with Listener() as server, Listener(status=502) as proxy:
        ask(tmp_path, server.url, {"http_proxy": proxy.url, "NO_PROXY": no_proxy.format(port=server.port)})
        assert (len(server.requests), len(proxy.requests)) == ((1, 0) if direct else (0, 1))


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def engine_over_tls(engine, certificate):
    """The engine on a TCP port, for clients with CERTIFICATE only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.load_cert_chain(*certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(raw):
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as client:
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(engine.url.removeprefix("unix://"))
                back = threading.Thread(target=pump, args=(upstream, client), daemon=True)
                back.start()
                pump(client, upstream)
                back.join()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture
def docker_folder(tmp_path, certificate):
    folder = tmp_path / "docker"
    folder.mkdir()
    for name, source in (("ca.pem", 0), ("cert.pem", 0), ("key.pem", 1)):
        shutil.copy(certificate[source], folder / name)
    return folder


def test_engine_over_tls(api, engine, pool, tmp_path, certificate, docker_folder, start_worker):
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as Docker's clients read them."""
    with engine_over_tls(engine, certificate) as url:
        settings = {"DOCKER_HOST": url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": docker_folder}
        worker = start_worker(api, engine, pool, settings=settings)
        run = api.wait_end(api.go(pool, {"command": "echo over TLS"}))
        assert run["state"]["type"] == "COMPLETED", run["state"]
        api.wait_text(run["id"], "over TLS")
        assert worker.end() == 0


@pytest.mark.parametrize("settings", [{"DOCKER_TLS_VERIFY": "1"}, {}], ids=["verify", "path"])
def test_engine_of_another_ca(api, tmp_path, known, other, docker_folder, settings):
    """The worker sends nothing to it."""
    shutil.copy(other, docker_folder / "ca.pem")
    before = len(known.requests)
    settings |= {"DOCKER_CERT_PATH": docker_folder, "DOCKER_HOST": f"tcp://127.0.0.1:{known.port}"}
    env = environment(tmp_path, api, settings=settings)
    with pytest.raises(subprocess.TimeoutExpired) as ended:
        call("worker", "start", "--pool", "x", "--no-create-pool-if-not-found", env=env, timeout=3)
    assert b"certificate" in ended.value.stderr, ended.value.stderr
    assert len(known.requests) == before


def test_engine_without_the_tls_that_is_asked_for(api, tmp_path, docker_folder):
    """The worker does not use plain HTTP if TLS is asked for, and names a missing file."""
    settings = {"DOCKER_HOST": "http://127.0.0.1:2375", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": docker_folder}
    done = call("worker", "start", "--pool", "x", env=environment(tmp_path, api, settings=settings))
    assert done.returncode == 2 and "does not use TLS" in done.stderr, done.stderr
    (docker_folder / "key.pem").unlink()
    settings["DOCKER_HOST"] = "tcp://127.0.0.1:2376"
    done = call("worker", "start", "--pool", "x", env=environment(tmp_path, api, settings=settings))
    assert done.returncode == 2 and f"{docker_folder}/key.pem" in done.stderr, done.stderr
