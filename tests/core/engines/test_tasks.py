"""What arrives between two steps goes on together, and nothing changes its place among the events of its request."""

from __future__ import annotations

from core.engines.decode.tasks import merged
from core.engines.host.wire import Delta, Deltas, Event, Finished, Started


def test_new_text_goes_on_in_one_piece_a_request_up_to_the_next_event() -> None:
    events: list[Event | BaseException] = [
        Started("a", "p", None, 9),
        Deltas((Delta("a", "It ", (1,)),)),
        Deltas((Delta("b", "He", (), 1), Delta("a", "is", (2, 3)))),
        Finished("b", "stop"),
        Deltas((Delta("a", " 42.", (4,)),)),
    ]
    assert list(merged(events)) == [
        events[0],
        Deltas((Delta("a", "It is", (1, 2, 3)), Delta("b", "He", (), 1))),
        events[3],
        events[4],
    ]
