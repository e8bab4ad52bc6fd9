"""The contents of the form for new runs, as typed, and the runs that they describe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from core.engines.host.wire import Effort, Sampling, Thinking
from core.errors import LrmError, UsageError
from core.spec import Policy, RunSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """The form's fields. `chained` joins pruned or distilled with quantized; `base` has the settings without a field."""

    models: tuple[str, ...]
    compressions: tuple[str, ...]
    benchmarks: tuple[str, ...]
    engine: str
    policy: Policy
    chained: bool
    thinking: Thinking | None
    effort: Effort | None
    limit: str
    max_tokens: str
    temperature: str
    seed: str
    gpus: str
    replicas: str
    samples: str
    name: str
    base: RunSpec

    @property
    def variants(self) -> tuple[str, ...]:
        """The compressions, joined where `chained`. Raises UsageError for one that does not exist."""
        from core.compress.recipes import expand, parse

        names = tuple(expand(self.compressions))
        if not self.chained:
            return names
        recipes = [parse(name) for name in names]
        first = [r.name for r in recipes if not r.gguf_type and (r.pruning or r.distillation)]
        last = [r.name for r in recipes if r.gguf_type and not r.pruning and not r.distillation]
        if not first or not last:
            raise UsageError("There is nothing to join.", "Choose what comes first (pruned or distilled) and a quantized type.")
        joined = [f"{a}+{b}" for a, b in product(first, last)]
        return tuple([name for name in names if name not in (*first, *last)] + joined)

    def specs(self, data: Path | None) -> tuple[list[RunSpec], dict[str, LrmError]]:
        """The runs, and the errors by field (`grid`: of the whole). Where there are errors, there are no runs."""
        wrong: dict[str, LrmError] = {}
        tokens = _number(self.max_tokens, int, "tokens", wrong)
        limit = _number(self.limit, int, "limit", wrong)
        temperature = _number(self.temperature, float, "temperature", wrong)
        seed = _number(self.seed, int, "seed", wrong)
        gpus = _number(self.gpus, int, "gpus", wrong)
        replicas = _number(self.replicas, int, "replicas", wrong)
        samples = _number(self.samples, int, "samples", wrong)
        if self.name and len(self.models) > 1:
            wrong["models"] = UsageError("One name cannot name several models.", "Queue them one by one, or clear the name.")
        limits = self._models(wrong)
        variants = self._compressions(wrong)
        if not wrong and not (limits and variants and self.benchmarks):
            wrong["grid"] = UsageError("There is nothing to queue.", "Choose at least one model, compression and benchmark.")
        if wrong:
            return [], wrong
        sampling = replace(self.base.sampling, temperature=Sampling().temperature if temperature is None else temperature)
        template = replace(
            self.base,
            engine=self.engine,
            policy=self.policy,
            template_options=replace(self.base.template_options, thinking=self.thinking, effort=self.effort),
            seed=int(seed or 0),
            limit=None if limit is None else int(limit),
            gpus=None if gpus is None else int(gpus),
            replicas=1 if replicas is None else int(replicas),
            samples=1 if samples is None else int(samples),
            name=self.name or None,
            data=data,
        )
        return self._checked(
            [
                replace(
                    template,
                    model=model,
                    compression=compression,
                    benchmark=benchmark,
                    sampling=replace(sampling, max_tokens=default if tokens is None else int(tokens)),
                )
                for model, default in limits.items()
                for compression, benchmark in product(variants, self.benchmarks)
            ]
        )

    def _checked(self, specs: list[RunSpec]) -> tuple[list[RunSpec], dict[str, LrmError]]:
        from core.jobs import queue

        try:
            queue.check([spec for spec in specs if not _of_file(spec.compression)])
        except LrmError as error:
            return [], {"grid": error}
        return specs, {}

    def _models(self, wrong: dict[str, LrmError]) -> dict[str, int]:
        """The models, each with its default limit of tokens; adds to `wrong`."""
        from core.jobs.models import resolve

        limits: dict[str, int] = {}
        for name in self.models:
            try:
                limits[name] = resolve(name).default_limit
            except LrmError as error:
                wrong["models"] = error
        return limits

    def _compressions(self, wrong: dict[str, LrmError]) -> tuple[str, ...]:
        from core.compress.recipes import parse

        try:
            return tuple(dict.fromkeys(name if _of_file(name) else parse(name).name for name in self.variants))
        except LrmError as error:
            wrong["compressions"] = error
            return ()


def _of_file(name: str) -> bool:
    """Whether a compression is calibrated on a file; such runs are checked when they are queued."""
    return Path(name.partition("@")[2] or "/").expanduser().is_file()


def _number(text: str, kind: type[int] | type[float], field: str, wrong: dict[str, LrmError]) -> float | None:
    """The number in a field, or None where it is empty; adds to `wrong`."""
    try:
        return kind(text) if text else None
    except ValueError:
        wrong[field] = UsageError(f"{text!r} is no number.", "Type a whole number." if kind is int else "Type a number.")
        return None
