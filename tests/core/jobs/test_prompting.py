"""What a run will send is known before anything is loaded, in the words that the engines send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.engines.decode.prompt import Prompts
from core.engines.host.wire import Generate, Sampling, TemplateOptions
from core.engines.llamacpp.native import LlamaModel
from core.engines.tokenizer_files import read_tokenizer
from core.engines.transformers.load import HfVocabulary, load_tokenizer
from core.errors import ModelError, UsageError
from core.jobs.models import resolve
from core.jobs.prompting import check_sampling, check_template, model_sampling, prompt_of
from core.spec import Model, RunSpec
from tests.helpers import tiny
from tests.helpers.templates import SMALL

DAY = "2026-02-03"
RAW = '[musique]\nprompt = "Q: {question}"\n'


def spec(model: str, benchmark: str = "pocket-facts", prompts: Path | None = None, **options: Any) -> RunSpec:
    return RunSpec(model, "none", benchmark, "llama.cpp", template_options=TemplateOptions(**options), prompts=prompts)


def checkpoint(folder: Path, template: str | None, **generation: Any) -> Path:
    """A folder with a tokenizer and no weights."""
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "eos_token_id": 2}))
    if generation:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.mark.parametrize("kind", SMALL)
def test_a_checkpoints_prompt_is_what_its_engine_sends(tmp_path: Path, kind: str) -> None:
    folder = checkpoint(tmp_path / "m", SMALL[kind])
    sent = prompt_of(resolve(str(folder)), spec(str(folder)), 0, DAY)
    vocabulary = HfVocabulary(load_tokenizer(folder), 1000)
    question = sent.prompt.partition("<|user|>")[2].partition("<|assistant|>")[0]
    prompts = Prompts(vocabulary)
    request = Generate("q", question, True, 0, Sampling(), date=DAY)
    assert prompts.tokens(request)[0] == sent.prompt
    assert prompts.state(request) == sent.facts.state
    assert prompts.marks == sent.facts.marks
    assert sent.stops == ("<|end|>", "<|user|>")  # the tokenizer's own, and what the config adds


def test_a_gguf_file_says_the_same_as_its_engine(gguf_model: Path) -> None:
    files, engine = read_tokenizer(gguf_model), LlamaModel(gguf_model, 0)
    assert files.chat_template == engine.chat_template
    assert files.special_tokens == engine.special_tokens
    assert set(files.added_tokens) == set(engine.added_tokens)
    request = Generate("q", "How many <|end|> are there?", True, 0, Sampling())
    assert Prompts(files).text(request) == Prompts(engine).tokens(request)[0]


def test_a_model_without_a_template_is_asked_in_raw_text(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", None)
    sent = prompt_of(resolve(str(folder)), spec(str(folder)), 0, DAY)
    assert "no chat template" in sent.facts.notes[0] and "<|user|>" not in sent.prompt
    with pytest.raises(UsageError, match="no chat template"):
        check_template(resolve(str(folder)), spec(str(folder), effort="low"))


def test_a_prompt_of_ones_own_may_be_raw(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(RAW)
    sent = prompt_of(resolve("pocket"), spec("pocket", prompts=own), 0, DAY)
    assert sent.prompt.startswith("Q: ") and "prompt file" in sent.facts.notes[0]
    with pytest.raises(UsageError):
        check_template(resolve("pocket"), spec("pocket", prompts=own, thinking="on"))


def test_where_templates_are_kept_makes_no_difference(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", SMALL["off by default"])
    template = read_tokenizer(folder).chat_template
    for file in folder.glob("chat_template*"):
        file.unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    for stored in (template, [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]):
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": stored}))
        assert read_tokenizer(folder).chat_template == template == SMALL["off by default"]


def test_what_would_be_ignored_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot switch its thinking"):
        check_template(resolve("pocket"), spec("pocket", thinking="off"))
    with pytest.raises(UsageError, match="takes no --top-k"):
        check_sampling(resolve("openai:https://api.openai.com/v1#o"), Sampling(top_k=5))
    check_sampling(resolve("openai:http://127.0.0.1:1/v1#m"), Sampling(top_k=5))
    with pytest.raises(UsageError, match="would change nothing"):
        check_sampling(Model("r", "r.db", "recording", "replay"), Sampling(min_p=0.1))


def test_a_template_that_fails_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", "{% for t in tools %}{{ t }}{% endfor %}{{ messages[0].content }}")
    with pytest.raises(UsageError, match="it reads tools") as refused:
        check_template(resolve(str(folder)), spec(str(folder)))
    assert "--template-arg tools=[]" in refused.value.remedy
    assert check_template(resolve(str(folder)), spec(str(folder), arguments={"tools": []})).state == "left to the model"


def test_a_broken_tokenizer_is_said(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", SMALL["plain"])
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        check_template(resolve(str(folder)), spec(str(folder)))


def test_a_changed_template_is_seen(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", SMALL["opened"])
    assert check_template(resolve(str(folder)), spec(str(folder))).state == "opened"
    (folder / "chat_template.jinja").write_text(SMALL["off by default"])
    assert check_template(resolve(str(folder)), spec(str(folder), thinking="off")).state == "closed"


def test_a_server_gets_the_options_in_its_request() -> None:
    address = "openai:http://127.0.0.1:1/v1#m"
    sent = prompt_of(resolve(address), spec(address, thinking="off", effort="low", budget=9, arguments={"k": [1]}), 0, DAY)
    assert sent.request is not None
    assert sent.request["reasoning_effort"] == "low"
    assert sent.request["chat_template_kwargs"] == {
        "enable_thinking": False, "thinking": False, "thinking_budget": 9, "reasoning_effort": "low", "k": [1],
    }  # fmt: skip
    assert "chat_template_kwargs" not in (prompt_of(resolve(address), spec(address), 0, DAY).request or {})


def test_the_makers_sampling(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", SMALL["plain"], do_sample=True, temperature=0.7, top_p=0.8, top_k=20)
    assert model_sampling(resolve(str(folder)), Sampling(max_tokens=9)) == Sampling(0.7, 0.8, 20, 0.0, 9)
    greedy = checkpoint(tmp_path / "g", SMALL["plain"], do_sample=False, temperature=0.7)
    assert model_sampling(resolve(str(greedy)), Sampling()).temperature == 0
    with pytest.raises(UsageError, match="says nothing of its sampling"):
        model_sampling(resolve(str(checkpoint(tmp_path / "n", SMALL["plain"]))), Sampling())
