"""The command line as a whole: shared options, exit codes, what goes to which stream."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from core.cli.call import Call
from core.errors import StoreMissing
from core.store.connection import connect
from tests.helpers.command_line import parsed


def test_the_store_may_be_named_before_or_after_the_command() -> None:
    assert parsed(["--db", "x.db", "ls"]).obj.db == Path("x.db")
    assert parsed(["ls", "--db", "x.db"]).obj.db == Path("x.db")
    assert parsed(["--db", "y.db", "ls", "--db", "x.db"]).obj.db == Path("x.db")
    assert parsed(["--db", "x.db"]).obj.db == Path("x.db")
    assert parsed(["ls"]).obj.db is None
    assert parsed(["--data", "d", "ls"]).obj.data == parsed(["ls", "--data", "d"]).obj.data == Path("d")


@pytest.mark.parametrize("arguments", [["--db", "{}", "ls", "--json"], ["ls", "--json", "--db", "{}"]])
def test_a_command_opens_the_store_that_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(tmp_path / "x.db", "user").close()
    assert cli.main([argument.format(tmp_path / "x.db") for argument in arguments]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_without_a_command_and_in_the_demo_the_options_of_the_screen_arrive() -> None:
    calls: list[Call] = []

    def workbench(call: Call) -> int:
        calls.append(call)
        return 7

    assert cli.main(["--readonly", "--ascii", "--slow", "--no-mouse", "--theme", "nord"], workbench) == 7
    [call] = calls
    assert (call.readonly, call.ascii, call.slow, call.no_mouse, call.theme) == (True, True, True, True, "nord")
    call = parsed(["--ascii", "demo", "--slow", "--theme", "nord"]).obj
    assert (call.readonly, call.ascii, call.slow, call.no_mouse, call.theme) == (False, True, True, False, "nord")


def test_several_models_follow_one_option() -> None:
    values = parsed(["study", "--models", "pocket", "pocket-student", "--wait"]).params
    assert (*values["models"], *values["more"]) == ("pocket", "pocket-student") and values["wait"]
    assert cli.main(["study", "pocket"]) == cli.main(["study", "--models", "nobody"]) == 2


def test_steps_down_and_up_the_queue_are_numbers() -> None:
    assert parsed(["move", "3", "-1"]).params == {"job": 3, "steps": -1}
    assert parsed(["move", "3", "-12"]).params["steps"] == -12
    assert cli.main(["move", "3", "--up"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "frobnicate"),
        (["add"], "--model"),
        (["scores", "--format", "nope"], "nope"),
        (["add", "--model", "m", "--benchmark", "b", "--limit", "x"], "x"),
        (["compare", "1"], "OTHER"),
        (["scores", "--nope"], "--nope"),
    ],
)
def test_nonsense_ends_with_2_and_says_what_is_wrong(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert printed.out == "" and line.startswith("lrm-tui") and says in line


def test_errors_of_ours_go_to_stderr_and_as_data_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.db"
    remedy = "Queue a run first, or name another store with --db."
    for arguments in (["--json"], ["--format", "json"]):
        assert cli.main(["scores", "--db", str(path), *arguments]) == StoreMissing("", "").exit_code
        printed = capsys.readouterr()
        assert printed.err == f"lrm-tui: There is no store {path}. {remedy}\n"
        assert json.loads(printed.out) == {"error": f"There is no store {path}.", "remedy": remedy}


def test_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    def workbench(call: Call) -> int:
        raise KeyboardInterrupt

    assert cli.main([], workbench) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.jsonl"
    outputs.write_text("".join(json.dumps({"id": str(n), "output": "fine"}) + "\n" for n in range(20_000)))
    command = f"{sys.executable} -m tui.entry scan {outputs} --json; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -1"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert json.loads(done.stdout)["id"] == "0" and done.stderr == "0\n"


def test_progress_of_a_command_prints_nothing_into_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    connect(tmp_path / "x.db", "user").close()
    assert cli.main(["backup", str(tmp_path / "copy.db"), "--db", str(tmp_path / "x.db")]) == 0
    printed = capfd.readouterr()
    assert printed.err == "" and printed.out.endswith("bytes, checked\n")
