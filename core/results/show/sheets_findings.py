"""Comparisons, collapse points, findings and recommendations as sheets."""

from __future__ import annotations

from collections.abc import Sequence

from core.results.rows import CompareRow, Findings, PointRow, Recommendation
from core.results.show.sheets import UNKNOWN, Cell, Sheet, changes, interval, number
from core.results.tables.recommend import gigabytes

SHOWN_KEYS = 6


def compare_sheet(rows: Sequence[CompareRow]) -> Sheet:
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
        "Percent correct (F1 for MuSiQue) over the n questions that both finished; B - A with its 95 % interval and "
        "p, of one paired test. Gained, Lost: questions only B, only A got right "
        f"(the first {SHOWN_KEYS} below; all in JSON). Both / Neither: right on both sides, on none.",
        ("Benchmark", "n", "A", "B", "B - A", "p", "Gained", "Lost", "Both / Neither"),
        tuple(body),
    )


def signed(value: float | None) -> str:
    """A difference in percentage points."""
    return UNKNOWN if value is None else f"{value:+.1f}"


def points_sheet(rows: Sequence[PointRow]) -> Sheet:
    """What `points` gives: between which sparsities each pruned family loses each benchmark."""
    body = []
    for row in rows:
        point = _between(row["low"], row["high"]) if row["state"] in ("collapsed", "intact") else UNKNOWN
        ends: tuple[str, ...] = ()
        if row["low_ci"] and row["high_ci"]:
            ends = (f"{_between(row['low_ci'][0], row['high_ci'][1])}; {row['agreeing']:.0f} % of curves agree",)
        curve = "  ".join(f"{step['sparsity']:g}: {step['score']:.0f}" for step in row["curve"])
        body.append((Cell(row["family"]), Cell(row["benchmark"]), Cell(row["state"]), Cell(point, ends), Cell(curve)))
    return Sheet(
        "collapse-points",
        "Collapse points",
        "The interval of sparsity at whose end less than half of the dense score is left, corrected for chance; small: what "
        "95 % of resampled curves span. Curve: score in percent at each sparsity.",
        ("Variant", "Benchmark", "State", "Point", "Curve"),
        tuple(body),
        texts=2,
        breaks=changes(rows, lambda row: row["family"]),
    )


def _between(low: float | None, high: float | None) -> str:
    return f"above {low:g} %" if high is None else f"{low:g} to {high:g} %"


def findings_sheets(findings: Findings) -> list[Sheet]:
    """What `findings` gives: the claims, then the ranking of methods."""
    claims = [
        (
            *(
                Cell(claim["claim"], (claim["basis"],)),
                Cell(claim["verdict"], strong=claim["verdict"] in ("supported", "contradicted")),
            ),
            Cell(signed(claim["effect"]), interval(claim["effect_ci"], 1)),
            Cell(_p(claim["p"])),
            *(Cell(claim["unit"]), Cell(str(claim["runs"]))),
        )
        for claim in findings["claims"]
    ]
    ranking = [
        (
            *(Cell(row["method"]), Cell(row["kind"]), Cell(str(row["variants"])), Cell(str(row["runs"]))),
            Cell(signed(row["reasoning"]), _change(row["reasoning_ci"], row["reasoning_p"])),
            Cell(signed(row["knowledge"]), _change(row["knowledge_ci"], row["knowledge_p"])),
        )
        for row in findings["ranking"]
    ]
    sheets = [
        Sheet(
            "findings",
            "Findings",
            "Each claim says that its effect lies above 0. Small: what was compared, and the effect's own 95 % interval. "
            "Verdicts go by p, adjusted for all claims: where nothing is there, at most 5 % of stores have any finding.",
            ("Claim", "Verdict", "Effect", "p", "Unit", "Runs"),
            tuple(claims),
            texts=2,
        ),
        Sheet(
            "ranking",
            "Methods by what they cost",
            "Change of accuracy (reasoning) and of F1 (knowledge) against the dense model on the same questions, percentage "
            "points, mean over benchmarks. Small: its own 95 % interval, and p adjusted for all rows.",
            ("Method", "Kind", "Variants", "Runs", "Reasoning", "Knowledge"),
            tuple(ranking),
            texts=2,
        ),
    ]
    return sheets if ranking else sheets[:1]


def _p(value: float | None) -> str:
    return UNKNOWN if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _change(ends: Sequence[float] | None, p: float | None) -> tuple[str, ...]:
    """The notes below a change."""
    return (*interval(ends, 1), f"p {_p(p)}") if ends else ()


def front_sheet(recommendation: Recommendation) -> Sheet:
    """What `recommend` gives: every candidate from small to large, and the reasons for the choice."""
    body = [
        (
            Cell(row["label"], strong=row["label"] == recommendation["choice"]),
            Cell(gigabytes(row["bytes"]), ("estimated",) if row["estimated"] else ()),
            Cell("yes" if row["fits"] else "no"),
            Cell("yes" if row["on_front"] else "no"),
            Cell(number(row["score"]), (*interval(row["score_ci"]), *(() if row["enough"] else ("few questions",)))),
            Cell(number(row["knowledge"]), interval(row["knowledge_ci"])),
        )
        for row in recommendation["front"]
    ]
    return Sheet(
        "recommendation",
        f"{recommendation['choice'] or 'No variant'} for {gigabytes(recommendation['memory'])}",
        " ".join(recommendation["reasons"]),
        ("Model and compression", "Weights", "Fits", "Front", "Average", "Knowledge (F1)"),
        tuple(body),
    )
