"""The compression child, started as the runner starts it, on real files."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.compress.calibration import adopt
from core.compress.facts import facts
from tests.helpers import tiny

Message = dict[str, Any]


def arguments(
    model: Path, compression: str, form: str, out: Path, store: Path | None = None, *, stay: bool = False
) -> list[str]:
    found = ["--model", str(model), "--format", form, "--compression", compression, "--out-dir", str(out)]
    return [*found, *(["--store", str(store)] if store else []), *(["--stay"] if stay else [])]


def start(
    model: Path,
    compression: str,
    form: str,
    out: Path,
    preexec: Callable[[], None] | None = None,
    store: Path | None = None,
    *,
    stay: bool = False,
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "core.compress.worker"]
    return subprocess.Popen(
        [*command, *arguments(model, compression, form, out, store, stay=stay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=preexec,
    )


def run(
    model: Path,
    compression: str,
    form: str,
    out: Path,
    preexec: Callable[[], None] | None = None,
    store: Path | None = None,
) -> tuple[int, list[Message]]:
    with start(model, compression, form, out, preexec, store) as process:
        assert process.stdout is not None
        messages = [json.loads(line) for line in process.stdout]
    return process.returncode, messages


def test_prune_export_quantize_leaves_three_artifacts_that_are_reused(hf_model: Path, tmp_path: Path) -> None:
    code, messages = run(hf_model, "magnitude-50+q8_0", "gguf", tmp_path)
    assert code == 0
    artifact = messages[-1]
    assert artifact["type"] == "artifact"
    path = Path(artifact["path"])
    assert artifact["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert artifact["bytes"] == path.stat().st_size
    assert 8.5 <= artifact["bits_per_weight"] < 9
    assert artifact["sparsity"] == 0.5
    progress = [m["done"] / m["total"] for m in messages if m["type"] == "progress"]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    names = {file.name.split("-magnitude-50")[1] for file in tmp_path.iterdir()}
    assert names == {"", ".json", ".gguf", ".gguf.json", "+q8_0.gguf", "+q8_0.gguf.json"}

    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert run(hf_model, "magnitude-50+q8_0", "gguf", tmp_path)[1][-1] == artifact
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before

    path.write_bytes(path.read_bytes()[:-1] + b"?")
    again = run(hf_model, "magnitude-50+q8_0", "gguf", tmp_path)[1][-1]
    assert again["stamp"] != artifact["stamp"] and {**again, "stamp": ""} == {**artifact, "stamp": ""}
    assert artifact["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_is_copied_where_nothing_changes(hf_model: Path, gguf_model: Path, tmp_path: Path) -> None:
    for model, form in ((hf_model, "hf"), (gguf_model, "gguf")):
        code, messages = run(model, "none", form, tmp_path / "out")
        assert (code, messages[-1]["path"], messages[-1]["sparsity"]) == (0, str(model), 0.0)
        assert messages[-1]["bits_per_weight"] == pytest.approx(32.0 if form == "hf" else 16.0, abs=0.2)
        assert messages[-1]["parameters"] == facts(hf_model).parameters
    assert not (tmp_path / "out").exists()


def broken_folder(hf_model: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in hf_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_damaged_and_missing_models_fail_with_a_message(hf_model: Path, gguf_model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf_model.read_bytes()[:-1000])
    text = tmp_path / "text.gguf"
    text.write_text("no model")
    torn = broken_folder(hf_model, tmp_path / "torn")
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    pickled = broken_folder(hf_model, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    cases = [
        (cut, "none", "gguf", "truncated"),
        (text, "none", "gguf", "letters GGUF"),
        (tmp_path / "absent.gguf", "none", "gguf", "No such file"),
        (torn, "magnitude-50", "hf", "model.safetensors is damaged"),
        (pickled, "q4_0", "gguf", "pickle"),
        (tmp_path, "none", "hf", "no config.json"),
    ]
    for model, compression, form, message in cases:
        code, messages = run(model, compression, form, tmp_path / "out")
        failed = messages[-1]
        assert (code, failed["type"], failed["kind"]) == (1, "failed", "model"), failed
        assert message in failed["message"]
        assert failed["remedy"]
    assert not list((tmp_path / "out").glob("*"))


def test_a_way_that_does_not_exist_is_a_usage_error(gguf_model: Path, tmp_path: Path) -> None:
    code, messages = run(gguf_model, "q4_0", "gguf", tmp_path)
    assert (code, messages[-1]["kind"]) == (1, "usage")


@pytest.mark.parametrize(
    ("compression", "made_before"),
    [
        pytest.param("none", None, marks=pytest.mark.long),
        pytest.param("magnitude-50", None, marks=pytest.mark.long),
        ("q8_0", "none"),
    ],
)
def test_a_full_disk_is_said_and_leaves_nothing_half_made(
    hf_model: Path, tmp_path: Path, compression: str, made_before: str | None
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    if made_before:
        run(hf_model, made_before, "gguf", tmp_path)
    before = set(tmp_path.iterdir())
    code, messages = run(hf_model, compression, "gguf", tmp_path, limit)
    assert (code, messages[-1]["type"], messages[-1]["kind"]) == (1, "failed", "disk"), messages[-1]
    left = set(tmp_path.iterdir()) - before
    assert {path.name.split("-tiny")[0] for path in left} <= {".unfinished"}, "what looks whole must be whole"
    assert run(hf_model, compression, "gguf", tmp_path)[0] == 0
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=pytest.mark.long)])
def test_one_that_stays_makes_what_one_for_each_would(hf_model: Path, tmp_path: Path, count: int) -> None:
    (tmp_path / "text").write_text("The cat sat on the mat; 12 dogs were not there. " * 200)
    store = tmp_path / "runs.db"
    text = f"@{adopt(str(tmp_path / 'text'), store)}-4x64"
    recipes = [f"sparsegpt-50+q8_0{text}", f"iq2_xxs{text}", f"wanda-70{text}", "none", f"sparsegpt-30{text}"][:count]
    alone = [run(hf_model, recipe, "gguf", tmp_path / str(n), store=store)[1][-1] for n, recipe in enumerate(recipes)]
    assert {message["type"] for message in alone} == {"artifact"}
    with start(hf_model, recipes[0], "gguf", tmp_path / "out", store=store, stay=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        for recipe, expected in zip(recipes, alone, strict=True):
            if recipe != recipes[0]:
                order = arguments(hf_model, recipe, "gguf", tmp_path / "out", store, stay=True)
                worker.stdin.write((json.dumps(order) + "\n").encode())
                worker.stdin.flush()
            made = ended(worker)
            elsewhere = {"path": "", "stamp": ""}
            assert {**made, **elsewhere} == {**expected, **elsewhere}
        worker.stdin.write((json.dumps(arguments(tmp_path, "q8_0", "gguf", tmp_path / "out", stay=True)) + "\n").encode())
        worker.stdin.flush()
        assert (ended(worker)["kind"], worker.wait(10)) == ("model", 1), "a failure ends it"


def test_one_that_stays_with_nothing_to_do_ends_with_its_stdin(hf_model: Path, tmp_path: Path) -> None:
    with start(hf_model, "none", "hf", tmp_path / "out", stay=True) as worker:
        assert worker.stdin is not None
        assert ended(worker)["type"] == "artifact"
        assert worker.poll() is None
        worker.stdin.close()
        assert worker.wait(5) == 1


def ended(worker: subprocess.Popen[bytes]) -> Message:
    """The message with which a job ends."""
    assert worker.stdout is not None
    while (message := json.loads(worker.stdout.readline()))["type"] == "progress":
        pass
    assert isinstance(message, dict)
    return message


@pytest.mark.parametrize("word", [b"", pytest.param(b"cancel\n", marks=pytest.mark.long)])
def test_the_end_of_stdin_ends_the_work_which_can_go_on_unless_it_was_called_off(tmp_path: Path, word: bytes) -> None:
    folder = tiny.save_model(tmp_path / "big", hidden_size=512, intermediate_size=2048, num_hidden_layers=8)
    out = tmp_path / "out"
    process = start(folder, "magnitude-50", "hf", out)
    assert process.stdin is not None
    assert process.stdout is not None
    while b"pruned" not in process.stdout.readline():
        pass
    process.stdin.write(word)
    process.stdin.close()
    assert process.wait(5) == 1
    assert [path.name.split("-big")[0] for path in out.iterdir()] == ([] if word else [".unfinished"])
    messages = run(folder, "magnitude-50", "hf", out)[1]
    assert any("went on after layer 1" in m.get("message", "") for m in messages) == (not word)
    assert messages[-1]["sparsity"] == 0.5
    assert not list(out.glob(".*"))


def test_bad_weights_leave_nothing_and_say_which_layer(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny.save_model(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.gate_proj.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (tmp_path / "text").write_text("The cat sat on the mat. " * 400)
    text = adopt(str(tmp_path / "text"), tmp_path / "runs.db")
    code, messages = run(folder, f"sparsegpt-50@{text}-4x64", "hf", tmp_path / "out", store=tmp_path / "runs.db")
    assert (code, messages[-1]["kind"]) == (1, "compression"), messages[-1]
    assert "model.layers.1.mlp.gate_proj" in messages[-1]["message"]
    assert not list((tmp_path / "out").iterdir())


def test_a_chain_is_calibrated_on_a_text_and_its_steps_are_kept(hf_model: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("The cat sat on the mat; 12 dogs were not there. " * 200)
    store = tmp_path / "runs.db"
    text = adopt(str(tmp_path / "text"), store)
    name = f"sparsegpt-2:4+iq2_xxs@{text}-4x64"
    code, messages = run(hf_model, name, "gguf", tmp_path / "out", store=store)
    assert code == 0, messages[-1]
    assert messages[-1]["sparsity"] == 0.5
    assert any("will take" in m.get("message", "") for m in messages)
    progress = [m["done"] / m["total"] for m in messages if m["type"] == "progress"]
    assert progress == sorted(progress)
    kinds = sorted(path.name.split("-sparsegpt-2_4")[1] for path in (tmp_path / "out").iterdir())
    assert len(kinds) == 7, kinds  # three artifacts with their records, and the importance matrix


def test_no_text_to_calibrate_on_is_said_with_what_to_do(hf_model: Path, tmp_path: Path) -> None:
    code, messages = run(hf_model, "wanda-50@text-0123456789ab", "hf", tmp_path / "out", store=tmp_path / "runs.db")
    assert (code, messages[-1]["kind"]) == (1, "data")
    assert messages[-1]["remedy"]


def test_what_a_killed_worker_left_is_removed(hf_model: Path, tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    (tmp_path / f".partial-{gone.pid}-model.gguf").write_bytes(b"half")
    mine = tmp_path / f".partial-{os.getpid()}-model.gguf"
    mine.write_bytes(b"of a live process")
    assert run(hf_model, "none", "gguf", tmp_path)[0] == 0
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".partial")]
    assert left == [mine]
