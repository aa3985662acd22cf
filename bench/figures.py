"""The measurements. Each function measures one worker once and returns its figures by name."""

import collections
import datetime
import re
import signal
import statistics
import time

from bare_loop import Loop
from engines import BUSYBOX
from parts import TestbedError, wait_for
from places import SHORT
from prefect_api import TERMINAL
from recorder import covered, recording
from workers import NAMES, OURS, PEER

SETTLE_SECONDS = 5  # from healthy to the first look at memory
# If no run has ended for this long, the runs that are still open count as lost. The Python worker needs a minute until
# the first of sixty runs ends, and its calls to the engine time out after another minute.
QUIET_SECONDS = 150
IDLE_QUERY = 10  # PREFECT_WORKER_QUERY_SECONDS: the default
BUSY_QUERY = 1
PORTION = 10  # containers that are started together, where the measurement is not of speed
SAMPLE_SECONDS = 0.5  # how often the server is asked how many runs have ended
# Calls that a timer makes, not a run.
BY_CLOCK = r"get_scheduled_flow_runs|/heartbeat|GET \S+/work_pools/[^/]+$|/workers/connect|/queues/filter"
# Calls that a run does not wait for. The Python worker waits for its PATCHes; ours run in parallel with the engine's
# calls.
BESIDE = {PEER: rf"{BY_CLOCK}|/logs/|/events", OURS: rf"{BY_CLOCK}|/logs/|/events|PATCH "}


class Bench:
    def __init__(self, workers, options, folder):
        self.workers = workers
        self.options = options
        self.folder = folder

    def _pool(self, site, kind, figure, image=SHORT, **variables):
        """Makes a work pool and a deployment for this figure only. Returns (pool, deployment)."""
        name = f"{kind}-{figure}"
        site.api.create_pool(name)
        return name, site.api.deploy(name, variables={"image": image, **variables})

    # Alone

    def start(self, kind, site):
        """Returns the time from the start of the process to the first 200 of /health: the median of several."""
        pool, _ = self._pool(site, kind, "start")
        found = []
        for _ in range(self.options.starts):
            with self.workers.run(kind, site, pool, IDLE_QUERY) as worker:
                found.append(worker.healthy_ms)
        return {"healthy_ms": statistics.median(found), "healthy_ms_all": found}

    def idle(self, kind, site):
        """Memory soon after the start and a minute later, and the minute's CPU."""
        pool, _ = self._pool(site, kind, "idle")
        with self.workers.run(kind, site, pool, IDLE_QUERY) as worker:
            time.sleep(SETTLE_SECONDS)
            before, soon, begin = worker.cpu(), worker.memory(), time.monotonic()
            time.sleep(self.options.idle)
            per_minute = (worker.cpu() - before) * 60 / (time.monotonic() - begin)
            later = worker.memory()
        return {
            "idle_rss_kib": soon["rss"],
            "idle_private_kib": soon["private"],
            "minute_rss_kib": later["rss"],
            "minute_private_kib": later["private"],
            "idle_cpu_s_per_minute": per_minute,
        }

    def containers(self, kind, site):
        """Memory with many containers running."""
        count = self.options.containers
        pool, deployment = self._pool(site, kind, "containers", BUSYBOX, command="sleep 3600")
        # The worker is killed, so that the test need not wait until the containers end.
        with self.workers.run(kind, site, pool, BUSY_QUERY, end=signal.SIGKILL) as worker:
            time.sleep(SETTLE_SECONDS)
            before = worker.memory()
            # In portions, because the Python worker runs into its own time-outs if it asks the engine for fifty at
            # once.
            for wanted in [*range(PORTION, count, PORTION), count]:
                for _ in range(wanted - running(site)):
                    site.api.run(deployment)
                wait_for(lambda: running(site) >= wanted, 120, f"{wanted} containers run", SAMPLE_SECONDS)
            time.sleep(SETTLE_SECONDS)
            now = worker.memory()
        site.engine.remove_all()
        return {
            "busy_rss_kib": now["rss"],
            "busy_private_kib": now["private"],
            "kib_per_run": (now["private"] - before["private"]) / count,
        }

    # Runs

    def _at_once(self, site, pool, deployment, count):
        """Makes COUNT runs that all become due at one moment, when the pool is resumed. Returns (runs, that moment)."""
        site.api.update_pool(pool, is_paused=True)
        runs = [site.api.run(deployment) for _ in range(count)]
        resumed = time.time()
        site.api.update_pool(pool, is_paused=False)
        return runs, resumed

    def _wait_ended(self, site, runs):
        """Waits until all RUNS have ended, or until no run has ended for QUIET_SECONDS. Returns them."""
        query = {"flow_runs": {"id": {"any_": runs}, "state": {"type": {"any_": TERMINAL}}}}
        ended, moved = 0, time.monotonic()
        while ended < len(runs) and time.monotonic() < moved + QUIET_SECONDS:
            time.sleep(SAMPLE_SECONDS)
            now = site.api.call("POST", "/flow_runs/count", json=query)
            if now > ended:
                ended, moved = now, time.monotonic()
        return list(site.api.flow_runs(runs).values())

    @staticmethod
    def _rate(found, resumed):
        """Returns the runs per second from RESUMED to the last end. Only runs that ended well count; the others are
        lost."""
        right = [run for run in found if run["state_type"] == "COMPLETED"]
        lost = collections.Counter(run["state_type"] for run in found if run not in right)
        if not right:
            return {"runs_per_s": 0.0, "seconds": None, "lost": len(found), "lost_as": dict(lost)}
        seconds = max(timestamp(run["end_time"]) for run in right) - resumed
        rate = len(right) / seconds
        return {"runs_per_s": rate, "seconds": seconds, "lost": sum(lost.values()), "lost_as": dict(lost)}

    def burst(self, kind, site, image=SHORT, **variables):
        """Short runs at once: runs per second, lost runs, CPU per run."""
        figure = f"burst-{'short' if image == SHORT else 'plain'}"
        pool, deployment = self._pool(site, kind, figure, image, **variables)
        with self.workers.run(kind, site, pool, BUSY_QUERY) as worker:
            time.sleep(SETTLE_SECONDS)
            cpu = worker.cpu()
            runs, resumed = self._at_once(site, pool, deployment, self.options.runs)
            found = self._wait_ended(site, runs)
            time.sleep(SETTLE_SECONDS)  # until the worker has finished the last runs
            result = self._rate(found, resumed)
            result["cpu_s_per_run"] = (worker.cpu() - cpu) / len(runs)
            result["peak_rss_kib"] = peak_kib(worker.pid)
        site.engine.remove_all()
        return result

    def plain(self, kind, site):
        """The same with an image that has no Prefect in it."""
        return self.burst(kind, site, BUSYBOX, command="true")

    def bare(self, site):
        """The same without a worker."""
        pool, deployment = self._pool(site, "bare", "loop")
        runs, begin = self._at_once(site, pool, deployment, self.options.runs)
        Loop(site, SHORT).take(runs)
        result = self._rate(self._wait_ended(site, runs), begin)
        site.engine.remove_all()
        return result

    # One by one, through proxies

    def calls(self, kind, site):
        """Calls per run in a burst, and the time from the poll's answer to the engine's answer, measured for one run
        at a time."""
        pool, deployment = self._pool(site, kind, "calls")
        with recording(site, self.folder) as (recorder, api_url, engine_url):
            with self.workers.run(kind, site, pool, BUSY_QUERY, api_url, engine_url):
                time.sleep(SETTLE_SECONDS)
                recorder.calls.clear()
                count = self.options.counted
                runs, _ = self._at_once(site, pool, deployment, count)
                self._wait_ended(site, runs)
                time.sleep(SETTLE_SECONDS)
                result = {}
                for to in ("api", "engine"):
                    calls = [call for call in recorder.by_worker(to) if not call.matches(BY_CLOCK)]
                    names = [general(call.name) for call in calls]
                    result[f"{to}_calls_per_run"] = len(names) / count
                    result[f"{to}_calls"] = {name: number / count for name, number in tally(names)}
                ways = [self._way(kind, site, recorder, deployment) for _ in range(self.options.ways)]
        site.engine.remove_all()
        for name in ways[0]:
            result[name] = statistics.median(way[name] for way in ways)
        return result | {"ways": ways}

    def _way(self, kind, site, recorder, deployment):
        """Follows one run. start_ms: milliseconds from the poll's answer that has the run until the engine has answered
        the start of its container. own_ms: the part of them in which the worker waits for neither API nor engine."""
        recorder.calls.clear()
        run = site.api.run(deployment)
        self._wait_ended(site, [run])
        calls = recorder.by_worker("api") + recorder.by_worker("engine")
        polls = (call for call in calls if call.matches("get_scheduled") and run.encode() in call.text())
        starts = (call for call in calls if call.matches(r"/containers/[^/]+/start$") and call.answered)
        poll, start = next(polls, None), next(starts, None)
        if poll is None or start is None:
            raise TestbedError(f"flow run {run} was not started by the {NAMES[kind]}")
        begin, end = poll.answered, start.answered
        waited = [
            (call.asked, call.answered)
            for call in calls
            if call.answered and call.asked >= begin - 0.001 and not call.matches(BESIDE[kind])
        ]
        time.sleep(1)
        own = end - begin - covered(waited, begin, end)
        return {"start_ms": (end - begin) * 1000, "own_ms": own * 1000}


def running(site):
    query = {"filters": '{"status": ["running"]}'}
    return len(site.engine.call("GET", "/containers/json", params=query).json())


def tally(names):
    return sorted(collections.Counter(names).items())


def general(name):
    """A call's name without what differs from run to run."""
    name = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}|[0-9a-f]{64}", "ID", name)
    return re.sub(r"\?.*", "", name)


def timestamp(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
