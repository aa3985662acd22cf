"""Kills the worker at every step of a flow run and at random moments: nothing is lost, doubled or left behind.
Proxies in front of the server and the engine delay requests, and carry them out after their worker is gone."""

import collections
import random
import signal
import time

from fleet import Fleet, Tally, for_peer, mixed
from fault_proxy import Rule, held
from parts import TestbedError
from scene import end_well, judge, note, print_table, scene, wait_quiet

STATES = "CLAIMED PENDING RESOLVED RENDERED SUBMITTING CREATED STARTED EXITED REPORTED REMOVED".split()
# pp_failpoint() in src/worker. A run begins in RECOVERED and never leaves REMOVED.
POINTS = [
    *(f"enter.{state}" for state in ["RECOVERED", *STATES]),
    *(f"leave.{state}" for state in ["RECOVERED", *STATES[:-1]]),
    *(f"written.{phase}" for phase in ("CLAIMED", "STARTING", "REPORTING")),
    *(f"answered.{state}" for state in ("PENDING", "Submitting", "RUNNING", "end")),
    *(f"engine.{step}" for step in ("created", "started", "removed", "leftover")),
    *(f"logs.{step}" for step in ("answered", "noted")),
]
# Passed when the engine has answered the removal of a container that an earlier worker created but did not start. Such
# a container exists only after certain other kills.
LEFTOVER = "engine.leftover"
RANDOM = "any moment"
POLL_SECONDS = 0.5
HOLDS = tuple(POLL_SECONDS * times for times in (0.5, 2, 10))
HELD_EVERY = 7  # of this many requests of a kind, one is delayed
SET_STATE = r"POST /api/flow_runs/[^/]+/set_state"
# Requests that change something: (True if to the server, pattern, pattern of the body).
HELD = {
    "held.claim": (True, SET_STATE, r'"type": ?"PENDING"(?!.*"Submitting")'),
    "held.Submitting": (True, SET_STATE, r'"Submitting"'),
    "held.RUNNING": (True, SET_STATE, r'"type": ?"RUNNING"'),
    "held.end": (True, SET_STATE, r'"type": ?"(COMPLETED|FAILED|CRASHED|CANCELLED)"'),
    "held.logs": (True, r"POST /api/logs/ ?$", None),
    "held.pid": (True, r"PATCH /api/flow_runs/[^/]+$", None),
    "held.create": (False, r"POST .*/containers/create", None),
    "held.start": (False, r"POST .*/start", None),
    "held.stop": (False, r"POST .*/stop", None),
    "held.remove": (False, r"DELETE .*/containers/", None),
}
IN_FLIGHT = 20
REACH_SECONDS = 8  # if the failpoint is not passed within this time, the kill counts as one at a random moment
TRIES = 3  # for a failpoint that was not reached: on a busy machine, perhaps no run gets there in time
LOOK_SECONDS = 0.4
QUIET_SECONDS = 90  # more than PREFECT_API_REQUEST_TIMEOUT + 60 s, the longest wait for a batch of lines
REQUEST_TIMEOUT = 10
RIGHT_SECONDS = 20  # until the changes of a late request are corrected
PEER_KILLS = 10
PEER_QUIET_SECONDS = 90


def plan(kills, dice):
    """Returns where to kill the worker each time: at the members of POINTS, shuffled, and in between at the members of
    HELD and at random moments."""
    at_random = max(kills // 6, min(kills // 2, kills - 3 * len(POINTS)))
    points = [POINTS[index % len(POINTS)] for index in range(kills - at_random)]
    dice.shuffle(points)
    moments = [RANDOM if turn % 2 else dice.choice(list(HELD)) for turn in range(at_random)]
    if kills >= 3 * len(POINTS):  # the long form: each key of HELD twice
        moments[: 2 * len(HELD)] = [*HELD] * 2
    planned = points + moments
    every = len(planned) / max(1, at_random)
    for turn in range(at_random):  # spread evenly
        index = int(turn * every)
        planned.insert(index, planned.pop())
    return planned


def live(fleet, worker, seconds, until=lambda: False):
    """Lets WORKER live for SECONDS at most, or UNTIL something holds; returns whether it died before."""
    deadline = time.monotonic() + seconds
    looked = time.monotonic()
    while worker.running() and time.monotonic() < deadline and not until():
        if time.monotonic() - looked > LOOK_SECONDS:
            fleet.look()
            looked = time.monotonic()
        time.sleep(0.01)
    return not worker.running()


def start(place, fleet, **settings):
    settings = {"PREFECT_WORKER_QUERY_SECONDS": POLL_SECONDS, "PREFECT_API_REQUEST_TIMEOUT": REQUEST_TIMEOUT, **settings}
    return place.worker(fleet.pool, through_proxies=True, **settings)


def hold_some(place, dice):
    """Makes the proxies delay one of HELD_EVERY requests of each kind."""
    for of_server, pattern, body in HELD.values():
        proxy = place.api_proxy if of_server else place.door
        proxy.add(Rule(pattern, held(lambda: dice.choice(HOLDS)), every=HELD_EVERY, body=body))


def live_until_held(place, fleet, worker, point, dice, seconds):
    """Lets WORKER live until it sends a request of the kind POINT, which is delayed. Returns True if it did."""
    of_server, pattern, body = HELD[point]
    rule = Rule(pattern, held(dice.choice(HOLDS)), times=1, body=body)
    (place.api_proxy if of_server else place.door).add_first(rule)
    live(fleet, worker, seconds, lambda: rule.done)
    return rule.done > 0


def wait_carried_out(place, fleet):
    """Waits until all delayed requests were carried out and their changes were corrected."""
    deadline = time.monotonic() + max(HOLDS) + RIGHT_SECONDS
    while (place.api_proxy.holding or place.door.holding) and time.monotonic() < deadline:
        time.sleep(0.1)
    while not fleet.look_again() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def kill_once(place, fleet, point, turn, dice, seconds=REACH_SECONDS):
    """Starts a worker and kills it when it passes POINT the TURNth time. Returns where it ended."""
    fleet.look()
    fleet.top_up(IN_FLIGHT)
    if point in HELD:
        worker = start(place, fleet)
        if not live_until_held(place, fleet, worker, point, dice, seconds):
            point = RANDOM
    elif point == RANDOM:
        worker = start(place, fleet)
        live(fleet, worker, dice.uniform(0.05, 4))
    else:
        worker = start(place, fleet, PREFECT_PODMAN_FAILPOINT=f"{point}={turn}")
        if not live(fleet, worker, seconds):
            point = RANDOM
    worker.send(signal.SIGKILL)
    code = worker.wait(10)
    if code != -signal.SIGKILL:
        raise TestbedError(f"a worker that was to die at {point} ended with {code}:\n{worker.tail()}")
    return point


def ours(place, kills, dice):
    """Returns (fleet, kills by point, what was left behind)."""
    fleet = Fleet(place, "crash", mixed())
    killed = collections.Counter()
    planned = plan(kills, dice)
    hold_some(place, dice)
    for number, point in enumerate(planned, 1):
        killed[kill_once(place, fleet, point, dice.randint(1, 3), dice)] += 1
        if number % 10 == 0:
            place.look_for_secrets()
            note(f"crash: {number} of {kills} kills, {len(fleet.runs)} runs, {len(fleet.open())} of them in flight")
    for point in sorted(set(planned)) * TRIES:
        if not killed[point]:  # the worker was always killed before it got there
            killed[kill_once(place, fleet, point, 1, dice, 4 * REACH_SECONDS)] += 1
    worker = start(place, fleet)
    fleet.wait_all(QUIET_SECONDS)
    wait_carried_out(place, fleet)
    left = wait_quiet(fleet)
    end_well(worker)
    fleet.check()
    return fleet, killed, left


def peer(place, kills, dice):
    fleet = Fleet(place, "crash-peer", for_peer())
    for number in range(kills):
        fleet.look()
        fleet.top_up(IN_FLIGHT)
        worker = place.peer(fleet.pool)
        live(fleet, worker, dice.uniform(4, 12))
        worker.stop(signal.SIGKILL)
        note(f"crash, Python worker: {number + 1} of {kills} kills, {len(fleet.runs)} runs")
    worker = place.peer(fleet.pool)
    fleet.wait_all(PEER_QUIET_SECONDS)
    worker.stop()
    for run in fleet.runs.values():
        fleet.check_ending(run)
    return fleet


def figures(fleet, kills, left, held_back):
    tally = Tally.of(fleet.runs.values())
    return {
        "kills": kills,
        "runs": tally.runs,
        "requests held back and carried out": held_back,
        "wrong endings": tally.wrong,
        "ran more than once": tally.doubled,
        "log lines lost": tally.lines_lost,
        "log lines doubled": tally.lines_doubled,
        "logs out of order": tally.disordered,
        "containers, journal entries and files left": len(left),
    }


def prove(options):
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    dice = random.Random(seed)
    note(f"crash: {options.kills} kills, --seed {seed}")
    columns = {}
    with scene() as place:
        fleet, killed, left = ours(place, options.kills, dice)
        well = judge(place, fleet, left, "crash")
        columns["prefect-podman"] = figures(fleet, killed.total(), left, place.api_proxy.passed + place.door.passed)
    if options.peer:
        with scene() as place:
            kills = min(options.kills, PEER_KILLS)
            theirs = peer(place, kills, dice)
            columns["Python worker"] = figures(theirs, kills, theirs.containers_left(), 0)
            for name in ("log lines lost", "log lines doubled", "logs out of order"):
                columns["Python worker"][name] = "-"  # its runs send their own logs
    missed = [point for point in POINTS if not killed[point] and point != LEFTOVER]
    if options.kills >= len(POINTS) * 6 // 5 and missed:
        note(f"crash: never reached: {', '.join(missed)}")
        well = False
    print_table(["killed at", "times"], [[point, killed[point]] for point in [RANDOM, *HELD, *POINTS] if killed[point]])
    names = columns["prefect-podman"]
    print_table(["crash", *columns], [[name, *(column[name] for column in columns.values())] for name in names])
    return well
