"""An HTTP proxy that fails on demand, in front of a server or an engine's socket.

    with FaultProxy(upstream="http://127.0.0.1:4200") as proxy:
        proxy.add(Rule(r"POST /api/logs/", status(503), every=3))
        ... use proxy.url ...
        assert proxy.count(r"POST /api/logs/") < 10

A call that no rule matches passes unchanged, also an upgrade to WebSocket."""

import asyncio
import collections
import contextlib
import itertools
import json
import pathlib
import re
import socket
import ssl
import struct
import threading
import urllib.parse

import h11

from parts import free_port, wait_for

BLOCK = 65536


class Rule:
    """ACTION on calls whose "METHOD /path?query" matches PATTERN: on every EVERYth of them after the first AFTER, at
    most TIMES times. If BODY is given, only calls whose body matches it count."""

    def __init__(self, pattern, action, every=1, after=0, times=None, body=None):
        self.pattern = re.compile(pattern)
        self.action = action
        self.every = every
        self.after = after
        self.times = times
        self.body = re.compile(body) if body else None
        self.seen = 0
        self.done = 0

    def applies(self, call, body):
        if not self.pattern.search(call) or (self.body and not self.body.search(body.decode("utf-8", "replace"))):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        if self.times is not None and self.done >= self.times:
            return False
        self.done += 1
        return True


# Actions: coroutines that get the exchange, and return True when they answered (False: pass it on).


def status(code, body=b'{"exception_message":"Service Unavailable"}', headers=()):
    async def act(exchange):
        await exchange.answer(code, body, [("content-type", "application/json"), *headers])
        return True

    return act


def not_json(body=b"<html><body>It works!</body></html>", code=200):
    async def act(exchange):
        await exchange.answer(code, body, [("content-type", "text/html")])
        return True

    return act


def redirect(location, code=307):
    return status(code, b"", [("location", location)])


def reset():
    """The connection ends with an RST before any answer."""

    async def act(exchange):
        exchange.reset()
        return True

    return act


def reset_after_passing():
    """Upstream carries the call out; its answer is lost."""

    async def act(exchange):
        await exchange.forward(relay=False)
        exchange.reset()
        return True

    return act


def gone_after_passing(seconds):
    """Upstream carries the call out. Then nobody listens for SECONDS, so that a caller cannot connect for another
    try."""

    async def act(exchange):
        await exchange.forward(relay=False)
        await exchange.proxy.go_away(seconds)
        return True

    return act


def status_after_passing(code, body):
    """Upstream carries the call out, but the answer is CODE."""

    async def act(exchange):
        await exchange.forward(relay=False)
        await exchange.answer(code, body, [("content-type", "application/json")])
        return True

    return act


def unanswered():
    """Upstream carries the call out, but the caller gets no answer and no end of the connection."""

    async def act(exchange):
        await exchange.forward(relay=False)
        await exchange.reader.read()
        return True

    return act


def late(seconds):
    """Upstream carries the call out after SECONDS, when the caller may have given up."""

    async def act(exchange):
        await asyncio.sleep(seconds)
        await exchange.forward(relay=False)
        exchange.reset()
        return True

    return act


def held(gate, breaks=False):
    """Upstream carries the call out once GATE is set (a threading.Event), or after GATE seconds (a number, or a
    function that returns one), also if the caller is gone by then. A caller that is still there gets the answer.
    BREAKS: the caller's connection is reset at once."""

    async def act(exchange):
        exchange.proxy.holding += 1
        if breaks:
            exchange.reset()
        try:
            if isinstance(gate, threading.Event):
                while not gate.is_set():
                    await asyncio.sleep(0.02)
            else:
                await asyncio.sleep(gate() if callable(gate) else gate)
            await exchange.forward(relay=not (breaks or exchange.is_left()))
            exchange.proxy.passed += 1
        finally:
            exchange.proxy.holding -= 1
        return True

    return act


def half():
    """The head and half of the body, then the connection ends."""

    async def act(exchange):
        await exchange.answer_half()
        return True

    return act


def cut_after(size):
    """Passes about SIZE bytes of the body, then the connection ends."""

    async def act(exchange):
        await exchange.forward(limit=size)
        exchange.reset()
        return True

    return act


def altered(pattern, replacement):
    """Replaces in upstream's answer what PATTERN matches, by as many bytes."""

    async def act(exchange):
        await exchange.forward(change=lambda data: re.sub(pattern, replacement, data))
        return True

    return act


def kept(answer):
    """Passes the call, and keeps the body of upstream's answer in ANSWER, a bytearray."""

    def keep(data):
        answer.extend(data)
        return data

    async def act(exchange):
        answer.clear()
        await exchange.forward(change=keep)
        return True

    return act


def slow(seconds):
    async def act(exchange):
        await asyncio.sleep(seconds)
        return False

    return act


def limited(count):
    """Asks upstream for COUNT objects only, as if that were its limit."""

    async def act(exchange):
        exchange.body = json.dumps({**json.loads(exchange.body), "limit": count}).encode()
        return False

    return act


class Exchange:
    def __init__(self, proxy, reader, writer, connection, request, body):
        self.proxy = proxy
        self.reader = reader
        self.writer = writer
        self.connection = connection
        self.request = request
        self.body = body

    async def answer(self, code, body, headers):
        length = ("content-length", str(len(body)))
        head = h11.Response(status_code=code, headers=[length, *headers])
        await self.send(head, h11.Data(data=body), h11.EndOfMessage())

    async def answer_half(self):
        body = b'{"id": "5d1c7d80-0000-0000-0000-000000000000", "name": "half an answ'
        headers = [("content-type", "application/json"), ("content-length", str(2 * len(body)))]
        await self.send(h11.Response(status_code=200, headers=headers), h11.Data(data=body))
        self.writer.close()

    async def send(self, *events):
        for event in events:
            data = self.connection.send(event)
            if data:
                self.writer.write(data)
        await self.writer.drain()

    def is_left(self):
        """Whether the caller has closed its end."""
        return self.reader.at_eof() or self.writer.is_closing()

    def reset(self):
        raw = self.writer.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def forward(self, relay=True, limit=None, change=None):
        reader, writer = await self.proxy.connect_upstream()
        try:
            upstream = h11.Connection(h11.CLIENT)
            drop = [b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"expect"]
            if change is not None:
                drop.append(b"accept-encoding")
            headers = [(name, value) for name, value in self.request.headers if name not in drop]
            headers += [("connection", "close")]
            if self.body or self.request.method not in (b"GET", b"HEAD", b"DELETE"):
                headers += [("content-length", str(len(self.body)))]
            head = h11.Request(method=self.request.method, target=self.request.target, headers=headers)
            for event in (head, h11.Data(data=self.body), h11.EndOfMessage()):
                writer.write(upstream.send(event) or b"")
            await writer.drain()
            while True:
                event = upstream.next_event()
                if event is h11.NEED_DATA:
                    upstream.receive_data(await reader.read(BLOCK))
                    continue
                if isinstance(event, h11.Response):
                    kept = [(name, value) for name, value in event.headers if name not in (b"connection",)]
                    event = h11.Response(status_code=event.status_code, headers=kept)
                if isinstance(event, h11.InformationalResponse):
                    continue
                if change is not None and isinstance(event, h11.Data):
                    event = h11.Data(data=change(bytes(event.data)))
                if limit is not None and isinstance(event, h11.Data):
                    if limit < len(event.data):
                        await self.send(h11.Data(data=event.data[:limit]))
                        return
                    limit -= len(event.data)
                if relay:
                    await self.send(event)
                if isinstance(event, h11.EndOfMessage):
                    return
        finally:
            writer.close()

    async def upgrade(self):
        """Passes the request and then bytes both ways, as they come."""
        reader, writer = await self.proxy.connect_upstream()
        head = b"%s %s HTTP/1.1\r\n" % (self.request.method, self.request.target)
        head += b"".join(b"%s: %s\r\n" % item for item in self.request.headers) + b"\r\n"
        writer.write(head + self.connection.trailing_data[0])

        async def pump(source, sink):
            with contextlib.suppress(OSError):
                while data := await source.read(BLOCK):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, self.writer), pump(self.reader, writer))


class FaultProxy:
    """UPSTREAM: "http://host:port" or "unix:///path". Listens on a port of 127.0.0.1, or on the unix
    socket LISTEN; TLS: paths of a certificate and its key. Each call's headers are in headers, names in
    small letters."""

    def __init__(self, upstream, listen=None, tls=None):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.listen = pathlib.Path(listen) if listen else None
        self.port = None if listen else free_port()
        self.url = f"unix://{listen}" if listen else f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.calls = collections.Counter()
        self.headers = []
        self.passed = 0  # calls that were held back and then carried out
        self.holding = 0  # calls that are held back now
        self._tls = None
        if tls:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(*tls)
        self._rules = []
        self._lock = threading.Lock()
        self._writers = set()
        self._server = None
        self._return = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._await(self._open())
        return self

    def __exit__(self, *_):
        self._await(self._close())
        self._await(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def add(self, *rules):
        with self._lock:
            self._rules += rules

    def add_first(self, *rules):
        """Adds RULES before the existing ones."""
        with self._lock:
            self._rules[:0] = rules

    def clear(self):
        with self._lock:
            self._rules.clear()

    @contextlib.contextmanager
    def with_rules(self, *rules):
        self.add(*rules)
        try:
            yield
        finally:
            self.clear()

    @contextlib.contextmanager
    def refusing(self):
        """Behaves as if nobody listened: new connections are refused, and open ones end."""
        self._await(self._close())
        try:
            yield
        finally:
            self._await(self._open())

    async def go_away(self, seconds):
        """Refuses connections from now on, for SECONDS, and ends the open ones."""

        async def come_back():
            await asyncio.sleep(seconds)
            await self._open()

        await self._close()
        self._return = asyncio.create_task(come_back())

    def show_certificate(self, tls):
        """Shows another certificate from now on; open connections end."""

        async def end_connections():
            for writer in list(self._writers):
                writer.transport.abort()

        self._tls.load_cert_chain(*tls)
        self._await(end_connections())

    def count(self, pattern):
        with self._lock:
            return sum(count for call, count in self.calls.items() if re.search(pattern, call))

    def wait_count(self, pattern, least, timeout=30):
        wait_for(lambda: self.count(pattern) >= least, timeout, lambda: f"{least} calls {pattern}: {self.calls}")

    async def _open(self):
        if self.listen:
            self._server = await asyncio.start_unix_server(self._serve, self.listen)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)

    async def _close(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self.listen:
            self.listen.unlink(missing_ok=True)

    @staticmethod
    async def _end_tasks():
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def connect_upstream(self):
        if self.upstream.scheme == "unix":
            return await asyncio.open_unix_connection(self.upstream.path)
        return await asyncio.open_connection(self.upstream.hostname, self.upstream.port)

    def _action(self, call, body):
        with self._lock:
            self.calls[call] += 1
            # Each rule counts the calls that it matches, also if another rule has acted.
            acting = [rule for rule in self._rules if rule.applies(call, body)]
        return acting[0].action if acting else None

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            await self._connection(reader, writer)
        except (OSError, h11.ProtocolError, asyncio.IncompleteReadError):
            pass  # one side has closed its connection, so the other is closed, too
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _connection(self, reader, writer):
        connection = h11.Connection(h11.SERVER)
        for _ in itertools.count():
            request, body = await self._request(reader, connection)
            if request is None:
                return
            call = f"{request.method.decode()} {request.target.decode()}"
            action = self._action(call, body)
            self.headers.append({name.decode(): value.decode() for name, value in request.headers})
            exchange = Exchange(self, reader, writer, connection, request, body)
            if action is not None and await action(exchange):
                if writer.is_closing():
                    return
            elif any(name == b"upgrade" for name, _ in request.headers):
                await exchange.upgrade()
                return
            else:
                await exchange.forward()
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    @staticmethod
    async def _request(reader, connection):
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(BLOCK))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return request, body
            elif event is h11.PAUSED and request is not None:
                return request, body
            else:
                return None, b""
