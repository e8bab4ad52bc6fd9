"""Convert a GGUF file (Llama, Qwen2) to a Hugging Face folder in 16 bits: `python -m core.compress.gguf.unpack FILE FOLDER`.

The weights keep the rounding of the file's quantization. Pruning and other quantizations start from such a folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.compress.gguf.vocab import DIGITS_GPT2, GPT2, PRE_TOKENIZERS
from core.errors import LrmError, ModelError
from core.files.extras import require

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer


def unpack(source: Path, target: Path) -> None:
    """Write `target`, which must not exist.

    Raises MissingExtra without PyTorch, transformers or gguf, and ModelError where transformers cannot read the file.
    """
    require("local", "Unpacking a GGUF file")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if target.exists():
        raise ModelError(f"{target} exists already.", "Name a new folder.")
    logging.set_verbosity_error()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(
            f"transformers cannot read {source}: {error}", "Name a GGUF file of a Llama or Qwen2 model."
        ) from error
    config = loaded.config
    if hasattr(config, "quantization_config"):  # the weights are plain from here on
        del config.quantization_config
    plain = type(loaded)(config)
    plain.load_state_dict(loaded.state_dict())
    plain.half().save_pretrained(target)
    tokenizer.backend_tokenizer.pre_tokenizer = _splitter(source)
    tokenizer.save_pretrained(target)


def _splitter(source: Path) -> PreTokenizer:
    """The pre-tokenizer of the file, from llama.cpp's name for it, which transformers does not read."""
    import gguf
    from tokenizers import Regex, pre_tokenizers

    field = gguf.GGUFReader(source).fields.get("tokenizer.ggml.pre")
    name = str(field.contents()) if field else ""
    rule = next((rule for (rule, _), known in PRE_TOKENIZERS.items() if known == name), None)
    if rule is None:
        raise ModelError(
            f"{source} splits text as {name!r} does, which is not known here.", f"Known: {set(PRE_TOKENIZERS.values())}."
        )
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if rule == GPT2:
        return byte_level
    if rule == DIGITS_GPT2:
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(rule), "isolated"), bytes_only])


def main() -> int:
    """Unpack one file. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        unpack(options.file, options.folder)
    except LrmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
