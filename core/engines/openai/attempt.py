"""One try at one request of an OpenAI-compatible server: its stream as text, and its failure."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from ..host.options import OpenAIOptions
from ..host.valid_text import valid_json
from .events import Events
from .reading import Broken, Reply

USAGE_S = 10.0  # how long the usage may come after the end of the text
LONGEST_WAIT_S = 3600.0  # a server that asks for more is not taken at its word
LONGEST_ERROR = 2**20
LATE = 0.02  # of its patience: how late a wait may end, so that not every piece of text sets the timer anew
_AGAIN = (408, 409, 425, 429)


class Refused(Exception):
    """The server refused this request with a status that asking again does not change."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class OutOfTime(Exception):
    """The wall-clock cap of the response is reached."""


class Try:
    """Reads one stream into `reply`. Only text counts as a sign of life."""

    def __init__(self, options: OpenAIOptions, cap: float) -> None:
        self.reply = Reply()
        self._silence, self._cap = options.silence, cap
        self._last_text = time.monotonic()

    async def texts(self, client: httpx2.AsyncClient, url: str, body: dict[str, Any]) -> AsyncIterator[tuple[str, int]]:
        """(text, pieces): the new text of what the network brought at once, reasoning closed by `</think>`.

        Raises Broken, Refused, OutOfTime, or BadReply of `limits`. A reply whose end has come is never thrown away.
        """
        try:
            async with asyncio.timeout_at(self._deadline()) as timer:
                async with client.stream("POST", url, content=msgspec.json.encode(body)) as response:
                    await _check(response)
                    async for received in _events(response):
                        text, pieces = self.reply.read(received)
                        if text:
                            self._last_text = time.monotonic()
                            yield text, pieces
                        if self.reply.done and self.reply.reason:
                            return
                        self._prolong(timer)
        except TimeoutError as error:
            if self.reply.reason:
                return
            if time.monotonic() >= self._cap:
                raise OutOfTime from error
            raise Broken(f"no text came for {self._silence:.0f} s") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            if self.reply.reason:
                return
            raise Broken(str(error) or type(error).__name__) from error
        if self.reply.reason is None:
            raise Broken("the stream broke off without a finish reason")

    def _deadline(self) -> float:
        return min(self._cap, self._last_text + (self._silence if self.reply.reason is None else USAGE_S))

    def _prolong(self, timer: asyncio.Timeout) -> None:
        """Set the timer anew where it would ring much too early, or late."""
        deadline, rings = self._deadline(), timer.when() or 0.0
        if deadline < rings or deadline - rings > LATE * self._silence:
            timer.reschedule(deadline)


async def _events(response: httpx2.Response) -> AsyncIterator[list[bytes]]:
    """The events of a stream, those that come together in one list; the whole body where the server does not stream."""
    if "json" in response.headers.get("content-type", ""):
        yield [await response.aread()]
        return
    events = Events()
    async for received in response.aiter_raw():
        if found := events.cut(received):
            yield found
    if found := events.end():
        yield found


async def _check(response: httpx2.Response) -> None:
    """Raises Broken for a status that passes, Refused for another that is no success."""
    status = response.status_code
    if status < 400:
        return
    said = _message(await _beginning(response)) or response.reason_phrase
    if status in _AGAIN or status >= 500:
        raise Broken(f"status {status}: {said}", _retry_after(response.headers.get("retry-after", "")))
    raise Refused(status, said)


async def _beginning(response: httpx2.Response) -> bytes:
    """The first bytes of a body."""
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > LONGEST_ERROR:
            break
    return body


def _message(body: bytes) -> str:
    """What a server says of an error, in any of the usual places; else its text."""
    try:
        found: object = valid_json(json.loads(body))
    except (ValueError, RecursionError):
        return body.decode(errors="replace").strip()
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return found if isinstance(found, str) else body.decode(errors="replace").strip()


def _retry_after(text: str) -> float | None:
    """Seconds that the header Retry-After asks for, as a number or a date; None for what no server means."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, ArithmeticError):
            return None
    return seconds if 0 <= seconds <= LONGEST_WAIT_S else None
