"""kill -9 at every step of a flow run and at any moment, over and over: nothing is lost, doubled or left behind."""

import collections
import random
import signal
import time

from fleet import Fleet, Tally, for_peer, mixed
from parts import TestbedError
from scene import end_well, judge, note, print_table, scene, wait_quiet

STATES = "CLAIMED PENDING RESOLVED RENDERED SUBMITTING CREATED STARTED EXITED REPORTED REMOVED".split()
# pp_failpoint() in src/worker. TAKEN_UP is what a run begins in; REMOVED is never left.
POINTS = [
    *(f"enter.{state}" for state in ["TAKEN_UP", *STATES]),
    *(f"leave.{state}" for state in ["TAKEN_UP", *STATES[:-1]]),
    *(f"written.{phase}" for phase in ("CLAIMED", "STARTING", "REPORTING")),
    *(f"answered.{state}" for state in ("PENDING", "Submitting", "RUNNING", "end")),
    *(f"engine.{step}" for step in ("created", "started", "removed", "leftover")),
    *(f"logs.{step}" for step in ("answered", "noted")),
]
# A container that was made and not started, found at the start: there is one only after some other kills.
LEFTOVER = "engine.leftover"
RANDOM = "any moment"
IN_FLIGHT = 20
REACH_SECONDS = 8  # within which a failpoint is passed, or it is a kill at any moment
LOOK_SECONDS = 0.4
QUIET_SECONDS = 60
PEER_KILLS = 10
PEER_QUIET_SECONDS = 90


def plan(kills, dice):
    """Where the worker dies each time: every point in turn, any moment in between."""
    at_random = max(kills // 6, min(kills // 2, kills - 3 * len(POINTS)))
    points = [POINTS[index % len(POINTS)] for index in range(kills - at_random)]
    dice.shuffle(points)
    planned = points + [RANDOM] * at_random
    every = len(planned) / max(1, at_random)
    for turn in range(at_random):  # spread evenly
        index = int(turn * every)
        planned.insert(index, planned.pop())
    return planned


def live(fleet, worker, seconds):
    """Lets WORKER live for SECONDS at most; returns whether it died before."""
    deadline = time.monotonic() + seconds
    looked = time.monotonic()
    while worker.running() and time.monotonic() < deadline:
        if time.monotonic() - looked > LOOK_SECONDS:
            fleet.look()
            looked = time.monotonic()
        time.sleep(0.01)
    return not worker.running()


def kill_once(place, fleet, point, turn, dice, seconds=REACH_SECONDS):
    """One life of a worker, that ends when it passes POINT the TURNth time. Returns where it ended."""
    fleet.look()
    fleet.top_up(IN_FLIGHT)
    if point == RANDOM:
        worker = place.worker(fleet.pool)
        live(fleet, worker, dice.uniform(0.05, 4))
    else:
        worker = place.worker(fleet.pool, PREFECT_PODMAN_FAILPOINT=f"{point}={turn}")
        if not live(fleet, worker, seconds):
            point = RANDOM
    worker.send(signal.SIGKILL)
    code = worker.wait(10)
    if code != -signal.SIGKILL:
        raise TestbedError(f"a worker that was to die at {point} ended with {code}:\n{worker.tail()}")
    return point


def ours(place, kills, dice):
    """Returns (fleet, kills by point, what is left)."""
    fleet = Fleet(place, "crash", mixed())
    killed = collections.Counter()
    planned = plan(kills, dice)
    for number, point in enumerate(planned, 1):
        killed[kill_once(place, fleet, point, dice.randint(1, 3), dice)] += 1
        if number % 10 == 0:
            place.look_for_secrets()
            note(f"crash: {number} of {kills} kills, {len(fleet.runs)} runs, {len(fleet.open())} of them in flight")
    for point in sorted(set(planned)):
        if not killed[point]:  # the worker was killed before it got there so often
            killed[kill_once(place, fleet, point, 1, dice, 4 * REACH_SECONDS)] += 1
    worker = place.worker(fleet.pool)
    fleet.wait_all(QUIET_SECONDS)
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


def figures(fleet, kills, left):
    tally = Tally.of(fleet.runs.values())
    return {
        "kills": kills,
        "runs": tally.runs,
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
        columns["prefect-podman"] = figures(fleet, killed.total(), left)
    if options.peer:
        with scene() as place:
            kills = min(options.kills, PEER_KILLS)
            theirs = peer(place, kills, dice)
            columns["Python worker"] = figures(theirs, kills, theirs.containers_left())
            for name in ("log lines lost", "log lines doubled", "logs out of order"):
                columns["Python worker"][name] = "-"  # its containers send their own
    missed = [point for point in POINTS if not killed[point] and point != LEFTOVER]
    if options.kills >= len(POINTS) * 6 // 5 and missed:
        note(f"crash: never reached: {', '.join(missed)}")
        well = False
    print_table(["killed at", "times"], [[point, killed[point]] for point in [RANDOM, *POINTS] if killed[point]])
    names = columns["prefect-podman"]
    print_table(["crash", *columns], [[name, *(column[name] for column in columns.values())] for name in names])
    return well
