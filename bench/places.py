"""Where the workers are measured: one Podman, two Prefect servers, and an image for short runs."""

import dataclasses
import io
import tarfile
from contextlib import contextmanager

import engines
import servers
from parts import CACHE
from prefect_api import Api

# `prefect flow-run execute`, as short as possible: it reports RUNNING and then COMPLETED. Both workers start it as they
# start Prefect in an image, so each run ends under both workers. It repeats a call that a busy server refuses, so if a
# run is lost, the worker has lost it.
ENGINE = """#!/bin/sh
url=$PREFECT_API_URL/flow_runs/$PREFECT__FLOW_RUN_ID/set_state
for state in RUNNING COMPLETED; do
  until wget -q -O /dev/null --header 'Content-Type: application/json' \\
    --post-data "{\\"state\\": {\\"type\\": \\"$state\\"}}" "$url"; do
    sleep 0.2
  done
done
"""
SHORT = "localhost/pp/short:1"


@dataclasses.dataclass
class Site:
    """A server and the engine."""

    name: str
    api: Api
    engine: engines.Engine


def make_short_image(engine, folder):
    """Busybox with ENGINE as its `prefect`."""
    path = folder / "short.tar"
    path.write_bytes((CACHE / "images" / "busybox.tar").read_bytes())
    script = tarfile.TarInfo("./bin/prefect")
    script.size, script.mode = len(ENGINE), 0o755
    with tarfile.open(path, "a") as archive:
        archive.addfile(script, io.BytesIO(ENGINE.encode()))
    engine.import_image(path, SHORT, ["ENV PATH=/bin"])


@contextmanager
def podman(folder):
    with engines.podman() as engine:
        engine.need(engines.BUSYBOX)
        make_short_image(engine, folder)
        yield engine


@contextmanager
def postgres_site(engine):
    with servers.postgres() as database, servers.prefect_server(3, database.database("prefect")) as server:
        yield Site("PostgreSQL", Api(server), engine)


@contextmanager
def sqlite_site(engine):
    with servers.prefect_server(3) as server:
        yield Site("SQLite", Api(server), engine)
