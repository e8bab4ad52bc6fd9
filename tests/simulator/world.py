"""One simulated world: a folder with a store, a model and data; a machine; and what users and accidents do to them."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sqlite3
import struct
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from core.errors import LrmError, RunnerError
from core.files.content import sha256
from core.files.private import private_folder
from core.runner import client
from core.runner.__main__ import _serve
from core.runner.supervisor import Supervisor, command
from core.store.connection import SCHEMA_VERSION, connect, work_folder
from tests.simulator.disk import Connection, Disk, Sqlite
from tests.simulator.engine import Engine, Mishaps, Worker
from tests.simulator.kernel import Kernel, Killed
from tests.simulator.ledger import Ledger, copied
from tests.simulator.machine import Machine, Process
from tests.simulator.pipes import Child, Pipe

START_S = 60.0
SETTINGS = b"silence_s = 15.0\nprefill_s = 20.0\nload_s = 20.0\n"
"""Short limits, so that a hang costs little virtual time."""
QUESTIONS = 6


class Lines(logging.Handler):
    """Sends what the code logs to the log of events."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._world.say(f"log: {record.getMessage()}")


def memory_folder() -> Path:
    """A folder of this process on a memory file system, where there is one."""
    shared = Path("/dev/shm")
    place = shared if shared.is_dir() and os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    folder = place / f"lrm-simulator-{os.getpid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class World:
    """Everything of one seed. `folder` is emptied first."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.kernel = Kernel(seed)
        self.machine = Machine(self.kernel)
        self.mishaps = Mishaps(random.Random(f"engines {seed}"))
        self.disk = Disk(self.kernel, self.machine, self._committed, self._joined)
        self.sqlite = Sqlite(self.disk)
        self.ledgers: dict[int, Ledger] = {}
        self.weights: dict[str, str] = {}
        self.work, self.scratch = folder / "work", folder / "scratch"
        self.store = self.work / "runs.db"
        self.settings = folder / "settings.toml"
        self.model, self.data, self.prompts = folder / "m", folder / "data", folder / "prompts.toml"
        self.stores = [self.store]  # those that users queue runs in
        self.kept: list[Path] = []  # those that were put away
        self.backups: list[Path] = []
        self.links: list[Path] = []  # other names of stores
        self.over = False
        self.awaited = 0  # steps that wait until the store is quiet
        self.looked_at = 0.0
        self._make()

    def _make(self) -> None:
        template = _template(self.folder)
        for place in (self.work, self.scratch, self.model, self.data):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        shutil.copyfile(template, self.store)
        self.write(self.settings, SETTINGS)
        self.write_questions(1)
        self.write_prompt(1)
        self.write(self.model / "config.json", b'{"model_type": "llama"}')
        self.write(self.model / "tokenizer.json", b"{}")
        self.write_weights("a")

    def write(self, file: Path, data: bytes, *, in_place: bool = True) -> None:
        """Write a file as a user does: into the one that is there, or as a new one in its place. Its time is the virtual one."""
        half = file if in_place else file.with_name(f"{file.name}.new")
        half.write_bytes(data)
        at = int((self.kernel.offset + self.kernel.now) * 1e9)
        os.utime(half, ns=(at, at))
        if not in_place:
            half.replace(file)

    def write_weights(self, letter: str, *, in_place: bool = True) -> None:
        """The weights that are told by a letter."""
        header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        self.write(
            self.model / "model.safetensors", struct.pack("<Q", len(header)) + header + letter.encode() * 4, in_place=in_place
        )
        self.weights[sha256(self.model)] = letter

    def write_questions(self, number: int, *, in_place: bool = True) -> None:
        """The questions, in the wording of a number."""
        rows = [{"ID": f"q{i}", "Problem": f"wording{number:03} of problem {i}", "Answer": i} for i in range(QUESTIONS)]
        self.write(self.data / "aime2024.jsonl", "\n".join(map(json.dumps, rows)).encode(), in_place=in_place)

    def write_prompt(self, number: int, *, in_place: bool = True) -> None:
        """The prompt, in the wording of a number."""
        self.write(self.prompts, f'[aime]\nprompt = "p{number:02} {{problem}}"\n'.encode(), in_place=in_place)

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something after so long, unless the accidents are over by then."""

        def unless_over() -> None:
            if not self.over:
                do()

        self.kernel.later(seconds, unless_over)

    def say(self, text: str) -> None:
        """Add to the log of events, without the place of this folder."""
        self.kernel.say(text.replace(str(self.folder), ""))

    def ledger(self, inode: int) -> Ledger:
        """What a store must hold, by its inode."""
        return self.ledgers.setdefault(inode, Ledger(self.kernel.violated, self.weights))

    def ledger_at(self, path: Path) -> Ledger:
        """What the store at a path must hold."""
        return self.ledger(path.stat().st_ino)

    def states(self, path: Path) -> dict[int, str]:
        """The states of the jobs of the store at a path."""
        return self.ledger_at(path).states if path.exists() else {}

    def peek(self, path: Path, sql: str) -> list[tuple[Any, ...]]:
        """Read a store without taking part: in a copy of it and its log. Nothing where it has no complete schema yet."""
        with closing(sqlite3.connect(copied(path, self.scratch / "peek.db"))) as connection:
            complete = connection.execute("PRAGMA user_version").fetchone()[0] >= SCHEMA_VERSION
            return connection.execute(sql).fetchall() if complete else []

    def _committed(self, connection: Connection) -> None:
        process = connection.process
        changes, connection.changes = connection.total_changes - connection.changes, connection.total_changes
        if not connection.inode or (process.kind == "runner" and changes == 1):  # a heartbeat alone
            return
        ledger = self.ledger(connection.inode)
        ledger.read(connection, f"after a commit of {process.title}")
        ledger.changed_at = self.kernel.now
        for other in self.machine.alive("runner"):
            if (
                process.kind == "runner"
                and other is not process
                and any(one.inode == connection.inode and one.changes for one in other.connections)
            ):
                self.kernel.violated(f"{process.title} and {other.title} write to one store")

    def _joined(self, connection: Connection) -> None:
        """No store is open under two names at once, which would have two logs."""
        for process in self.machine.alive("runner", "client", "supervisor"):
            for other in process.connections:
                if other.inode == connection.inode and other.path != connection.path and connection.inode:
                    self.kernel.violated(
                        f"{connection.process.title} opens {connection.path.name}, which {process.title} has open as {other.path.name}"
                    )

    def judge(self, killer: Process, victim: Process) -> None:
        """No process is ended by a runner that it does not belong to."""
        if not victim.owner & killer.owner:
            self.kernel.violated(f"{killer.title} ends {victim.title}, a stranger")

    def client(self, name: str, do: Callable[[], object], store: Path | None = None) -> Process:
        """Let a user's command run in a process of its own; what it is refused is said, and nothing more."""
        process = self.machine.process("client")
        process.title = f"{name} {process.pid}"

        def main() -> int:
            try:
                do()
            except (LrmError, FileNotFoundError) as error:
                self.say(f"refused: {error}")
            return 0

        process.begin(main)
        return process

    def launch(self, line: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a program by its command line."""
        kind = "worker" if "core.compress.worker" in line else "engine"
        if "core.runner" in line:
            return self._launch_core(list(line[line.index("core.runner") + 1 :]))
        starter = self.machine.here
        process = self.machine.process(kind, environment.get("LRM_RUN_ID", ""), starter.owner)
        out, err = Pipe(self.kernel), Pipe(self.kernel)
        program: Worker | Engine
        if kind == "worker":
            program = Worker(self.kernel, self.machine, process, out, self.mishaps, line)
        else:
            program = Engine(self.kernel, self.machine, process, out, self.mishaps)
        child = Child(self.machine, process, program, out, err)

        def end() -> None:
            out.end()
            err.end()

        process.on_end = end
        self._close_with(starter, child)
        return child

    def _close_with(self, starter: Process, child: Child) -> None:
        """The system closes the stdin of its children when a process ends."""
        before = starter.on_end

        def end() -> None:
            before()
            if child.stdin is not None:
                child.stdin.close()

        starter.on_end = end

    def _launch_core(self, arguments: list[str]) -> Child:
        parser = ArgumentParser()
        parser.add_argument("store", type=Path)
        for name in ("--handshake", "--supervisor", "--adopt"):
            parser.add_argument(name, type=int)
        parser.add_argument("--serve", action="store_true")
        given = parser.parse_args(arguments)
        kind = "runner" if given.serve else "supervisor"
        inode = given.store.stat().st_ino if given.store.exists() else 0
        process = self.machine.process(kind, owner=frozenset((str(given.store), inode)))
        self.say(f"starts {process.title} for {given.store}")
        if given.serve:
            process.begin(lambda: self._status(lambda: _serve(given.store, None, given.supervisor)))
        else:
            process.begin(lambda: self._status(lambda: Supervisor(given.store).run(None, given.adopt)))
        return Child(self.machine, process, None, Pipe(self.kernel), Pipe(self.kernel))

    def _status(self, run: Callable[[], int]) -> int:
        """The exit status of a program, as `core.runner.__main__` has it."""
        try:
            return run()
        except Exception as error:
            self.kernel.violated(f"the {self.machine.here.kind} ended by itself: {type(error).__name__}: {error}")
            return 1

    def start_runner(self, path: Path) -> int:
        """Stands for `client._start`: start a supervisor and wait until its runner serves, or has ended."""
        private_folder(work_folder(path))
        child = self._launch_core([*command(path.absolute())[4:]])
        end = self.kernel.now + START_S
        while self.kernel.now < end:
            self.kernel.sleep(0.3)
            current = client.status(path)
            if current.alive and current.pid:
                return child.pid
            if child.poll() is not None:
                break
        raise RunnerError("The runner did not start.")

    def close(self) -> None:
        """End what is left, so that no thread stays."""
        for process in list(self.machine.processes.values()):
            with suppress(Killed):
                self.machine.kill(process)


def _template(folder: Path) -> Path:
    """An empty store, made once."""
    template = folder / "empty.db"
    if not template.exists():
        connect(template, "user").close()
        shutil.rmtree(folder / ".lrm-tui", ignore_errors=True)
    return template
