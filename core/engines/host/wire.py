"""The host protocol: JSON lines on the child's stdin (requests) and stdout (events).

The runner sends one `Load`, then any number of `Generate` and `Cancel`. The host answers with `Ready`, then for every
request `Started`, `Deltas` and one `Finished`; `Prefill` may come in between. `Failed` means that the host itself cannot go
on; it exits after it. A host ends when its stdin closes. On a cluster, `Waiting` comes first while resources are allocated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .valid_text import valid_json

Thinking = Literal["on", "off"]
Effort = Literal["low", "medium", "high"]
THINKING: tuple[Thinking, ...] = ("on", "off")
EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")
FinishReason = Literal["stop", "length", "repetition", "cancelled", "error"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: temperature first, then top-k, top-p and min-p; `top_k` 0 and `min_p` 0 are off.

    `max_tokens` bounds the response; `temperature` 0 is greedy. A response ends with the token that completes one of the
    texts in `stop`, which stays in it (a remote server cuts it off).
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 32_768
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))  # JSON knows lists only


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """What a run sets in the model's chat template. They are part of the variant's identity.

    `thinking` None: on where the template can switch it. `budget` bounds the thinking, in tokens, where the template takes
    such a number. `arguments` are further variables of the template, with JSON values.
    """

    thinking: Thinking | None = None
    effort: Effort | None = None
    budget: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model: a folder of Hugging Face weights or a GGUF file. `options` are the engine's own settings."""

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer `prompt`. With `chat` it is one user turn for the model's chat template, otherwise raw text.

    `prefix` holds token ids that an interrupted attempt has generated already: the host continues after them and sends
    only what is new. The token at position n is drawn with a random number that depends on `seed` and n alone. `date`
    (YYYY-MM-DD) is what a template that prints today's date gets: the day on which the run was queued.
    """

    id: str
    prompt: str
    chat: bool
    seed: int
    sampling: Sampling
    prefix: tuple[int, ...] = ()
    template_options: TemplateOptions = field(default_factory=TemplateOptions)
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop one response; `Finished` with reason `cancelled` follows unless it had finished already."""

    id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the host waits for resources of a cluster; an empty message means that they are allocated and the host starts."""

    message: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded: how many sequences run side by side, and how many tokens one may hold with its prompt.

    `opens` and `closes` are the marks around its thinking, empty where it knows none or only a server knows them;
    `close_ids` are the tokens of the closing mark. `resumes`: the host continues after `Generate.prefix`. `prefills`: the
    host sends `Prefill` while it reads prompts.
    """

    engine: str
    version: str
    slots: int
    context: int
    opens: str = ""
    closes: str = ""
    close_ids: tuple[int, ...] = ()
    resumes: bool = True
    prefills: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A request entered the batch: the prompt as the model sees it, its tokens, and the limit on new tokens.

    `limit` is the smaller of `max_tokens` and what the context leaves after the prompt; it includes the prefix. A second
    `Started` of one request means that it restarts: discard the deltas sent before. `prompt_tokens` is None where only
    the server knows. `empty_replies` is how many the host has had for this request so far. `thinking` is where the prompt
    leaves the thinking (see `thinking.State`); None where only the server knows.
    """

    id: str
    prompt: str
    prompt_tokens: int | None
    limit: int
    empty_replies: int = 0
    thinking: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """New tokens of one response. `text` is exactly what `ids` decode to: tokens of an unfinished character wait.

    `pieces` counts what came without ids: the parts of a remote server's stream, mostly one a token.
    """

    id: str
    text: str
    ids: tuple[int, ...]
    pieces: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens, or pieces of a stream without ids."""
        return len(self.ids) + self.pieces


@dataclass(frozen=True, slots=True)
class Deltas:
    """New tokens of many responses, sent together."""

    items: tuple[Delta, ...]


@dataclass(frozen=True, slots=True)
class Prefill:
    """Prompt tokens were processed without a new token yet; shows that the host makes progress."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """One response has ended. The end-of-sequence token is in no `Delta`.

    From a remote server: `usage` as it counted (prompt_tokens, completion_tokens, reasoning_tokens where it says so), and
    how many `empty_replies` came before this one. `thinking` is `opened` where a server's stream ended within its reasoning;
    `filtered`: a content filter withheld the rest.
    """

    id: str
    reason: FinishReason
    error: str | None = None
    usage: Mapping[str, int] | None = None
    empty_replies: int = 0
    thinking: str | None = None
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The host cannot go on. `kind` is `model` (bad file), `memory`, `engine`, `usage`, or `lost` with its machine."""

    kind: str
    message: str
    remedy: str = ""


_SURROGATE = b"\\ud"  # how `encode` writes either half of a surrogate pair

Request = Load | Generate | Cancel
Event = Waiting | Ready | Started | Deltas | Prefill | Finished | Failed

_TYPES: dict[str, type[Any]] = {
    cls.__name__.lower(): cls for cls in (Load, Generate, Cancel, Waiting, Ready, Started, Deltas, Prefill, Finished, Failed)
}


def encode(message: Request | Event) -> str:
    """One JSON line (with its newline) for a message."""
    if isinstance(message, Deltas):
        body: dict[str, Any] = {"items": [[d.id, d.text, d.ids, d.pieces] for d in message.items]}
    else:
        body = asdict(message)
    return json.dumps({"type": type(message).__name__.lower(), **body}, separators=(",", ":")) + "\n"


def decode(line: str | bytes) -> Request | Event:
    """The message in one JSON line, its texts without half surrogate pairs. Raises ValueError on anything else."""
    try:
        body: Any = json.loads(line)
        if _SURROGATE in (line if isinstance(line, bytes) else line.encode("utf-8", "replace")):
            body = valid_json(body)
        cls = _TYPES[body.pop("type")]
        if cls is Deltas:
            return Deltas(tuple(Delta(i, text, tuple(ids), pieces) for i, text, ids, pieces in body["items"]))
        if cls is Ready:
            body["close_ids"] = tuple(body["close_ids"])
        if cls is Generate:
            body["sampling"] = Sampling(**body["sampling"])
            body["prefix"] = tuple(body["prefix"])
            body["template_options"] = TemplateOptions(**body["template_options"])
        message: Request | Event = cls(**body)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message of the host protocol: {line[:200]!r}") from error
    return message
