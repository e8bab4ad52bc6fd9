"""Loaders: the real files, and files that are broken in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.base import DataSource
from benchmarks.prompts import load_template
from benchmarks.registry import find, get, names, of
from core.errors import DataError, UsageError


@pytest.mark.parametrize(("name", "count"), [("aime", 30), ("folio", 203), ("temporal", 250), ("musique", 100)])
def test_real_files(real_data: Path, name: str, count: int) -> None:
    items = get(name).load(DataSource(real_data))
    assert len(items) == len({item.key for item in items}) == count
    prompts = [load_template(get(name).prompt_key, real_data / "paper_prompts.toml"), load_template(name)]
    assert all(template.fill(items[0].fields) for template in prompts)
    assert [template.chat for template in prompts] == [False, True]


def test_all_forms_of_aime_agree(real_data: Path, tmp_path: Path) -> None:
    loaded = []
    for file in ("aime2024.jsonl", "aime_2024_problems.parquet", "aime2024_zldscr0.jsonl"):
        folder = tmp_path / file
        folder.mkdir()
        (folder / file).write_bytes((real_data / "aime2024" / file).read_bytes())
        loaded.append(get("aime").load(DataSource(folder)))
    assert loaded[0] == loaded[1] == loaded[2]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    good = '{"ID": "a", "Problem": "p", "Answer": 1}'
    (tmp_path / "aime2024.jsonl").write_text(f"{good}\n{good}\n{{oops\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"aime2024\.jsonl, line 3"):
        get("aime").load(DataSource(tmp_path))


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "aime2024.jsonl").write_text('{"ID": "a", "Problem": "p"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="row 1: the field 'Answer' is missing"):
        get("aime").load(DataSource(tmp_path))


def test_a_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Point --data"):
        get("folio").load(DataSource(tmp_path))


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(UsageError, match="pocket-temporal"):
        get("nope")
    assert len(names()) == 8


def test_suites_and_kinds_are_stated_by_the_benchmarks() -> None:
    assert of("paper") == ("aime", "folio", "temporal", "musique") and of("paper", "knowledge") == ("musique",)
    assert of("pocket", "knowledge") == ("pocket-facts",) and len(of("pocket", "reasoning")) == 3
    assert [*of("paper"), *of("pocket")] == names() and [*names(), *of("training")] == names(training=True)
    assert get("pocket-facts-train").suite == "training" and find("nope") is None


def test_short_titles_fit_their_column_and_differ() -> None:
    short = [get(name).short for name in names(training=True)]
    assert len(set(short)) == len(short) and max(map(len, short)) <= 7


@pytest.mark.parametrize("text", ["[aime\n", "[folio]\nprompt = 'x'\n"])
def test_a_broken_prompt_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prompts.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError):
        load_template("aime", file)


def test_a_template_with_a_foreign_field(tmp_path: Path) -> None:
    file = tmp_path / "prompts.toml"
    file.write_text("[aime]\nprompt = '{nonsense}'\n", encoding="utf-8")
    with pytest.raises(DataError, match="problem"):
        load_template("aime", file).fill({"problem": "p {braces} are fine"})
