"""Responses by question: the question is the unit, with the mean over its samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Questions:
    """Responses by question, each array [questions]: how many samples each has, and means over them, 0 to 1."""

    items: np.ndarray
    samples: np.ndarray
    credit: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Questions:
        """The questions of responses of dtype `ROW`, in the order of their numbers."""
        items, place = np.unique(rows["item"], return_inverse=True)
        samples = np.bincount(place, minlength=len(items))
        return cls(items, samples, means(rows["credit"], place, samples), means(rows["score"], place, samples))


def means(values: np.ndarray, place: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Means of values, [responses], over the samples of each question, [questions]; `place`: the question of each value."""
    result: np.ndarray = np.bincount(place, values.astype(float), minlength=len(samples)) / np.maximum(1, samples)
    return result


def by_question(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of values, [responses], and samples of each question that responses of dtype `ROW` answer, each [questions]."""
    items, place = np.unique(rows["item"], return_inverse=True)
    samples = np.bincount(place, minlength=len(items))
    return means(values, place, samples), samples
