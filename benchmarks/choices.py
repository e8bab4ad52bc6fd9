"""Which of some lettered options a text chooses: by letter, by its text, by a verdict on each, or by ruling out the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.clock import Interval, intervals
from benchmarks.sentences import first_sentence, sentence_ends


@dataclass(frozen=True, slots=True)
class Option:
    """An option's text and, where it is one, its span of the day."""

    text: str
    interval: Interval | None


Options = Mapping[str, Option]
"""Letter to option."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An option's letter (empty: the text says that there is none, or names several), how it was named, and where."""

    letter: str
    by: str = "letter"
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Mention:
    letter: str
    by: str
    start: int
    end: int


_NOTHING = Choice("")
_LETTERS = re.compile(
    r"[(\[]\s*(?P<a>[A-Da-d])\s*[)\]]|(?<![A-Za-z\\'’.])(?P<b>[A-D])(?![A-Za-z'’])(?!\.[A-Za-z]\.)|\b(?:option|choice|answer|letter)\s+[\"'“*_]{0,3}(?P<c>[a-d])\b(?!\s+[a-z])"
    r"|(?<![A-Za-z0-9\\'’.])(?P<d>[a-d])\)|(?<=\s)(?P<e>[b-d])(?=[*_]{0,2}[.!]?\s*$)"
)
_LONE = re.compile(r"\W*(?:option\s+|letter\s+)?(?P<a>[A-Da-d])(?:\W*|[).:]\s+.*)", re.IGNORECASE | re.DOTALL)
_ORDINAL = re.compile(
    r"\b(?:(?:the\s+)?(?P<word>first|second|third|fourth|last|1st|2nd|3rd|4th)\s+(?:option|choice|one|answer|slot|interval)|(?:option|choice)\s+(?:number\s+|no\.?\s*|#)?(?P<number>[1-4])\b(?!\s*[ap:]))",
    re.IGNORECASE,
)
_PLACES = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "last": -1}
_NONE = re.compile(
    r"\b(?:none\s+of\s+(?!the\s+other|these\s+other)|no\s+(?:\w+\s+)?(?:option|choice|time|slot|answer|interval|window)s?\b(?!\s+(?:other|but|except|besides))|neither\s+of|"
    r"all\s+of\s+(?:the\s+)?(?:above|them|these)|both\b(?=[^.]{0,40}\band\b)|cannot\s+be\s+determined|not\s+enough\s+information|i\s+(?:do\s+not|don['’]t)\s+know)|^\W*(?:none|neither|unknown|n/a)\W*$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\brather\s+than|\binstead\s+of|\bexcept(?:\s+for)?|\bneither|\bnor|\bunlike|\bexclud\w+|\beliminat\w+|\brul(?:e|es|ed|ing)\s+out|\breject\w*|\bwithout|\b(?:impossible|wrong|incorrect|unavailable|busy|out|invalid)\s*:)"
    r"\s*(?:be\s+)?(?:have\s+(?:gone|been)\s+(?:\w+\s+){0,4}?)?(?:from\s+|between\s+)?(?:the\s+)?(?:options?\s*|choices?\s*|(?:from|between|either|both)\s+)*[*_(\s\"“]*$",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"[)\].*_\s]*(?:,|/|&|and|or|nor|,\s*and|,\s*or|,\s*nor)\s+(?:(?:options?|choices?|from|between)\s*)?[*_(\s]*$|[)\].*_\s]*[,/][*_(\s]*$",
    re.IGNORECASE,
)
_WORD_A = re.compile(
    r"\s+(?!(?:and|or|is|was|because|since|as|fits|works|overlaps|conflicts|seems|matches|would|could|has|can|cannot|must|remains|only)\b)[a-z]"
)
_ALL_BUT = re.compile(
    rf"\b(?:everything|nothing|none|all|every\s+(?:\w+\s+){{0,2}}?|all\s+(?:\w+\s+){{1,3}}?|no\s+(?:other\s+)?(?:option|choice|time|slot))s?\s*(?:but|except(?:\s+for)?|other\s+than|besides)\s+(?:option\s+)?(?:{_LETTERS.pattern})(?!\s+(?:is|are)\s+(?:correct|possible|right))",
    re.IGNORECASE,
)
_SO = re.compile(r"\b(?:so|therefore|thus|hence|leaving|leaves|only|consequently)\b", re.IGNORECASE)
_STOP = re.compile(
    r"因为|因為|由于|なぜなら|ので|왜냐하면|потому|поскольку|\b(?:porque|ya\s+que|pois|parce\s+que|puisque|car\s|weil|denn|perché|because|since|as\s|given\s+that|whereas|while|even\s+though|although|though|despite|for\s+(?=[(A-D])|due\s+to|unlike|which|where|when\s)|[,.;]\s*(?:so\b|not\b|and\s+not\b|but\s+not\b|rather\b|with\b)|;|\s[(\[](?=[^()]{4,})|\s[—–]\s",
    re.IGNORECASE,
)
_GOOD = re.compile(
    r"\b(?:is|was|are|seems|looks|remains)\s+(?:\w+\s+){0,2}?(?:correct|right|possible|free|available|valid|feasible|the\s+(?:only\s+)?(?:answer|one|correct)|open|left|best|true|fine|ok)\b|\b(?:yes|correct|possible|free|available|valid|"
    r"feasible|fits|works|true|ok|okay|matches|remains|right|open|unaccounted)\b|[✓✔✅☑]|\bpossible\b",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(?:no|not|n['’]t|never|nope|wrong|incorrect|impossible|invalid|infeasible|unavailable|busy|occupied|asleep|overlap\w*|conflict\w*|ruled\s+out|out|excluded|eliminated|"
    r"false|fails?|taken|closed|cannot|unlikely|contradict\w*|rejected|covered|was\s+\w+ing|were\s+\w+ing|already)\b|n['’]t\b|[✗✘❌×]",
    re.IGNORECASE,
)


def is_option(line: str, options: Options) -> bool:
    """Whether a line is an option and nothing else: its letter, or its letter and its text."""
    match = re.fullmatch(r"[*_#\s]*\(?(?P<letter>[A-Da-d])(?:[).:]\s*(?P<text>.*?)|[)*_\s]*)[*_\s.]*", line)
    if not match or (line.strip() == match["letter"].lower() and match["letter"] == "a" and not options):
        return False
    text = re.sub(r"[*_]", "", match["text"] or "").strip()
    if not text:
        return True
    option = options.get(match["letter"].upper())
    found = intervals(text)
    return option is not None and (
        text.lower() == option.text.lower()
        or bool(len(found) == 1 and option.interval and found[0].same(option.interval) and len(text) < 40)
    )


def chosen(text: str, options: Options, explicit: bool) -> Choice | None:
    """The option that a place chooses; `Choice("")` where it says that none is right or names several; None if it says nothing.

    `explicit`: the place states the answer, so that its first clause decides and a lone letter of either case counts.
    """
    lone = _LONE.fullmatch(_plain(text)) if explicit else None
    if lone and (lone["a"] != "a" or len(text.strip(" .*_`()")) == 1) and _agrees(text, lone, options):
        return Choice(lone["a"].upper(), "letter", lone.start("a"), lone.end("a"))
    only = _ALL_BUT.search(text)
    if only:
        letter = next(filter(None, only.groups())).upper()
        return Choice(letter, "exclusion", *only.span())
    for part in _clauses(text) if explicit else [text]:
        if _NONE.search(part):
            return _NOTHING if not (rest := _positive(_NONE.split(part)[-1], options)) or len(rest) != 1 else _choice(rest)
        named = _positive(part, options)
        if not explicit and len({mention.letter for mention in named}) > 1:
            named = _concluded(part, options) or named
        if named:
            several = len({mention.letter for mention in named}) > 1
            return (by_verdicts(text, options) if several else None) or _choice(named)
    verdict = by_verdicts(text, options)
    if verdict:
        return verdict
    return None if not _mentions(text, options) or not explicit else _NOTHING if _positive(text, options) else None


def by_verdicts(text: str, options: Options, one_good: bool = False) -> Choice | None:
    """The one option that a list of verdicts calls possible; else the one left when every other is ruled out.

    `one_good`: what is said of the others need not be a verdict ("(A) asleep, (B) free").
    """
    letters = set(options) or set("ABCD")
    good: dict[str, _Mention] = {}
    bad: set[str] = set()
    every = _polarity(text, options)[-60:]
    mentions, denied = [mention for mention, _ in every], {mention for mention, no in every if no}
    for mention, following in zip(mentions, [*mentions[1:], None], strict=False):
        said = text[mention.end : following.start if following else mention.end + 160]
        if following and re.fullmatch(r"[)\].*_\s]*(?:,|and|or|nor|/|&|,\s*and)?\s*(?:options?\s*)?[*_(\s]*", said):
            said = _after_list(text, mentions, mention)
        said = re.sub(r"^[).:\]*_\s|]+", " ", said)
        ends = sentence_ends(said)
        said = said.split("\n", 1)[0][: ends[0] if ends else None]
        first_good, first_bad = _GOOD.search(said), _BAD.search(said)
        if mention in denied or (first_bad and (not first_good or first_bad.start() <= first_good.start())):
            bad.add(mention.letter)
            good.pop(mention.letter, None)
        elif first_good:
            good[mention.letter] = mention
            bad.discard(mention.letter)
    if len(good) == 1 and (bad or one_good):
        [(letter, mention)] = good.items()
        return Choice(letter, "verdicts", mention.start, mention.end)
    left = letters - bad
    if not good and len(left) == 1 and len(letters) > 2:
        return Choice(left.pop(), "exclusion", 0, len(text))
    return None


def _after_list(text: str, mentions: list[_Mention], mention: _Mention) -> str:
    """What is said of a list of options ("(A), (B) and (D) are out"): the text behind its last one."""
    last = mention
    for other in mentions[mentions.index(mention) + 1 :]:
        if not re.fullmatch(
            r"[)\].*_\s]*(?:,|and|or|nor|/|&|,\s*and)?\s*(?:options?\s*)?[*_(\s]*", text[last.end : other.start]
        ):
            break
        last = other
    after = text[last.end : last.end + 160]
    stop = next((m.start - last.end for m in mentions if m.start >= last.end), len(after))
    return after[:stop]


def _clauses(text: str) -> list[str]:
    """The first clause of a statement, its first sentence, all of its sentences."""
    sentence = first_sentence(text)
    stop = _STOP.search(sentence, 1)
    clause = sentence[: stop.start()] if stop else sentence
    return [clause, sentence] if sentence.strip() == text.strip() else [clause, sentence, text]


def _choice(named: list[_Mention]) -> Choice:
    letters = {mention.letter for mention in named}
    first = named[0]
    return Choice(first.letter, first.by, first.start, first.end) if len(letters) == 1 else _NOTHING


def _concluded(text: str, options: Options) -> list[_Mention]:
    """The options behind the last "so" of a sentence that names several."""
    conclusions = list(_SO.finditer(text))
    if not conclusions:
        return []
    at = conclusions[-1].end()
    return [_Mention(m.letter, m.by, m.start + at, m.end + at) for m in _positive(text[at:], options)]


def _positive(text: str, options: Options) -> list[_Mention]:
    """The options that a text names and does not deny; a letter's own text beside it counts as the letter."""
    return [mention for mention, denied in _polarity(text, options) if not denied]


def _polarity(text: str, options: Options) -> list[tuple[_Mention, bool]]:
    """The options that a text names, and whether it denies each."""
    named: list[tuple[_Mention, bool]] = []
    for mention in _mentions(text, options):
        before = named[-1] if named else None
        listed = before is not None and before[1] and bool(_LISTED.fullmatch(text[before[0].end : mention.start]))
        named.append((mention, listed or _denied(text, mention) or _ruled_out(text, mention)))
    return named


def _denied(text: str, mention: _Mention) -> bool:
    """Whether the words right in front of an option deny it; only those are looked at, however long the text is."""
    return bool(_DENIED.search(text[max(0, mention.start - 80) : mention.start]))


def _ruled_out(text: str, mention: _Mention) -> bool:
    """Whether the words right behind an option rule it out: "(A) is wrong", "A and C overlap"."""
    after = re.match(
        r"[)\].*_\s]*(?:(?:,\s*and|,\s*or|,|and|or|nor|/|&)\s*(?:options?\s*)?[*_(\s]*[A-D][)\].*_\s]*)*",
        text[mention.end : mention.end + 60],
    )
    said = text[mention.end + (after.end() if after else 0) : mention.end + 80]
    return bool(
        re.match(
            r"(?:(?:is|are|was|were|would\s+be|can\s+be)\s+(?:all\s+|also\s+|both\s+|clearly\s+|therefore\s+)*(?:not\b|n['’]t|wrong|incorrect|impossible|invalid|out\b|ruled\s+out|excluded|eliminated|busy|occupied|taken|unavailable|false)|isn['’]t|aren['’]t|overlaps?\b|conflicts?\b|fails?\b|"
            r"can(?:not|['’]t)|does\s?n[o'’]t|do\s?n[o'’]t|[-–—:]\s*(?:no|wrong|incorrect|impossible|busy|not)\b)",
            said,
            re.IGNORECASE,
        )
    )


def _mentions(text: str, options: Options) -> list[_Mention]:
    """Every option that a text names by letter, place or text, in order."""
    plain = _plain(text)
    found = [
        _Mention((m["a"] or m["b"] or m["c"] or m["d"] or m["e"]).upper(), "letter", m.start(), m.end())
        for m in _LETTERS.finditer(plain)
        if not _article(plain, m)
    ]
    letters = sorted(options)
    for match in _ORDINAL.finditer(plain):
        place = int(match["number"]) - 1 if match["number"] else _PLACES[match["word"].lower()]
        if -1 <= place < len(letters):
            found.append(_Mention(letters[place], "place", match.start(), match.end()))
    found += _by_text(text, options)
    found.sort(key=lambda mention: mention.start)
    kept: list[_Mention] = []
    for mention in found:
        beside = (
            kept
            and mention.by == "option text"
            and re.fullmatch(
                r"[)\].:,*_\s\"'“\\${}—–-]*(?:which\s+is\s+|i\.e\.,?\s*|is\s+|from\s+|between\s+|text(?:bf)?\s*)*",
                plain[kept[-1].end : mention.start],
            )
        )
        if not beside or kept[-1].by == "option text":
            kept.append(mention)
    return kept


def _by_text(text: str, options: Options) -> list[_Mention]:
    """The options whose spans of the day a text names; in a clock of twelve hours only where one alone can be meant."""
    found = []
    for interval in intervals(text):
        same = [letter for letter, option in options.items() if option.interval and interval.same(option.interval)]
        if not same and interval.vague:
            same = [letter for letter, option in options.items() if option.interval and interval.could_be(option.interval)]
        if len(same) == 1:
            found.append(_Mention(same[0], "option text", interval.at, interval.until))
    return found


def _agrees(text: str, lone: re.Match[str], options: Options) -> bool:
    """Whether a statement that begins with a letter names no other option behind it."""
    return len({mention.letter for mention in _mentions(text, options)} - {lone["a"].upper()}) == 0


def _article(text: str, match: re.Match[str]) -> bool:
    """ "A" that begins a sentence is a word, not an option; in "A and B" it is one."""
    return match["b"] == "A" and bool(_WORD_A.match(text[match.end() : match.end() + 80]))


def _plain(text: str) -> str:
    """A text with spaces for LaTeX's commands of style."""
    return re.sub(r"\\(?:text|textbf|mathbf|mathrm|mbox|boxed|fbox|bf|rm)\s*\{?|[{}$]", lambda match: " " * len(match[0]), text)
