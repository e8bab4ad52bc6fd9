"""What a run asks, kept with it when it is first planned: its questions as rows of `items`, its wording as one of `prompts`.

Both are stored once for all runs that ask the same. A later attempt asks what was kept, whatever the files hold by then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.base import Item
from benchmarks.prompts import PromptTemplate


@dataclass(frozen=True, slots=True)
class Questions:
    """What a run asks for the first time: the items of one version of a benchmark, and the seeds of each one's samples."""

    benchmark: str
    version: str
    items: Sequence[Item]
    seeds: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a run: whether it was `planned`, and whether a question was `asked`.

    `template` is None where it was planned by a version that kept no wording; `prompt_version` is then all that is known of it.
    """

    planned: bool
    asked: bool
    prompt_version: str | None
    template: PromptTemplate | None


def kept(connection: sqlite3.Connection, run: int) -> Kept:
    """What is kept of a run's inputs."""
    row = connection.execute(_KEPT, (run,)).fetchone()
    template = None if row["text"] is None or not row["planned"] else PromptTemplate(row["text"], bool(row["chat"]))
    return Kept(bool(row["planned"]), bool(row["asked"]), row["prompt_version"], template)


def keep_template(connection: sqlite3.Connection, template: PromptTemplate) -> None:
    """Keep a wording, once."""
    connection.execute(
        "INSERT OR IGNORE INTO prompts (version, text, chat) VALUES (?, ?, ?)", (template.version, template.text, template.chat)
    )


_KEPT = """
SELECT j.prompt_version, p.text, p.chat, EXISTS (SELECT 1 FROM responses WHERE job_id = j.id) AS planned, EXISTS (
    SELECT 1 FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.job_id = j.id) AS asked
FROM jobs j LEFT JOIN prompts p ON p.version = j.prompt_version WHERE j.id = ?
"""
