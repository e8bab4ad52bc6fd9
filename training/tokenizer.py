"""The embedded model's tokenizer: one token a known word, one a digit, one each for the hours 10, 11 and 12, and bytes for everything else.

Byte-level BPE with `ignore_merges`: a word of the vocabulary is taken whole, any other is spelled. llama.cpp does the
same for files that name the pre-tokenizer `llama-bpe`. The chat template puts a space at the start of every line, so
that a word is the same token wherever it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchmarks.pocket import facts, wording, words
from benchmarks.pocket.logic import FORMS
from benchmarks.prompts import default_texts
from core.engines.thinking import THINK, THINK_END

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BOS, EOS, USER, ASSISTANT = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"
SPECIALS = (BOS, EOS, USER, ASSISTANT, THINK, THINK_END)
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    BOS
    + "{% for message in messages %}{% if message['role'] == 'user' %}"
    + USER
    + " {{ message['content'] | replace('\\n', '\\n ') }}{% else %}"
    + ASSISTANT
    + "{{ message['content'] }}"
    + EOS
    + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
    + ASSISTANT
    + THINK
    + "\n{% endif %}"
)
STANZA = """Today, went to the. Between what times could they have gone? We know that: woke up at. saw from to. The was closed
after. have gone to the? Options: (A) (B) (C) (D) Answer with the letter of the right option. free is busy
The answer is True False Uncertain. not known to be asked found nothing: Premises: Conclusion: people are
Start with. Add Subtract Multiply by What result modulo? of and a an in on near their"""


def vocabulary() -> list[str]:
    """Every known word with its leading space, then the marks that come with line ends, in byte-level spelling."""
    lists = (words.NAMES, words.VERBS, words.THINGS, words.SPOTS, words.PLACES, words.TRAITS)
    more = (words.CITIES, words.RIVERS, words.CRAFTS, facts.PERSON_RELATIONS, facts.CITY_RELATIONS)
    phrases = (wording.OPENING, wording.AGAIN, *wording.DOUBTS)
    text = " ".join(part for group in (*lists, *more, phrases, FORMS, [STANZA], default_texts()) for part in group)
    known = dict.fromkeys(f"Ġ{word}" for word in re.findall(r"[A-Za-z]+", re.sub(r"\{\w+\}", " ", text)) if len(word) > 1)
    return [
        *known,
        "10",
        "11",
        "12",
        "am",
        "pm",
        "Ġa",
        "Ġ(",
        ").",
        ")Ċ",
        ".Ċ",
        "?Ċ",
        ":Ċ",
        ",Ċ",
        "Ġ\\",
        "boxed",
        "}.",
        ").Ċ",
    ]


def build() -> PreTrainedTokenizerFast:
    """The tokenizer, made from the word lists alone."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = list(dict.fromkeys([*SPECIALS, *alphabet, "ĠĠ", *vocabulary()]))
    core = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [("Ġ", "Ġ")], ignore_merges=True))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    options: dict[str, Any] = {"bos_token": BOS, "eos_token": EOS, "pad_token": EOS}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, clean_up_tokenization_spaces=False, **options)
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    tokenizer.add_tokens([THINK, THINK_END], special_tokens=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
