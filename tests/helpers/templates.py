"""Real chat templates, from the source archive of llama-cpp-python where it is here, and small ones of every kind."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "docs" / "templates.py"
TURNS = "{{ bos_token }}{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}"
SMALL = {
    "opened": TURNS + "<|assistant|><think>\n",
    "off by default": TURNS + "<|assistant|>{% if thinking %}<think>{% else %}<think></think>{% endif %}",
    "brackets": "{{ bos_token }}[SYSTEM]Think in [THINK]...[/THINK].[/SYSTEM]" + TURNS + "<|assistant|>",
    "effort": "Effort: {{ reasoning_effort | default('medium') }}. {{ strftime_now('%d %b %Y') }}\n"
    + TURNS
    + "<|assistant|>{# <|channel|>analysis #}",
    "budget": "{% if thinking_budget is defined and thinking_budget > 0 %}Think {{ thinking_budget }} tokens.{% endif %}"
    + TURNS
    + "<|assistant|>{% if thinking_budget is defined and thinking_budget == 0 %}<seed:think></seed:think>{% endif %}",
    "plain": TURNS + "{% generation %}<|assistant|>{% endgeneration %}",
}


def script() -> ModuleType:
    """docs/templates.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_templates", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def real() -> dict[str, str]:
    """The real templates by name; empty where the archive is not here."""
    module = script()
    path = module.archive()
    return module.templates(path) if path else {}
