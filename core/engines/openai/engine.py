"""The engine "openai": any server that speaks OpenAI's HTTP protocol.

A model is named by its server's address and its name there. Faults that pass (429, 5xx, a broken or silent stream) are
tried again after a pause, from the beginning; empty replies are asked again and counted. The key comes from the
environment; it is in no message.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from ..decode.tasks import Tasks
from ..host.engine import EngineFailure, chosen_options
from ..host.options import OpenAIOptions
from ..host.wire import Delta, Deltas, Event, Finished, Generate, Ready, Started
from .address import parse
from .request import body, renamed_limit

if TYPE_CHECKING:
    import httpx2
    import openai

    from .reading import Reply
    from .replies import Served

CONNECT_S = 15.0
LONGEST_PAUSE_S = 60.0
LONGEST_MESSAGE = 500
OTHER_CONNECTIONS = 8
OTHER_FILES = 256
MALFORMED_TRIES = 3
SAME_REFUSALS = 3
"""Refusals in one wording, before any answer, from which every request would be refused."""


class OpenAI(Tasks):
    """See `engine.Engine`."""

    _options: OpenAIOptions
    _client: openai.AsyncOpenAI
    _http: httpx2.AsyncClient

    def probe(self) -> tuple[str, str]:
        """The version of the client library."""
        return str(importlib.import_module("openai").__version__), "any OpenAI-compatible server"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Connect to the server and choose its model. Raises EngineFailure where either fails."""
        library = importlib.import_module("openai")
        import httpx2

        from .limits import limit

        self._options = chosen = chosen_options(OpenAIOptions, options, "openai")
        try:
            self._url, name = parse(model)
        except ValueError as error:
            raise EngineFailure("model", str(error), "Name it as openai:http://127.0.0.1:8000/v1#name.") from error
        self._key = os.environ.get(chosen.key_variable, "")
        _make_room(chosen.slots)
        limits = httpx2.Limits(max_connections=chosen.slots + OTHER_CONNECTIONS)
        key = self._key or "none"  # the library wants some; servers that need no key ignore it
        self._http = httpx2.AsyncClient(
            limits=limits,
            timeout=None,  # every wait has a limit of its own in Try
            follow_redirects=True,
            event_hooks={"response": [limit]},
            headers={"Accept-Encoding": "identity", "Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        self._client = library.AsyncOpenAI(base_url=self._url, api_key=key, max_retries=0, http_client=self._http)
        self._refusals: Counter[str] = Counter()
        self._answered = False
        self._open(chosen.slots)
        served = asyncio.run_coroutine_threadsafe(self._served(), self._loop).result()
        self._model, facts = _choose(self._url, name, served)
        context = min(chosen.context, (facts.max_model_len if facts else None) or chosen.context)
        version = f"{library.__version__} ({(facts.owned_by if facts else None) or 'unknown server'})"
        return Ready("openai", version, chosen.slots, context, resumes=False)

    async def _served(self) -> dict[str, Served]:
        """The models that the server lists, with what it says of each; none where it keeps no list."""
        import msgspec
        import openai

        from .limits import BadReply
        from .replies import Served

        try:
            async with asyncio.timeout(CONNECT_S):
                page = await self._client.models.list()
            served = [msgspec.convert(entry, Served, from_attributes=True) for entry in page.data or []]
            return {one.id: one for one in served}
        except (TimeoutError, openai.APIConnectionError) as error:
            message = f"Nobody answers at {self._url}: {self._clean(str(error.__cause__ or error) or 'no answer')}."
            raise EngineFailure("engine", message, "Start the server, or correct the address.") from error
        except openai.APIStatusError as error:
            self._raise_if_final(error.status_code, error.message)
            return {}
        except (
            openai.APIError,
            BadReply,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
        ):  # what came is no list of models
            return {}

    async def _answer(self, request: Generate) -> AsyncIterator[Event]:
        """See `Tasks`: tries until one ends with text, the cap is reached, or the server has failed too often."""
        from .attempt import OutOfTime, Refused, Try
        from .limits import BadReply
        from .reading import Broken, Malformed

        cap = time.monotonic() + self._options.seconds
        sent = body(self._model, request)
        url = f"{self._url.rstrip('/')}/{'chat/completions' if request.chat else 'completions'}"
        faults = malformed = empty = 0
        while True:
            yield Started(request.id, request.prompt, None, request.sampling.max_tokens, empty)
            attempt, any_text = Try(self._options, cap), False
            try:
                async for text, pieces in attempt.texts(self._http, url, sent):
                    any_text = True
                    yield Deltas((Delta(request.id, text, (), pieces),))
                if any_text or empty == self._options.empty_tries:
                    self._answered = True
                    yield _end(request, attempt.reply, empty, any_text)
                    return
                empty += 1
            except Broken as fault:
                faults += 1
                malformed += isinstance(fault, Malformed)
                if isinstance(fault, Malformed) and malformed >= min(MALFORMED_TRIES, self._options.tries):
                    yield _odd(request, self._clean(str(fault)), empty)
                    return
                await self._pause(fault, faults, cap)
            except BadReply as error:
                yield _odd(request, str(error), empty)
                return
            except OutOfTime:
                message = f"The response was not complete after {self._options.seconds:.0f} s, the cap (`openai.seconds`)."
                yield Finished(request.id, "error", message, attempt.reply.usage, empty)
                return
            except Refused as error:
                if (renamed := renamed_limit(sent, error.message)) is not None:
                    sent = renamed
                    continue
                self._raise_if_final(error.status, error.message)
                yield Finished(request.id, "error", f"The server refused: {self._clean(error.message)}", empty_replies=empty)
                return

    async def _pause(self, fault: Exception, faults: int, cap: float) -> None:
        """Wait before the next try, as long as the server asks or twice as long as the last time."""
        if faults >= self._options.tries:
            message = f"{self._url} failed {faults} times in a row: {self._clean(str(fault))}."
            raise EngineFailure("engine", message, "Look at the server, then requeue the run.")
        after = getattr(fault, "after", None)
        if after is None:
            after = min(LONGEST_PAUSE_S, self._options.pause * 2 ** (faults - 1)) * random.uniform(0.5, 1.5)
        await asyncio.sleep(max(0.0, min(after, cap - time.monotonic())))

    def _raise_if_final(self, status: int, said: str) -> None:
        """Raise EngineFailure for errors that every other request would meet too."""
        message = self._clean(said)
        if status in (401, 403):
            remedy = f"Set {self._options.key_variable} and restart the runner, which hands its environment on."
            raise EngineFailure("usage", f"{self._url} refused the key: {message}", remedy)
        if status == 404 and hasattr(self, "_model"):
            raise EngineFailure("model", f"{self._url} does not serve {self._model!r}: {message}", "Correct the model's name.")
        self._refusals[message] += 1
        if not self._answered and ("max_tokens" in said or self._refusals[message] >= SAME_REFUSALS):
            remedy = "Change what it names (--max-tokens, sampling, template options), or the server's settings."
            raise EngineFailure("usage", f"{self._url} refuses what every request asks for: {message}", remedy)

    def _clean(self, text: str) -> str:
        """A server's message without our key, which some repeat."""
        return (text.replace(self._key, "***") if self._key else text)[:LONGEST_MESSAGE]


def _odd(request: Generate, reason: str, empty: int) -> Finished:
    return Finished(request.id, "error", f"The server's reply cannot be read: {reason}.", empty_replies=empty)


def _end(request: Generate, reply: Reply, empty: int, any_text: bool) -> Finished:
    if not any_text:
        return Finished(request.id, "error", f"The server sent {empty + 1} empty replies.", reply.usage, empty + 1)
    thinking = "opened" if reply.thinks else None
    return Finished(request.id, reply.reason or "stop", None, reply.usage, empty, thinking, reply.filtered)


def _make_room(slots: int) -> None:
    """Let this process have a connection for every slot. Raises EngineFailure where the system does not allow so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = slots + OTHER_FILES
    if hard != resource.RLIM_INFINITY and files > hard:
        message = f"{slots} requests side by side need {files} open files, and the system allows {hard}."
        raise EngineFailure("usage", message, "Raise the limit (`ulimit -Hn`), or lower openai.slots.")
    if soft != resource.RLIM_INFINITY and files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def _choose(url: str, name: str, served: Mapping[str, Served]) -> tuple[str, Served | None]:
    """The model that is meant, and what the server says of it."""
    if not name and len(served) != 1:
        known = ", ".join(served) or "no list of them"
        raise EngineFailure("model", f"{url} serves several models or names none: {known}.", f"Name one: openai:{url}#NAME.")
    chosen = name or next(iter(served))
    return chosen, served.get(chosen)
