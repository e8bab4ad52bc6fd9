"""Sentences, remarks and refusals in answers: what all graders know of prose."""

from __future__ import annotations

import re

_ABBREVIATIONS = frozenset(
    (
        "st",
        "mt",
        "ft",
        "dr",
        "mr",
        "mrs",
        "ms",
        "jr",
        "sr",
        "prof",
        "gen",
        "gov",
        "sen",
        "rep",
        "rev",
        "hon",
        "pres",
        "no",
        "vs",
        "inc",
        "ltd",
        "co",
        "corp",
        "bros",
        "dept",
        "univ",
        "vol",
        "ed",
        "capt",
        "col",
        "lt",
        "sgt",
        "maj",
        "u.s",
        "u.k",
        "u.n",
        "d.c",
        "e.g",
        "i.e",
        "etc",
        "ph.d",
        "b.c",
        "a.d",
        "a.m",
        "p.m",
        "approx",
        "ca",
        "c",
    )
)
_STOP = re.compile(r"[.!?](?=[\"'”’)\]*_]{0,3}(?:\s|$))|。|！|？")
_WORD_BEFORE = re.compile(r"[^\s(\[\"“*_]{1,30}$")
_REFUSAL = re.compile(
    r"\b(?:(?:do\s+not|don['’]t|does\s+not|doesn['’]t|did\s+not|didn['’]t)\s+(?:\w+\s+)?(?:know|have\s+(?:\w+\s+){0,3}"
    r"(?:information|knowledge|access|data|details|answer))|"
    r"(?:can\s?not|can['’]t|could\s+not|couldn['’]t|unable\s+to|not\s+able\s+to|(?:not|im)\s?possible\s+to|difficult\s+to|hard\s+to)\s+(?:\w+\s+){0,2}"
    r"(?:answer|determine|provide|identify|find|know|give|say|tell|verify|confirm|help|assist|comply|fulfil\w*|be\s+(?:\w+\s+)?"
    r"(?:determined|identified|found|answered|known|verified|confirmed))|"
    r"(?:is|are|was|were)\s+(?:\w+\s+)?(?:unknown|not\s+(?:\w+\s+)?(?:known|clear|specified|available|provided|disclosed|given|stated|mentioned|"
    r"determinable|answerable|certain|sure|documented|recorded)|unclear|unspecified|undetermined|unavailable|unanswerable|indeterminate)|"
    r"isn['’]t\s+(?:specified|known|available|clear|provided|given|stated)|no\s+(?:\w+\s+)?(?:information|answer|data|record)\b|"
    r"not\s+enough\s+(?:information|context|data)|(?:none|nobody|no\s+one|nothing)\b[^.]{0,60}\bknown|insufficient\s+(?:information|context|data)|"
    r"i['’]?\s?a?m\s+(?:(?:really|very|so|afraid|just)\s+)?(?:not\s+(?:\w+\s+)?(?:sure|certain|aware|familiar)|unsure)|no\s+idea)\b",
    re.IGNORECASE,
)
_BARE_REFUSAL = re.compile(
    r"(?:i['’]?\s?a?m\s+)?(?:sorry|unknown|n/?a|not\s+(?:known|available|applicable|sure|specified|provided|given)|unclear|unsure|"
    r"undetermined|unanswerable|indeterminate|idk|none|null|\?+|i\s+(?:refuse|decline)\b.*)",
    re.IGNORECASE,
)
_REFUSALS_ELSEWHERE = re.compile(
    r"不知道|无法(?:确定|回答)|無法|わかりません|分かりません|모르겠|알 수 없|не\s+знаю|no\s+(?:lo\s+)?sé|je\s+ne\s+sais|"
    r"weiß\s+(?:es\s+)?nicht|не\s+знам",
    re.IGNORECASE,
)


def sentence_ends(text: str) -> list[int]:
    """Offsets just behind the full stops that end sentences; initials, abbreviations and numbers do not."""
    ends = []
    for match in _STOP.finditer(text):
        if match[0] != "." or not _abbreviated(text, match.start()):
            ends.append(match.end())
    return ends


def _abbreviated(text: str, stop: int) -> bool:
    """Whether the full stop at an offset belongs to an abbreviation or an initial, and the sentence goes on behind it."""
    before = _WORD_BEFORE.search(text, max(0, stop - 30), stop)
    rest = text[stop + 1 : stop + 40].lstrip(" *_\"'”’)")
    if not before or not rest or rest[0] == "\n":
        return False
    word = before[0]
    single = (len(word) == 1 and word.isupper()) or bool(re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word))
    return single or word.lower().strip(".") in _ABBREVIATIONS


def first_sentence(text: str) -> str:
    """A text up to and with its first full stop that ends a sentence."""
    ends = sentence_ends(text)
    return text[: ends[0]] if ends else text


def last_sentence(text: str) -> tuple[int, int]:
    """Start and end of the last sentence that says something."""
    ends = [0, *sentence_ends(text), len(text)]
    for start, end in zip(reversed(ends[:-1]), reversed(ends[1:]), strict=True):
        if re.search(r"[^\W_]", text[start:end]):
            return start + len(text[start:end]) - len(text[start:end].lstrip()), end
    return 0, len(text)


def refuses(text: str) -> bool:
    """Whether a sentence says that no answer can be given."""
    bare = text.strip(" \t*_`\"'.!:()[]{}$\\")
    return bool(_REFUSAL.search(text[:600]) or _BARE_REFUSAL.fullmatch(bare[:100]) or _REFUSALS_ELSEWHERE.search(text[:600]))
