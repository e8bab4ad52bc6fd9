"""Comparisons, collapse points, findings and recommendations as sheets."""

from __future__ import annotations

from collections.abc import Sequence

from core.analysis.sheets import UNKNOWN, Cell, Row, Sheet, changes, interval, number

SHOWN_KEYS = 6


def compare_sheet(rows: Sequence[Row]) -> Sheet:
    """What `compare` gives: both scores, their difference, and how many questions flipped."""
    body = [
        (
            *(Cell(row["benchmark"]), Cell(str(row["n"])), Cell(number(row["a_score"])), Cell(number(row["b_score"]))),
            Cell(signed(row["difference"]), interval(row["difference_ci"], 1)),
            Cell(UNKNOWN if row["p"] is None else f"{row['p']:.3g}"),
            Cell(str(len(row["gained"])), tuple(row["gained"][:SHOWN_KEYS])),
            Cell(str(len(row["lost"])), tuple(row["lost"][:SHOWN_KEYS])),
            Cell(f"{row['both']} / {row['neither']}"),
        )
        for row in rows
    ]
    names = f"{rows[0]['a']} (A) and {rows[0]['b']} (B)" if rows else "two variants"
    return Sheet(
        "compare",
        f"{names} on the same questions",
        "Percent correct (F1 for MuSiQue) over the n questions that both finished; B - A with its 95 % interval from a paired "
        "bootstrap; p of McNemar's exact test on right and wrong answers. Gained, Lost: questions that only B, only A got right "
        f"(the first {SHOWN_KEYS} below; all in JSON). Both / Neither: right on both sides, on none.",
        ("Benchmark", "n", "A", "B", "B - A", "p", "Gained", "Lost", "Both / Neither"),
        tuple(body),
    )


def signed(value: float | None) -> str:
    """A difference in percentage points."""
    return UNKNOWN if value is None else f"{value:+.1f}"


def points_sheet(rows: Sequence[Row]) -> Sheet:
    """What `points` gives: between which sparsities each pruned family loses each benchmark."""
    body = []
    for row in rows:
        found = _between(row["low"], row["high"]) if row["state"] in ("collapsed", "intact") else UNKNOWN
        ends: tuple[str, ...] = ()
        if row["low_ci"]:
            ends = (f"{_between(row['low_ci'][0], row['high_ci'][1])}; {row['agreeing']:.0f} % of curves agree",)
        curve = "  ".join(f"{step['sparsity']:g}: {step['score']:.0f}" for step in row["curve"])
        body.append((Cell(row["family"]), Cell(row["benchmark"]), Cell(row["state"]), Cell(found, ends), Cell(curve)))
    return Sheet(
        "collapse-points",
        "Collapse points",
        "The interval of sparsity at whose end less than half of the dense score is left, corrected for chance; small: what 95 % "
        "of resampled curves span. Curve: score in percent at each sparsity.",
        ("Variant", "Benchmark", "State", "Point", "Curve"),
        tuple(body),
        texts=2,
        breaks=changes(rows, lambda row: row["family"]),
    )


def _between(low: float | None, high: float | None) -> str:
    return f"above {low:g} %" if high is None else f"{low:g} to {high:g} %"
