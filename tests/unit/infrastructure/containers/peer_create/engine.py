"""A container engine that only records the requests that it gets: HTTP on a unix socket."""

import json
import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

CONTAINER_ID = "c0ffee" * 10 + "c0ff"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if data:
            self.wfile.write(data)

    def do_GET(self):
        path = urlsplit(self.path).path
        if path.endswith("/version"):
            self.answer(200, {"Version": self.server.engine_version, "ApiVersion": "1.41"})
        elif "/containers/" in path:
            self.answer(
                200,
                {"Id": CONTAINER_ID, "Name": "/n", "State": {"Status": "created"}, "Config": {}},
            )
        elif "/networks/" in path:
            name = unquote(path.rsplit("/", 1)[1])
            self.answer(200, {"Id": name, "Name": name})
        else:
            self.answer(200, {"Id": "sha256:1"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        record = self.server.record
        if url.path.endswith("/containers/create"):
            record["create_body"] = json.loads(body)
            record["name"] = query.get("name")
            record["platform"] = query.get("platform")
            self.answer(201, {"Id": CONTAINER_ID, "Warnings": []})
        elif url.path.endswith("/images/create"):
            record["pull"] = query
            record["registry_auth"] = self.headers.get("X-Registry-Auth")
            self.answer(200, {"status": "Download complete", "id": "1"})
        elif url.path.endswith("/connect"):
            record.setdefault("networks", []).append(unquote(url.path.split("/")[-2]))
            self.answer(200, {})
        elif url.path.endswith("/auth"):
            self.answer(200, {"Status": "Login Succeeded"})
        else:
            self.answer(204)


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves at PATH until close(); `record` has the requests since start_recording()."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(path, Handler)
        self.path = path
        self.start_recording("24.0.7")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def start_recording(self, version):
        self.engine_version = version
        self.record = {}

    def handle_error(self, request, client_address):
        # The client closed the connection early. If a request is missing because of that, the comparison shows it.
        pass

    def close(self):
        self.shutdown()
        self.server_close()
        os.unlink(self.path)

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)
