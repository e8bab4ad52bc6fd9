"""One line with tokens a second and the machine's load, now and over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rich.text import Text
from textual.widgets import Static

from tui.meter import Sample
from tui.shown import safe, size, spark

HISTORY = 120
"""Samples kept of each gauge."""
_TRACE = 24


class Gauges(Static):
    """Tokens a second, then GPUs or else the processor, then memory; each with a trace where there is room."""

    def __init__(self, traces: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces = traces
        self._past: dict[str, deque[float]] = {}
        self._shown: list[tuple[str, float, str]] = []

    def add(self, sample: Sample, tokens_per_second: float) -> None:
        """Add a sample."""
        self._shown = [("tokens/s", self._top("tokens/s", tokens_per_second), f"{tokens_per_second:,.0f}")]
        for gpu in sample.gpus:
            name = f"GPU {gpu.index}"
            self._shown.append((name, 100, f"{gpu.busy} % {size(gpu.used)}/{size(gpu.total)} {gpu.degrees} °C"))
            self._keep(name, gpu.busy)
        if not sample.gpus:
            self._shown.append(("CPU", 100, f"{sample.busy:.0f} %"))
            self._keep("CPU", sample.busy)
        self._shown.append(("memory", sample.total, f"{size(sample.used)}/{size(sample.total)}"))
        self._keep("memory", sample.used)
        if self.is_on_screen:
            self.show()

    def _top(self, name: str, value: float) -> float:
        """The full height of a gauge without a maximum: the highest value so far."""
        self._keep(name, value)
        return max(self._past[name]) or 1.0

    def _keep(self, name: str, value: float) -> None:
        self._past.setdefault(name, deque(maxlen=HISTORY)).append(value)

    def on_resize(self) -> None:
        """Draw again: the traces have another length."""
        self.show()

    def show(self) -> None:
        """Draw the line."""
        self.update(Text("  ").join(self._pieces()), layout=False)

    def _pieces(self) -> Iterable[Text]:
        plain = sum(len(name) + len(now) + 4 for name, _, now in self._shown)
        room = (self.size.width - plain) // max(1, len(self._shown)) if self._traces else 0
        for name, top, now in self._shown:
            piece = safe(f"{name} ", "dim")
            if room >= 4:
                piece.append(spark(list(self._past[name]), min(room, _TRACE), top) + " ", "green")
            yield piece.append(now)
