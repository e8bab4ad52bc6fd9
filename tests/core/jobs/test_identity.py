"""Names and rows of models: what is told apart, what is the same, and how each is called."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import UsageError
from core.files.content import stamp
from core.jobs import queue
from core.jobs.models import resolve
from core.spec import RunSpec, Sampling, TemplateOptions
from core.store.connection import connect
from core.store.joins import JOBS, VARIANT

TEMPLATE = RunSpec("", "none", "pocket-facts", "transformers", Sampling(max_tokens=8), limit=1)


@pytest.fixture
def store(tmp_path: Path) -> sqlite3.Connection:
    return connect(tmp_path / "runs.db", "user")


def checkpoint(folder: Path, weights: bytes = b"w") -> Path:
    """A folder with the files of a checkpoint."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def added(store: sqlite3.Connection, model: Path | str, **changes: object) -> str:
    """The name of the variant that a run of a model is about."""
    (job,) = queue.add(store, [replace(TEMPLATE, model=str(model), **changes)])  # type: ignore[arg-type]
    return str(store.execute(f"SELECT {VARIANT} FROM {JOBS} WHERE j.id = ?", (job,)).fetchone()[0])


def test_two_folders_of_one_name_are_two_models(store: sqlite3.Connection, tmp_path: Path) -> None:
    a, b = checkpoint(tmp_path / "a" / "checkpoint-1000"), checkpoint(tmp_path / "b" / "checkpoint-1000")
    c = checkpoint(tmp_path / "c" / "b" / "checkpoint-1000")
    assert added(store, a) == "checkpoint-1000 none" == added(store, a)
    assert added(store, b) == "b/checkpoint-1000 none" == added(store, b)
    assert added(store, c) == "c/b/checkpoint-1000 none"
    assert [store.execute("SELECT count(*) FROM models").fetchone()[0]] == [3]


def test_a_folder_and_a_file_of_one_stem_are_two_models(store: sqlite3.Connection, tmp_path: Path) -> None:
    folder, file = checkpoint(tmp_path / "R1-Q"), tmp_path / "R1-Q.gguf"
    file.write_bytes(b"GGUF")
    assert added(store, folder) == "R1-Q none"
    assert added(store, file, engine="llama.cpp") == "R1-Q.gguf none"


def test_two_routes_of_a_server_are_two_models(store: sqlite3.Connection) -> None:
    names = [added(store, f"openai:http://host:1/{route}#m") for route in ("a", "b", "a")]
    assert names == ["m@host:1 none", "m@host:1/b none", "m@host:1 none"]
    paths = [row[0] for row in store.execute("SELECT path FROM artifacts ORDER BY id")]
    assert paths == ["http://host:1/a#m", "http://host:1/b#m"]


def test_a_name_is_given_once(store: sqlite3.Connection, tmp_path: Path) -> None:
    a, b = checkpoint(tmp_path / "a" / "x"), checkpoint(tmp_path / "b" / "x")
    assert added(store, a, name="first") == "first none" == added(store, a)
    with pytest.raises(UsageError, match=r"Another model of this store is called 'first': .*/a/x"):
        added(store, b, name="first")
    assert added(store, a, name="better") == "better none", "the same model under a new name"
    assert added(store, b) == "x none"


def test_a_moved_folder_is_the_same_model(store: sqlite3.Connection, tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a" / "x")
    assert added(store, a, name="mine") == "mine none"
    store.execute("UPDATE models SET stamp = ?, sha256 = 'h'", (stamp(a),))
    (tmp_path / "b").mkdir()
    assert added(store, a.rename(tmp_path / "b" / "x")) == "mine none"


def test_what_a_run_sets_makes_a_variant(store: sqlite3.Connection, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "x")
    file = tmp_path / "y.gguf"
    file.write_bytes(b"GGUF")
    llama = {"engine": "llama.cpp"}
    assert added(store, file, kv_type="q8_0", **llama) == "y kv-q8_0 none"
    assert added(store, file, kv_type="f16", **llama) == "y none" == added(store, file, **llama)
    rows = store.execute("SELECT count(DISTINCT v.artifact_id), count(DISTINCT v.id) FROM variants v").fetchone()
    assert tuple(rows) == (1, 2)
    with pytest.raises(UsageError, match="KV cache"):
        added(store, folder, kv_type="q8_0")
    job = store.execute("SELECT max(id) FROM jobs").fetchone()[0]
    store.execute("UPDATE variants SET thinking = 'off', effort = 'low', budget = 9, arguments = '{\"a\": 1}'")
    assert queue.spec_of(store, job).template_options == TemplateOptions("off", "low", 9, {"a": 1})
    suffixes = {row[0] for row in store.execute("SELECT suffix FROM variants")}
    assert suffixes == {' no-thinking effort-low budget-9 {"a": 1} kv-q8_0', ' no-thinking effort-low budget-9 {"a": 1}'}


def test_a_snapshot_of_the_hub_has_its_repository_and_revision(store: sqlite3.Connection, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--deepseek-ai--R1-Distill"
    blobs = checkpoint(cache / "blobs")
    for revision in ("0123456789abcdef", "fedcba9876543210"):
        snapshot = cache / "snapshots" / revision
        snapshot.mkdir(parents=True)
        for file in blobs.iterdir():
            (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("fedcba9876543210\n")
    first = cache / "snapshots" / "0123456789abcdef"
    assert added(store, first) == "deepseek-ai/R1-Distill none"
    assert added(store, cache) == "deepseek-ai/R1-Distill@fedcba98 none", "the repository's folder is its main snapshot"
    assert [row[0] for row in store.execute("SELECT revision FROM models")] == ["0123456789abcdef", "fedcba9876543210"]


def test_a_linked_part_of_a_split_file_keeps_its_name(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--unsloth--R1-GGUF"
    (cache / "blobs").mkdir(parents=True)
    snapshot = cache / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    for number in (1, 2):
        (cache / "blobs" / str(number)).write_bytes(b"GGUF")
        (snapshot / f"R1-IQ1_S-0000{number}-of-00002.gguf").symlink_to(cache / "blobs" / str(number))
    model = resolve(str(snapshot / "R1-IQ1_S-00001-of-00002.gguf"))
    assert (model.name, model.revision) == ("unsloth/R1-GGUF/R1-IQ1_S", "0123")
    assert Path(model.source).name == "R1-IQ1_S-00001-of-00002.gguf"
    assert [name for name, *_ in json.loads(stamp(Path(model.source)))] == [
        "R1-IQ1_S-00001-of-00002.gguf", "R1-IQ1_S-00002-of-00002.gguf"
    ]  # fmt: skip
