"""A model's chat template and special tokens as its files say them, read without weights and without any library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .decode.text import TextDecoder
from .gguf_header import read_facts

_KINDS = (2, 3, 4)  # of a GGUF file's tokens: unknown, control, user-defined
_TOKENS, _TOKEN_KINDS, _TEMPLATE = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.chat_template"
_GGUF_SAMPLING = {"temperature": "temp", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p"}


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A `prompt.Vocabulary` that renders and cannot cut into tokens. `ends` are the texts of the tokens that end a response.

    `sampling` is how the model's makers draw (temperature, top_p, top_k, min_p), as far as the files say.
    """

    chat_template: str | None
    special_tokens: Mapping[str, str]
    added_tokens: Sequence[str]
    ends: tuple[str, ...]
    sampling: Mapping[str, float] = field(default_factory=dict)
    vocab_size: int = 0

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """There is no tokenizer here. Raises NotImplementedError."""
        raise NotImplementedError

    def decode(self, ids: Sequence[int]) -> str:
        """There is no tokenizer here. Raises NotImplementedError."""
        raise NotImplementedError

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """There is no tokenizer here. Raises NotImplementedError."""
        raise NotImplementedError


def read_tokenizer(path: Path) -> TokenizerFiles:
    """Of a folder in Hugging Face format or a GGUF file. Raises BadGguf, OSError, or ValueError for a file that is no JSON."""
    return _of_folder(path) if path.is_dir() else _of_gguf(path)


def _of_gguf(path: Path) -> TokenizerFiles:
    facts = read_facts(path, (_TOKENS, _TOKEN_KINDS, _TEMPLATE))
    tokens, kinds, template = (facts.get(name) for name in (_TOKENS, _TOKEN_KINDS, _TEMPLATE))
    texts = [str(text) for text in tokens] if isinstance(tokens, list) else []
    added = [text for text, kind in zip(texts, kinds, strict=False) if kind in _KINDS] if isinstance(kinds, list) else []

    def token(name: str) -> str:
        number = facts.get(f"tokenizer.ggml.{name}_token_id")
        return texts[number] if isinstance(number, int) and 0 <= number < len(texts) else ""

    sampling = {name: facts.get(f"general.sampling.{key}") for name, key in _GGUF_SAMPLING.items()}
    return TokenizerFiles(
        template if isinstance(template, str) else None,
        {"bos_token": token("bos"), "eos_token": token("eos")},
        added,
        _unique(token("eos"), token("eot"), token("eom")),
        {name: float(value) for name, value in sampling.items() if isinstance(value, int | float)},
    )


def _of_folder(folder: Path) -> TokenizerFiles:
    config = _json(folder / "tokenizer_config.json")
    named = {**_json(folder / "special_tokens_map.json"), **config}
    special = {name: text for name, value in named.items() if name.endswith("_token") and (text := _content(value))}
    added = {number: text for number, text in _added(folder, config)}
    generation = _json(folder / "generation_config.json")
    ids = [end for file in (generation, _json(folder / "config.json")) for end in _ids(file.get("eos_token_id"))]
    return TokenizerFiles(
        _template(folder, config),
        special,
        list(added.values()),
        _unique(special.get("eos_token", ""), *(added.get(number, "") for number in ids)),
        _drawn(generation),
    )


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The default template: of a file of its own, else of the tokenizer's configuration."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    template = _json(folder / "chat_template.json").get("chat_template") or config.get("chat_template")
    if isinstance(template, list):
        template = next((entry.get("template") for entry in template if entry.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _added(folder: Path, config: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Numbers and texts of the added tokens."""
    for entry in _json(folder / "tokenizer.json").get("added_tokens") or []:
        yield int(entry["id"]), str(entry["content"])
    for number, entry in (config.get("added_tokens_decoder") or {}).items():
        yield int(number), str(entry["content"])


def _drawn(generation: Mapping[str, Any]) -> dict[str, float]:
    """The sampling of a generation_config.json; one that does not sample is greedy."""
    drawn = {name: float(value) for name in _GGUF_SAMPLING if isinstance(value := generation.get(name), int | float)}
    if generation.get("do_sample") is False:
        return {"temperature": 0.0}
    return drawn


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no such file. Raises ValueError where it is no JSON."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}


def _content(value: object) -> str:
    """The text of a special token, which is text or an object with it."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def _ids(value: object) -> list[int]:
    return [number for number in (value if isinstance(value, list) else [value]) if isinstance(number, int)]


def _unique(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
