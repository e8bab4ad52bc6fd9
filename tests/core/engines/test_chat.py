"""Chat templates come with models from anywhere: they render as in transformers, and cannot do more."""

from __future__ import annotations

import pytest

from core.engines.decode.chat import render
from core.engines.decode.template import TemplateFailure, Templates
from tests.helpers import tiny

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def test_a_plain_template() -> None:
    assert render(tiny.CHAT_TEMPLATE, "hi", SPECIAL) == "<s><|user|>hi<|assistant|><think>\n"


def test_blocks_and_helpers_work_as_in_transformers() -> None:
    template = (
        "{%- for m in messages %}\n    {%- if loop.index > 1 %}{% break %}{% endif %}\n"
        "    {{- m | tojson }}\n{%- endfor %}\n{{ eos_token }}"
    )
    tokenizer = tiny.tokenizer("qwen2")
    theirs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "<é>"}], chat_template=template, tokenize=False, add_generation_prompt=True
    )
    special = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token}
    assert render(template, "<é>", special) == theirs == '{"role": "user", "content": "<é>"}<|end|>'


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ raise_exception('roles must alternate') }}",
        "{% if %}",
        "{{ messages[5].content }}",
        "{{ 1 / 0 }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
    ],
)
def test_what_a_template_may_not_do_is_a_failure(template: str) -> None:
    with pytest.raises(TemplateFailure, match="chat template failed"):
        render(template, "hi", SPECIAL)


def test_the_prompt_is_data_and_no_template() -> None:
    assert "{{ 7 * 7 }}" in render(tiny.CHAT_TEMPLATE, "{{ 7 * 7 }}", SPECIAL)


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates()


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "it takes too long"),
        ("{{ 'x' * 10 ** 10 }}", "it needs more than 512 MiB"),
        ("{{ ([0] * 10 ** 8) | length }}", "it needs more than 512 MiB"),
        ("{% for i in range(99999) %}{{ 'x' * 10000 }}{% endfor %}", "it yields more than 8,388,608 characters"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
    ],
)
def test_a_template_takes_no_more_than_its_share(templates: Templates, template: str, says: str) -> None:
    with pytest.raises(TemplateFailure, match=says):
        templates.render(template, "hi", SPECIAL)
    assert templates.render(tiny.CHAT_TEMPLATE, "hi", SPECIAL) == "<s><|user|>hi<|assistant|><think>\n"


def test_the_renderer_knows_no_secret(templates: Templates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    fresh = Templates()
    fresh.render("x", "", SPECIAL)
    assert fresh._child is not None
    with open(f"/proc/{fresh._child.pid}/environ", encoding="utf-8") as file:
        assert "sk-secret" not in file.read()
