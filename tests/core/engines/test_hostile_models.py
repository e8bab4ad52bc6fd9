"""Bad model files run nothing, take no more than their share, and are refused with a sentence; real hosts and workers."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engines.gguf_header import BadGguf, read_facts, read_tensors
from core.errors import LrmError
from core.jobs.models import resolve
from tests.helpers.host_process import running

MEMORY = 8 * 2**30
REPOSITORY = Path(__file__).parents[3]


class Payload:
    """What a pickle runs when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def pickled(folder: Path, witness: Path) -> None:
    """The weights as a pickle that runs a command, in place of the safe ones."""
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Payload(witness)}))


def own_code(folder: Path, witness: Path) -> None:
    """A model that wants its own Python code to be run."""
    config = json.loads((folder / "config.json").read_text())
    code = f"import pathlib; pathlib.Path({str(witness)!r}).touch()\nclass Odd: pass\n"
    (folder / "odd.py").write_text(code)
    names = {"AutoConfig": "odd.Odd", "AutoModelForCausalLM": "odd.Odd", "AutoTokenizer": ["odd.Odd", "odd.Odd"]}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "odd", "auto_map": names}))


def tokenizer_code(folder: Path, witness: Path) -> None:
    """The same by the tokenizer alone, with a class that nobody knows."""
    file = folder / "tokenizer_config.json"
    (folder / "odd.py").write_text(f"import pathlib; pathlib.Path({str(witness)!r}).touch()\nclass Odd: pass\n")
    config = json.loads(file.read_text()) if file.exists() else {}
    names = {"AutoTokenizer": ["odd.Odd", "odd.Odd"]}
    file.write_text(json.dumps({**config, "tokenizer_class": "Odd", "auto_map": names}))
    (folder / "tokenizer.json").unlink(missing_ok=True)


def torn_weights(folder: Path, witness: Path) -> None:
    """Safe tensors whose header announces more than there is."""
    for file in folder.glob("*.safetensors"):
        file.write_bytes(struct.pack("<Q", 2**40) + b"{" * 64)


def no_json(folder: Path, witness: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


BAD_FOLDERS = (pickled, own_code, tokenizer_code, torn_weights, no_json)
LOADER = """
import json, sys
from pathlib import Path
from core.engines.host.host import load_package
load_package(Path("core/engines"))
from lrm_engines.host.engine import EngineFailure
from lrm_engines.transformers.engine import Transformers
for folder in sys.argv[1:]:
    try:
        Transformers().load(folder, {})
        print(json.dumps(None), flush=True)
    except EngineFailure as failure:
        print(json.dumps([failure.kind, failure.message, failure.remedy]), flush=True)
"""


def test_bad_folders_run_nothing_and_are_refused(hf_model: Path, tmp_path: Path) -> None:
    """One after the other in one process with transformers, which takes long to import."""
    folders = {}
    for spoil in BAD_FOLDERS:
        folders[spoil] = tmp_path / spoil.__name__
        shutil.copytree(hf_model, folders[spoil])
        spoil(folders[spoil], tmp_path / f"{spoil.__name__}.ran")
    command = [sys.executable, "-c", LOADER, *map(str, folders.values())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=REPOSITORY, stdin=subprocess.DEVNULL)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert not list(tmp_path.glob("*.ran"))
    assert len(said) == len(folders), done.stderr[-2000:]
    for folder, refusal in zip(folders.values(), said, strict=True):
        assert refusal and refusal[0] == "model" and folder.name in refusal[1] and refusal[2], refusal


def test_a_worker_runs_nothing_either(hf_model: Path, tmp_path: Path) -> None:
    folder, witness = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(hf_model, folder)
    pickled(folder, witness)
    command = [sys.executable, "-P", "-m", "core.compress.worker", "--model", str(folder), "--format", "gguf"]
    command += ["--compression", "none", "--out-dir", str(tmp_path / "out")]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert worker.stdout is not None
    said = [json.loads(line) for line in worker.stdout]  # its stdin stays open, since it ends with that
    assert worker.wait(60) == 1 and said[-1]["type"] == "failed" and said[-1]["remedy"]
    assert not witness.exists()


def test_a_config_that_is_too_deep_is_refused_where_a_name_is_looked_up(tmp_path: Path) -> None:
    no_json(tmp_path, tmp_path)
    with pytest.raises(LrmError, match=r"config\.json"):
        resolve(str(tmp_path))


def gguf(*, tensors: int = 0, pairs: bytes = b"", count: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + pairs


def key(name: str, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind) + value


NESTED = struct.pack("<IQ", 9, 1) * 5000
CRAFTED = {
    "huge tensor count": gguf(tensors=2**63),
    "huge pair count": gguf(count=2**63),
    "huge string": gguf(count=1, pairs=struct.pack("<Q", 2**62)),
    "long string": gguf(count=1, pairs=struct.pack("<Q", 2**30 - 1)),
    "huge array": gguf(count=1, pairs=key("a", 9, struct.pack("<IQ", 4, 2**62))),
    "huge array of strings": gguf(count=1, pairs=key("a", 9, struct.pack("<IQ", 8, 2**62))),
    "nested arrays": gguf(count=1, pairs=key("a", 9, NESTED)),
    "unknown type": gguf(count=1, pairs=key("a", 77, b"")),
    "many dimensions": gguf(tensors=1, pairs=struct.pack("<Q", 1) + b"t" + struct.pack("<I", 2**31)),
    "far away": gguf(tensors=1, pairs=struct.pack("<Q", 1) + b"t" + struct.pack("<IQQIQ", 2, 2**62, 2**62, 0, 2**62)),
    "no alignment": gguf(count=1, pairs=key("general.alignment", 4, struct.pack("<I", 0))),
    "old version": gguf(version=1),
    "future version": gguf(version=2**31),
    "nothing": b"GGUF",
    "no letters": b"\x80\x04\x95" + pickle.dumps("pickle"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_header_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "crafted.gguf"
    file.write_bytes(CRAFTED[name])
    if name != "no alignment":
        with pytest.raises(BadGguf, match=r"crafted\.gguf"):
            read_tensors(file)
            read_facts(file)


@pytest.mark.parametrize("name", ["long string", "nested arrays"])
def test_a_host_refuses_a_crafted_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "crafted.gguf"
    file.write_bytes(CRAFTED[name])
    with running("llama.cpp") as host:
        resource.prlimit(host.process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        failed = host.refuse(file)
    assert failed.kind == "model" and "crafted.gguf" in failed.message


@given(st.data())
def test_no_bytes_bring_the_header_down(data: st.DataObject) -> None:
    """A real header with some of its bytes changed is read, or refused; nothing else happens."""
    pairs = key("general.architecture", 8, struct.pack("<Q", 5) + b"qwen2") + key(
        "a", 9, struct.pack("<IQ", 8, 2) + struct.pack("<Q", 1) * 2
    )
    whole = bytearray(
        gguf(tensors=1, count=2, pairs=pairs) + struct.pack("<Q", 1) + b"t" + struct.pack("<IQIQ", 1, 4, 0, 0) + bytes(64)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(whole)))
    file = Path(f"/tmp/lrm-header-{os.getpid()}.gguf")
    try:
        file.write_bytes(bytes(whole[:cut]))
        for read in (read_facts, read_tensors):
            try:
                read(file)
            except BadGguf as refused:
                assert str(file) in str(refused)
    finally:
        file.unlink(missing_ok=True)
