"""Makes the server and the engine fail in every way while runs are in flight."""

import dataclasses
import time
from contextlib import ExitStack, contextmanager
from typing import Callable

from conftest import make_certificate
from fault_proxy import Rule, half, not_json, redirect, reset, reset_after_passing, slow, status
from fleet import Fleet, Kind, Tally, mixed
from parts import place, wait_for
from scene import end_well, judge, note, print_table, scene, wait_quiet

QUIET_SECONDS = 90  # far longer than the longest pause between two attempts
EACH = 10  # runs for each fault, of all kinds; half as many in the short form
BURST = 60
LOGIN = "http://login.invalid/oauth2/authorize"


def api_rule(action, **when):
    @contextmanager
    def fault(scene):
        with scene.api_proxy.with_rules(Rule(".", action, **when)):
            yield

    return fault


def engine_rule(action, calls="."):
    @contextmanager
    def fault(scene):
        with scene.door.with_rules(Rule(calls, action)):
            yield

    return fault


@contextmanager
def api_refuses(scene):
    with scene.api_proxy.refusing():
        yield


@contextmanager
def engine_refuses(scene):
    with scene.door.refusing():
        yield


@contextmanager
def foreign_certificate(scene):
    """The server shows a certificate that nobody trusts."""
    with place("certificate") as folder:
        scene.api_proxy.show_certificate(make_certificate(folder))
        try:
            yield
        finally:
            scene.api_proxy.show_certificate(scene.certificate)


@contextmanager
def engine_restarts(scene):
    """Kills `podman system service`; its containers keep running."""
    scene.engine.kill_service()
    try:
        yield
    finally:
        scene.engine.start_service()


@contextmanager
def engine_restarts_thrice(scene):
    for _ in range(3):
        scene.engine.kill_service()
        time.sleep(0.5)
        scene.engine.start_service()
        time.sleep(0.5)
    yield


@dataclasses.dataclass
class Fault:
    name: str
    begin: Callable  # takes the scene, returns a context manager


# The worker retries these requests. An error in the answer to a create or start is final.
LATER = r"^DELETE|GET .*/containers/|POST .*/(wait|stop)"
BUSY = b'{"message":"the engine is busy","cause":"busy","response":500}'
FAULTS = [
    Fault("API: refused", api_refuses),
    Fault("API: reset", api_rule(reset())),
    Fault("API: answer lost, call done", api_rule(reset_after_passing())),
    Fault("API: half an answer", api_rule(half())),
    Fault("API: 500", api_rule(status(500))),
    Fault("API: 503", api_rule(status(503))),
    Fault("API: 429, Retry-After 1", api_rule(status(429, headers=[("retry-after", "1")]))),
    Fault("API: 401", api_rule(status(401, b'{"exception_message":"Unauthorized"}'))),
    Fault("API: 403 of a gateway", api_rule(not_json(b"<html><body>403 Forbidden</body></html>", 403))),
    Fault("API: 404 of a gateway", api_rule(status(404, b'{"message":"no Route matched with those values"}'))),
    Fault("API: 200, not JSON", api_rule(not_json())),
    Fault("API: redirect to a login page", api_rule(redirect(LOGIN))),
    Fault("API: certificate not trusted", foreign_certificate),
    Fault("API: every second answer after 1 s", api_rule(slow(1), every=2)),
    Fault("engine: refused", engine_refuses),
    Fault("engine: reset", engine_rule(reset())),
    Fault("engine: answer lost, call done", engine_rule(reset_after_passing())),
    Fault("engine: half an answer", engine_rule(half())),
    Fault("engine: 500 once it runs", engine_rule(status(500, BUSY), LATER)),
    Fault("engine: 503 once it runs", engine_rule(status(503, BUSY), LATER)),
    Fault("engine: 200, not JSON, once it runs", engine_rule(not_json(), "GET .*/containers/")),
    Fault("engine: service killed, restarted", engine_restarts),
    Fault("engine: service restarted 3 times", engine_restarts_thrice),
]


def under(fault, scene, fleet, options):
    """Keeps runs in flight, and starts new ones, while FAULT lasts."""
    each = EACH // 2 if options.short else EACH
    begun = fleet.begin(each - each // 2, fault.name)

    def running():
        return not fleet.look() or any(run.state and run.state["type"] == "RUNNING" for run in begun)

    if not options.short:
        wait_for(running, 60, f"a run is RUNNING before {fault.name}", 0.2)
    with fault.begin(scene):
        fleet.begin(each // 2, fault.name)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            fleet.look()
            time.sleep(0.4)


SHORT = Kind("short", lines=20, seconds=0.2)
SHORT_ENGINE = Kind("short-engine", lines=20, seconds=0.2, by_engine=True)


def burst(fleet, scene):
    """Starts sixty runs at once on SQLite while every third call gets a 503."""
    with ExitStack() as stack:
        stack.enter_context(scene.api_proxy.with_rules(Rule(".", status(503), every=3)))
        fleet.begin(BURST, f"{BURST} at once, every third call 503")
        fleet.wait_all(QUIET_SECONDS)


def peer_burst():
    """Does the same with the Python worker. Returns its runs."""
    note("outage: the burst, Python worker")
    with scene() as place_:
        fleet = Fleet(place_, "outage-peer", [SHORT_ENGINE])
        worker = place_.peer(fleet.pool, through_proxies=True)
        place_.api_proxy.wait_count("get_scheduled_flow_runs", 1)
        burst(fleet, place_)
        worker.stop()
        for run in fleet.runs.values():
            fleet.check_ending(run)
        return list(fleet.runs.values())


def row(name, runs, logs=True):
    tally = Tally.of(runs)
    lines = [tally.lines_lost, tally.lines_doubled] if logs else ["-", "-"]
    return [name, tally.runs, tally.runs - tally.wrong, tally.wrong, tally.doubled, *lines]


def prove(options):
    if options.short:
        options.seconds = 3
    wanted = options.only.split(",") if options.only else [""]
    faults = [fault for fault in FAULTS if any(part in fault.name for part in wanted)]
    with scene() as place_:
        fleet = Fleet(place_, "outage", mixed(), engine_dies=True)
        worker = place_.worker(fleet.pool, through_proxies=True).wait_healthy()
        for fault in faults:
            note(f"outage: {fault.name}")
            under(fault, place_, fleet, options)
            # Without a pause, the engine's faults would add up to one that exceeds `infrastructure_retries`.
            if not options.short or fault.name.startswith("engine"):
                fleet.wait_all(QUIET_SECONDS)
        fleet.wait_all(QUIET_SECONDS)
        if not options.only:
            note("outage: the burst")
            fleet.kinds = [SHORT, SHORT_ENGINE]
            burst(fleet, place_)
        left = wait_quiet(fleet, 40)
        if worker.running():
            end_well(worker)
        fleet.check()
        groups = {}
        for run in fleet.runs.values():
            groups.setdefault(run.group, []).append(run)
        well = judge(place_, fleet, left, "outage")
    rows = [row(name, runs) for name, runs in groups.items()]
    if options.peer:
        # Its runs send their own logs from the containers.
        rows.append(row("the same burst, Python worker", peer_burst(), logs=False))
    print_table(["fault", "runs", "right", "lost", "doubled", "log lines lost", "log lines doubled"], rows)
    fleet.say_unknown_ends()
    print(f"Left behind: {len(left)}")
    return well
