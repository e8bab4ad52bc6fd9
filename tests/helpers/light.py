"""What lrm-tui does without its extras, command by command: in an empty environment, or where their imports are blocked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.runner.client import stop_runner
from tests.helpers.chat_server import answer, serving
from tests.speed.terminal import Terminal

LOOP = "But wait, maybe I should check the option once more. " * 400


@dataclass(frozen=True, slots=True)
class Light:
    """One installation: the command that starts it, its environment, and the folder that it works in."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command, which must end with `code`; what it wrote."""
        command = [*self.command, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == code and "Traceback" not in said, f"{arguments} ended with {done.returncode}:\n{said}"
        return said

    def works(self) -> None:
        """Do all that needs no extra, and be refused what does."""
        try:
            self._reads_and_shows()
            self._asks_a_server_and_replays()
            self._refuses()
        finally:
            stop_runner(self.folder / "runs.db")

    def _reads_and_shows(self) -> None:
        assert self.run("--version").startswith("lrm-tui ")
        checkup = self.run("doctor")
        assert all(f"-    extra {extra}: no " in checkup for extra in ("hub", "local", "compress")) and "FAIL" not in checkup
        assert 'pip install "lrm-tui[local]"' in checkup
        log, data = _lm_eval_log(self.folder)
        assert "#1 R1-8B none on aime: 2 outputs" in self.run("import", str(log), "--data", str(data))
        (self.folder / "loop.txt").write_text(LOOP, encoding="utf-8")
        assert "1 collapsed" in self.run("scan", "loop.txt", code=3)
        self.run("regrade")
        for command in ("scores", "lengths", "collapse", "findings", "recommend --memory 24GB", "responses"):
            assert self.run(*command.split()), command
        assert "R1-8B" in self.run("scores", "--json", "--published")
        self.run("export", "report")
        assert list((self.folder / "report").glob("*.html"))

    def _asks_a_server_and_replays(self) -> None:
        with serving(answer({"role": "assistant"}, {"reasoning_content": "Hm."}, {"content": "The answer is 7."})) as server:
            ask = ("--benchmark", "pocket-arithmetic", "--limit", "2", "--max-tokens", "64", "--wait")
            self.run("add", "--model", f"openai:{server.address}#m", *ask)
        self.run("add", "--model", "replay:runs.db#2", *ask)
        rows = json.loads(self.run("ls", "--json"))
        assert [row["state"] for row in rows if row["engine"] in ("openai", "replay")] == ["done", "done"]
        self._opens_the_workbench()

    def _opens_the_workbench(self) -> None:
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        with Terminal(["env", "-i", *variables, *self.command, "--db", str(self.folder / "runs.db")], (100, 30)) as terminal:
            terminal.until(b"Responses")
            terminal.until(b"R1-8B")

    def _refuses(self) -> None:
        asked = {
            "local": ("--model", "pocket", "--benchmark", "pocket-facts"),
            "compress": ("--model", "pocket", "--benchmark", "pocket-facts", "--compression", "magnitude-50"),
            "hub": ("--model", "openai:http://127.0.0.1:9/v1#m", "--benchmark", "folio"),
        }
        for extra, arguments in asked.items():
            assert f'pip install "lrm-tui[{extra}]"' in self.run("add", *arguments, code=2), extra
        assert 'pip install "lrm-tui[compress]"' in self.run("demo", "--headless", code=2)


def _lm_eval_log(folder: Path) -> tuple[Path, Path]:
    """A folder of sample logs of lm-evaluation-harness and the folder of the benchmark's questions."""
    data, logs = folder / "data", folder / "org__R1-8B"
    data.mkdir()
    logs.mkdir()
    problems = [{"ID": f"2024-I-{n}", "Problem": f"Find the number {n} of things.", "Answer": n} for n in range(3)]
    (data / "aime2024.jsonl").write_text("\n".join(map(json.dumps, problems)), encoding="utf-8")
    line = {"doc_id": 1, "doc": {"Problem": "Find the number 1 of things."}, "resps": [["It is 1.", LOOP]], "filter": "none"}
    (logs / "samples_aime24_2026-01-02T03-04-05.678901.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return logs, data
