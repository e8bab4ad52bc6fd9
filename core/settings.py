"""What users can set: a TOML file and the environment, which goes before the file.

The file is LRM_SETTINGS, else `settings.toml` in the user's configuration folder (core/files/folders.py). A setting `name` is
LRM_NAME in the environment, and `slots` of the engine llama.cpp is LRM_LLAMA_CPP_SLOTS. Secrets are no settings: see
`openai.key_variable`.

    silence_s = 600
    trusted_models = ["/models/odd-one"]
    gpus = [0, 1]

    [python]
    transformers = "/opt/torch/bin/python"

    ["llama.cpp"]
    slots = 16
    kv_type = "q8_0"
"""

from __future__ import annotations

import os
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from core.engines.host.options import ENGINES, BadOption, chosen
from core.errors import LrmError, UsageError
from core.files.folders import config_folder

EXECUTORS = ("local", "ray")
_ROOT = Path(__file__).resolve().parents[1]  # where `make vllm` builds an environment


def _say(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class General:
    """The settings of the runner itself."""

    silence_s: float = _say(300.0, "Seconds without a token from a whole engine after which it is ended and started again.")
    prefill_s: float = _say(
        1800.0, "The same while a response waits for its first token, with an engine that reports no prefill."
    )
    load_s: float = _say(900.0, "Seconds that an engine may take to load its model.")
    trusted_models: tuple[str, ...] = _say(
        (), "Folders whose own Python code may run (trust_remote_code); with colons in LRM_TRUSTED_MODELS."
    )
    gpus: tuple[str, ...] = _say(
        (), "GPUs that runs may use, named as in CUDA_VISIBLE_DEVICES; unset: all that the driver shows."
    )
    executor: str = _say(
        "local", "Where engines and compressions run: local (this machine) or ray (a cluster, docs/cluster.md)."
    )
    ray_address: str = _say(
        "", "The Ray cluster: HOST:PORT, or auto for the one that this machine is in; empty: one of this machine is started."
    )
    ray_cpus: float = _say(1.0, "Processors that each engine or compression on the cluster reserves, and uses without a GPU.")
    variants_folder: str = _say(
        "", "Folder for the weights of variants, which all machines of a cluster share; empty: beside the store."
    )
    model_folders: tuple[str, ...] = _say(
        (), "Folders in which the form for new runs looks for models; with colons in LRM_MODEL_FOLDERS."
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it stands: `source` is default, the file or the environment variable that sets it (`variable`)."""

    name: str
    value: Any
    source: str
    help: str
    variable: str
    kind: Any = str


class Settings:
    """The settings of the file and the environment: `general`, and the options of each engine."""

    def __init__(self, table: Mapping[str, Any], environment: Mapping[str, str], file: Path) -> None:
        self._file, self._environment = file, environment
        self._sources: dict[str, str] = {}
        known = {*get_type_hints(General), *ENGINES, "python"}
        if strange := sorted(set(table) - known):
            raise UsageError(f"{file} sets {', '.join(strange)}, which does not exist.", f"Known: {', '.join(sorted(known))}.")
        general = {name: value for name, value in table.items() if name in get_type_hints(General)}
        general |= {name: tuple(map(str, value)) for name, value in general.items() if isinstance(value, list)}
        self.general: General = General(**self._group_values(General, general, ""))
        if self.general.executor not in EXECUTORS:
            raise UsageError(f"There is no executor {self.general.executor!r}.", f"Choose from {', '.join(EXECUTORS)}.")
        self._engines = {
            engine: self._group_values(entry.options, table.get(engine, {}), engine) for engine, entry in ENGINES.items()
        }
        self._python = self._interpreters(table.get("python", {}), file)

    def options(self, engine: str) -> dict[str, Any]:
        """The options of an engine that are set, for `wire.Load`; the engine has defaults for the others."""
        return dict(self._engines[engine])

    def python(self, engine: str) -> str:
        """The interpreter of an engine's host: LRM_PYTHON_<ENGINE>, the file's [python], one built by make, or this one."""
        return self._interpreter(engine)[0]

    def listed(self) -> Iterator[Setting]:
        """Every setting, for users."""
        yield from self._group(General, self.general, "")
        for engine in ENGINES:
            value, source = self._interpreter(engine)
            yield Setting(f"python.{engine}", value, source, f"Interpreter that runs {engine}.", f"LRM_PYTHON_{_upper(engine)}")
        for engine, entry in ENGINES.items():
            yield from self._group(entry.options, entry.options(**self._engines[engine]), engine)

    def _group(self, cls: type[Any], values: object, engine: str) -> Iterator[Setting]:
        types = get_type_hints(cls)
        for entry in fields(cls):
            name, variable = (f"{engine}.{entry.name}" if engine else entry.name), _variable(engine, entry.name)
            source = self._sources.get(name, "default")
            value = getattr(values, entry.name)
            yield Setting(name, value, source, entry.metadata["help"], variable, types[entry.name])

    def _interpreter(self, engine: str) -> tuple[str, str]:
        """The interpreter of an engine and where it is set."""
        variable = f"LRM_PYTHON_{_upper(engine)}"
        if named := self._environment.get(variable):
            return named, variable
        if named := self._python.get(engine):
            return named, str(self._file)
        built = _ROOT / f".venv-{engine}" / "bin" / "python"
        return str(built) if built.exists() else sys.executable, "default"

    @staticmethod
    def _interpreters(table: object, file: Path) -> dict[str, str]:
        """The file's [python], checked. Raises UsageError."""
        if not isinstance(table, dict) or not all(isinstance(path, str) for path in table.values()):
            raise UsageError(f"{file}: python is no table of paths.", 'Write [python] and below it "llama.cpp" = "/path".')
        if strange := sorted(set(table) - set(ENGINES)):
            raise UsageError(
                f"{file} names an interpreter for {', '.join(strange)}, which is no engine.", f"Known: {', '.join(ENGINES)}."
            )
        return table

    def _group_values(self, cls: type[Any], table: object, engine: str) -> dict[str, Any]:
        """The settings of one group that the file (its `table`) or the environment sets, checked. Raises UsageError."""
        if not isinstance(table, dict):
            raise UsageError(f"{self._file}: {engine} is no table.", f'Write ["{engine}"] and its settings below.')
        prefix = f"{engine}." if engine else ""
        values = dict(table)
        self._sources |= {f"{prefix}{name}": str(self._file) for name in table}
        for name, kind in get_type_hints(cls).items():
            variable = _variable(engine, name)
            if text := self._environment.get(variable):
                values[name] = _value(text, kind, variable)
                self._sources[f"{prefix}{name}"] = variable
        try:
            chosen(cls, values, engine or "lrm-tui")
        except BadOption as error:
            raise UsageError(str(error), f"{error.remedy} See {self._file} and the environment.") from error
        return values


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings lie; the file need not exist."""
    if named := environment.get("LRM_SETTINGS"):
        return Path(named)
    return config_folder(environment) / "settings.toml"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings as they are now. Raises UsageError that names the file or variable."""
    file = settings_file(environment)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}.", "Correct the file, or remove it.") from error
    return Settings(table, environment, file)


def _variable(engine: str, name: str) -> str:
    return f"LRM_{_upper(engine)}_{name.upper()}" if engine else f"LRM_{name.upper()}"


def _upper(engine: str) -> str:
    return engine.upper().replace(".", "_")


def _value(text: str, kind: Any, variable: str) -> Any:
    """A value from the environment, in the type of its field."""
    kinds = get_args(kind) or (kind,)
    try:
        if bool in kinds:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        if get_origin(kind) is tuple:
            return tuple(part for part in text.split(os.pathsep) if part)
        if int in kinds:
            return int(text)
        return float(text) if float in kinds else text
    except (KeyError, ValueError):
        raise UsageError(f"{variable}={text!r} is no value of its kind.", "Correct or unset the variable.") from None


WIDTH = 100
HEAD = (
    "Settings of lrm-tui. All are at their defaults: remove the # before a name to set it. A variable of the environment, "
    "named in brackets, goes before this file. `lrm-tui settings` shows what holds."
)


def template() -> str:
    """The text of a new settings file."""
    lines = [*_comment(HEAD)]
    group = ""
    for setting in Settings({}, {}, Path()).listed():
        head, name = divided(setting.name)
        if head != group:
            lines += ["", f"[{_key(head)}]"]
            group = head
        lines += ["", *_comment(f"{setting.help} ({setting.variable})"), f"# {_key(name)} = {default(setting)}"]
    return "\n".join([*lines, ""])


def write(file: Path) -> None:
    """Write the file, and its folder. Raises UsageError where it is there already, LrmError where it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise UsageError(f"{file} is there already and stays as it is.", "Edit it, or move it away first.") from None
    except OSError as error:
        raise LrmError(f"{file} cannot be written: {error.strerror}.", "Name another place with LRM_SETTINGS=FILE.") from error


def divided(name: str) -> tuple[str, str]:
    """Table and key of a setting: `llama.cpp.slots` is `slots` of "llama.cpp"; `python.openai` is `openai` of `python`."""
    if name.startswith("python."):
        return "python", name.removeprefix("python.")
    head, _, key = name.rpartition(".")
    return head, key


def default(setting: Setting) -> str:
    """The default as TOML writes it; where unset is the default, the kind of value in capitals."""
    if setting.name.startswith("python."):
        return '"/path/to/python"'
    return "NUMBER" if setting.value is None and str not in get_args(setting.kind) else _toml(setting.value)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return '"TEXT"' if value is None else f'"{value}"'


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f'"{name}"'


def _comment(text: str) -> Iterable[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
