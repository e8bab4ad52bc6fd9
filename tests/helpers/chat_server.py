"""A small HTTP server that speaks OpenAI's protocol and misbehaves as it is told, one act a request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Plays `acts` in turn (the last one again and again); keeps the bodies and headers of what was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, acts: list[Act], models: list[dict[str, Any]] | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts, self.models = acts, models
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.server.models is None:
            self.refuse(404, {"error": {"message": "no such page"}})
        else:
            self.refuse(200, {"object": "list", "data": self.server.models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append({**body, "path": self.path})
            self.server.keys.append(self.headers.get("Authorization"))
            self.server.times.append(time.monotonic())
            act = self.server.acts.pop(0) if len(self.server.acts) > 1 else self.server.acts[0]
        with suppress(BrokenPipeError, ConnectionResetError):
            act(self)

    def refuse(self, status: int, body: dict[str, Any], **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def say(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()

    def chunk(self, finish: str | None = None, usage: dict[str, Any] | None = None, **delta: str) -> None:
        choices = [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage}
        self.say(f"data: {json.dumps(chunk)}\n\n")


def answer(*deltas: dict[str, str], finish: str = "stop", usage: dict[str, Any] | None = None) -> Act:
    """A whole and proper stream."""

    def act(handler: Handler) -> None:
        handler.begin()
        for delta in deltas:
            handler.chunk(**delta)  # type: ignore[arg-type]
        handler.chunk(finish)
        if usage:
            handler.chunk(usage=usage)
        handler.say("data: [DONE]\n\n")

    return act


def status(code: int, message: str = "no", **headers: str) -> Act:
    """An error instead of a stream."""
    return lambda handler: handler.refuse(code, {"error": {"message": message}}, **headers)


def torn(*deltas: dict[str, str]) -> Act:
    """A stream that ends in the middle."""

    def act(handler: Handler) -> None:
        handler.begin()
        for delta in deltas:
            handler.chunk(**delta)  # type: ignore[arg-type]

    return act


def keep_alive(*deltas: dict[str, str], seconds: float = 60.0, empty_chunks: bool = False) -> Act:
    """A stream that says that it lives, and nothing else."""

    def act(handler: Handler) -> None:
        torn(*deltas)(handler)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if empty_chunks:
                handler.chunk(content="")
            else:
                handler.say(": keep-alive\n\n")
            time.sleep(0.05)

    return act


def drip(text: str, pause: float) -> Act:
    """A stream of one letter a pause, without end."""

    def act(handler: Handler) -> None:
        handler.begin()
        while True:
            handler.chunk(content=text)
            time.sleep(pause)

    return act


def raw(text: str) -> Act:
    """Whatever is no protocol, with status 200."""

    def act(handler: Handler) -> None:
        handler.begin()
        handler.say(text)

    return act


@contextmanager
def serving(*acts: Act, models: list[dict[str, Any]] | None = None) -> Iterator[Server]:
    """A running server on loopback."""
    server = Server(
        list(acts), [{"id": "m", "object": "model", "created": 1, "owned_by": "us"}] if models is None else models or None
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
