"""Tiny models with random weights, made on the spot: real files of real architectures, small enough for any test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIALS = ("<|begin|>", "<|end|>", "<|user|>", "<|assistant|>")
THINK = ("<think>", "</think>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|user|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {"llama3": CONTRACTIONS + r"\p{N}{1,3}" + REST, "qwen2": CONTRACTIONS + r"\p{N}" + REST}
CORPUS = [
    "The cat sat on the mat, and the dog wasn't there; they'll return at 10:45 or 1234567.",
    "def answer(n):\n    return [n + 1 for _ in range(12)]  # über, naïve, 日本語のテキスト, пример",
    "Premises: all people are free. Conclusion: someone is free?\n\nAnswer: \\boxed{42}",
]


def tokenizer(split: str, *, ignore_merges: bool = False) -> Any:
    """A byte-level BPE tokenizer of about 400 entries; `split` is llama3, qwen2, gpt2 or smollm."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if split in SPLITS:
        parts: list[Any] = [
            pre_tokenizers.Split(Regex(SPLITS[split]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    else:
        digits = [pre_tokenizers.Digits(individual_digits=True)] if split == "smollm" else []
        parts = [*digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    core.pre_tokenizer = pre_tokenizers.Sequence(parts) if len(parts) > 1 else parts[0]
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=list(SPECIALS), show_progress=False)
    core.train_from_iterator(CORPUS * 3, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=SPECIALS[0], eos_token=SPECIALS[1], pad_token=SPECIALS[1])
    fast.add_tokens(list(THINK), special_tokens=False)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def save_model(
    folder: Path,
    family: str = "qwen2",
    split: str = "qwen2",
    seed: int = 0,
    shard_size: str = "5GB",
    dtype: str = "float32",
    **config: Any,
) -> Path:
    """Write a folder with a random model of `family` (qwen2 or llama), 2 layers and 64 dimensions unless told."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    fast = tokenizer(split, ignore_merges=split == "llama3")
    shape = {
        "vocab_size": len(fast) + 3,  # padded, as real models are
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": fast.bos_token_id,
        "eos_token_id": fast.eos_token_id,
        **config,
    }
    settings, cls = (Qwen2Config, Qwen2ForCausalLM) if family == "qwen2" else (LlamaConfig, LlamaForCausalLM)
    model = cls(settings(**shape))
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "norm.weight")):  # as they come, these are all zeros or ones, which would hide errors
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard_size)
    fast.save_pretrained(folder)
    return folder
