"""Thinking is told from the answer by the marks of the model's family, the same way wherever a text comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.base import Item
from benchmarks.parts import split, words
from benchmarks.registry import get
from core.engines import thinking
from core.engines.decode.admission import Admission
from core.engines.decode.prompt import Vocabulary
from core.engines.decode.stream import Stream
from core.engines.host.engine import EngineFailure
from core.engines.host.wire import Deltas, Generate, Sampling, Started, TemplateOptions
from core.engines.llamacpp.native import LlamaModel
from core.engines.transformers.load import HfVocabulary
from core.grading.grade import UNKNOWN, Thinking, columns
from tests.helpers import tiny
from tests.helpers.templates import SMALL

THOUGHT = "24+48, so maybe the answer is \\boxed{70}? Let me check that."
ANSWER = "The answer is \\boxed{72}."
FAMILIES = {
    "think": ("<think>\n", "\n</think>\n\n", ""),
    "seed": ("<seed:think>", "</seed:think>", ""),
    "hy3": ("<think:opensource>", "</think:opensource>", ""),
    "thought": ("<thought>\n", "</thought>\n", ""),
    "harmony": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", ""),
    "magistral": ("[THINK]", "[/THINK]", ""),
    "gemma": ("<|channel>thought\n", "<channel|>", ""),
    "cohere": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>"),
    "solar": ("<|think|>", "<|end|><|begin|>assistant<|content|>", ""),
    "kimi": ("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>", "<|close|>response<|sep|>"),
    "addressed": (" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>", ""),
    "apertus": ("<|inner_prefix|>", "<|inner_suffix|>", ""),
    "triangles": ("◁think▷", "◁/think▷", ""),
    "granite": ("Here is my thought process:\n", "\nHere is my response:\n", ""),
    "reka": ("<reasoning>\n", "</reasoning>\n", ""),
    "apriel": ("Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]\n", "\n[END FINAL RESPONSE]"),
}
GOLD = Item("g", {"problem": ""}, "72")


def graded(text: str, reason: str = "stop", known: Thinking = UNKNOWN) -> tuple[str | None, int, int]:
    row = columns(get("aime"), GOLD, text, [], reason, known)
    return row["parsed"], row["thinking_words"], row["answer_words"]


@pytest.mark.parametrize("known", [False, True], ids=["by the text", "by the engine"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_split_and_graded(family: str, known: bool) -> None:
    opens, closes, ends = FAMILIES[family]
    whole = f"{opens}{THOUGHT}{closes}{ANSWER}"
    marks = thinking.in_text(whole)
    told = Thinking(thinking.of(marks.opens, marks.closes)) if known else UNKNOWN
    extra = 1 if family == "think" else 0  # as in published lengths
    thought, answer = words(THOUGHT) + extra, words(ANSWER)
    assert graded(whole + ends, known=told) == ("72", thought, answer)
    assert graded(f"{whole}, since", "length", told) == ("72", thought, answer + 1)
    assert graded(f"{opens}{THOUGHT}", "length", told)[0] is None
    cut = split(f"{opens}{THOUGHT}", None, told.marks)
    assert (cut.answer, cut.answer_start, cut.closed) == ("", None, False)
    assert split(whole, "stop", told.marks).closed


@pytest.mark.parametrize("family", FAMILIES)
def test_an_output_that_opens_and_never_closes_has_no_answer(family: str) -> None:
    for reason in ("stop", "length", None):
        parts = split(FAMILIES[family][0] + THOUGHT, reason)
        assert (parts.answer, parts.answer_start, parts.opened, parts.closed) == ("", None, True, False)


def test_words_that_open_nothing_are_an_answer() -> None:
    assert split("It is so. Here is my response: 72.", "stop").answer_start == 0
    assert split("Here are my reasoning steps:\n72", "stop", thinking.PLAIN).answer_start == 0
    assert split("It is 72.", "stop").answer == "It is 72."


def test_of_a_prompt_that_closes_thinking_all_is_answer() -> None:
    cut = split("The total is 72 and", "length", thinking.PLAIN, "closed")
    assert (cut.answer, cut.answer_start) == ("The total is 72 and", 0)
    assert split("The total is 72 and", "length", thinking.PLAIN, "opened").answer_start is None


def test_the_known_family_alone_counts() -> None:
    text = "<|channel|>analysis<|message|>Some write </think> there.<|end|><|start|>assistant<|channel|>final<|message|>72"
    assert split(text, "stop").answer == split(text, "stop", thinking.HARMONY).answer == "72"
    assert split("[THINK]Some write </think> there", "length", thinking.BRACKETS).answer == ""


@pytest.mark.parametrize(
    ("tail", "marks", "state"),
    [
        ("<|assistant|><think>\n", thinking.PLAIN, "opened"),
        ("<|assistant|><think>\n\n</think>\n\n", thinking.PLAIN, "closed"),
        ("<|assistant|></think>", thinking.PLAIN, "closed"),
        ("<|assistant|>", thinking.PLAIN, "left to the model"),
        ("<|turn>model\n<|channel>thought\n<channel|>", thinking.GEMMA, "closed"),
        ("<|begin|>assistant<|think|><|end|>", thinking.SOLAR, "closed"),
    ],
)
def test_where_a_prompt_leaves_the_thinking(tail: str, marks: thinking.Marks, state: str) -> None:
    assert marks.state(tail) == state


def test_the_vocabulary_tells_where_the_template_does_not() -> None:
    assert thinking.in_vocabulary(["<s>", "[THINK]", "[/THINK]"]) == thinking.BRACKETS
    assert thinking.in_vocabulary(["<s>", "</s>"]) is None


def test_a_growing_text_is_cut_at_the_first_mark() -> None:
    assert thinking.first_close("ab</think>c</think>") == (2, 10)
    assert thinking.first_close("ab[/THINK]c") == (2, 10)
    assert thinking.first_close("ab") is None
    assert thinking.unfinished_close("ab</thi") == 5
    assert thinking.unfinished_close("ab ") == thinking.unfinished_close("not") == 0  # plain text is shown as it comes


@pytest.fixture(scope="module", params=["llama.cpp", "transformers"])
def vocabulary(request: pytest.FixtureRequest, gguf_model: Path) -> Vocabulary:
    return LlamaModel(gguf_model, 0) if request.param == "llama.cpp" else HfVocabulary(tiny.tokenizer("qwen2"), 1000)


def streamed(vocabulary: Vocabulary, text: str) -> tuple[str, list[int], Thinking]:
    """A text's tokens as an engine streams them, and what it says of its thinking."""
    admission = Admission(vocabulary, 512)
    ready = admission.ready("e", "1", 1, 512)
    stream = admission.open(Generate("q", "6 x 7?", True, 0, Sampling()))
    ids = vocabulary.tokenize(text, add_special=False)
    (started,) = (event for event in stream.start() if isinstance(event, Started))
    events = [event for token in ids for event in stream.accept(token)] + stream.finish("stop")
    pieces = "".join(delta.text for event in events if isinstance(event, Deltas) for delta in event.items)
    assert isinstance(stream, Stream)
    return pieces, ids, Thinking(thinking.of(ready.opens, ready.closes), ready.close_ids, started.thinking)


def test_the_same_tokens_give_the_same_columns_through_each_engine_and_a_server(vocabulary: Vocabulary) -> None:
    text, ids, told = streamed(vocabulary, f"{THOUGHT}</think>{ANSWER}")
    assert text == f"{THOUGHT}</think>{ANSWER}"
    assert told.prompt == "opened" and len(told.close_ids) == 1
    local = columns(get("aime"), GOLD, text, ids, "stop", told)
    remote = columns(get("aime"), GOLD, f"{THOUGHT}</think>{ANSWER}", [], "stop")  # as `openai` joins reasoning and content
    tokens = ("thinking_tokens", "answer_tokens", "prompt_thinking")  # which a server does not tell where its text does
    assert {name: local[name] for name in local if name not in tokens} == {n: remote[n] for n in remote if n not in tokens}  # type: ignore[literal-required]
    assert local["thinking_tokens"] == ids.index(told.close_ids[0]) + 1
    assert local["thinking_tokens"] + local["answer_tokens"] == len(ids)


@pytest.mark.parametrize("tail", ["", " and so on"])
def test_an_output_that_never_closes_counts_the_same_through_each_engine_and_a_server(
    vocabulary: Vocabulary, tail: str
) -> None:
    text, ids, told = streamed(vocabulary, f"The total is 72.{tail}")
    for reason in ("stop", "length"):
        local = columns(get("aime"), GOLD, text, ids, reason, told)
        remote = columns(get("aime"), GOLD, text, [], reason, Thinking(prompt="opened"))  # as `openai` says of its reasoning
        names = ("parsed", "correct", "answer_start", "ending", "lenient_credit")
        assert [local[n] for n in names] == [remote[n] for n in names]  # type: ignore[literal-required]
        assert local["ending"] == ("ended_in_thinking" if reason == "stop" else "cut_in_thinking") and local["parsed"] is None


def test_special_tokens_that_mark_thinking_stay_in_the_text() -> None:
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.add_tokens(["[THINK]", "[/THINK]"], special_tokens=True)
    tokenizer.chat_template = SMALL["brackets"]
    text, ids, told = streamed(HfVocabulary(tokenizer, 1000), f"[THINK]{THOUGHT}[/THINK]{ANSWER}")
    assert text == f"[THINK]{THOUGHT}[/THINK]{ANSWER}"
    row = columns(get("aime"), GOLD, text, ids, "stop", told)
    assert (row["parsed"], row["thinking_words"]) == ("72", words(THOUGHT))
    assert told.prompt == "left to the model"
    assert row["thinking_tokens"] == ids.index(told.close_ids[0]) + 1


def test_a_host_refuses_what_its_template_would_ignore(vocabulary: Vocabulary) -> None:
    request = Generate("q", "6 x 7?", True, 0, Sampling(), template_options=TemplateOptions(thinking="off"))
    with pytest.raises(EngineFailure, match="cannot switch its thinking") as refused:
        Admission(vocabulary, 512).open(request)
    assert refused.value.kind == "usage"


def test_a_host_says_where_each_prompt_leaves_the_thinking() -> None:
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.chat_template = SMALL["off by default"]
    admission = Admission(HfVocabulary(tokenizer, 1000), 512)
    for thinking_, state, end in ((None, "opened", "<think>"), ("on", "opened", "<think>"), ("off", "closed", "</think>")):
        options = TemplateOptions(thinking=thinking_)  # type: ignore[arg-type]
        (started,) = admission.open(Generate("q", "6 x 7?", True, 0, Sampling(), template_options=options)).start()
        assert isinstance(started, Started)
        assert (started.thinking, started.prompt.endswith(end)) == (state, True)
    (raw,) = admission.open(Generate("q", "6 x 7?", False, 0, Sampling())).start()
    assert isinstance(raw, Started) and raw.thinking is None
