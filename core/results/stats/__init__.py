"""Statistics of scores and lengths: 95 % intervals, differences, ratios, and p-values of several claims."""

from core.results.stats.claims import RESAMPLES, SEED, holm
from core.results.stats.corrected import corrected_interval
from core.results.stats.differences import Difference, paired, unpaired
from core.results.stats.mean import Mean, mean_interval, mean_of, mover
from core.results.stats.ratios import Inflation, Recovery, inflation, recovery
from core.results.stats.shares import Interval, Z, pass_at_k, wilson

__all__ = [
    "RESAMPLES",
    "SEED",
    "Difference",
    "Inflation",
    "Interval",
    "Mean",
    "Recovery",
    "Z",
    "corrected_interval",
    "holm",
    "inflation",
    "mean_interval",
    "mean_of",
    "mover",
    "paired",
    "pass_at_k",
    "recovery",
    "unpaired",
    "wilson",
]
