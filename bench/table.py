"""The figures as Markdown."""

import dataclasses
import typing

from workers import NAMES, OURS, PEER

LESS, MORE = "less", "more"
SERVERS = (("postgres", "PostgreSQL"), ("sqlite", "SQLite"))
NOTES = """\
- Both workers have their default settings, on pools and deployments of the same kind. Only
  PREFECT_WORKER_QUERY_SECONDS differs: 10, the default, where nothing runs, 1 elsewhere. Start: the median of several.
- Memory: Rss and Private_* of /proc/PID/smaps_rollup. CPU: the process's CPU clock.
- Short runs: busybox with a `prefect` that makes two calls (RUNNING, COMPLETED), so that a run ends under both
  workers. The time begins when the pool is resumed and all runs are due. It stops when the last run ends, by the
  server's clock. Lost: not Completed. Plain image: busybox `true`; prefect-podman reports its state, and the
  Python worker leaves such runs Submitting for ever.
- Proxies count the calls, and measure the time from the poll's answer to the start, in a pass of their own. They
  do not count polls, heartbeats, and what goes through an open WebSocket."""


@dataclasses.dataclass
class Row:
    name: str
    values: dict  # by kind of worker
    better: str = LESS
    target: str = ""
    reached: typing.Callable = None  # of (peer's value, our value)

    def ratio(self):
        """Returns by which factor our value is better."""
        peer, ours = self.values.get(PEER), self.values.get(OURS)
        if not peer or not ours or isinstance(peer, str):
            return "-"
        return f"{number(peer / ours if self.better == LESS else ours / peer)} × {self.better}"

    def verdict(self):
        peer, ours = self.values.get(PEER), self.values.get(OURS)
        relative = "×" in self.target
        if not self.target or ours is None or (relative and peer is None):
            return self.target
        return f"{self.target} {'✓' if self.reached(peer, ours) else '✗'}"

    def line(self):
        values = [number(self.values.get(kind)) for kind in (PEER, OURS)]
        return f"| {' | '.join([self.name, *values, self.ratio(), self.verdict()])} |"


def number(value, digits=3):
    """To DIGITS significant digits; words as they are."""
    if value is None or isinstance(value, str):
        return value or "-"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def get(found, figure, name, scale=1):
    """The value of each kind of worker that was measured."""
    values = {kind: found.get(figure, {}).get(kind, {}).get(name) for kind in (PEER, OURS)}
    return {kind: value * scale for kind, value in values.items() if value is not None}


def less_than(limit):
    return {"target": f"< {limit}", "reached": lambda _, ours: ours < limit}


def part_of_peer(divisor):
    return {"target": f"< 1/{divisor} ×", "reached": lambda peer, ours: ours < peer / divisor}


NONE = {"target": "0", "reached": lambda _, ours: ours == 0}
SIX_TIMES = {"target": "≥ 6 ×", "reached": lambda peer, ours: ours >= 6 * peer}


def alone(options, found):
    mib, busy = 1 / 1024, f"{options.containers} containers running"
    yield Row("start to healthy, ms", get(found, "start", "healthy_ms"), **less_than(50))
    yield Row("resident memory, idle, MiB", get(found, "idle", "idle_rss_kib", mib), **less_than(15))
    yield Row("private memory, idle, MiB", get(found, "idle", "idle_private_kib", mib), **less_than(3))
    yield Row(f"resident memory, {busy}, MiB", get(found, "containers", "busy_rss_kib", mib))
    yield Row(f"private memory, {busy}, MiB", get(found, "containers", "busy_private_kib", mib))
    yield Row("private memory a run in flight, KiB", get(found, "containers", "kib_per_run"), **less_than(64))
    yield Row("CPU, idle, ms a minute", get(found, "idle", "idle_cpu_s_per_minute", 1000))


def a_run(found):
    cpu = get(found, "postgres", "cpu_s_per_run", 1000)
    yield Row("CPU a run, ms", cpu, **part_of_peer(20))
    yield Row("API calls a run", get(found, "calls", "api_calls_per_run"))
    yield Row("engine calls a run", get(found, "calls", "engine_calls_per_run"))
    start = get(found, "calls", "start_ms")
    yield Row("poll's answer to container started, ms", start, **part_of_peer(4))
    own = get(found, "calls", "own_ms")
    yield Row("of it waiting for neither API nor engine, ms", own, **less_than(10))


def bursts(options, found):
    for figure, server in SERVERS:
        what = f"{options.runs} short runs at once, {server}"
        target = SIX_TIMES if figure == "postgres" else {}
        yield Row(f"{what}: runs/s", get(found, figure, "runs_per_s"), MORE, **target)
        yield Row(f"{what}: lost", get(found, figure, "lost"), **NONE)
        plain = get(found, f"{figure}_plain", "runs_per_s")
        if plain:
            yield Row(f"{what}, plain image: runs/s", {PEER: "never end", **plain}, MORE)
            yield Row(f"{what}, plain image: lost", get(found, f"{figure}_plain", "lost"), **NONE)


def render(about, options, found):
    rows = [*alone(options, found), *a_run(found), *bursts(options, found)]
    head = [f"| | {NAMES[PEER]} | {NAMES[OURS]} | ratio | to reach |", "| --- | ---: | ---: | ---: | --- |"]
    made = f"""
Made by `{about["command"]}` in {about["minutes"]} minutes, {about["when"]}: {about["cpus"]} cores, Linux
{about["kernel"]}, Podman {about["podman"]}, Prefect {about["prefect"]} with prefect-docker {about["prefect-docker"]};
load average before: {about["load_before"]}.
"""
    lines = [*head, *(row.line() for row in rows if row.values), made, NOTES]
    bare = [(server, found[figure]["bare"]["runs_per_s"]) for figure, server in SERVERS if figure in found]
    if bare:
        rates = ", ".join(f"{server} {number(rate)}" for server, rate in bare)
        lines.append(f"- The same calls in a bare loop, without a worker (the limit here): {rates} runs/s.")
    return "\n".join(lines)

