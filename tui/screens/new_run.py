"""The form for new runs: a grid of models, compressions and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label, Select, SelectionList, Static
from textual.widgets.selection_list import Selection

from core.compress.recipes import expand
from core.engines import catalog
from core.engines.wire import Sampling
from core.errors import LrmError, UsageError
from core.spec import POLICIES, Policy, RunSpec
from tui import keys
from tui.access import opened
from tui.screens.dialogs import Note
from tui.screens.help import keys_of
from tui.shown import lines, safe
from tui.widgets.choices import Choices

COMPRESSIONS = ("none", "q8_0", "q4_0", "magnitude-50")
FIRST = "pocket-temporal"
"""Chosen at the start, with the embedded model: a new user only has to say go."""

_POLICY_NAMES: dict[Policy, str] = {"audit": "stop, with audit", "stop": "stop", "observe": "observe"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds, as typed."""

    models: tuple[str, ...]
    compressions: tuple[str, ...]
    benchmarks: tuple[str, ...]
    engine: str
    policy: Policy
    limit: str
    max_tokens: str
    temperature: str

    @property
    def runs(self) -> int:
        """How many runs it would queue."""
        return len(self.models) * len(self.compressions) * len(self.benchmarks)

    def specs(self, data: Path | None) -> list[RunSpec]:
        """The grid. Raises UsageError or ModelError. Without a maximum each model's own limit holds."""
        from core.jobs import grid
        from core.models import resolve

        if not self.runs:
            raise UsageError("There is nothing to queue.", "Choose at least one model, compression and benchmark.")
        temperature = _number(self.temperature, "temperature", float) if self.temperature else 0.6
        limit = int(_number(self.limit, "limit", int)) if self.limit else None
        specs: list[RunSpec] = []
        for model in self.models:
            default = resolve(model).default_limit
            tokens = int(_number(self.max_tokens, "maximum of tokens", int)) if self.max_tokens else default
            sampling = Sampling(temperature=temperature, max_tokens=tokens)
            template = RunSpec(model, "none", "", self.engine, sampling, limit=limit, policy=self.policy, data=data)
            specs += grid([model], self.compressions, self.benchmarks, template)
        return specs


@dataclass(frozen=True, slots=True)
class Queued:
    """What came of the form: the runs, and why the runner did not start, where it did not."""

    jobs: tuple[int, ...]
    trouble: LrmError | None = None


class NewRun(ModalScreen[Queued]):
    """Dismissed with `Queued`, or None when it was left. An error is shown in the form, which keeps what was typed."""

    BINDINGS = keys.bindings("form")

    def __init__(self, store: Path, data: Path | None) -> None:
        super().__init__()
        self._store, self._data = store, data
        self._busy = False

    def compose(self) -> ComposeResult:
        """Choices above, numbers below, then how many runs, errors and keys."""
        with VerticalScroll(id="form", can_focus=False):
            yield Static(lines("New runs", "bold"), classes="title")
            with Horizontal(classes="field"):
                yield Label("Models")
                yield Input("pocket", compact=True, id="models", placeholder="pocket, smollm2, a folder or a .gguf file")
            with Horizontal(id="choices"):
                with Vertical():
                    yield Label("Compressions (space chooses)")
                    yield Choices(
                        *(Selection(safe(name), name, name == "none") for name in COMPRESSIONS),
                        id="compressions",
                        compact=True,
                    )
                    yield Input(compact=True, id="more", placeholder="others, with commas; sweep for all")
                with Vertical():
                    yield Label("Benchmarks (space chooses)")
                    yield Choices(id="benchmarks", compact=True)
            with Horizontal(classes="field"):
                yield Label("Engine")
                yield Select(
                    [(name, name) for name in catalog.names()],
                    allow_blank=False,
                    compact=True,
                    id="engine",
                    classes="short",
                )
                yield Label("Policy")
                yield Select(
                    [(_POLICY_NAMES[p], p) for p in POLICIES], allow_blank=False, compact=True, id="policy", classes="short"
                )
            with Horizontal(classes="field"):
                yield Label("Questions")
                yield Input(compact=True, id="limit", placeholder="all", classes="short")
                yield Label("Tokens")
                yield Input(compact=True, id="tokens", placeholder="model's limit", classes="short")
                yield Label("Temperature")
                yield Input("0.6", compact=True, id="temperature", classes="short")
            yield Static(id="count")
            yield Static(id="problem")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Load the names of benchmarks aside."""
        self._load_benchmarks()
        self._count()
        self.query_one("#models").focus()

    @work(thread=True, group="names")
    def _load_benchmarks(self) -> None:
        from benchmarks.registry import names

        self.app.call_from_thread(self._list_benchmarks, names())

    def _list_benchmarks(self, names: Iterable[str]) -> None:
        self.query_one("#benchmarks", SelectionList).add_options(Selection(safe(name), name, name == FIRST) for name in names)

    def draft(self) -> Draft:
        """What the form holds now."""
        compressions = [*self.query_one("#compressions", SelectionList).selected, *_words(self._typed("more"))]
        return Draft(
            tuple(_words(self._typed("models"))),
            tuple(expand(compressions)),
            tuple(self.query_one("#benchmarks", SelectionList).selected),
            str(self.query_one("#engine", Select).value),
            next(policy for policy in POLICIES if policy == self.query_one("#policy", Select).value),
            self._typed("limit"),
            self._typed("tokens"),
            self._typed("temperature"),
        )

    def _typed(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    @on(Input.Changed)
    @on(SelectionList.SelectedChanged)
    def _count(self) -> None:
        d = self.draft()
        factors = f"{len(d.models)} models × {len(d.compressions)} compressions × {len(d.benchmarks)} benchmarks"
        self.query_one("#count", Static).update(lines(f"{factors} = {d.runs} runs. ctrl+s queues them.", "bold"))

    def action_help(self) -> None:
        """Show the form's keys."""
        self.app.push_screen(Note("Keys", keys_of(("form",))))

    @on(Input.Submitted)
    def action_submit(self) -> None:
        """Queue the runs in a thread."""
        if not self._busy:
            self._busy = True
            self.query_one("#problem", Static).update(lines("Queueing …", "dim"))
            self._submit(self.draft())

    @work(thread=True, group="submit")
    def _submit(self, draft: Draft) -> None:
        from core import jobs

        try:
            specs = draft.specs(self._data)
            with opened(self._store, "user") as connection:
                ids = tuple(jobs.add(connection, specs))
        except LrmError as error:
            self.app.call_from_thread(self._failed, error)
            return
        self.app.call_from_thread(self.dismiss, Queued(ids, start_runner(self._store)))

    def _failed(self, error: LrmError) -> None:
        self._busy = False
        problem = lines(error.message, "bold red")
        if error.remedy:
            problem.append_text(lines(f" {error.remedy}"))
        self.query_one("#problem", Static).update(problem)
        self.query_one("#form", VerticalScroll).scroll_end(animate=False)


def start_runner(store: Path) -> LrmError | None:
    """Make sure that a runner serves the store; the reason where that fails."""
    from core.launch import ensure_runner

    try:
        ensure_runner(store)
    except LrmError as error:
        return error
    return None


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _number(text: str, what: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{text!r} is no {what}.", "Type a number.") from None
