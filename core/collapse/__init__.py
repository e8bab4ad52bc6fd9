"""Repetition collapse: detects while it streams that an output repeats itself until its limit."""

from core.collapse.detector import DEFAULT_LIMIT, HEALTHY, UNIT_CHARACTERS, Detector, Verdict
from core.collapse.windows import Windows

__all__ = ["DEFAULT_LIMIT", "HEALTHY", "UNIT_CHARACTERS", "Detector", "Verdict", "Windows"]
