"""What a compression's name says was done: pruning by which method to which sparsity, quantization, both or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["dense", "quantization", "pruning", "pruning and quantization"]

_PRUNERS = "sparsegpt|alphapruning|magnitude|wanda|pruned"
_PRUNING = re.compile(rf"(?P<method>{_PRUNERS})(?:-(?P<percent>\d{{1,2}}(?:\.\d+)?))?(?P<rest>.*)")
_PRUNED_SHARE = re.compile(
    rf"(?:{_PRUNERS})-(?:(?P<keep>\d+)(?:of|:)(?P<group>\d+)|(?P<percent>\d{{1,2}}(?:\.\d+)?))(?![\d.a-z])"
)


@dataclass(frozen=True, slots=True)
class Method:
    """`pruning` is the method without its percent, `percent` the share of weights that it prunes, `rest` all else.

    A compression whose name holds a pattern (`sparsegpt-2of4`) has it in its method and no percent. `calibration` is the text
    that the name says it was calibrated on, empty where it says none.
    """

    pruning: str | None
    percent: float | None
    rest: str
    calibration: str = ""

    @property
    def kind(self) -> Kind:
        """The family of methods that the paper compares."""
        if self.pruning is None:
            return "dense" if self.rest == "none" else "quantization"
        return "pruning" if self.rest == "none" else "pruning and quantization"

    @property
    def name(self) -> str:
        """The method without how much of it: `sparsegpt`, `magnitude+q4_0`, `awq`, `sparsegpt@traces`."""
        text = f"@{self.calibration}" if self.calibration else ""
        if self.pruning is None:
            return (re.sub(r"[-_]?\d+(?:\.\d+)?[-_]?bits?$", "", self.rest) or self.rest) + text
        return (self.pruning if self.rest == "none" else f"{self.pruning}+{self.rest}") + text


def method(compression: str) -> Method:
    """The method of a compression's name."""
    pruning, percent, rest = None, None, []
    steps, _, calibration = compression.lower().partition("@")
    for part in steps.split("+"):
        match = _PRUNING.fullmatch(part)
        if match is None:
            rest.append(part)
        elif match["rest"] or match["percent"] is None:
            pruning = part
        else:
            pruning, percent = match["method"], float(match["percent"])
    return Method(pruning, percent, "+".join(rest) or "none", calibration)


def pruned_share(compression: str) -> float | None:
    """The share of weights that a name from elsewhere says were pruned, such as 0.5 of `my-sparsegpt-50`; else None.

    A pattern such as `wanda-2of4` keeps 2 of 4 weights.
    """
    match = _PRUNED_SHARE.search(compression.lower())
    if match is None:
        return None
    if match["percent"]:
        return float(match["percent"]) / 100
    keep, group = int(match["keep"]), int(match["group"])
    return 1 - keep / group if keep <= group and group else None
