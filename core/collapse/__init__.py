"""Repetition collapse: a model that says the same thing again and again until its limit, seen while it streams."""

from core.collapse.detector import DEFAULT_LIMIT, HEALTHY, UNIT_CHARACTERS, Detector, Verdict
from core.collapse.windows import Windows

__all__ = ["DEFAULT_LIMIT", "HEALTHY", "UNIT_CHARACTERS", "Detector", "Verdict", "Windows"]
