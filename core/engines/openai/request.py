"""The body of a request to an OpenAI-compatible server, made without the openai library."""

from __future__ import annotations

from typing import Any

from ..host.wire import Generate, Sampling, TemplateOptions


def body(model: str, request: Generate) -> dict[str, Any]:
    """The JSON of a request, with what is no parameter of OpenAI's own only where it is set."""
    asked: dict[str, Any] = {"prompt": request.prompt}
    added = _added(request.sampling)
    if request.chat:
        asked = {"messages": [{"role": "user", "content": request.prompt}]}
        if request.template_options.effort:
            asked["reasoning_effort"] = request.template_options.effort
        if variables := template_variables(request.template_options):
            added["chat_template_kwargs"] = variables
    return {
        **asked,
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": request.seed,
        **_sampling(request.sampling),
        **added,
    }


def renamed_limit(sent: dict[str, Any], refusal: str) -> dict[str, Any] | None:
    """The body with the limit under its newer name, where a refusal asks for that; None elsewhere."""
    if "max_completion_tokens" not in refusal or "max_tokens" not in sent:
        return None
    return {("max_completion_tokens" if name == "max_tokens" else name): value for name, value in sent.items()}


def template_variables(options: TemplateOptions) -> dict[str, Any]:
    """What a run sets in the server's chat template. What it leaves open is left to the server.

    Thinking goes under both names that templates use, since the template is not known here.
    """
    variables: dict[str, Any] = {}
    if options.thinking:
        variables |= dict.fromkeys(("enable_thinking", "thinking"), options.thinking == "on")
    if options.budget is not None:
        variables["thinking_budget"] = options.budget
    if options.effort:
        variables["reasoning_effort"] = options.effort
    return {**variables, **options.arguments}


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """OpenAI's own parameters."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
    }


def _added(sampling: Sampling) -> dict[str, Any]:
    """What other servers add to them, only where it is set."""
    return {name: value for name in ("top_k", "min_p") if (value := getattr(sampling, name))}
