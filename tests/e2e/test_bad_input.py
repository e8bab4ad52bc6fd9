"""Models that cannot be run: each fails its own run with one clear error, and the queue goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from benchmarks.pocket import weights_dir
from core.compress.gguf.export import export_folder
from core.compress.hf_folder import HfFolder
from core.errors import LrmError
from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec
from core.store.connection import connect
from tests.helpers.runs import ended, queued, spec

CODE = """
import pathlib
from transformers import Qwen2Config, Qwen2ForCausalLM

pathlib.Path({mark!r}).touch()

class C(Qwen2Config):
    model_type = "mine"

class M(Qwen2ForCausalLM):
    config_class = C
"""


def copied(target: Path, **config: object) -> Path:
    shutil.copytree(weights_dir(), target)
    path = target / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return target


def exported(folder: Path) -> Path:
    target = folder.with_suffix(".gguf")
    export_folder(HfFolder.open(folder), target, lambda done, total, message: None)
    return target


def corpus(folder: Path) -> dict[RunSpec, str]:
    """Runs that cannot be, and what their errors must say."""
    good = exported(copied(folder / "good"))
    missing = folder / "missing.gguf"
    shutil.copy(good, missing)
    torn = folder / "torn.gguf"
    torn.write_bytes(good.read_bytes()[:-70_000])
    writer = gguf.GGUFWriter(folder / "odd.gguf", "no-such-architecture")
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    pickled = copied(folder / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    evil = copied(folder / "evil")
    (evil / "chat_template.jinja").write_text("{{ cycler.__init__.__globals__.os.system('touch ' ~ 'evil-ran') }}")
    endless = copied(folder / "endless")
    (endless / "chat_template.jinja").write_text(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    )
    runs = {
        spec(str(missing), limit=2): "missing.gguf",
        spec(str(torn), limit=2): "truncated",
        spec(str(folder / "odd.gguf"), limit=2): "no-such-architecture",
        replace(spec(str(pickled), limit=2), engine="transformers"): "pickle",
        spec(str(exported(evil)), limit=2): "SecurityError",
        replace(spec(str(endless), limit=2), engine="transformers"): "takes too long",
    }
    return runs


def test_every_bad_model_fails_its_own_run_and_the_queue_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad = corpus(tmp_path)
    path = tmp_path / "runs.db"
    writer = connect(path, "user")
    queued_ones, refused = {}, 0
    for one, says in bad.items():
        try:
            (job,) = queue.add(writer, [one])
            queued_ones[job] = says
        except LrmError as error:  # what can be seen without loading is refused at once
            assert error.remedy and "Traceback" not in error.message, error
            refused += 1
    (last,) = queue.add(writer, [spec(limit=2)])
    writer.close()
    assert refused and queued_ones
    (tmp_path / "missing.gguf").unlink()
    ensure_runner(path)
    store = connect(path, "reader")
    try:
        for job, says in queued_ones.items():
            row = ended(store, job)
            assert row["state"] == "failed", says
            assert says in row["error"], row["error"]
            assert row["remedy"] and "Traceback" not in row["error"] and "defect" not in row["remedy"]
        assert ended(store, last)["state"] == "done"
        sql = "SELECT count(*) FROM notices WHERE level = 'error' AND job_id = ?"
        assert all(store.execute(sql, (job,)).fetchone()[0] <= 1 for job in queued_ones)
    finally:
        store.close()
        stop_runner(path)
    assert not list(tmp_path.rglob("evil-ran")) and not Path("/evil-ran").exists()


def test_code_of_a_model_runs_only_when_the_user_trusts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.toml"
    monkeypatch.setenv("LRM_SETTINGS", str(settings))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    mark = tmp_path / "ran"
    auto = {"AutoConfig": "m.C", "AutoModelForCausalLM": "m.M"}
    coded = copied(tmp_path / "coded", model_type="mine", architectures=["M"], auto_map=auto)
    (coded / "m.py").write_text(CODE.format(mark=str(mark)))
    run = replace(spec(str(coded), limit=2), engine="transformers")
    with queued(tmp_path, run) as (store, (job,)):
        row = ended(store, job)
        assert row["state"] == "failed" and not mark.exists(), row["error"]
        assert "trusted_models" in f"{row['error']} {row['remedy']}"
        settings.write_text(f"trusted_models = [{json.dumps(str(coded))}]\n")
        writer = connect(tmp_path / "runs.db", "user")
        queue.requeue(writer, job)
        writer.close()
        done = ended(store, job)
        assert done["state"] == "done", done["error"]
        assert mark.exists()
