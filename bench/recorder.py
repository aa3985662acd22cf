"""Records who made which call when: proxies between a worker and its server and engine note every call."""

import dataclasses
import gzip
import re
import time
from contextlib import contextmanager

import h11

from fault_proxy import FaultProxy, Rule


@dataclasses.dataclass
class Call:
    to: str  # "api" or "engine"
    name: str  # "POST /api/..."
    asked: float  # when the whole request had arrived
    answered: float = None  # when the whole answer had been passed on
    body: bytes = b""  # of the answer, if it is short enough to look into
    container: bool = False  # True if the container made the call, not the worker

    def text(self):
        return gzip.decompress(self.body) if self.body[:2] == b"\x1f\x8b" else self.body

    def matches(self, pattern):
        return re.search(pattern, self.name)


class Recorder:
    def __init__(self):
        self.calls = []

    def rule(self, to):
        return Rule("", lambda exchange: self._note(to, exchange))

    async def _note(self, to, exchange):
        headers = dict(exchange.request.headers)
        name = f"{exchange.request.method.decode()} {exchange.request.target.decode()}"
        call = Call(to, name, time.time())
        # The container reports with busybox's wget, through the address its worker was given.
        call.container = headers.get(b"user-agent", b"").lower().startswith(b"wget")
        self.calls.append(call)
        if b"upgrade" in headers:
            return False
        pass_on = exchange.send

        async def send(*events):
            for event in events:
                if isinstance(event, h11.Data):
                    call.body = (call.body + bytes(event.data))[: 1 << 20]
            await pass_on(*events)

        exchange.send = send
        await exchange.forward()
        call.answered = time.time()
        return True

    def by_worker(self, to):
        return [call for call in self.calls if call.to == to and not call.container]


@contextmanager
def recording(site, folder):
    """Yields (recorder, API URL, engine URL). The recorder notes all calls that a worker at SITE makes through these
    URLs."""
    recorder = Recorder()
    server = FaultProxy(site.api.url.removesuffix("/api"))
    engine = FaultProxy(site.engine.url, listen=folder / "engine.sock")
    server.add(recorder.rule("api"))
    engine.add(recorder.rule("engine"))
    with server, engine:
        yield recorder, f"{server.url}/api", engine.url


def covered(intervals, start, end):
    """Seconds of START..END that at least one of INTERVALS covers."""
    total, reached = 0.0, start
    for begin, finish in sorted(intervals):
        begin, finish = max(begin, reached), min(finish, end)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total
