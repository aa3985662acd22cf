"""Many runs and two workers on one pool, with kills and outages. Also measures memory and descriptors."""

import collections
import dataclasses
import os
import pathlib
import random
import re
import signal
import time

import outage
from fleet import Fleet, Kind, Tally, mixed
from parts import wait_for
from scene import end_well, has_sanitizer, judge, note, print_table, scene, wait_quiet

IN_FLIGHT = 20
QUIET_SECONDS = 120  # the runs of a worker that stays away are taken over within 60
LONG = 500  # from this many runs on, memory is checked, and one worker stays away once
AWAY_SECONDS = 75
# These runs last longer than AWAY_SECONDS: when their worker is back, another one has taken them over. A second report
# of the first attempt would disturb the second attempt.
OUTLASTING = Kind("outlasting", (1, 0), seconds=AWAY_SECONDS + 25)
SAMPLE_SECONDS = 1
SETTLE_SECONDS = 60  # until idle connections have ended and memory is given back
DISTURB_SECONDS = 12
FAULTS = [
    fault
    for fault in outage.FAULTS
    if fault.name
    in ("API: refused", "API: 503", "API: reset", "engine: refused", "engine: service killed, restarted")
]
# The most that a worker may grow: from the row "middle tenth" of table() to the row "last tenth" (BUSY_KIB), and from
# the row "idle, before" to the row "idle, after" (IDLE_KIB). GROWTH_DESCRIPTORS is for both.
BUSY_KIB = 2048
IDLE_KIB = 4096
GROWTH_DESCRIPTORS = 8


@dataclasses.dataclass
class Sample:
    ended: int  # runs so far
    resident: int  # KiB
    private: int
    descriptors: int


def sample(worker, ended):
    """Returns the figures of WORKER in /proc, or None if it is gone."""
    folder = pathlib.Path(f"/proc/{worker.pid}")
    try:
        text = (folder / "smaps_rollup").read_text(encoding="ascii")
        descriptors = len(os.listdir(folder / "fd"))
    except OSError:
        return None
    fields = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    # Clean pages belong to the program's file. Whether they count as private depends on other processes of the same
    # program.
    return Sample(ended, fields["Rss"], fields["Private_Dirty"], descriptors)


class Soak:
    def __init__(self, place, dice, runs):
        self.place = place
        self.dice = dice
        self.count = runs
        short = runs < LONG
        kinds = mixed(lines=40, seconds=2 if short else 1.2)
        self.fleet = Fleet(place, "soak", kinds, engine_dies=True)
        self.steady = self.start()  # is never killed
        self.other = self.start()  # is killed from time to time
        self.samples = []
        self.done = collections.Counter()

    def start(self):
        # AddressSanitizer's quarantine would hide the worker's own memory.
        options = "detect_leaks=1:exitcode=86:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
        return self.place.worker(self.fleet.pool, True, ASAN_OPTIONS=options).wait_healthy()

    def ended(self):
        return len(self.fleet.runs) - len(self.fleet.open())

    def pass_time(self, seconds):
        """Keeps runs in flight and takes samples of the steady worker."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.ended() < self.count:
            self.fleet.look()
            missing = min(IN_FLIGHT - len(self.fleet.open()), self.count - len(self.fleet.runs))
            self.fleet.begin(max(0, missing))
            self.samples.append(sample(self.steady, self.ended()))
            time.sleep(SAMPLE_SECONDS)

    def kill(self):
        """Kills the other worker and starts it again after a moment."""
        self.done["kill -9"] += 1
        self.other.send(signal.SIGKILL)
        self.other.wait(10)
        self.pass_time(self.dice.uniform(0, 3))
        self.other = self.start()

    def leave(self):
        """Keeps the other worker away for AWAY_SECONDS: the steady worker takes over its runs and keeps them."""
        self.done[f"kill -9, back after {AWAY_SECONDS} s"] += 1
        self.begin_outlasting()
        self.other.send(signal.SIGKILL)
        self.other.wait(10)
        self.pass_time(AWAY_SECONDS)
        self.other = self.start()

    def begin_outlasting(self):
        """Starts the outlasting runs on the other worker: the steady worker is paused meanwhile."""
        self.steady.send(signal.SIGSTOP)
        try:
            begun = self.fleet.begin(IN_FLIGHT // 2, only=OUTLASTING)

            def run():
                self.fleet.look()
                return all(flown.state and flown.state["type"] == "RUNNING" for flown in begun)

            wait_for(run, 30, "the outlasting runs run", 0.5)
        finally:
            self.steady.send(signal.SIGCONT)

    def cut(self):
        fault = self.dice.choice(FAULTS)
        self.done[fault.name] += 1
        with fault.begin(self.place):
            self.pass_time(3)

    def run(self):
        self.idle_before = sample(self.steady, 0)
        left_once = self.count < LONG
        disturbances = [self.kill, self.cut]
        turn = 0
        noted = 0
        while self.ended() < self.count:
            self.pass_time(DISTURB_SECONDS if self.count >= LONG else DISTURB_SECONDS / 3)
            if self.ended() >= self.count or len(self.fleet.runs) == self.count:
                break
            if not left_once and self.ended() > self.count / 2:
                left_once = True
                self.leave()
            else:
                disturbances[turn % 2]()
                turn += 1
            if self.ended() - noted >= 100:
                noted = self.ended()
                note(f"soak: {noted} of {self.count} runs, {sum(self.done.values())} kills and outages")
        self.fleet.wait_all(QUIET_SECONDS)

    def finish(self):
        """Ends both workers; returns what was left behind."""
        left = wait_quiet(self.fleet, 40)
        self.samples = [found for found in self.samples if found]
        self.settle()
        for worker in (self.steady, self.other):
            wait_for(worker.running, 1, f"{worker.log.name} is alive at the end")
            end_well(worker)
        self.fleet.check()
        return left

    def settle(self):
        """Waits until the steady worker is idle again. If it still uses too much at the deadline, that counts as
        growth."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            self.idle_after = sample(self.steady, self.ended())
            if not grown("idle", self.idle_before, self.idle_after, IDLE_KIB) or time.monotonic() > deadline:
                return
            time.sleep(SAMPLE_SECONDS)

    def table(self):
        """Returns rows of (when, Sample): single samples while idle, and means over a tenth of all samples each. If
        there are enough samples, the first tenth and the last tenth are left out."""
        tenth = max(1, len(self.samples) // 10)
        middle = len(self.samples) // 2

        def mean(part):
            values = zip(*(dataclasses.astuple(found) for found in part))
            return Sample(*(round(sum(column) / len(part)) for column in values))

        return [
            ("idle, before", self.idle_before),
            ("first tenth", mean(self.samples[tenth : 2 * tenth] or self.samples[:tenth])),
            ("middle tenth", mean(self.samples[middle : middle + tenth])),
            ("last tenth", mean(self.samples[-2 * tenth : -tenth] or self.samples[-tenth:])),
            ("idle, after", self.idle_after),
        ]

    def growth(self):
        """Returns a list of what has grown too much."""
        rows = dict(self.table())
        busy = grown("middle to last tenth", rows["middle tenth"], rows["last tenth"], BUSY_KIB)
        return busy + grown("idle", self.idle_before, self.idle_after, IDLE_KIB)


def grown(when, before, after, kib):
    """Returns a list of what has grown from BEFORE to AFTER, memory by more than KIB."""
    found = []
    if after.private > before.private + kib:
        found.append(f"private memory, {when}: {before.private} to {after.private} KiB")
    if after.descriptors > before.descriptors + GROWTH_DESCRIPTORS:
        found.append(f"descriptors, {when}: {before.descriptors} to {after.descriptors}")
    return found


def prove(options):
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    note(f"soak: {options.runs} runs, --seed {seed}")
    began = time.monotonic()
    with scene() as place:
        soak = Soak(place, random.Random(seed), options.runs)
        soak.run()
        minutes = (time.monotonic() - began) / 60
        left = soak.finish()
        rows = soak.table()
        well = judge(place, soak.fleet, left, "soak")
    print_table(
        ["steady worker", "runs ended", "resident KiB", "private KiB", "descriptors"],
        [[name, *dataclasses.astuple(found)] for name, found in rows],
    )
    tally = Tally.of(soak.fleet.runs.values())
    counted = [
        ["runs", tally.runs],
        *([name, count] for name, count in sorted(soak.done.items())),
        ["wrong endings", tally.wrong],
        ["ran more than once", tally.doubled],
        ["log lines lost", tally.lines_lost],
        ["log lines doubled", tally.lines_doubled],
        ["logs out of order", tally.disordered],
        ["containers, journal entries and files left", len(left)],
        ["minutes", f"{minutes:.1f}"],
    ]
    print_table(["soak", ""], counted)
    soak.fleet.say_unknown_ends()
    # A build with sanitizers uses more memory, and a short soak has not settled.
    growth = soak.growth() if options.runs >= LONG and not has_sanitizer() else []
    for text in growth:
        note(f"soak: has grown: {text}")
    return well and not growth
