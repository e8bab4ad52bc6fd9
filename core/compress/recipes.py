"""The grammar of compression names: steps joined by `+`, in this order, and at the end the text to calibrate on.

none | distill-RUNS[:option...] + METHOD-N or METHOD-n:m + TYPE or dynamic-BITS [@SOURCE[-COUNTxTOKENS]]

The words of `FAMILIES` stand for several names at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from core.errors import UsageError
from core.spec import Format
from core.text import nearest

NONE = "none"
PLAIN_TYPES = (
    "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0", "iq4_nl", "iq4_xs",
    "q3_k_l", "q3_k_m", "q3_k_s", "iq3_m", "iq3_s", "q2_k",
)  # fmt: skip
"""The types that llama.cpp quantizes to without an importance matrix, most bits first."""
WEIGHTED_TYPES = ("iq3_xxs", "iq2_m", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s")
"""The types that need an importance matrix."""
DYNAMIC = ("dynamic-2.51", "dynamic-2.22", "dynamic-1.73", "dynamic-1.58")
"""A type for each tensor, see `dynamic`; all but the first use an importance matrix."""
GGUF_TYPES = (*PLAIN_TYPES, *WEIGHTED_TYPES, *DYNAMIC)

SPARSITIES = (10, 30, 40, 50, 60, 70, 80)
"""Percents at which the paper pruned."""
PRUNED = tuple(f"sparsegpt-{percent}" for percent in SPARSITIES)
FAMILIES = {"pruned": PRUNED, "dynamic": DYNAMIC, "sweep": (NONE, *PRUNED, *DYNAMIC)}
"""Words for several compressions: the paper's sparsities, the dynamic recipes, and both beside the model itself."""

Method = Literal["sparsegpt", "wanda", "magnitude"]
PERCENT = range(1, 96)
GROUPS = range(2, 33)
_PRUNING = re.compile(r"(sparsegpt|wanda|magnitude)-(?:([0-9]{1,3})|([0-9]{1,2}):([0-9]{1,2}))")
_DISTILLATION = re.compile(r"distill-([0-9]+(?:\.[0-9]+)*)((?::[a-z]+(?:=[0-9.e-]+)?)*)")
CALIBRATION = re.compile(r"(pocket|c4|traces|text-[0-9a-f]{12})(?:-([0-9]{1,5})x([0-9]{1,5}))?")
"""A text to calibrate on, and how much of it."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """A share of the weights (`percent`) or all but `keep` of every `group` become zero."""

    method: Method
    percent: int | None = None
    keep: int | None = None
    group: int | None = None

    @property
    def name(self) -> str:
        """This part of a compression name."""
        return f"{self.method}-{self.percent}" if self.percent is not None else f"{self.method}-{self.keep}:{self.group}"

    @property
    def calibrated(self) -> bool:
        """Whether it needs text to calibrate on."""
        return self.method != "magnitude"


@dataclass(frozen=True, slots=True)
class Distillation:
    """Fine-tuning on the correct answers of `runs` of the same store. `rate` None: 2e-5, or 2e-4 with LoRA of rank `lora`."""

    runs: tuple[int, ...]
    epochs: float = 3.0
    rate: float | None = None
    batch: int = 16
    lora: int = 0
    packed: bool = False

    @property
    def name(self) -> str:
        """This part of a compression name, with the options that differ from the default."""
        name = "distill-" + ".".join(map(str, self.runs))
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                name += f":{field.name}" if value is True else f":{field.name}={value:g}"
        return name


@dataclass(frozen=True, slots=True)
class Calibration:
    """The text to calibrate on: its `source` (text-HASH: a file copied by `calibration.adopt`), and how much of it."""

    source: str
    samples: int | None = None
    length: int | None = None

    @property
    def name(self) -> str:
        """This part of a compression name."""
        return self.source + (f"-{self.samples}x{self.length}" if self.samples else "")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The steps of a compression, in this order. `calibration` None: the default for the model."""

    distillation: Distillation | None = None
    pruning: Pruning | None = None
    gguf_type: str | None = None
    calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """The canonical compression name."""
        steps = [step.name for step in (self.distillation, self.pruning) if step]
        steps += [self.gguf_type] if self.gguf_type else []
        name = "+".join(steps) or NONE
        return f"{name}@{self.calibration.name}" if self.calibration else name

    @property
    def calibrated(self) -> bool:
        """Whether a step needs text to calibrate on."""
        return bool(self.pruning and self.pruning.calibrated) or self.weighted

    @property
    def weighted(self) -> bool:
        """Whether the quantization needs an importance matrix."""
        return self.gguf_type in WEIGHTED_TYPES or self.gguf_type in DYNAMIC[1:]

    def before(self, step: Literal["gguf_type", "pruning"]) -> Recipe:
        """The recipe of the steps before `step`; a calibration text that only later steps need is left out."""
        earlier = replace(self, gguf_type=None) if step == "gguf_type" else replace(self, gguf_type=None, pruning=None)
        return earlier if earlier.calibrated else replace(earlier, calibration=None)

    def obstacle(self, source: Format, target: Format) -> str | None:
        """Why a model in format `source` cannot become this variant in format `target`; None if it can."""
        if source == "gguf" and (target != "gguf" or self != Recipe()):
            return "A GGUF file is used as it is: it can be neither compressed further nor turned back into a folder."
        if target == "hf" and self.gguf_type:
            return f"{self.gguf_type} exists in GGUF files only."
        return None


def parse(text: str) -> Recipe:
    """The recipe that a compression name stands for. Raises UsageError that lists what exists."""
    steps, at, source = text.lower().partition("@")
    words = [word.strip() for word in steps.split("+")]
    recipe = Recipe()
    if words != [NONE]:
        for word in words:
            recipe = _with_step(recipe, word, text)
    if at:
        recipe = _with_calibration(recipe, source.strip(), text)
    return recipe


def expand(texts: Iterable[str], calibration: str = "") -> list[str]:
    """Compression names with the words of `FAMILIES` spelt out, each once, and those that need text calibrated on
    `calibration` where they name none. Invalid names stay as they are, for `parse` to refuse.
    """
    names: list[str] = []
    for text in texts:
        word, at, source = text.partition("@")
        family = FAMILIES.get(word.strip().lower())
        text_source = source if at else calibration
        if family:
            names += [f"{name}@{text_source}" if text_source and parse(name).calibrated else name for name in family]
        else:
            names.append(text if at or not calibration or not parse(text).calibrated else f"{text}@{calibration}")
    return list(dict.fromkeys(names))


def canonical(text: str) -> str:
    """The one spelling of a compression name. Raises UsageError."""
    return parse(text).name


def check(recipe: Recipe, source: Format, target: Format) -> None:
    """Raise UsageError if a model in format `source` cannot become this variant in format `target`."""
    obstacle = recipe.obstacle(source, target)
    if obstacle:
        raise UsageError(
            f"No {recipe.name} in {target} format from a {source} source: {obstacle}",
            "Name the model's folder in Hugging Face format (`python -m core.compress.gguf.unpack FILE FOLDER` makes one of a "
            "GGUF file), or another compression or engine.",
        )


def describe() -> str:
    """One sentence with every compression that exists."""
    return (
        f"Use none, METHOD-N (N percent of weights pruned, {PERCENT[0]} to {PERCENT[-1]}) or METHOD-n:m (n of m stay) with "
        f"{', '.join(get_args(Method))}; distill-RUN; one of {', '.join(GGUF_TYPES)}; or such steps joined as in "
        "magnitude-50+q4_0. @c4, @traces or @FILE at the end says what to calibrate on, @traces-128x2048 how much. "
        f"{', '.join(FAMILIES)} stand for several."
    )


def _with_step(recipe: Recipe, word: str, text: str) -> Recipe:
    pruning, distillation = _PRUNING.fullmatch(word), _DISTILLATION.fullmatch(word)
    if distillation and recipe == Recipe():
        return Recipe(_distillation(distillation, text))
    if pruning and recipe.pruning is None and recipe.gguf_type is None:
        return replace(recipe, pruning=_pruning(pruning, text))
    if word in GGUF_TYPES and recipe.gguf_type is None:
        return replace(recipe, gguf_type=word)
    raise _usage_error(text, _reason(word, bool(pruning or distillation)))


def _pruning(match: re.Match[str], text: str) -> Pruning:
    method: Method = match[1]  # type: ignore[assignment]
    if match[2] is not None:
        if int(match[2]) not in PERCENT:
            raise _usage_error(text, f"{match[0]} is out of range")
        return Pruning(method, int(match[2]))
    keep, group = int(match[3]), int(match[4])
    if not 0 < keep < group or group not in GROUPS:
        raise _usage_error(text, f"{match[0]} is out of range")
    return Pruning(method, None, keep, group)


def _distillation(match: re.Match[str], text: str) -> Distillation:
    runs = tuple(dict.fromkeys(int(run) for run in match[1].split(".")))
    values: dict[str, object] = {}
    for option in match[2].split(":")[1:]:
        name, equals, value = option.partition("=")
        try:
            values[name] = _OPTIONS[name](value) if equals else {"packed": True}[name]
        except (KeyError, ValueError):
            raise _usage_error(text, f"{option!r} is no option of a distillation ({', '.join(_OPTIONS)}, packed)") from None
    distillation = Distillation(runs, **values)  # type: ignore[arg-type]
    epochs, batch, rate, lora = distillation.epochs, distillation.batch, distillation.rate or 1, distillation.lora
    if not 0 < epochs <= 1000 or not 0 < batch <= 4096 or not 0 < rate <= 1 or lora > 1024:
        raise _usage_error(text, f"{match[0]} is out of range")
    return distillation


_OPTIONS = {"epochs": float, "rate": float, "batch": int, "lora": int}


def _with_calibration(recipe: Recipe, source: str, text: str) -> Recipe:
    match = CALIBRATION.fullmatch(source)
    if match is None or (match[2] and not (int(match[2]) and int(match[3]) > 1)):
        raise _usage_error(text, f"{source!r} is no text to calibrate on")
    if not recipe.calibrated:
        raise _usage_error(text, f"{recipe.name} needs no text to calibrate on")
    sizes = (int(match[2]), int(match[3])) if match[2] else (None, None)
    return replace(recipe, calibration=Calibration(match[1], *sizes))


def _usage_error(text: str, reason: str) -> UsageError:
    return UsageError(f"{text!r} is no compression: {reason}{'' if reason.endswith('?') else '.'}", describe())


def _reason(word: str, is_step: bool) -> str:
    """Why a word cannot stand at its place in a compression name."""
    if is_step:
        return "distillation comes first, then pruning, once each, and quantization last"
    if word in GGUF_TYPES:
        return "there is only one type at the end"
    return f"{word!r} is not known.{nearest(word, (*GGUF_TYPES, *FAMILIES))}".removesuffix(".")
