"""Distillation: what is learned from, and that it is learned, with checkpoints and LoRA."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import torch

from benchmarks.prompts import load_template
from core.compress.calibration import load_tokenizer
from core.compress.distill import distill
from core.compress.distill.answers import sampled
from core.compress.distill.distill import distill_folder
from core.compress.hf_folder import HfFolder
from core.compress.recipes import Distillation
from core.errors import CompressionError, DataError
from core.store.connection import connect, opened
from tests.helpers import tiny

FIELDS = {"premises": "The cat sat on the mat.", "conclusion": "Who sat?"}
ANSWER = "the cat</think>\nThe cat sat on the mat."


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with run 1 (done), run 2 (under way) and answers of several kinds."""
    path = tmp_path / "runs.db"
    connection = connect(path, "user")
    connection.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'teacher', '/', 'hf', 'qwen2')")
    connection.execute("INSERT INTO artifacts (id, model_id, compression, format) VALUES (1, 1, 'none', 'hf')")
    connection.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    for run, state in ((1, "done"), (2, "running"), (3, "done")):
        connection.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
            "VALUES (?, 'run', ?, ?, 1, 'pocket-logic', 'transformers', '{}', 0)",
            (run, state, run),
        )
    add(connection, 1, "a", ANSWER, correct=1)
    add(connection, 1, "b", ANSWER.replace("\n", "\n "), correct=1)  # the same but for white space
    add(connection, 1, "c", "a dog", correct=0)
    add(connection, 1, "d", "cut off but right", correct=1, reason="length")
    add(connection, 1, "e", "em", em=1.0)
    add(connection, 1, "f", "half", em=0.0)
    add(connection, 1, "g", "not graded")
    add(connection, 3, "h", "wrong", correct=0)
    connection.close()
    return path


def add(
    connection: sqlite3.Connection,
    run: int,
    key: str,
    text: str,
    correct: int | None = None,
    em: float | None = None,
    reason: str = "stop",
) -> None:
    item = connection.execute(
        "INSERT INTO items (benchmark, key, revision, fields, gold) VALUES ('pocket-logic', ?, '', ?, '[]')",
        (key, json.dumps(FIELDS)),
    ).lastrowid
    response = connection.execute(
        "INSERT INTO responses (job_id, item_id, position, seed, state, finish_reason, correct, em) "
        "VALUES (?, ?, ?, 0, 'done', ?, ?, ?)",
        (run, item, ord(key), reason, correct, em),
    ).lastrowid
    connection.execute("INSERT INTO response_texts VALUES (?, 'as a server was asked', ?, NULL)", (response, text))


def test_only_correct_answers_that_ended_by_themselves_are_kept_and_each_once(store: Path) -> None:
    found = sampled(store, (1,))
    assert (found.finished, found.correct) == (7, 3)
    assert [answer.text for answer in found.answers] == [ANSWER, "em"]


def test_a_student_is_asked_in_the_wording_that_its_teacher_was_asked_in(store: Path) -> None:
    with opened(store, "user") as connection:
        connection.execute("UPDATE jobs SET prompt_version = 'v' WHERE id = 1")
        connection.execute("INSERT INTO prompts VALUES ('v', 'Kept: {conclusion}', 0)")
    answer = sampled(store, (1,)).answers[0]
    assert answer.question.startswith("Kept: ") and not answer.chat


@pytest.mark.parametrize(("run", "message"), [(2, "running"), (3, "None of the 1"), (9, "no run 9")])
def test_runs_that_teach_nothing_are_refused(store: Path, run: int, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        sampled(store, (run,))
    assert caught.value.remedy


def loss(folder: Path) -> float:
    """What the answer costs, in nats a token."""
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(folder)
    rows = distill._rows(sampled_answer(), tokenizer, 512)
    with torch.no_grad():
        batch = {name: torch.tensor([row]) for name, row in rows[0].items()}
        return float(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(**batch).loss)


def sampled_answer() -> tuple[distill.Answer, ...]:
    return (distill.Answer(load_template("folio").fill(FIELDS), True, ANSWER),)


@pytest.mark.parametrize("options", [{}, {"lora": 8}, {"packed": True}], ids=str)
def test_a_student_learns_what_the_teacher_wrote(store: Path, tmp_path: Path, options: dict[str, object]) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "student", dtype="bfloat16"))
    wanted = Distillation((1,), epochs=30, rate=0.01, batch=2, **options)  # type: ignore[arg-type]
    steps: list[tuple[int, int, str]] = []
    distill_folder(source, tmp_path / "out", wanted, store, lambda *step: steps.append(step))
    made = HfFolder.open(tmp_path / "out")
    assert {tensor.dtype for _, tensor in made.tensors()} == {torch.bfloat16}
    assert made.shapes() == source.shapes()
    assert made.config.use_cache, "the trainer turns it off"
    assert loss(tmp_path / "out") < 0.5 * loss(source.path)
    assert "loss" in steps[-1][2]
    assert json.loads((tmp_path / "out" / "compression.json").read_text())["correct"] == 3
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (source.path / "tokenizer.json").read_bytes()
    assert not (tmp_path / "out" / distill.CHECKPOINTS).exists()


def test_only_the_answer_counts_in_the_loss(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny.save_model(tmp_path / "model"))
    (row,) = distill._rows(sampled_answer(), tokenizer, 512)
    turn = [{"role": "user", "content": sampled_answer()[0].question}]
    asked = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert row["input_ids"][: len(asked)] == asked
    assert row["labels"][: len(asked)] == [-100] * len(asked)
    assert row["labels"][len(asked) :] == row["input_ids"][len(asked) :]
    assert row["labels"][-1] == tokenizer.eos_token_id
    with pytest.raises(DataError, match="context"):
        distill._rows(sampled_answer(), tokenizer, 10)


@pytest.mark.parametrize("text", [f" {ANSWER}", f"<think>\n {ANSWER}", f"\n<think>\n {ANSWER}"])
@pytest.mark.parametrize("prompt", ["<|assistant|>", "<|assistant|><think>\n"])
def test_thinking_is_opened_once_whoever_opened_it_for_the_teacher(text: str, prompt: str) -> None:
    """The space with which the teacher began stays: to a small vocabulary it is another word without it."""
    whole = prompt + distill._opened(text, prompt)
    assert whole.replace("\n<think>", "<think>") == f"<|assistant|><think>\n {ANSWER}"


def test_a_teacher_of_another_family_is_written_with_the_students_marks() -> None:
    for text in ("[THINK]6 x 7[/THINK]\n\n42", "<|START_THINKING|>6 x 7<|END_THINKING|>\n\n42<|END_RESPONSE|>"):
        assert distill._opened(text, "<|assistant|>") == "<think>\n6 x 7\n</think>\n\n42"
        assert distill._opened(text, "<|assistant|><think>\n") == "6 x 7\n</think>\n\n42"


def test_an_answer_without_thinking_stays_as_it_is() -> None:
    assert distill._opened("Paris", "<|assistant|>") == "Paris"
    assert distill._opened(" Paris", "<|assistant|><think>\n") == " Paris"


@pytest.mark.parametrize("batch", [1, 6, 12, 16, 7])
def test_a_batch_has_the_size_that_was_asked_for(tmp_path: Path, batch: int) -> None:
    settings = distill._settings(Distillation((1,), batch=batch), tmp_path, 100, 512)
    assert settings.per_device_train_batch_size * settings.gradient_accumulation_steps == batch


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_at_its_checkpoint_to_the_same_weights(store: Path, tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "student", dtype="float32"))
    wanted = Distillation((1,), epochs=20, rate=0.01, batch=1)
    distill_folder(source, tmp_path / "whole", wanted, store, lambda *_step: None)

    def kill(done: int, _total: int, _message: str) -> None:
        if done > 25:
            raise Killed

    with pytest.raises(Killed):
        distill_folder(source, tmp_path / "killed", wanted, store, kill)
    steps: list[int] = []
    distill_folder(source, tmp_path / "killed", wanted, store, lambda done, _t, _m: steps.append(done))
    assert min(step for step in steps if step) > 20
    whole, killed = dict(HfFolder.open(tmp_path / "whole").tensors()), dict(HfFolder.open(tmp_path / "killed").tensors())
    assert all(torch.allclose(whole[name], killed[name], atol=1e-5) for name in whole)


def test_a_rate_that_breaks_the_weights_is_an_error(store: Path, tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "student", dtype="float32")
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CompressionError, match="loss is nan"):
        distill_folder(HfFolder.open(folder), tmp_path / "out", Distillation((1,)), store, lambda *_step: None)
