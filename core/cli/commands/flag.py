"""flag: a verdict or a mark by hand, with a note."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, argument, command
from core.errors import UsageError

VERDICT = "by hand; graded: the grader's counts again"


@command(RESULTS, 'lrm-tui flag 12 --verdict correct --note "the key is wrong"', order=6)
@argument("responses", "ID...", "numbers as in `lrm-tui responses`", type=click.INT, nargs=-1, required=True)
@click.option("--verdict", type=click.Choice(("correct", "wrong", "graded")), help=VERDICT)
@click.option("--unflag", is_flag=True, help="take the mark away; without --verdict the response is marked")
@click.option("--note", default="", metavar="NOTE", help="why")
def flag(call: Call, responses: tuple[int, ...], verdict: str | None, unflag: bool, note: str) -> int:
    """Judge or mark responses by hand; the grader's verdict stays."""
    from core.store.reviews import review

    if verdict is None and unflag and note:
        raise UsageError("A note on nothing.", "Leave --unflag, or give a --verdict.")
    with call.changing() as connection:
        for number in responses:
            row = connection.execute("SELECT hand, flagged FROM responses WHERE id = ?", (number,)).fetchone()
            hand, was = (None, False) if row is None else row  # `review` says that there is none
            judged = {"correct": True, "wrong": False, "graded": None, None: hand}[verdict]
            flagged = not unflag and (verdict is None or bool(was))
            review(connection, number, judged, flagged, note)
            print(f"response {number}: {verdict or ('flagged' if flagged else 'no flag')}")
    return 0
