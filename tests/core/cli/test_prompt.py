"""`lrm-tui prompt`, and the options of `add` that set something in the chat template or take the makers' sampling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.cli import run_options
from core.spec import RunSpec, Sampling, TemplateOptions

PROMPT = ("prompt", "--model", "pocket", "--benchmark", "pocket-facts")
ADD = ("add", "--model", "pocket", "--benchmark", "pocket-facts", "--dry-run")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = cli.main([*arguments])
    return code, capsys.readouterr().out


def test_what_is_sent_is_printed_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, *PROMPT, "--item", "3", "--json")
    sent = json.loads(out)
    assert code == 0 and list(sent) == ["prompt", "thinking", "opens", "closes", "stops", "arguments", "notes"]
    assert sent["prompt"].startswith("<｜begin▁of▁sentence｜><｜User｜>") and sent["prompt"].endswith(
        "<｜Assistant｜><think>\n"
    )
    assert (sent["thinking"], sent["opens"], sent["closes"]) == ("opened", "<think>", "</think>")
    assert sent["stops"] == ["<｜end▁of▁sentence｜>"]
    code, out = run(capsys, *PROMPT, "--item", "3")
    assert code == 0 and sent["prompt"] in out and "thinking: opened (<think> … </think>)" in out


def test_a_servers_request_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    server = ("prompt", "--model", "openai:http://127.0.0.1:1/v1#m", "--benchmark", "pocket-facts")
    code, out = run(capsys, *server, "--thinking", "on", "--template-arg", "k=[1, 2]", "--template-arg", "w=word", "--json")
    sent = json.loads(out)
    kwargs = {"enable_thinking": True, "thinking": True, "k": [1, 2], "w": "word"}
    assert code == 0 and sent["request"]["chat_template_kwargs"] == kwargs
    assert sent["request"]["messages"] == [{"role": "user", "content": sent["prompt"]}]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--thinking", "off"), "cannot switch its thinking"),
        (("--effort", "low"), "takes no effort"),
        (("--thinking-budget", "5"), "takes no budget"),
        (("--template-arg", "word=1"), "reads no word"),
        (("--template-arg", "word"), "sets nothing"),
        (("--item", "1000"), "has no question 1000"),
    ],
)
def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str) -> None:
    assert cli.main([*PROMPT, *options]) == 2
    assert says in capsys.readouterr().err


def test_the_dry_run_says_where_the_thinking_is_left(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = ("--db", str(tmp_path / "runs.db"))
    code, out = run(capsys, *ADD, *store)
    assert code == 0 and "pocket: thinking opened." in out
    code, out = run(capsys, *ADD, *store, "--json")
    assert code == 0 and json.loads(out)[0]["thinking"] == "opened"
    assert cli.main([*ADD, *store, "--thinking", "off"]) == 2


def test_options_go_into_the_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    specs: list[RunSpec] = []
    monkeypatch.setattr(run_options, "_foretell", lambda _call, runs: specs.extend(runs) or 0)
    monkeypatch.setattr(
        "core.jobs.prompting.model_sampling", lambda _model, usual: Sampling(0.7, 0.8, 20, 0.0, usual.max_tokens)
    )
    options: list[Any] = ["--db", str(tmp_path / "runs.db"), "--thinking", "on", "--effort", "low", "--thinking-budget", "7"]
    assert cli.main([*ADD, *options, "--template-arg", "a=true", "--sampling", "model", "--top-k", "0"]) == 0
    assert specs[0].template_options == TemplateOptions("on", "low", 7, {"a": True})
    assert specs[0].sampling == Sampling(0.7, 0.8, 0, 0.0, 1024)  # what stands on the command line goes before the makers'
    assert cli.main([*ADD, "--db", str(tmp_path / "runs.db")]) == 0
    assert (specs[1].template_options, specs[1].sampling) == (TemplateOptions(), Sampling(max_tokens=1024))
