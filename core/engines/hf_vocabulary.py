"""A tokenizer of transformers as the engines see it, and how it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import transformers

from .decode.text import TextDecoder, WindowDecoder
from .host.engine import GET_AGAIN, EngineFailure


class HfVocabulary:
    """A `prompt.Vocabulary`: a tokenizer, and how many ids the model knows, which may be more."""

    def __init__(self, tokenizer: transformers.PreTrainedTokenizerBase, vocab_size: int) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = vocab_size
        template = tokenizer.chat_template
        self.chat_template: str | None = template.get("default") if isinstance(template, dict) else template
        self.special_tokens: Mapping[str, str] = tokenizer.special_tokens_map
        self.added_tokens: Iterable[str] = tokenizer.get_added_vocab()

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """See `prompt.Vocabulary`."""
        return list(self._tokenizer.encode(text, add_special_tokens=add_special))

    def decode(self, ids: Sequence[int]) -> str:
        """See `prompt.Vocabulary`."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """See `prompt.Vocabulary`."""
        return WindowDecoder(self.decode, prefix)


def load_tokenizer(folder: Path) -> transformers.PreTrainedTokenizerBase:
    """The tokenizer as tokenizer.json describes it.

    AutoTokenizer would build that of the model's family instead, which splits text by the family's rule whatever the
    file says.
    """
    if (folder / "tokenizer.json").is_file():
        return transformers.PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.encode("a", add_special_tokens=False):  # made up where there are no files, and without words
        raise EngineFailure("model", f"{folder} holds no tokenizer.", GET_AGAIN)
    return tokenizer
