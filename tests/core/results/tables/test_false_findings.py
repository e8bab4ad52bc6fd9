"""Where there is nothing to find, findings are rare; where there is something, they are found. The short form of a simulation.

The long one is `python -m tests.simulation.findings`; docs/statistics.md has its figures.
"""

from __future__ import annotations

import pytest

from tests.simulation.findings import nothing, something
from tests.simulation.stores import Design

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("designs", "most"),
    [
        ([(Design(2, 1, 2), 30), (Design(7, 1, 3), 10)], 5),
        pytest.param([(Design(2, 1, 2), 40), (Design(7, 1, 3), 30), (Design(7, 3, 2), 20)], 9, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("ending", [False, True], ids=["nothing", "ends at random"])
def test_findings_are_rare_where_nothing_is_there(ending: bool, designs: list[tuple[Design, int]], most: int) -> None:
    """Of 40 stores at most 5, of 90 at most 9: with the promised 5 % more come once in thirty or fifty times."""
    found = [(stores, *nothing(design, stores, 1, ending)[1:]) for design, stores in designs]
    assert sum(round(stores * share) for stores, share, _ in found) <= most, found


def test_effects_are_found() -> None:
    found = something(Design(23, 1, 3), 6, 1)
    assert found["Shorter outputs are more accurate"] == 6
    assert found["Quantization keeps knowledge (musique) better than pruning"] >= 3
    assert found["ranking reasoning"] == 6
