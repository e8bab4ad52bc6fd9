"""Real chat templates render as transformers renders them, byte for byte, and what they do with thinking is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from core.engines.decode.chat import render
from core.engines.decode.facts import TemplateFacts, TemplateRefusal, facts_of
from core.engines.decode.template import TemplateFailure
from core.engines.host.wire import TemplateOptions
from tests.helpers.templates import SCRIPT, SMALL, real, script

SPECIAL = {"bos_token": "<BOS>", "eos_token": "<EOS>"}
TURN = "Was ist 6 × 7? {{ no }} <b>\n"
ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"enable_thinking": True, "thinking": True},
    {"enable_thinking": False, "thinking": False},
    {"reasoning_effort": "high", "thinking_budget": 512},
    {"tools": [], "functions": "[]"},
)
TOOLS_ALONE = {
    "CohereForAI-c4ai-command-r-plus-tool_use",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
    "fireworks-ai-llama-3-firefunction-v2",
}
archive = pytest.mark.skipif(not real(), reason=script().ABSENT)


def theirs(template: str, arguments: Mapping[str, Any]) -> str | None:
    """What transformers renders; None where it fails."""
    from transformers.utils.chat_template_utils import render_jinja_template

    turns = [[{"role": "user", "content": TURN}]]
    try:
        return str(
            render_jinja_template(turns, chat_template=template, add_generation_prompt=True, **SPECIAL, **arguments)[0][0]
        )
    except Exception:
        return None


def ours(template: str, arguments: Mapping[str, Any]) -> str | None:
    try:
        return render(template, TURN, SPECIAL, arguments)
    except TemplateFailure:
        return None


def facts(template: str, **options: Any) -> TemplateFacts:
    return facts_of(
        template, lambda turn, given: render(template, turn, SPECIAL, given, "2026-02-03"), TemplateOptions(**options)
    )


@archive
@pytest.mark.parametrize("name", real())
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_a_real_template_renders_as_in_transformers(name: str, arguments: dict[str, Any]) -> None:
    assert ours(real()[name], arguments) == theirs(real()[name], arguments)


@archive
def test_all_but_those_for_tools_render() -> None:
    assert len(real()) == 70
    assert {name for name, template in real().items() if ours(template, {}) is None} == TOOLS_ALONE
    mended = {name for name in TOOLS_ALONE if ours(real()[name], {"tools": []})}
    assert TOOLS_ALONE - mended == {"fireworks-ai-llama-3-firefunction-v2"}


@archive
@pytest.mark.parametrize(
    ("name", "usual", "state", "switch", "closes"),
    [
        ("deepseek-ai-DeepSeek-V3.1", "closed", "opened", "enable_thinking", "</think>"),
        ("deepseek-ai-DeepSeek-V4", "closed", "opened", "enable_thinking", "</think>"),
        ("Qwen-Qwen3-0.6B", "left to the model", "left to the model", "enable_thinking", "</think>"),
        ("Qwen3.5-4B", "opened", "opened", "enable_thinking", "</think>"),
        ("google-gemma-4-31B-it", "closed", "left to the model", "enable_thinking", "<channel|>"),
        ("CohereForAI-c4ai-command-r7b-12-2024-tool_use", "closed", "left to the model", "enable_thinking", "<|END_THINKING|>"),
        ("tencent-Hy3", "closed", "opened", "reasoning_effort", "</think:opensource>"),
        ("ByteDance-Seed-OSS", "left to the model", "left to the model", "thinking_budget", "</seed:think>"),
        (
            "upstage-Solar-Open-100B",
            "left to the model",
            "left to the model",
            "reasoning_effort",
            "<|begin|>assistant<|content|>",
        ),
        ("openai-gpt-oss-120b", "left to the model", "left to the model", None, "<|channel|>final<|message|>"),
        ("mistralai-Ministral-3-14B-Reasoning-2512", "left to the model", "left to the model", None, "[/THINK]"),
        ("Apriel-1.6-15b-Thinker-fixed", "opened", "opened", None, "[BEGIN FINAL RESPONSE]"),
        ("Qwen-Qwen2.5-7B-Instruct", "none", "none", None, None),
    ],
)
def test_what_real_templates_do(name: str, usual: str, state: str, switch: str | None, closes: str | None) -> None:
    by_default, found = script().looked_at(real()[name])
    assert (by_default, found.state) == (usual, state)
    assert (found.switch and found.switch.name) == switch
    assert (found.marks and found.marks.closes) == closes


@archive
def test_thinking_off_closes_or_drops_it_wherever_it_can_be_switched() -> None:
    for name, template in real().items():
        if name not in TOOLS_ALONE and (on := facts(template)).switch:
            off = facts(template, thinking="off")
            assert off.state != "opened", name
            assert on.arguments != off.arguments, name


@archive
def test_the_table_is_fresh() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, cwd=SCRIPT.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr


def test_helpers_of_templates_take_their_arguments() -> None:
    template = (
        "{% set m = messages[0] %}{{ m | tojson(indent=2, sort_keys=True) }}{{ 'é' | tojson(ensure_ascii=True) }}"
        "{{ m | tojson(separators=(',', ':')) }}{{ tools is none }}{{ documents is none }}{{ other is defined }}"
        "{% for i in [1, 2] %}{% generation %}{{ i }}{% if i == 1 %}{% continue %}{% endif %}{% endgeneration %}{% endfor %}"
    )
    assert "TrueTrueFalse" in (ours(template, {}) or "")
    plain = template.replace("{% if i == 1 %}{% continue %}{% endif %}", "")
    assert ours(plain, {}) == theirs(plain, {}) is not None


def test_the_day_is_that_of_the_run() -> None:
    assert render("{{ strftime_now('%d %b %Y') }}", "", {}, {}, "2026-02-03") == "03 Feb 2026"
    assert "03 Feb 2026" in render(SMALL["effort"], "", SPECIAL, {}, "2026-02-03")


def test_a_failure_names_what_the_template_reads() -> None:
    with pytest.raises(TemplateFailure, match="'functions' is undefined"):
        render("{{ functions.x }}", "", {})
    with pytest.raises(TemplateFailure, match=r"it reads tools: none here"):
        render("{% for t in tools %}{% endfor %}", "", {})


def test_thinking_is_on_where_it_can_be_switched() -> None:
    found = facts(SMALL["off by default"])
    assert (found.state, dict(found.arguments)) == ("opened", {"thinking": True})
    assert found.notes == ("By default the template leaves thinking off; it is switched on (thinking = true).",)
    off = facts(SMALL["off by default"], thinking="off")
    assert (off.state, dict(off.arguments)) == ("closed", {"thinking": False})
    assert off.notes == ("The prompt closes thinking: thinking is off; --thinking on switches it on.",)
    assert facts(SMALL["off by default"], arguments={"thinking": False}).state == "closed"


def test_effort_and_budget_go_under_the_templates_own_names() -> None:
    assert dict(facts(SMALL["effort"], effort="high").arguments) == {"reasoning_effort": "high"}
    assert dict(facts(SMALL["budget"], budget=512).arguments) == {"thinking_budget": 512}
    assert dict(facts(SMALL["budget"], thinking="off").arguments) == {"thinking_budget": 0}
    assert facts(SMALL["budget"], thinking="off").state == "closed"


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("opened", {"thinking": "off"}, "cannot switch"),
        ("opened", {"thinking": "on"}, "cannot switch"),
        ("opened", {"effort": "low"}, "takes no effort"),
        ("effort", {"budget": 5}, "takes no budget"),
        ("effort", {"thinking": "off"}, "cannot switch"),
        ("opened", {"arguments": {"enable_thinkin": True}}, "reads no enable_thinkin"),
    ],
)
def test_what_a_template_would_ignore_is_refused(kind: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(TemplateRefusal, match=says):
        facts(SMALL[kind], **options)
