"""The online detector of repetition collapse.

It reads text, so that it serves every engine and outputs made elsewhere, cuts it into units of about a token (words,
digits, punctuation, white space), and calls an output collapsed as soon as one of these rules holds:

* *verbatim*: the units equal those one lag d back for at least V units and beyond a second round (d + V/4), or for 1,024
  units where the period is longer than that. A text repeated only once never exceeds d.
* *near*: 95 % of the last W units end an n-gram that had come before, or 90 % one that had come at least twice before.
* *noise*: the last W units have 86 % in common with what stood a multiple of the period before, and before that.
* *counter*: over 2 W units nothing but numbers changed, and they went on by even steps.

The last two are applied every W/4 units, the costly one only where n-grams recur at all. V, W and n shrink with the run's
token limit. What follows the first mark that closes the thinking is judged by itself, since an answer may well repeat its
reasoning. Verdicts do not depend on how the stream is cut, because a unit counts only when the character after it is known.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from typing import Literal

from core.collapse.closing import CLOSING_UNITS, closes_with
from core.collapse.grams import Grams, usual_lag
from core.collapse.slow_rules import counter_lag, noisy_lag
from core.collapse.units import CODES, UNITS
from core.collapse.windows import FULL, Windows
from core.engines.thinking import LONGEST_CLOSE

State = Literal["healthy", "suspicious", "collapsed"]
Rule = Literal["verbatim", "near", "noise", "counter"]

SUSPICIOUS_SHARE = 0.7
RECURRING_SHARE = 0.25  # below it no loop under 5 % noise can be: 16-grams of it recur for 40 %
UNIT_CHARACTERS = 2_000
DEFAULT_LIMIT = 32_768
READ_CHARACTERS = 100  # read together, since a call a token costs more than the reading

_BASE = 0x2545F491
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of an output so far; offsets and lengths are characters of the output, None where there is no loop.

    `position` is where the text first counted as collapsed, `onset` where the first round began, `period` the length of a
    round, `unit` the text of one from the start of a line or sentence (at most 2,000 characters of it), `count` the full
    rounds so far. Where rounds differ (every rule but verbatim) onset and period are about right, and rounds are counted
    up to `position`.
    """

    state: State
    position: int | None = None
    onset: int | None = None
    period: int | None = None
    unit: str | None = None
    count: int | None = None
    rule: Rule | None = None


HEALTHY = Verdict("healthy")


class Detector:
    """The detector for one output: `feed` it text as it comes, `finish` it, and read `verdict` at any time.

    Its memory is bounded by `limit_tokens`, the most tokens that the output may have. A collapse, once seen, stays.
    """

    def __init__(self, limit_tokens: int = DEFAULT_LIMIT) -> None:
        self.windows = Windows.of(limit_tokens)
        self._capacity = max(limit_tokens, 2 * self.windows.near)
        self._leaving = pow(_BASE, self.windows.gram, 1 << 32)
        self._end = 0
        self._waiting: list[str] = []
        self._waiting_length = 0
        self._pending = ""
        self._tail = ""
        self._before = ""  # the end of the text before the unit that is read next, as long as a closing mark
        self._answering = self._finished = self._looping = False
        self._rule: Rule | None = None
        self._collapse = HEALTHY
        self._forget()

    def feed(self, text: str) -> None:
        """Read the next piece of the output. Raises ValueError after `finish`."""
        if self._finished:
            raise ValueError("the output is finished: take a new Detector for another one")
        self._waiting.append(text)
        self._waiting_length += len(text)
        if self._waiting_length >= READ_CHARACTERS:
            self._read_waiting()

    def finish(self) -> None:
        """End the output, which includes its last unit in the verdict."""
        self._read_waiting()
        pieces = [self._pending] if self._pending else []
        self._pending, self._finished = "", True
        self._read(pieces)

    def _read_waiting(self) -> None:
        pieces = UNITS.findall(self._pending + "".join(self._waiting))
        self._waiting, self._waiting_length = [], 0
        self._pending = pieces.pop() if pieces else ""
        self._read(pieces)

    @property
    def collapsed(self) -> bool:
        """Whether the text read so far is a collapse."""
        return self._rule is not None

    @property
    def verdict(self) -> Verdict:
        """The verdict on the text read so far; until `finish` up to `READ_CHARACTERS` of what was fed may be unread."""
        if self._rule:
            rounds = (self._end - (self._collapse.onset or 0)) // (self._collapse.period or 1)
            return replace(self._collapse, count=rounds)
        if self._run >= max(self.windows.verbatim // 2, self._lag):
            return replace(self._loop(self._lag, self._run), state="suspicious", position=None)
        if self._alike or self._repeated >= SUSPICIOUS_SHARE * self.windows.near:
            return Verdict("suspicious")
        return HEALTHY

    def _forget(self) -> None:
        """Reset the state, so that the following text is judged alone."""
        self._units = array("I")
        self._lengths = array("B")
        self._grams = Grams(self._capacity)
        self._recent = bytearray(self.windows.near)  # per unit: 1 where its gram came before, 2 where twice
        self._gram = self._lag = self._run = self._once = self._repeated = 0
        self._alike = False

    def _read(self, pieces: list[str]) -> None:
        if not self._answering and not CLOSING_UNITS.isdisjoint(pieces):
            self._read_to_answer(pieces)
        else:
            self._read_units(pieces)
        if pieces and not self._answering:
            self._before = (self._before + "".join(pieces[-LONGEST_CLOSE:]))[-LONGEST_CLOSE:]

    def _read_to_answer(self, pieces: list[str]) -> None:
        """Read pieces that contain a word such as "think"; where it is part of a closing mark, reset the state before it."""
        for index, piece in enumerate(pieces):
            if piece in CLOSING_UNITS and closes_with(
                self._before + "".join(pieces[max(0, index - LONGEST_CLOSE) : index + 1])
            ):
                self._read_units(pieces[:index])
                if not self._rule:
                    self._answering = True
                    self._forget()
                self._read_units(pieces[index:])
                return
        self._read_units(pieces)

    def _read_units(self, pieces: list[str]) -> None:
        """Read units in parts that end at each check of the slow rules."""
        start, check = 0, self.windows.check
        while start < len(pieces) and (self._looping or not self._rule):
            first = len(self._units)
            some = pieces[start : start + check - first % check]
            self._units.extend([CODES[piece] for piece in some])
            self._lengths.extend([len(piece) for piece in some])
            if self._rule:
                self._follow(first)
            else:
                self._search(first)
            read = len(self._units) - first
            self._end += sum(self._lengths[first:])
            self._tail = (self._tail + "".join(some[max(0, read - UNIT_CHARACTERS) : read]))[-UNIT_CHARACTERS:]
            start += read
            if self._rule is None and len(self._units) % check == 0:
                self._check()
            elif self._rule and self._collapse is HEALTHY:
                self._collapsed()
            if len(self._units) >= 2 * self._capacity:
                self._drop_older_half()

    def _search(self, first: int) -> None:
        """Apply the fast rules to the units from `first` on; where one holds, drop the units after it."""
        units, recent, meet = self._units, self._recent, self._grams.meet
        size, need, window = self.windows.gram, self.windows.verbatim, self.windows.near
        enough_once, enough_twice, leaving = self.windows.once, self.windows.twice, self._leaving
        gram, lag, run, once, repeated = self._gram, self._lag, self._run, self._once, self._repeated
        for index in range(first, len(units)):
            code = units[index]
            gram = (gram * _BASE + code - (units[index - size] * leaving if index >= size else 0)) & _MASK
            before, times = meet(gram, index)
            if lag and code == units[index - lag]:
                run += 1
            else:
                lag = run = 0
                if before >= size - 1 and units[before - size + 1 : before + 1] == units[index - size + 1 : index + 1]:
                    lag, run = index - before, _equal_back(units, index, before)
            place = index % window
            old = recent[place]
            if times != old:
                new = times if times < 2 else 2
                once += (new > 0) - (old > 0)
                repeated += (new > 1) - (old > 1)
                recent[place] = new
            if run >= need and (run >= FULL or run >= lag + need // 4):
                self._rule = "verbatim"
            elif once >= enough_once or repeated >= enough_twice:
                self._rule = "near"
            if self._rule:
                del units[index + 1 :], self._lengths[index + 1 :]
                break
        self._gram, self._lag, self._run, self._once, self._repeated = gram, lag, run, once, repeated

    def _check(self) -> None:
        """Apply the slow rules."""
        self._alike = False
        if self._once >= RECURRING_SHARE * self.windows.near:
            lag, likeness = noisy_lag(self._units, self.windows)
            self._alike = likeness >= SUSPICIOUS_SHARE
            if lag:
                self._rule = "noise"
                self._collapse = self._loop(lag, 3 * self.windows.noise - lag)
                return
        lag = counter_lag(self._units, self.windows) if len(self._units) % (2 * self.windows.check) == 0 else 0
        if lag:
            self._rule = "counter"
            self._collapse = self._loop(lag, self.windows.count - lag)

    def _follow(self, first: int) -> None:
        """Keep the units from `first` on as long as they continue the detected verbatim loop."""
        for index in range(first, len(self._units)):
            if self._units[index] != self._units[index - self._lag]:
                self._looping = False
                del self._units[index:], self._lengths[index:]
                break

    def _collapsed(self) -> None:
        """Describe the loop that a fast rule has detected."""
        self._looping = self._rule == "verbatim"
        if self._rule == "near":
            self._lag = usual_lag(self._units, self.windows.near, self.windows.gram)
            self._run = self.windows.near
        self._collapse = self._loop(self._lag, self._run)

    def _loop(self, lag: int, run: int) -> Verdict:
        """The loop that ends here: its last `run` units equal, or nearly, those `lag` before."""
        onset = self._end - sum(self._lengths[-(run + lag) :])
        period = sum(self._lengths[-lag:])
        unit = self._tail[-period:]
        if period == len(unit):
            period = (unit + unit).find(unit, 1)
            unit = _from_its_start(unit[:period])
        return Verdict("collapsed", self._end, onset, period, unit, (self._end - onset) // period, self._rule)

    def _drop_older_half(self) -> None:
        """Drop old units of an output that is longer than its limit."""
        del self._units[: -self._capacity], self._lengths[: -self._capacity]
        self._grams = Grams(self._capacity)
        self._recent, self._once, self._repeated = bytearray(self.windows.near), 0, 0
        if self._lag > self._capacity:
            self._lag = self._run = 0


def _equal_back(units: array[int], index: int, before: int) -> int:
    """How many units up to `index` equal those up to `before`."""
    run = 0
    while before - run >= 0 and units[index - run] == units[before - run]:
        run += 1
    return run


def _from_its_start(round_: str) -> str:
    """A round rotated to begin with a line or a sentence, since detection may start anywhere in it."""
    for end in ("\n", ". "):
        before, mark, after = round_.partition(end)
        if mark and after.strip():
            return after + before + mark
    return round_
