"""The main loop of a host: requests from stdin drive one engine, whose events go to stdout.

The end of stdin is the end of the process, at once and even in the middle of a decode: a reader thread sees to it.
Standard output belongs to the protocol alone, so file descriptor 1 is pointed at stderr before any library loads.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import BinaryIO

from .engine import Engine, EngineFailure
from .options import ENGINES
from .process import leave, take_pipes
from .wire import Cancel, Delta, Deltas, Event, Failed, Finished, Generate, Load, Request, decode, encode

FLUSH_SECONDS = 0.05

Inbox = queue.SimpleQueue[Request | ValueError]


def main(arguments: Sequence[str]) -> int:
    """Run the named engine until stdin closes, or print a JSON line about it with `--probe`. Returns the exit code."""
    stdin, stdout = take_pipes()
    name = arguments[0] if arguments else ""
    if name not in ENGINES:
        print(f"unknown engine {name!r}; known: {', '.join(ENGINES)}", file=sys.stderr)
        return 2
    if "--probe" in arguments:
        stdout.write((json.dumps(probe(name)) + "\n").encode())
        stdout.flush()
        return 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone decides, through stdin
    inbox: Inbox = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stdin, inbox), daemon=True).start()
    code = _serve(name, inbox, Outbox(stdout))
    os._exit(code)  # destructors of C libraries may hang, and everything of value has been written


def probe(name: str) -> dict[str, object]:
    """Whether an engine works in this interpreter: {engine, version, works, detail}."""
    try:
        version, detail = _engine(name).probe()
    except Exception as error:  # noqa: BLE001 - whatever breaks an import is the answer that was asked for
        return {"engine": name, "version": None, "works": False, "detail": f"{type(error).__name__}: {error}"}
    return {"engine": name, "version": version, "works": True, "detail": detail}


class Outbox:
    """Writes events; deltas are buffered for up to `FLUSH_SECONDS`, and those of one response are joined."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer: dict[str, Delta] = {}
        self._due = 0.0

    def add(self, event: Event) -> None:
        """Queue deltas, or send any other event at once, after the deltas that came before it."""
        if not isinstance(event, Deltas):
            self.flush()
            self._write(event)
            return
        if not self._buffer:
            self._due = time.monotonic() + FLUSH_SECONDS
        for new in event.items:
            old = self._buffer.get(new.id)
            self._buffer[new.id] = (
                Delta(new.id, old.text + new.text, old.ids + new.ids, old.pieces + new.pieces) if old else new
            )

    def flush(self, *, only_due: bool = False) -> None:
        """Send the buffered deltas; with `only_due`, only once `FLUSH_SECONDS` have passed."""
        if self._buffer and not (only_due and time.monotonic() < self._due):
            self._write(Deltas(tuple(self._buffer.values())))
            self._buffer = {}

    def _write(self, event: Event) -> None:
        try:
            self._stream.write(encode(event).encode())
            self._stream.flush()
        except BrokenPipeError:
            leave(0)  # nobody listens any more


def _read(stdin: BinaryIO, inbox: Inbox) -> None:
    """Put requests into the inbox, or the error of a line that is not a request; end the process when stdin ends."""
    for line in stdin:
        try:
            message = decode(line)
        except ValueError as error:
            inbox.put(error)
            continue
        if isinstance(message, (Load, Generate, Cancel)):
            inbox.put(message)
        else:
            inbox.put(ValueError(f"not a request: {line[:200]!r}"))
    leave(0)


def _engine(name: str) -> Engine:
    entry = ENGINES[name]
    engine: Engine = getattr(importlib.import_module(entry.module, __package__), entry.cls)()
    return engine


def _serve(name: str, inbox: Inbox, outbox: Outbox) -> int:
    """Drive the engine until it fails; the reader thread ends the process otherwise."""
    try:
        _loop(_engine(name), inbox, outbox)
    except EngineFailure as failure:
        outbox.add(Failed(failure.kind, failure.message, failure.remedy))
    except MemoryError:
        outbox.add(Failed("memory", "The engine ran out of memory.", "Lower the number of slots or the context."))
    except ImportError as error:
        remedy = f"Install the library of {name} for {sys.executable}, or name another interpreter in the settings."
        outbox.add(Failed("engine", f"The engine {name} cannot be loaded: {error}", remedy))
    except Exception as error:  # noqa: BLE001 - the last line of defence: the runner must learn why its host ended
        traceback.print_exc()
        outbox.add(Failed("engine", f"{type(error).__name__}: {error}", "See the log of the engine host."))
    return 1


def _submit(engine: Engine, request: Generate, outbox: Outbox) -> None:
    """Submit a request; a prompt that cannot be encoded fails alone, without the host."""
    try:
        request.prompt.encode()
    except UnicodeEncodeError as error:
        outbox.add(Finished(request.id, "error", f"The prompt holds half a character: {error}"))
    else:
        engine.submit(request)


def _loop(engine: Engine, inbox: Inbox, outbox: Outbox) -> None:
    loaded = False
    while True:
        while not engine.busy or not inbox.empty():
            outbox.flush(only_due=engine.busy)
            request = inbox.get()
            if isinstance(request, ValueError):
                raise EngineFailure("usage", str(request), "Report this: the runner and the host disagree.")
            if isinstance(request, Load) == loaded:
                raise EngineFailure("usage", "A host loads one model, before anything else.", "Start another host.")
            if isinstance(request, Load):
                outbox.add(engine.load(request.model, request.options))
                loaded = True
            elif isinstance(request, Generate):
                _submit(engine, request, outbox)
            else:
                engine.cancel(request.id)
        for event in engine.step():
            outbox.add(event)
        outbox.flush(only_due=True)
