"""The paper's claims as tests over the store, and the ranking of methods.

Where there is nothing to find, at most 5 % of stores have any finding at all: the level is split between claims and ranking,
and p values are adjusted by Holm (1979) within each. Each claim has an effect, its 95 % interval, a verdict and the runs behind
it. Variants are compared within one model, origin and protocol only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from core.results.rows import Finding, Findings, RankingRow, Verdict
from core.results.stats import holm
from core.results.tables.claims import Claim, harder, heights_of, knowledge, knowledge_first, shorter, within_questions
from core.results.tables.collapse_points import families
from core.results.tables.measured import Measured, measured
from core.results.tables.ranking import Change, Cost, costs

LEVEL = 0.05
OF_CLAIMS = 0.8
"""The share of the level that is the claims'; the rest is the ranking's, whose p values are tiny where there is a cost."""


def findings(connection: sqlite3.Connection) -> Findings:
    """{claims: [{claim, verdict, effect, effect_ci, p, unit, runs, basis}], ranking: [...]}; percentage points where not told.

    Verdicts: supported, contradicted, inconclusive, not enough data. `p` is adjusted for all claims and rows of the ranking.
    """
    return found(measured(connection))


def found(cells: Sequence[Measured]) -> Findings:
    """The findings of rows."""
    curves = families(cells)
    heights = heights_of(curves)
    orders = [harder(curves, heights), knowledge_first(curves, heights)]
    claims = [knowledge(cells), *orders, shorter(cells), within_questions(cells)]
    ranking = costs(cells)
    changes = [change for row in ranking for change in (row.reasoning, row.knowledge) if change is not None]
    of_claims = iter(_adjusted([claim.p for claim in claims if claim.p is not None], OF_CLAIMS))
    of_ranking = iter(_adjusted([change.p for change in changes], 1 - OF_CLAIMS))
    return {
        "claims": [_finding(claim, None if claim.p is None else next(of_claims)) for claim in claims],
        "ranking": [_row(row, of_ranking) for row in ranking],
    }


def _adjusted(values: Sequence[float], share: float) -> list[float]:
    """p values of one group adjusted by Holm, and for the group's share of the level."""
    return [min(1.0, p / share) for p in holm(values)]


def _finding(claim: Claim, p: float | None) -> Finding:
    return {
        "claim": claim.claim,
        "verdict": _verdict(claim.effect, p),
        "effect": claim.effect,
        "effect_ci": None if claim.ends is None else list(claim.ends),
        "p": p,
        "unit": claim.unit,
        "runs": claim.runs,
        "basis": claim.basis,
    }


def _verdict(effect: float | None, p: float | None) -> Verdict:
    if effect is None or p is None:
        return "not enough data"
    if p >= LEVEL:
        return "inconclusive"
    return "supported" if effect > 0 else "contradicted"


def _row(cost: Cost, adjusted: Iterator[float]) -> RankingRow:
    reasoning, knowledge = ((change, None if change is None else next(adjusted)) for change in (cost.reasoning, cost.knowledge))
    return {
        "method": cost.method,
        "kind": cost.kind,
        "variants": cost.variants,
        "runs": cost.runs,
        "reasoning": _points(reasoning[0]),
        "reasoning_ci": reasoning[0].ends if reasoning[0] else None,
        "reasoning_p": reasoning[1],
        "knowledge": _points(knowledge[0]),
        "knowledge_ci": knowledge[0].ends if knowledge[0] else None,
        "knowledge_p": knowledge[1],
    }


def _points(change: Change | None) -> float | None:
    return None if change is None else 100 * change.value
