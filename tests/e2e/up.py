#!/usr/bin/env python3
"""Starts parts of the testbed and keeps them up until it is told to end (Ctrl-C, SIGTERM).

    .cache/venv-prefect3/bin/python tests/e2e/up.py --engine podman --registry

prints `export NAME=value` lines: `eval` them, or give --env-file FILE and source that."""

import argparse
import pathlib
import shlex
import signal
import sys
from contextlib import ExitStack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import engines
import servers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=[*engines.ENGINES, "none"], default="podman")
    parser.add_argument("--server", choices=["3", "2", "none"], default="3", help="Prefect's major version")
    parser.add_argument("--postgres", action="store_true", help="the server on PostgreSQL, not SQLite")
    parser.add_argument("--registry", action="store_true", help="an image registry with a password")
    parser.add_argument("--images", default="busybox,hello,prefect3", help="which images to load into the engine")
    parser.add_argument("--env-file", help="write the exports there when everything is up")
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    exports = {}
    with ExitStack() as stack:
        registry = None
        if options.registry:
            registry = stack.enter_context(servers.image_registry())
            exports |= {"REGISTRY": registry.host, "REGISTRY_USER": registry.username}
            exports["REGISTRY_PASSWORD"] = registry.password
        if options.server != "none":
            database = None
            if options.postgres:
                database = stack.enter_context(servers.postgres()).database("prefect")
            server = stack.enter_context(servers.prefect_server(int(options.server), database))
            exports["PREFECT_API_URL"] = server.url
        if options.engine != "none":
            start = engines.ENGINES[options.engine]
            engine = stack.enter_context(start(registry.host if registry else None))
            engine.need(*(f"localhost/pp/{name}:1" for name in options.images.split(",") if name))
            exports |= {"DOCKER_HOST": engine.url, "CONTAINER_HOST": engine.url}
            exports["SOCKET"] = engine.socket
            for name in ("CONTAINERS_CONF", "CONTAINERS_REGISTRIES_CONF", "CONTAINERS_STORAGE_CONF"):
                if name in engine.environment:
                    exports[name] = engine.environment[name]
        text = "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in exports.items())
        print(text, end="", flush=True)
        if options.env_file:
            pathlib.Path(options.env_file).write_text(text, encoding="utf-8")
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
