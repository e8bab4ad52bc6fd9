"""The form for new runs: a grid of models, compressions and benchmarks, with a forecast of what it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select, SelectionList, Static
from textual.widgets.selection_list import Selection
from textual.worker import get_current_worker

from core.compress import recipes
from core.engines.host.wire import EFFORTS, THINKING, Sampling
from core.errors import LrmError
from core.jobs import engines
from core.jobs.presets import PRESETS
from core.spec import POLICIES, Policy, RunSpec
from core.store.connection import opened
from tui import keys
from tui.background import hand_back, start_runner
from tui.dialogs.draft import Draft
from tui.dialogs.forecast import estimates, forecast, thinking
from tui.dialogs.help import keys_of
from tui.dialogs.messages import Note
from tui.shown import lines, safe
from tui.widgets.choices import Choices, head
from tui.widgets.field import Field
from tui.widgets.footer import Footer

T = TypeVar("T")
FIRST = ("pocket", "none", "pocket-temporal")
"""Model, compression and benchmark chosen at the start, so that a new user only has to submit."""
FEW = "40"
"""Questions of a first run, where there is no store yet."""
WAIT_S = 0.25
"""The forecast is computed so long after the last change."""

_POLICY_NAMES: dict[Policy, str] = {"audit": "stop, with audit", "stop": "stop", "observe": "observe"}
_THINKING = [("model default: on", ""), ("on", "on"), ("off", "off")]
_EFFORT = [("model default", ""), *((level, level) for level in EFFORTS)]
NUMBERS = ("limit", "tokens", "temperature", "seed", "gpus", "replicas", "samples")
FIELDS = ("models", "compressions", "template", *NUMBERS, "grid")


@dataclass(frozen=True, slots=True)
class Queued:
    """What the form has queued: run ids, and the error where the runner did not start."""

    jobs: tuple[int, ...]
    error: LrmError | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the lists: models, benchmarks, finished runs (id, name) to distill from; `gpus`: whether to ask."""

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    teachers: tuple[tuple[int, str], ...]
    gpus: bool


class NewRun(ModalScreen[Queued]):
    """Dismissed with `Queued`, or None where it was closed. Errors stand beside their fields, which keep their text.

    With `spec` it is filled in from an earlier run.
    """

    BINDINGS = keys.bindings("form")

    def __init__(self, store: Path, data: Path | None, spec: RunSpec | None = None) -> None:
        super().__init__()
        self._store, self._data = store, data
        self._base = spec or RunSpec("", "none", "", engines.names()[0], Sampling())
        self._chosen = (spec.model, spec.compression, spec.benchmark) if spec else FIRST
        self._clone = spec is not None
        self._few = "" if self._clone or store.exists() else FEW
        self._busy = False

    def compose(self) -> ComposeResult:
        """Three lists, the other fields, the forecast, keys."""
        base = self._base
        with Horizontal(id="form-title"):
            yield Static(lines("New runs", "bold"))
            yield Label("Preset")
            yield Select([(p.title, name) for name, p in PRESETS.items()], prompt="none", compact=True, id="preset")
        with Horizontal(id="choices"):
            with Vertical():
                yield Label("Models")
                yield Choices(id="models", compact=True)
                yield _input("more-models", placeholder="others: folder, .gguf, openai:…")
            with Vertical():
                yield Label("Compressions")
                yield Choices(*_compressions(), id="compressions", compact=True)
                yield _input("more-compressions", placeholder="others: magnitude-50+q4_0")
            with Vertical():
                yield Label("Benchmarks")
                yield Choices(id="benchmarks", compact=True)
        yield Static(id="wrong-models", classes="wrong")
        yield Static(id="wrong-compressions", classes="wrong")
        with Horizontal(classes="field"):
            yield Label("Engine")
            yield _select("engine", [(name, name) for name in engines.names()], base.engine)
            yield Label("On a loop")
            yield _select("policy", [(_POLICY_NAMES[p], p) for p in POLICIES], base.policy)
            yield Label("Steps")
            yield _select("chain", [("each alone", "no"), ("prune, quantize", "yes")], "no")
        with Horizontal(classes="field"):
            yield Label("Thinking")
            yield _select("thinking", _THINKING, base.template_options.thinking or "")
            yield Label("Effort")
            yield _select("effort", _EFFORT, base.template_options.effort or "")
            yield Label("Samples")
            yield _input("samples", str(base.samples))
            yield Label("Name")
            yield _input("name", base.name or "", placeholder="the model's")
        with Horizontal(classes="field"):
            yield Label("Questions")
            yield _input("limit", str(base.limit or self._few), placeholder="all")
            yield Label("Tokens")
            tokens = str(base.sampling.max_tokens) if self._clone else ""
            yield _input("tokens", tokens, placeholder="model's limit")
            yield Label("Temperature")
            yield _input("temperature", f"{base.sampling.temperature:g}")
            yield Label("Seed")
            yield _input("seed", str(base.seed))
        with Horizontal(classes="field", id="hardware"):
            yield Label("GPUs")
            yield _input("gpus", "" if base.gpus is None else str(base.gpus), placeholder="1 an engine")
            yield Label("Replicas")
            yield _input("replicas", str(base.replicas))
        for name in ("template", *NUMBERS):
            yield Static(id=f"wrong-{name}", classes="wrong")
        with VerticalScroll(id="forecast-box", can_focus=False):
            yield Static(lines("Looking …", "dim"), id="forecast")
        yield Static(id="wrong-grid", classes="wrong")
        yield Footer()

    def on_mount(self) -> None:
        """Start to read the options of the lists."""
        for wrong in self.query(".wrong"):
            wrong.display = False
        self.query_one("#hardware").display = (self._base.gpus, self._base.replicas) != (None, 1)
        self._look()
        for models in self.query("#models"):  # there are none where the form is closed before it is drawn
            models.focus()

    @work(thread=True, group="names")
    def _look(self) -> None:
        from benchmarks.registry import names
        from core.jobs import queue
        from core.jobs.models import known
        from core.runner import gpus
        from core.settings import load

        models: list[str] = []
        teachers: list[tuple[int, str]] = []
        with suppress(LrmError, FileNotFoundError), opened(self._store, "reader") as connection:
            models, teachers = queue.models(connection), queue.teachers(connection)
        folders: tuple[str, ...] = ()
        ask_gpus = False
        with suppress(LrmError):  # `lrm-tui settings` says what is wrong with them
            general = load().general
            folders, ask_gpus = general.model_folders, general.executor == "ray" or bool(gpus.present(general))
        everything = tuple(dict.fromkeys((*known(folders), *models)))
        hand_back(self, self._list, Options(everything, tuple(names()), tuple(teachers), ask_gpus))

    def _list(self, options: Options) -> None:
        if options.gpus:
            self.query_one("#hardware").display = True
        model, compression, benchmark = self._chosen
        models = tuple(dict.fromkeys((*options.models, model)))
        self._choices("models").add_options(Selection(safe(_short(name, models)), name, name == model) for name in models)
        self._choices("benchmarks").add_options(Selection(safe(n), n, n == benchmark) for n in options.benchmarks)
        compressions = self._choices("compressions")
        if options.teachers:
            compressions.add_option(head("Distilled from run"))
            compressions.add_options(Selection(safe(f"{job}: {name}"), f"distill-{job}") for job, name in options.teachers)
        self._choose_compressions((compression,))
        for name in ("models", "compressions", "benchmarks"):
            self._choices(name).highlighted = 0
        self._changed()

    def _choices(self, name: str) -> Choices:
        return self.query_one(f"#{name}", Choices)

    def _choose_compressions(self, names: Sequence[str]) -> None:
        """Select these in the list; names that it lacks go into the field below it."""
        choices = self._choices("compressions")
        listed = {choices.get_option_at_index(n).value for n in range(choices.option_count)}
        choices.deselect_all()
        for name in names:
            if name in listed:
                choices.select(name)
        self.query_one("#more-compressions", Input).value = ", ".join(name for name in names if name not in listed)

    def draft(self) -> Draft:
        """The present contents of the form."""
        policy = next(policy for policy in POLICIES if policy == self.query_one("#policy", Select).value)
        return Draft(
            self._both("models"),
            self._both("compressions"),
            tuple(self._choices("benchmarks").selected),
            str(self.query_one("#engine", Select).value),
            policy,
            self.query_one("#chain", Select).value == "yes",
            _chosen(THINKING, self.query_one("#thinking", Select)),
            _chosen(EFFORTS, self.query_one("#effort", Select)),
            self._typed("limit"),
            self._typed("tokens"),
            self._typed("temperature"),
            self._typed("seed"),
            self._typed("gpus"),
            self._typed("replicas"),
            self._typed("samples"),
            self._typed("name"),
            self._base,
        )

    def _both(self, name: str) -> tuple[str, ...]:
        """What is selected in a list, in its order, then what is typed below it."""
        choices = self._choices(name)
        listed = [choices.get_option_at_index(n).value for n in range(choices.option_count)]
        typed = [word for part in self._typed(f"more-{name}").split(",") if (word := part.strip())]
        return tuple(dict.fromkeys([value for value in listed if value in choices.selected] + typed))

    def _typed(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    @on(Input.Changed)
    @on(SelectionList.SelectedChanged)
    @on(Select.Changed, "#engine, #policy, #chain, #thinking, #effort")
    def _changed(self) -> None:
        self._forecast(self.draft())

    @on(Select.Changed, "#preset")
    def _preset(self, event: Select.Changed) -> None:
        preset = PRESETS.get(str(event.value))
        if preset is None:
            return
        for name, values in (("models", preset.models), ("benchmarks", preset.benchmarks)):
            if values:
                self._choices(name).deselect_all()
                for value in values:
                    self._choices(name).select(value)
        self._choose_compressions(preset.compressions)
        self.query_one("#policy", Select).value = preset.policy
        self.query_one("#tokens", Input).value = str(preset.max_tokens or "")
        self.query_one("#limit", Input).value = str(preset.limit or "")
        self.notify(preset.hint, markup=False)

    @work(thread=True, exclusive=True, group="forecast")
    def _forecast(self, draft: Draft) -> None:
        """Compute the forecast, unless the form changes again within WAIT_S."""
        worker = get_current_worker()
        time.sleep(WAIT_S)
        if worker.is_cancelled:
            return
        specs, wrong = draft.specs(self._data)
        shown = Text()
        if specs:
            try:
                shown = forecast(estimates(self._store, specs))
            except LrmError as error:
                wrong = {"models": error}
            try:
                shown.append_text(thinking(specs))
            except LrmError as error:
                wrong |= {"template": error}
        if not worker.is_cancelled:
            hand_back(self, self._show_forecast, shown, wrong)

    def _show_forecast(self, shown: Text, wrong: Mapping[str, LrmError]) -> None:
        self.query_one("#forecast", Static).update(shown)
        self._show_errors(wrong)

    def _show_errors(self, wrong: Mapping[str, LrmError]) -> None:
        """Show each error beside its field."""
        for name in FIELDS:
            line = self.query_one(f"#wrong-{name}", Static)
            error = wrong.get(name)
            line.display = error is not None
            if error is not None:
                line.update(lines(f"{error.message} ", "bold red").append_text(lines(error.remedy)))

    def action_help(self) -> None:
        """Show the form's keys."""
        self.app.push_screen(Note("Keys", keys_of(("form",))))

    @on(Input.Submitted)
    def action_submit(self) -> None:
        """Queue the runs in a thread."""
        if not self._busy:
            self._busy = True
            self.query_one("#forecast", Static).update(lines("Queueing …", "dim"))
            self._submit(self.draft())

    @work(thread=True, group="submit")
    def _submit(self, draft: Draft) -> None:
        from core.jobs import queue

        specs, wrong = draft.specs(self._data)
        ids: tuple[int, ...] = ()
        if specs:
            try:
                with opened(self._store, "user") as connection:
                    ids = tuple(queue.add(connection, specs))
            except LrmError as error:
                wrong = {"grid": error}
        if wrong:
            hand_back(self, self._failed, wrong)
        else:
            hand_back(self, self.dismiss, Queued(ids, start_runner(self._store)))

    def _failed(self, wrong: Mapping[str, LrmError]) -> None:
        self._busy = False
        self._show_forecast(Text(), wrong)


def _compressions() -> list[Selection[str]]:
    """The usual compressions in groups; others can be typed."""
    groups = {
        "Quantized (GGUF)": recipes.PLAIN_TYPES,
        "Quantized, importance matrix": recipes.WEIGHTED_TYPES,
        "Dynamic (a type a tensor)": recipes.DYNAMIC,
        "Pruned, SparseGPT": _pruned("sparsegpt"),
        "Pruned, Wanda": _pruned("wanda"),
        "Pruned, by magnitude": _pruned("magnitude"),
    }
    listed = [Selection(safe(recipes.NONE), recipes.NONE, False)]
    for title, names in groups.items():
        listed += [head(title), *(Selection(safe(name), name) for name in names)]
    return listed


def _pruned(method: str) -> list[str]:
    return [f"{method}-{share}" for share in (*range(10, 90, 10), "2:4", "4:8")]


def _chosen(values: Sequence[T], select: Select[str]) -> T | None:
    """Which of these values is chosen; None: the model's default."""
    return next((value for value in values if value == select.value), None)


def _select(name: str, options: list[tuple[str, str]], chosen: str) -> Select[str]:
    return Select(options, value=chosen, allow_blank=False, compact=True, id=name)


def _input(name: str, value: str = "", placeholder: str = "") -> Input:
    """An input. Its text is not selected on focus: on a busy machine that would come after the first keys."""
    return Field(value, placeholder, compact=True, select_on_focus=False, id=name)


def _short(model: str, models: Sequence[str]) -> str:
    """The end of a path that no other of these models has, since the list is narrow; other names unchanged."""
    if not model.startswith("/"):
        return model
    parts = Path(model).parts
    ends = ("/".join(parts[-depth:]) for depth in range(1, len(parts)))
    return next((end for end in ends if sum(f"/{other}".endswith(f"/{end}") for other in models) == 1), model)
