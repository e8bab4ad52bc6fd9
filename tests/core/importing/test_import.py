"""Imports through the command, over a small data folder of real formats; then the published outputs."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cli
from core.results.tables.audit import Audit
from core.store.connection import connect
from core.store.joins import VARIANT_OF_JOB
from tests.helpers.book import Counted

DAYS = [
    "Susan woke at 5am.\nOptions:\n(A) 6pm to 9pm\n(B) 7am to 11am",
    "Tom woke at 6am.\nOptions:\n(A) 1pm to 2pm\n(B) 2pm to 3pm",
]
LOOP = "But wait, maybe I should check the option once more. " * 400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    problems = [{"ID": f"2024-I-{n}", "Problem": f"Find the number {n} of things.", "Answer": n} for n in range(3)]
    (data / "aime2024.jsonl").write_text("\n".join(map(json.dumps, problems)), encoding="utf-8")
    examples = [{"input": day, "target": target} for day, target in zip(DAYS, ("(A)", "(B)"), strict=True)]
    (data / "temporal_sequences.json").write_text(json.dumps({"examples": examples}), encoding="utf-8")
    monkeypatch.setenv("LRM_DATA", str(data))
    monkeypatch.setenv("LRM_DB", str(tmp_path / "runs.db"))
    return tmp_path


def lrm(*arguments: str | Path) -> int:
    return cli.main([str(a) for a in arguments])


def rows(folder: Path, *parts: dict[str, Any] | str) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(p if isinstance(p, str) else json.dumps(p) for p in parts) + "\n", encoding="utf-8")
    return path


def row(item: int | str, output: str, **more: Any) -> dict[str, Any]:
    return {"model": "R1-8B", "benchmark": "aime", "item": item, "output": output, **more}


def stored(folder: Path, columns: str = "i.key, r.sample, r.finish_reason, r.correct") -> list[tuple[Any, ...]]:
    connection = connect(folder / "runs.db", "reader")
    sql = f"SELECT {columns} FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id "
    found = [tuple(r) for r in connection.execute(sql + f"{VARIANT_OF_JOB} ORDER BY r.id")]
    connection.close()
    return found


def test_rows_are_graded_and_scanned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rows(
        folder,
        row(0, "I think.</think>The answer is 0."),
        row("2024-I-1", "\\boxed{7}", finish_reason="max_tokens"),
        row(2, LOOP, compression="sparsegpt-50", parameters="8B"),
        row(2, LOOP + "</think>The answer is 2.", compression="sparsegpt-50"),
    )
    assert lrm("import", path) == 0
    assert stored(folder) == [
        ("2024-I-0", 0, "stop", 1),
        ("2024-I-1", 0, "length", 0),
        ("2024-I-2", 0, "length", 0),
        ("2024-I-2", 1, "stop", 1),
    ]
    assert (
        stored(folder, "a.compression, a.sparsity, a.parameters, r.collapsed")[2:] == [("sparsegpt-50", 0.5, 8 * 10**9, 1)] * 2
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["#1 R1-8B none on aime: 2 outputs", "#2 R1-8B sparsegpt-50 on aime: 2 outputs to 1 questions"]


def test_the_same_outputs_come_once_whatever_file_holds_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rows(folder, row(0, "0"), row(1, "1"))
    copy = folder / "copy.jsonl.gz"
    copy.write_bytes(gzip.compress(path.read_bytes()))
    for given in (path, path, copy):
        assert lrm("import", given) == 0
    assert len(stored(folder)) == 2
    assert capsys.readouterr().out.count("were there already") == 2


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{oops", "line 2: not JSON"),
        ("[1]", "line 2: not a JSON object"),
        (row(99, "x"), "line 2: aime has rows 0 to 2, not 99"),
        (row("2023-I-1", "x"), "line 2: aime has no question '2023-I-1'"),
        (row(0, "x", finish_reason="tired"), "line 2: 'tired' is no finish reason"),
        (row(0, "x", parameters="many"), "line 2: 'many' is no number of parameters"),
        (row(0, "x", benchmark="aime25"), "line 2: there is no benchmark 'aime25'"),
        ({"model": "m", "benchmark": "aime", "item": 0}, "line 2: `output` must be text"),
        (row(True, "x"), "line 2: `item` must be a row number"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_imported(
    folder: Path, capsys: pytest.CaptureFixture[str], broken: Any, said: str
) -> None:
    first = rows(folder, row(0, "0"))
    lrm("import", first)
    assert cli.main(["import", str(rows(folder, row(1, "1"), broken))]) == 1
    assert said in capsys.readouterr().err
    assert len(stored(folder)) == 1


def test_a_folder_of_numbered_texts(folder: Path) -> None:
    for name, text in {"AIME_2024/0.txt": "0", "AIME_2024/10.md": "", "temporal_sequences/1.txt": "The answer is (B)."}.items():
        (folder / "R1-8B" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "R1-8B" / name).write_text(text, encoding="utf-8")
    given = ("--compression", "awq-4bit", "--parameters", "8B", "--bits-per-weight", "4.25")
    assert lrm("import", folder / "R1-8B", *given) == 0
    assert stored(folder, "j.benchmark, i.key, a.compression, a.parameters, a.bits_per_weight, r.correct") == [
        ("aime", "2024-I-0", "awq-4bit", 8 * 10**9, 4.25, 1),
        ("temporal", "1", "awq-4bit", 8 * 10**9, 4.25, 1),
    ]
    assert lrm("import", folder / "R1-8B", "--bits-per-weight", "400") != 0


def test_sample_logs_of_lm_evaluation_harness(folder: Path) -> None:
    logs = folder / "org__R1-8B"
    logs.mkdir()
    time = "2026-01-02T03-04-05.678901"
    doc = {"doc_id": 0, "doc": {"Problem": "Find the  number 1 of things."}, "resps": [["It is 1.", "\\boxed{2}"]]}
    lines = [{**doc, "filter": "none"}, {**doc, "filter": "flexible"}]
    (logs / f"samples_aime24_{time}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    (logs / f"results_{time}.json").write_text(json.dumps({"model_name": "org/R1-Distill-8B"}), encoding="utf-8")
    assert lrm("import", logs) == 0
    assert stored(folder) == [("2024-I-1", 0, "stop", 1), ("2024-I-1", 1, "stop", 0)]
    assert connect(folder / "runs.db", "reader").execute("SELECT name FROM models").fetchone()[0] == "R1-Distill-8B"


@pytest.mark.parametrize("kind", ["json", "eval"])
def test_logs_of_inspect(folder: Path, kind: str) -> None:
    content = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "The answer is (A)."}]
    samples = [
        {"id": 1, "epoch": 1, "input": f"Answer.\n{DAYS[0]}", "output": {"choices": [{"message": {"content": content}}]}},
        {
            **{"id": 2, "epoch": 1, "input": [{"role": "user", "content": DAYS[1].replace("\n", " ")}]},
            "output": {"choices": [{"message": {"content": "</think>(B)"}, "stop_reason": "max_tokens"}]},
        },
    ]
    about = {"task": "suite/bbh_temporal_sequences", "model": "hf/org/R1-8B"}
    path = folder / f"log.{kind}"
    if kind == "json":
        path.write_text(json.dumps({"version": 2, "eval": about, "samples": samples}), encoding="utf-8")
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", json.dumps({"eval": about}))
            for sample in samples:
                archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
    assert lrm("import", path) == 0
    assert stored(folder) == [("0", 0, "stop", 1), ("1", 0, "length", 0)], "the last line of a cut answer never counts"
    assert stored(folder, "r.thinking_words, r.answer_words") == [(1, 4), (0, 1)]


def test_other_peoples_files_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.json").write_text("{}", encoding="utf-8")
    (folder / "x.eval").write_bytes(b"PK")
    (folder / "empty").mkdir()
    (folder / "half.jsonl.gz").write_bytes(gzip.compress(b"{}" * 999)[:20])
    for name, said in (
        ("x.json", "no log of Inspect"),
        ("x.eval", "no finished log"),
        ("empty", "holds no outputs"),
        ("half.jsonl.gz", "cannot be read"),
        ("nowhere", "There is no"),
    ):
        assert lrm("import", folder / name) != 0
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"item": ' + b"9" * 5000 + b"}", "line 1: not JSON"),
        (json.dumps(row(10**30, "x")).encode(), "line 1: `item` must be a row number"),
        (json.dumps(row(0, "x", parameters="9" * 400)).encode(), "line 1: '999"),
        (b"[" * 200_000, "line 1: not JSON"),
        (json.dumps(row(0, "x", bits_per_weight=[])).encode(), "line 1: `bits_per_weight` must be a number"),
        (b"\xff", "line 1: not UTF-8"),
        (b'{"doc_id": 0, "resps": [["' + b"x" * 70 * 2**20, "line 1: longer than 64 MiB"),
    ],
    ids=range(7),
)
def test_every_refusal_names_its_line(folder: Path, capsys: pytest.CaptureFixture[str], line: bytes, said: str) -> None:
    for name in ("rows.jsonl", "rows.jsonl.gz"):
        (folder / name).write_bytes(gzip.compress(line, 1) if name.endswith(".gz") else line)
        assert lrm("import", folder / name) == 1
        error = capsys.readouterr().err
        assert f"{name}, {said}" in error and len(error) < 1000


@pytest.mark.parametrize(
    "line",
    [b"5", b"[]", b'{"resps": 5, "doc_id": 0}', b'{"resps": [["x"]], "doc_id": []}', b'{"resps": [[5]], "doc_id": 0}', b"{}"],
)
def test_an_odd_sample_of_a_harness_names_its_line(folder: Path, capsys: pytest.CaptureFixture[str], line: bytes) -> None:
    path = folder / "samples_aime_2024-05-05T00-00-00.jsonl"
    path.write_bytes(b'{"resps": [["x"]], "doc_id": 0}\n' + line + b"\n")
    assert lrm("import", path) == 1
    assert f"{path}, line 2: " in capsys.readouterr().err


@pytest.mark.parametrize("content", [5, [5], [{"type": "text", "text": 5}], None, {}])
def test_an_odd_sample_of_inspect_is_named(folder: Path, capsys: pytest.CaptureFixture[str], content: Any) -> None:
    sample = {"id": 0, "input": "?", "output": {"choices": [{"message": {"content": content}}]}}
    path = folder / "log.json"
    path.write_text(json.dumps({"eval": {"model": "m", "task": "aime"}, "samples": [sample]}), encoding="utf-8")
    assert lrm("import", path) == 1
    assert f"{path}, sample 1: " in capsys.readouterr().err


def test_links_to_a_folder_add_nothing(folder: Path) -> None:
    logs = folder / "logs"
    logs.mkdir()
    (logs / "rows.jsonl").write_text(json.dumps(row(0, "0")), encoding="utf-8")
    (logs / "a").symlink_to(".")
    (logs / "same.jsonl").hardlink_to(logs / "rows.jsonl")
    assert lrm("import", logs) == 0
    assert len(stored(folder)) == 1


def test_pipes_and_devices_are_refused_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0.txt", "rows.jsonl", "log.json", "log.eval"):
        inner = folder / name.replace(".", "-") / "aime"
        inner.mkdir(parents=True)
        os.mkfifo(inner / name)
        assert lrm("import", inner) == 1
        assert f"{inner / name} is no regular file" in capsys.readouterr().err
        (inner / name).unlink()
        (inner / name).symlink_to("/dev/zero")
        assert lrm("import", inner) == 1
        assert "is no regular file" in capsys.readouterr().err


def test_bombs_are_refused_before_they_fill_the_memory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = folder / "aime"
    inner.mkdir()
    for name in ("sparse.jsonl", "aime/0.txt"):
        with (folder / name).open("wb") as sparse:
            sparse.truncate(20 * 2**30)
    with zipfile.ZipFile(folder / "bomb.eval", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as log:
        log.writestr("header.json", b" " * 70 * 2**20)
    for path, said in (("sparse.jsonl", "line 1: longer"), ("aime", "0.txt: longer"), ("bomb.eval", "header.json: longer")):
        tracemalloc.start()
        assert lrm("import", folder / path) == 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert said in capsys.readouterr().err
        assert peak < 300 * 2**20


def test_an_import_is_not_pooled_with_what_was_measured(folder: Path) -> None:
    from core.results.tables.scores import scores_rows
    from tests.helpers.book import Book, graded

    lrm("import", rows(folder, row(0, "0")))
    book = Book(folder / "runs.db")
    book.run(book.variant("none", model="R1-8B"), "aime", graded(1, 3))
    found = {row["origin"]: row for row in scores_rows(book.reader)}
    assert found["imported"]["benchmarks"]["aime"]["n"] == 1
    assert found["measured"]["benchmarks"]["aime"]["n"] == 3
    assert found["imported"]["label"] == "R1-8B none (imported)"


def test_hostile_outputs_are_stored(folder: Path) -> None:
    path = rows(folder, '{"model": "m", "benchmark": "aime", "item": 0, "output": "half \\ud83d a \\u0000 pair"}', row(1, ""))
    assert lrm("import", path) == 0
    assert [r[2] for r in stored(folder)] == ["stop", "stop"]
    names = row(1, "x", prompt="half \ud83d", compression="a\udc00b")
    assert lrm("import", rows(folder, names)) == 0


def test_the_published_outputs_fill_every_table(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """583 outputs of R1-Distill-Llama-8B, AWQ 4-bit, published by the paper's authors."""
    from core.results.tables.lengths import lengths_rows
    from core.results.tables.loops import collapse_cells
    from core.results.tables.scores import scores_rows

    with gzip.open(real_data / "traces_shared.jsonl.gz", "rt", encoding="utf-8") as lines:
        traces = [t for t in map(json.loads, lines) if t["source_repo"] == "psunlpgroup/Compression-Effects"]
    for trace in traces:
        file = tmp_path / "R1-Distill-Llama-8B" / Path(*Path(trace["path"]).parts[-2:])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(trace["output"], encoding="utf-8")
    monkeypatch.setenv("LRM_DB", str(tmp_path / "runs.db"))
    monkeypatch.setenv("LRM_DATA", str(real_data))
    assert lrm("import", tmp_path / "R1-Distill-Llama-8B", "--compression", "awq-4bit", "--parameters", "8B") == 0
    reader = connect(tmp_path / "runs.db", "reader")
    [scored] = scores_rows(reader)
    counts = {name: (cell["n"], cell["finished"]) for name, cell in scored["benchmarks"].items()}
    assert counts == {"aime": (30, 30), "folio": (203, 203), "temporal": (250, 250), "musique": (100, 100)}
    assert scored["origin"] == "imported" and 60 < scored["average"] < 75
    assert [row["k"] for row in lengths_rows(reader, 30)] == [9, 60, 75, 30]
    assert {cell["benchmark"]: cell["collapsed"] for cell in collapse_cells(reader)} == {
        **{"aime": 1, "folio": 0, "temporal": 18, "musique": 9},
    }
    for benchmark, credit in (("temporal", "correct"), ("musique", "em")):
        assert audit_covers(reader, benchmark, credit) >= 0.95


def audit_covers(reader: sqlite3.Connection, benchmark: str, credit: str, share: float = 0.4, draws: int = 200) -> float:
    """How often an audit of a drawn share covers the score of a run in which, as it happens, all that looped ran on."""
    [run] = [row[0] for row in reader.execute("SELECT id FROM jobs WHERE benchmark = ?", (benchmark,))]
    sql = f"SELECT collapsed, audited, coalesce({credit}, 0) FROM responses WHERE job_id = ?"
    collapsed, ran_on, earned = np.array(reader.execute(sql, (run,)).fetchall(), dtype=float).T
    looped, random = collapsed == 1, np.random.default_rng(1)
    assert (ran_on[looped] == 1).all()
    covered = []
    for _ in range(draws):
        audited = looped & (random.random(len(looped)) < share)
        counts = (len(looped), int((looped & ~audited).sum()), int(looped.sum()), int(audited.sum()))
        interval = Audit.of(Counted(*counts, earned[~looped].sum(), earned[audited].sum())).corrected_interval
        if interval is not None:  # no estimate is no wrong one
            covered.append(interval[0] <= earned.mean() <= interval[1])
    assert len(covered) > draws / 2
    return sum(covered) / len(covered)


def test_how_an_imported_output_ended(folder: Path) -> None:
    """One that opens its thinking answers nothing, whatever its finish reason; a family's marks are read off its text."""
    stopped = "[THINK]Maybe \\boxed{1}? Let me check."
    path = rows(
        folder,
        row(1, "<think>\nMaybe \\boxed{1}? Let me check whether"),
        row(1, "<think>\nMaybe \\boxed{1}? Let me check whether", finish_reason="stop"),
        row(1, stopped),
        row(1, stopped + "[/THINK]The answer is \\boxed{1}, since", finish_reason="length"),
        row(1, "Counting.</think>\\boxed{1}</think>"),
        row(1, "A tower.</think>Half of them are 1", finish_reason="length"),
    )
    assert lrm("import", path) == 0
    assert stored(folder, "r.ending, r.finish_reason, r.correct") == [
        ("cut_in_thinking", "length", 0),
        ("ended_in_thinking", "stop", 0),
        ("ended_in_thinking", "stop", 0),
        ("cut_in_answer", "length", 1),
        ("answered", "stop", 1),
        ("cut_in_answer", "length", 0),
    ]


def test_a_harness_log_with_a_failed_request_and_one_that_stopped_in_its_thinking(folder: Path) -> None:
    log = folder / "R1" / "samples_aime24_2026-06-01T10-00-00.000001.jsonl"
    log.parent.mkdir()
    doc = {"problem": "Find the number 1 of things."}
    outputs = [None, "Counting.</think>\\boxed{1}", "My thinking process:\n\n1.  **Read the question:**\n   - **"]
    log.write_text("\n".join(json.dumps({"doc_id": 1, "doc": doc, "resps": [[text]], "filter": "none"}) for text in outputs))
    assert lrm("import", log) == 0
    found = stored(folder, "r.ending, r.parsed, r.correct")
    assert found == [("empty", None, 0), ("answered", "1", 1), ("cut_in_thinking", None, 0)]


def test_a_part_of_an_inspect_message_may_be_plain_text(folder: Path) -> None:
    sample = {"id": "2024-I-1", "input": "Find the number 1 of things."}
    content = [{"type": "reasoning", "reasoning": "Counting."}, "\\boxed{1}"]
    output = {"choices": [{"message": {"content": content}, "stop_reason": "stop"}]}
    path = folder / "log.json"
    path.write_text(json.dumps({"eval": {"model": "org/R1", "task": "aime2024"}, "samples": [{**sample, "output": output}]}))
    assert lrm("import", path) == 0
    assert stored(folder, "r.ending, r.correct") == [("answered", 1)]


UNFINISHED = "<think>\nHalf of the things are red, and the other half"
TIME = "2026-06-01T10-00-00.000001"


def harness_log(folder: Path, arguments: Any, outputs: list[str], **results: Any) -> Path:
    """A log of lm-evaluation-harness in a folder of its own."""
    log = folder / "R1" / f"samples_aime24_{TIME}.jsonl"
    log.parent.mkdir(exist_ok=True)
    row = {"doc_id": 1, "doc": {"problem": "Find the number 1 of things."}, "arguments": arguments, "filter": "none"}
    log.write_text("\n".join(json.dumps({**row, "resps": [[text]]}) for text in outputs), encoding="utf-8")
    if results:
        (log.parent / f"results_{TIME}.json").write_text(json.dumps(results), encoding="utf-8")
    return log


def sampling_of(folder: Path) -> list[dict[str, Any]]:
    connection = connect(folder / "runs.db", "reader")
    return [json.loads(text) for (text,) in connection.execute("SELECT sampling FROM jobs ORDER BY id")]


SETTINGS = {"until": ["Question:", "<|im_end|>"], "max_gen_toks": 32_768, "do_sample": True, "temperature": 0.6, "top_p": 0.95}


@pytest.mark.parametrize("arguments", [{"gen_args_0": {"arg_0": "Q", "arg_1": SETTINGS}}, [["Q", SETTINGS]], ["Q", SETTINGS]])
def test_the_limits_of_a_harness_log_are_kept(folder: Path, arguments: Any) -> None:
    assert lrm("import", harness_log(folder, arguments, ["It is.</think>\\boxed{1}"])) == 0
    assert sampling_of(folder) == [{"max_tokens": 32_768, "stop": ["Question:"], "temperature": 0.6, "top_p": 0.95}]


@pytest.mark.parametrize(
    ("settings", "ending"),
    [
        ({"max_gen_toks": 32_768}, "ended_in_thinking"),  # a token has a byte or more: it cannot have met the limit
        ({"max_gen_toks": 20}, "cut_in_thinking"),
        ({"max_gen_toks": 32_768, "until": ["\n\n"]}, "cut_in_thinking"),  # the harness cuts stop strings off the text
        ({"max_gen_toks": 32_768, "until": ["</s>"]}, "ended_in_thinking"),  # the model's own end
        ({"max_gen_toks": "many", "until": 7}, "cut_in_thinking"),
        ({}, "cut_in_thinking"),
    ],
)
def test_a_log_s_own_limits_tell_how_an_output_ended(folder: Path, settings: Any, ending: str) -> None:
    log = harness_log(folder, {"gen_args_0": {"arg_0": "Q", "arg_1": settings}}, [UNFINISHED])
    assert lrm("import", log) == 0
    assert lrm("regrade") == 0
    assert stored(folder, "r.ending, r.correct") == [(ending, 0)]


def test_a_limit_says_nothing_of_outputs_whose_thinking_the_harness_removed(folder: Path) -> None:
    settings = {"gen_args_0": {"arg_0": "Q", "arg_1": {"max_gen_toks": 32_768}}}
    model = {"model_name": "R1", "config": {"model_args": {"think_end_token": "</think>"}}}
    assert (
        lrm("import", harness_log(folder, settings, ["The things are counted one by one, so the answer must be the"], **model))
        == 0
    )
    assert sampling_of(folder) == [{}]
    assert stored(folder, "r.finish_reason") == [("length",)]


def test_what_an_older_import_did_not_keep_is_filled_in(folder: Path) -> None:
    log = harness_log(folder, None, [UNFINISHED])
    assert lrm("import", log) == 0 and sampling_of(folder) == [{}]
    assert lrm("import", harness_log(folder, [["Q", {"max_gen_toks": 32_768}]], [UNFINISHED])) == 0
    assert sampling_of(folder) == [{"max_tokens": 32_768}]
    assert lrm("regrade") == 0
    assert stored(folder, "r.ending") == [("ended_in_thinking",)]


def test_rows_and_logs_of_inspect_say_their_sampling(folder: Path) -> None:
    assert lrm("import", rows(folder, row(1, "It is 1.", max_tokens=512, stop=["Q:"], temperature=0.0))) == 0
    about = {"model": "org/R1", "task": "aime2024", "model_generate_config": {"max_tokens": 4096, "top_k": 20}}
    sample = {"id": "2024-I-1", "input": "Find the number 1 of things.", "output": {"choices": [{"message": {"content": "1"}}]}}
    plan = {"config": {"max_tokens": 8192, "temperature": None, "stop_seqs": ["\n\n"]}}
    path = folder / "log.json"
    path.write_text(json.dumps({"eval": about, "plan": plan, "samples": [sample]}), encoding="utf-8")
    assert lrm("import", path) == 0
    mine, theirs = sampling_of(folder)
    assert mine == {"max_tokens": 512, "stop": ["Q:"], "temperature": 0.0}
    assert theirs == {"max_tokens": 8192, "stop": ["\n\n"], "top_k": 20}
