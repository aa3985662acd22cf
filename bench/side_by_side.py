"""Measures the Python worker (`prefect worker start --type docker`) and prefect-podman in turn, on the
same Prefect servers and the same Podman, and prints a Markdown table."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import signal
import sys
import time
from contextlib import ExitStack

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))

import places
import table
from figures import Bench
from parts import TestbedError, place
from workers import NAMES, OURS, PEER, workers

# In this order. All but the last are measured with the server on PostgreSQL.
FIGURES = ("start", "idle", "containers", "calls", "postgres", "sqlite")


def parse():
    parser = argparse.ArgumentParser(prog="bench/side-by-side", description=__doc__)
    parser.add_argument("--only", metavar="FIGURE[,...]", help=f"of {', '.join(FIGURES)} (all)")
    parser.add_argument("--runs", type=int, help="short runs at once (60)")
    parser.add_argument("--containers", type=int, help="containers running for the memory figure (50)")
    parser.add_argument("--quick", action="store_true", help="fewer of everything, rougher figures")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--peer-only", action="store_true", help="the Python worker alone")
    which.add_argument("--ours-only", action="store_true", help="prefect-podman alone")
    parser.add_argument("--binary", metavar="PATH", help="a release build (one is made of this tree)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE, with the machine and the versions")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else list(FIGURES)
    unknown = set(options.only) - set(FIGURES)
    if unknown:
        parser.error(f"--only {','.join(sorted(unknown))}: not one of {', '.join(FIGURES)}")
    if options.binary and not os.access(options.binary, os.X_OK):
        parser.error(f"--binary {options.binary}: is not there or cannot be executed")
    options.runs = options.runs or (20 if options.quick else 60)
    options.containers = options.containers or (15 if options.quick else 50)
    options.idle = 15 if options.quick else 60  # seconds
    options.starts = 3 if options.quick else 5
    options.counted = 5 if options.quick else 10  # runs whose calls are counted
    options.ways = 3 if options.quick else 5  # runs followed from the poll to the start
    options.kinds = [PEER] if options.peer_only else [OURS] if options.ours_only else [PEER, OURS]
    return options


def note(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def measure(bench, options, engine):
    """All figures: {figure: {kind: {name: value}}}."""
    found = {}

    def each(figure, function, site, kinds=None):
        for kind in kinds or options.kinds:
            note(f"{figure}: {NAMES[kind]}")
            found.setdefault(figure, {})[kind] = function(kind, site)

    def burst(figure, site):
        each(figure, bench.burst, site)
        # These runs never end under the Python worker.
        if OURS in options.kinds:
            each(f"{figure}_plain", bench.plain, site, [OURS])
        note(f"{figure}: a bare loop of the same calls")
        found[figure]["bare"] = bench.bare(site)

    if set(options.only) - {"sqlite"}:
        with places.postgres_site(engine) as site:
            for figure in ("start", "idle", "containers", "calls"):
                if figure in options.only:
                    each(figure, getattr(bench, figure), site)
            if "postgres" in options.only:
                burst("postgres", site)
    if "sqlite" in options.only:
        with places.sqlite_site(engine) as site:
            burst("sqlite", site)
    return found


def machine(engine):
    version = engine.call("GET", "/version").json()["Version"]
    packages = {name: importlib.metadata.version(name) for name in ("prefect", "prefect-docker")}
    return {
        "command": shlex.join(["bench/side-by-side", *sys.argv[1:]]),
        "when": f"{datetime.date.today():%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "podman": version,
        "load_before": round(os.getloadavg()[0], 2),
        **packages,
    }


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with ExitStack() as stack:
        note("building" if OURS in options.kinds and not options.binary else "starting the parts")
        folder = stack.enter_context(place("bench"))
        started = stack.enter_context(workers(options.kinds, options.binary))
        engine = stack.enter_context(places.podman(folder))
        about = machine(engine)
        if about["load_before"] > about["cpus"] / 2:
            note(f"load average is {about['load_before']}: other work distorts the figures")
        found = measure(Bench(started, options, folder), options, engine)
    about["minutes"] = round((time.monotonic() - began) / 60, 1)
    if options.json:
        text = json.dumps({"about": about, "figures": found}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n", encoding="utf-8")
    print(table.render(about, options, found))


if __name__ == "__main__":
    try:
        main()
    except (TestbedError, KeyboardInterrupt) as error:
        sys.exit(f"side-by-side: {str(error) or 'interrupted'}")
