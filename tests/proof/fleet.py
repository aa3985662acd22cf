"""Flow runs of several kinds that leave traces, and checks of how each ended."""

import collections
import dataclasses
import io
import re
import tarfile

from parts import CACHE, wait_for
from prefect_api import TERMINAL, words

IMAGE = "localhost/pp/proof:1"
# Each run gets it; no worker may write it anywhere.
SECRET = "proof-secret-7c1f0e"

# numbers LINES PAUSE STATUS...: prints numbered lines. After each ten it prints a line on stderr and pauses. Attempt N
# exits with the Nth STATUS, or the last one. /marks has a file for each run with what really ran.
NUMBERS = r"""#!/bin/sh
lines=$1 pause=$2 printed=0 mark=/marks/$PREFECT__FLOW_RUN_ID
shift 2
trap 'echo "stopped $printed" >>"$mark"; exit 143' TERM
echo start >>"$mark"
attempt=$(grep -c start "$mark")
turn=$attempt
while [ "$turn" -gt 1 ] && [ $# -gt 1 ]; do
  shift
  turn=$((turn - 1))
done
while [ "$printed" -lt "$lines" ]; do
  echo "out $attempt $((printed + 1))"
  printed=$((printed + 1))
  if [ $((printed % 10)) = 0 ]; then
    echo "err $attempt $((printed / 10))" >&2
    sleep "$pause"
  fi
done
echo "end $1" >>"$mark"
exit "$1"
"""
# Like Prefect: reports RUNNING, works, reports COMPLETED, and retries while the server is busy.
ENGINE = r"""#!/bin/sh
report () {
  until wget -q -O /dev/null --header 'Content-Type: application/json' \
    --post-data "{\"state\": {\"type\": \"$1\"}}" "$PROOF_API_URL/flow_runs/$PREFECT__FLOW_RUN_ID/set_state"; do
    sleep 0.2
  done
}
report RUNNING
numbers "$@" && report COMPLETED
"""
LINE = re.compile(r"(out|err) (\d+) (\d+)")


def make_image(engine, folder):
    """Makes an image of busybox with both programs."""
    path = folder / "proof.tar"
    path.write_bytes((CACHE / "images" / "busybox.tar").read_bytes())
    with tarfile.open(path, "a") as archive:
        for name, text in (("numbers", NUMBERS), ("engine", ENGINE)):
            script = tarfile.TarInfo(f"./bin/{name}")
            script.size, script.mode = len(text), 0o755
            archive.addfile(script, io.BytesIO(text.encode()))
    engine.import_image(path, IMAGE, ["ENV PATH=/bin"])
    path.unlink()


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    statuses: tuple = (0,)  # one for each attempt
    ending: str = "COMPLETED"
    lines: int = 200
    seconds: float = 3
    auto_remove: bool = True
    by_engine: bool = False  # its states are reported from the container
    cancelled: bool = False  # the user cancels it once it is RUNNING

    @property
    def attempts(self):
        return len(self.statuses)

    def variables(self, scene):
        pause = self.seconds / (self.lines // 10)
        statuses = " ".join(map(str, self.statuses))
        return {
            "image": IMAGE,
            "image_pull_policy": "Never",
            "command": f"{'engine' if self.by_engine else 'numbers'} {self.lines} {pause:.3f} {statuses}",
            "state_reporting": "engine" if self.by_engine else "worker",
            "forward_output": "always",
            "auto_remove": self.auto_remove,
            "network_mode": "host",
            "volumes": [f"{scene.marks}:/marks"],
            "env": {"PROOF_API_URL": scene.api.url, "PROOF_TOKEN": SECRET},
        }


def mixed(lines=200, seconds=3):
    """Returns the kinds, each repeated according to its share of the runs."""
    plain = Kind("plain", lines=lines, seconds=seconds)
    kept = Kind("kept", lines=lines, seconds=seconds, auto_remove=False)
    engine = Kind("engine", lines=lines, seconds=seconds, by_engine=True)
    engine_kept = dataclasses.replace(engine, name="engine-kept", auto_remove=False)
    failed = Kind("exit-3", (3,), "FAILED", lines=lines, seconds=seconds / 2)
    retried = Kind("retried", (1, 0), lines=lines // 2, seconds=seconds / 2)
    retried_kept = dataclasses.replace(retried, name="retried-kept", auto_remove=False)
    # This is far longer than a slow server needs to show that the run is RUNNING and to accept its cancellation.
    cancelled = Kind("cancelled", ending="CANCELLED", lines=10000, seconds=600, cancelled=True)
    return [plain, engine, failed, kept, retried, engine_kept, cancelled, plain, retried_kept, engine]


def for_peer():
    """Returns the kinds that the Python worker can handle: those reported from the container."""
    return [kind for kind in mixed() if kind.by_engine]


@dataclasses.dataclass
class Flown:
    """A flow run and the observations of it."""

    id: str
    kind: Kind
    group: str
    state: dict = None
    cancelling: bool = False
    starts: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    end_unknown: bool = False  # Podman was killed while it started the container: the exit status is lost
    faults: list = dataclasses.field(default_factory=list)

    def ended(self):
        return self.state is not None and self.state["type"] in TERMINAL


class Fleet:
    """Keeps runs of KINDS in flight in a pool of SCENE, and tracks how each ends."""

    def __init__(self, scene, pool, kinds, engine_dies=False):
        self.engine_dies = engine_dies
        self.scene = scene
        self.api = scene.api
        self.pool = pool
        self.kinds = kinds
        self.runs = {}
        self._deployments = {}
        self.api.create_pool(pool)

    def _deployment(self, kind):
        if kind.name not in self._deployments:
            variables = kind.variables(self.scene)
            self._deployments[kind.name] = self.api.deploy(self.pool, kind.name, variables=variables)
        return self._deployments[kind.name]

    def begin(self, count, group="", only=None):
        """Creates COUNT runs that are due now, of the kind ONLY or of all kinds in turn; returns them."""
        begun = []
        for _ in range(count):
            kind = only or self.kinds[len(self.runs) % len(self.kinds)]
            policy = {"empirical_policy": {"retries": kind.attempts - 1, "retry_delay": 0}}
            run = Flown(self.api.run(self._deployment(kind), **policy), kind, group)
            self.runs[run.id] = run
            begun.append(run)
        return begun

    def open(self):
        return [run for run in self.runs.values() if not run.ended()]

    def top_up(self, count, group=""):
        self.begin(max(0, count - len(self.open())), group)

    def look(self):
        """Reads the states of the runs in flight and cancels those to cancel. Returns how many are in flight."""
        for item in self.api.flow_runs([run.id for run in self.open()]).values():
            run = self.runs[item["id"]]
            run.state = item["state"]
            if run.kind.cancelled and not run.cancelling and run.state["type"] == "RUNNING":
                run.cancelling = True
                self.api.set_state(run.id, "CANCELLING")
        return len(self.open())

    def look_again(self):
        """Reads the states of all runs again; returns True if each has ended as expected."""
        for item in self.api.flow_runs(list(self.runs)).values():
            self.runs[item["id"]].state = item["state"]
        return all(run.state is not None and run.state["type"] == run.kind.ending for run in self.runs.values())

    def wait_all(self, quiet):
        """Waits until all runs have ended, or none has ended for QUIET seconds."""
        waiting = self.look()
        while waiting:
            before = waiting

            def moved():
                return self.look() < before

            try:
                wait_for(moved, quiet, "a run ends", 0.5)
            except RuntimeError:
                return
            waiting = len(self.open())

    # Checks of the ends

    def check(self):
        """Checks the state, traces and log of each run."""
        for run in self.runs.values():
            self.check_ending(run)
            self._check_log(run)

    def check_ending(self, run):
        lost_end = "Podman was killed while it started the container"
        run.end_unknown = self.engine_dies and run.state is not None and lost_end in (run.state["message"] or "")
        if not run.end_unknown and (run.state is None or run.state["type"] != run.kind.ending):
            run.faults.append(f"is {words(run.state) if run.state else 'never seen'}, not {run.kind.ending}")
        marks = self._marks(run)
        run.starts = marks.count("start")
        wanted = (0, 1) if run.kind.cancelled else (run.kind.attempts,)
        if run.end_unknown:
            wanted = range(1, run.kind.attempts + 1)
        if run.starts not in wanted:
            run.faults.append(f"its program was started {run.starts} times, not {run.kind.attempts}: {marks}")

    def say_unknown_ends(self):
        """Prints how many runs are Crashed because their exit status was lost."""
        unknown = [run for run in self.runs.values() if run.end_unknown]
        if unknown:
            print(f"Crashed, for Podman was killed in the moment of their start: {len(unknown)}")

    def _marks(self, run):
        path = self.scene.marks / run.id
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def _expected(self, run, printed):
        """Returns the last line number that each (stream, attempt) must have.

        PRINTED are the numbers that stdout's log has.
        """
        lines, attempts = run.kind.lines, run.kind.attempts
        if run.kind.cancelled:
            marks = self._marks(run)
            stopped = [int(line.split()[1]) for line in marks if line.startswith("stopped ")]
            # If the engine was away for long, the program ended before it could be stopped. If it was stopped before
            # it could set its trap, it was killed later, and recorded nothing.
            if stopped:
                lines = stopped[0]
            elif f"end {run.kind.statuses[0]}" not in marks:
                lines = max(printed, default=0)
        expected = {}
        for attempt in range(1, (run.starts if run.end_unknown else attempts) + 1):
            expected["out", attempt] = lines
            expected["err", attempt] = lines // 10
        return expected

    def _check_log(self, run):
        seen = collections.defaultdict(list)
        for record in self.api.logs(run.id):
            found = LINE.fullmatch(record["message"])
            if found:
                seen[found[1], int(found[2])].append(int(found[3]))
        expected = self._expected(run, seen["out", 1])
        for place in sorted({*expected, *seen}):
            numbers, last = seen[place], expected.get(place, 0)
            wanted = set(range(1, last + 1))
            run.lost += len(wanted - set(numbers))
            run.doubled += len(numbers) - len(set(numbers))
            # A stopped program may have printed one more line than it recorded.
            slack = set(range(1, last + 2)) if run.kind.cancelled else wanted
            extra = set(numbers) - slack
            if extra:
                run.faults.append(f"{place} has lines that nobody wrote: {sorted(extra)[:5]}")
            if numbers != sorted(numbers):
                run.disordered += 1
        if run.lost or run.doubled or run.disordered:
            run.faults.append(f"log: {run.lost} lines lost, {run.doubled} doubled, {run.disordered} streams disordered")

    def leftovers(self):
        """Returns what should not be left at the end: containers, journal entries, files."""
        found = self.containers_left()
        for pattern in ("*/runs/*", "*/set-aside/*"):
            found += [f"journal: {path.relative_to(self.scene.folder)}" for path in self.scene.state.glob(pattern)]
        return found + [f"file {path}" for path in self.scene.temporary.iterdir()]

    def containers_left(self):
        """Returns containers that should have been removed, and those that still run."""
        found = []
        kept = collections.Counter()
        for container in self.scene.engine.containers():
            run = self.runs.get(container["Labels"].get("io.prefect.flow-run-id"))
            name, status = container["Names"][0], container["State"]
            kept[run and run.id] += 1
            if run is None or run.kind.auto_remove or status not in ("exited", "stopped"):
                found.append(f"container {name} ({run.kind.name if run else 'of no run'}) is {status}")
            elif kept[run.id] > run.kind.attempts:
                found.append(f"container {name}: one too many for its run")
        return found


@dataclasses.dataclass
class Tally:
    """Numbers of runs and of their faults."""

    runs: int = 0
    wrong: int = 0
    doubled: int = 0
    lines_lost: int = 0
    lines_doubled: int = 0
    disordered: int = 0

    @classmethod
    def of(cls, runs):
        made = cls()
        for run in runs:
            made.runs += 1
            made.wrong += not run.end_unknown and (run.state is None or run.state["type"] != run.kind.ending)
            made.doubled += run.starts > run.kind.attempts
            made.lines_lost += run.lost
            made.lines_doubled += run.doubled
            made.disordered += run.disordered
        return made

    def bad(self):
        return self.wrong + self.doubled + self.lines_lost + self.lines_doubled + self.disordered
