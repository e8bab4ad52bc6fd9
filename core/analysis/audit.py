"""What stopping at a repetition collapse has cost: the responses that were let run on tell of those that were stopped.

A drawn share of the collapsed responses runs on (policy `audit`; all of them under `observe`). Those of them that earn credit
in the end are what stopping loses, and their share corrects the score, in which every stopped response counts as wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.analysis.intervals import Interval, weighted_shares, wilson
from core.analysis.runs import finished_responses


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts of one run's finished responses, and shares from 0 to 1.

    `stopped` for repetition; `audited`: collapsed, but let run on; `lost`: those of them that earned credit (correct, or an
    exact match) in the end, which stopping would have lost. `corrected` is the score with the stopped ones credited at the
    audited rate; None where some were stopped and none audited.
    """

    stopped: int
    audited: int
    lost: int
    lost_interval: Interval | None
    corrected: float | None
    corrected_interval: Interval | None

    @classmethod
    def of(cls, responses: pd.DataFrame, credit: str) -> Audit:
        """Of a run's finished responses, which have columns `reason`, `collapsed`, `audited` and `credit` (0 or 1)."""
        collapsed = responses["collapsed"] == 1
        audited = collapsed & (responses["audited"] == 1)
        stopped, m, n = int((responses["reason"] == "repetition").sum()), int(audited.sum()), len(responses)
        lost = int(responses.loc[audited, credit].sum())
        if stopped and not m:
            return cls(stopped, 0, 0, None, None, None)
        # A collapsed response that was not drawn says nothing, even where it ended before it could be stopped.
        rest = responses.loc[~collapsed, credit]
        strata = [(float(rest.sum()), len(rest), len(rest) / n), (float(lost), m, int(collapsed.sum()) / n)]
        corrected, interval = weighted_shares([stratum for stratum in strata if stratum[1]])
        return cls(stopped, m, lost, wilson(lost, m), corrected, interval)


def audits_of_stopped(connection: sqlite3.Connection, metrics: Mapping[int, str]) -> dict[int, Audit]:
    """The audit of each run that stopped responses; `metrics` tells whether a run has accuracy or em_f1."""
    wanted = "SELECT value FROM json_each(?)"
    sql = f"SELECT DISTINCT job_id FROM responses WHERE finish_reason = 'repetition' AND job_id IN ({wanted})"
    runs = [int(row[0]) for row in connection.execute(sql, (str(list(metrics)),))]
    responses = finished_responses(connection, runs)
    credit = {"accuracy": "correct", "em_f1": "em"}
    return {run: Audit.of(responses[responses["run"] == run], credit[metrics[run]]) for run in runs}
