"""What was acknowledged: read after each commit, and looked for ever after."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from core.store.connection import SCHEMA_VERSION
from tests.simulator.engine import is_answer

Facts = tuple[object, ...]
_DONE = """
SELECT r.id, r.job_id, i.key, r.sample, r.seed, r.finish_reason, r.finished, t.text, t.prompt, j.id
FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id
LEFT JOIN response_texts t ON t.response_id = r.id WHERE r.state = 'done'
"""
_JOBS = """
SELECT id, kind, benchmark, engine, seed, item_limit, samples, sampling, data_folder, prompts_file, state, attempts,
       (SELECT count(*) FROM starts s WHERE s.job_id = jobs.id), CASE WHEN remedy LIKE '%a defect%' THEN error END FROM jobs
"""
_MIXED = """
SELECT r.job_id, count(DISTINCT substr(i.fields, instr(i.fields, 'wording'), 10)), count(DISTINCT substr(t.prompt, 1, 3)),
       count(*), max(coalesce(j.item_limit, 1000) * j.samples), max(substr(i.fields, instr(i.fields, 'wording'), 10)),
       max(j.benchmark_version), max(substr(t.prompt, 1, 3)), max(substr(p.text, 1, 3))
FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id LEFT JOIN prompts p ON p.version = j.prompt_version
LEFT JOIN response_texts t ON t.response_id = r.id AND t.text <> '' GROUP BY r.job_id
"""
_SURE = "SELECT id, weights_sha256 FROM jobs WHERE kind = 'run' AND state = 'done' AND doubt IS NULL"
_LETTER = re.compile(r"([a-z])\d")


class Ledger:
    """The acknowledged content of one store, wherever it lies. `weights`: the letter of each hash of weights."""

    def __init__(self, violated: Callable[[str], None], weights: Mapping[str, str]) -> None:
        self._violated, self._weights = violated, weights
        self.jobs: dict[int, Facts] = {}
        self.responses: dict[int, Facts] = {}
        self.states: dict[int, str] = {}  # of jobs
        self.changed_at = 0.0

    def copy(self) -> Ledger:
        """That of a copy of the store."""
        other = Ledger(self._violated, self._weights)
        other.jobs, other.responses, other.states = dict(self.jobs), dict(self.responses), dict(self.states)
        return other

    def read(self, connection: sqlite3.Connection, where: str) -> None:
        """Compare a store with what it must hold, and note what is new in it."""
        run = sqlite3.Connection.execute  # not the simulated disk's
        if run(connection, "PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:  # it is being made
            self._compare({}, {}, where)
            return
        rows = [tuple(row) for row in run(connection, _JOBS)]
        jobs = {row[0]: row[:10] for row in rows}
        done = {row[0]: tuple(row)[:9] for row in run(connection, _DONE)}
        self._unmixed(connection, done, where)
        self._compare(jobs, done, where)
        for number, *_, attempts, starts, defect in rows:
            if attempts != starts:
                self._violated(f"{where}: job {number} has {attempts} attempts and {starts} starts")
            if defect is not None:
                self._violated(f"{where}: job {number} failed as a defect: {defect}")
        self.jobs, self.responses, self.states = jobs, done, {row[0]: row[10] for row in rows}

    @property
    def busy(self) -> bool:
        """Whether a job waits or runs."""
        return any(state in ("queued", "running") for state in self.states.values())

    def _compare(self, jobs: dict[int, Facts], done: dict[int, Facts], where: str) -> None:
        for kind, known, found in (("job", self.jobs, jobs), ("finished response", self.responses, done)):
            if lost := [number for number in known if number not in found]:
                self._violated(f"{where}: {len(lost)} of {len(known)} acknowledged {kind}s are gone")
            elif changed := [number for number in known if known[number] != found[number]]:
                number = changed[0]
                self._violated(f"{where}: {kind} {number} has changed from {known[number]} to {found[number]}")
        for number, facts in done.items():
            if number not in self.responses:
                self._check(number, facts, where)

    def _check(self, number: int, facts: Facts, where: str) -> None:
        """A finished response is, token by token, what its engines said."""
        reason, text, prompt, seed = facts[5], str(facts[7]), str(facts[8]), facts[4]
        assert isinstance(seed, int)
        if reason == "stop" and not is_answer(text, prompt, seed, set(self._weights.values())):
            self._violated(f"{where}: response {number} is not what its engine said: {text!r}")

    def _unmixed(self, connection: sqlite3.Connection, done: Mapping[int, Facts], where: str) -> None:
        """The responses of a run come from one wording, whose version it names, and without a doubt from the weights of its hash."""
        run = sqlite3.Connection.execute
        named: dict[str, str] = {}
        for job, wordings, prompts, count, most, wording, version, prompt, kept in run(connection, _MIXED):
            if count > most:
                self._violated(f"{where}: run {job} has {count} responses of {most}")
            if max(wordings, prompts) > 1:
                self._violated(f"{where}: run {job} mixes {wordings} versions of its questions, {prompts} of its prompt")
            if named.setdefault(version, wording) != wording:
                self._violated(f"{where}: run {job} asks {wording} under the version of {named[version]}")
            if prompt not in (None, kept):
                self._violated(f"{where}: run {job} asks {prompt} under the version of {kept}")
        for job, sha256 in run(connection, _SURE):
            letters = {letter for facts in done.values() if facts[1] == job for letter in _LETTER.findall(str(facts[7]))}
            if letters - {self._weights.get(sha256)}:
                found = ", ".join(sorted(letters))
                self._violated(f"{where}: run {job} is of the weights {found} under the hash of {self._weights.get(sha256)}")

    def check_copy(self, path: Path, scratch: Path, where: str) -> None:
        """Compare what a file holds with what it must hold, as one would find it who opens it now."""
        copy = copied(path, scratch / "copy.db")
        try:
            with closing(sqlite3.connect(copy)) as connection:
                problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
                if problem != "ok":
                    self._violated(f"{where}: the store is damaged: {problem}")
                    return
                self.copy().read(connection, where)
        except sqlite3.DatabaseError as error:
            self._violated(f"{where}: the store is damaged: {error}")


def copied(path: Path, copy: Path) -> Path:
    """A copy of a store and its log."""
    for end in ("", "-wal", "-shm"):
        Path(f"{copy}{end}").unlink(missing_ok=True)
    for end in ("", "-wal"):
        if (file := Path(f"{path}{end}")).exists():
            shutil.copyfile(file, f"{copy}{end}")
    return copy
