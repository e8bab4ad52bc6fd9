"""The tokenizer of a Hugging Face folder in GGUF terms: byte-level BPE, with llama.cpp's names for splits of text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_MARKS_AND_SPACE = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _CONTRACTIONS + r"\p{N}{1,3}" + _MARKS_AND_SPACE
_QWEN2 = _CONTRACTIONS + r"\p{N}" + _MARKS_AND_SPACE
GPT2 = "ByteLevel"
DIGITS_GPT2 = "Digits+ByteLevel"

# (how the tokenizer splits text, whether whole words skip the merges) -> what llama.cpp calls that.
PRE_TOKENIZERS = {
    (_LLAMA3, True): "llama-bpe",
    (_LLAMA3, False): "dbrx",
    (_QWEN2, False): "qwen2",
    (GPT2, False): "gpt-2",
    (DIGITS_GPT2, False): "smollm",
}
_CHOOSE = "Choose a model whose tokenizer splits text as Llama 3, Qwen2, GPT-2 or SmolLM does."


@dataclass(frozen=True, slots=True)
class Vocab:
    """What a GGUF file says of a tokenizer. `kinds` are the words "normal", "control", "user_defined" and "unused"."""

    tokens: list[str]
    kinds: list[str]
    merges: list[str]
    pre_tokenizer: str
    bos_id: int | None
    eos_id: int
    add_bos: bool
    add_eos: bool
    chat_template: str | None


def read_vocab(folder: Path, config: PretrainedConfig) -> Vocab:
    """The vocabulary of a folder, padded to the embedding's rows. Raises ModelError where llama.cpp has no equal."""
    description = _json(folder / "tokenizer.json")
    settings = _json(folder / "tokenizer_config.json")
    model = description.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise ModelError(f"The tokenizer of {folder} is not byte-level BPE.", _CHOOSE)
    if (description.get("normalizer") or {}).get("type") not in (None, "NFC"):
        raise ModelError(f"The tokenizer of {folder} changes text before it splits it.", _CHOOSE)
    tokens, kinds = _tokens(description, config.vocab_size, folder)
    ids = {token: i for i, token in enumerate(tokens)}
    bos = ids.get(_content(settings.get("bos_token")), config.bos_token_id)
    eos = ids.get(_content(settings.get("eos_token")), config.eos_token_id)
    if isinstance(eos, list):
        eos = eos[0]
    if eos is None:
        raise ModelError(f"{folder} names no end-of-sequence token.", "Add eos_token to tokenizer_config.json.")
    add_bos, add_eos = _adds(folder / "tokenizer.json", bos, eos)
    return Vocab(
        tokens=tokens,
        kinds=kinds,
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])],
        pre_tokenizer=_pre_tokenizer(description, folder),
        bos_id=bos,
        eos_id=eos,
        add_bos=add_bos,
        add_eos=add_eos,
        chat_template=_chat_template(folder, settings),
    )


def _tokens(description: dict[str, Any], size: int, folder: Path) -> tuple[list[str], list[str]]:
    tokens = [f"[PAD{i}]" for i in range(size)]
    kinds = ["unused"] * size
    entries = [(text, i, "normal") for text, i in description["model"]["vocab"].items()]
    for added in description.get("added_tokens", []):
        if added["single_word"] or added["lstrip"] or added["rstrip"]:
            raise ModelError(f"{folder}: the token {added['content']} swallows its surroundings.", _CHOOSE)
        entries.append((added["content"], added["id"], "control" if added["special"] else "user_defined"))
    for text, i, kind in entries:
        if i >= size:
            raise ModelError(f"{folder}: token {i} is beyond the {size} rows of the embedding.", "Get the model again.")
        tokens[i], kinds[i] = text, kind
    return tokens, kinds


def _pre_tokenizer(description: dict[str, Any], folder: Path) -> str:
    outer = description.get("pre_tokenizer") or {}
    parts = outer.get("pretokenizers", [outer])
    kinds = [part.get("type") for part in parts]
    byte_level: dict[str, Any] = parts[-1]
    rule: object = None
    if kinds == ["Split", "ByteLevel"] and parts[0]["behavior"] == "Isolated" and not byte_level["use_regex"]:
        rule = parts[0]["pattern"].get("Regex") if not parts[0]["invert"] else None
    elif kinds == ["ByteLevel"] and byte_level["use_regex"]:
        rule = GPT2
    elif kinds == ["Digits", "ByteLevel"] and parts[0]["individual_digits"] and byte_level["use_regex"]:
        rule = DIGITS_GPT2
    ignore_merges = bool(description["model"].get("ignore_merges"))
    name = PRE_TOKENIZERS.get((str(rule), ignore_merges))
    if name is None or byte_level.get("add_prefix_space"):
        raise ModelError(f"llama.cpp is not known to split text as the tokenizer of {folder} does.", _CHOOSE)
    return name


def _adds(file: Path, bos: int | None, eos: int | None) -> tuple[bool, bool]:
    """Whether the tokenizer puts BOS before and EOS after a text, seen in what it does."""
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(file)).encode("a").ids
    return bool(ids) and ids[0] == bos, bool(ids) and ids[-1] == eos


def _chat_template(folder: Path, settings: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template


def _content(token: object) -> str:
    """The text of a special token, which tokenizer_config.json holds plainly or in an object."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}", "Get or make the model again.") from error
    return content
