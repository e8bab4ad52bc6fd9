"""The short answer in a sentence: a name, a date or a number, without the sentence around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.metrics import normalise
from benchmarks.sentences import sentence_ends

_LEAD_IN = re.compile(
    r"(?:[-*•>#\s]|\d{1,2}[.)]\s)*(?:(?:so|thus|therefore|hence|yes|ok(?:ay)?|well|finally|consequently|accordingly|overall|in\s+(?:conclusion|summary|short)|as\s+a\s+result|"
    r"(?:based\s+on|according\s+to|given|after|to\s+my\s+knowledge)\b[^,.]{0,120}),?\s+)*"
    r"(?:(?:and\s+|so\s+)?(?:the\s+)?(?:(?:final|correct|short)\s+)?answer\s*(?:to\s+[^.:]{1,80}?\s+)?(?:is|was|:)[\s:*]*)?",
    re.IGNORECASE,
)
_COPULA = re.compile(r"(?<![^\W_])(?:is|are|was|were)(?![^\W_])")
_RELATIVE = re.compile(r"(?<![^\W_])(?:who|which|where|that|whose|whom)(?![^\W_])")
_HEDGES = (
    r"(?:(?:most\s+)?likely|probably|possibly|approximately|about|around|roughly|nearly|almost|over|more\s+than|less\s+than|believed\s+to\s+be|thought\s+to\s+be|indeed|also|none\s+other\s+than|"
    r"simply|actually|generally|currently|now|originally|officially|the\s+year|the\s+company|either)\s+"
)
_PLACED = (
    r"(?:(?:\w+ly\s+)?(?:(?:\w+(?:ed|en|lt|ld|de|wn|ng)|set|put|won|led|held|sung|made|built|lost|done)\s+(?:(?:up|out|first|back|together|primarily|mainly)\s+)?(?:in|at|by|as|on|to|from|with|for|of|under|during|near)|(?:a\s+)?(?:part|member|subsidiary|division|"
    r"native|resident)\s+of|known\s+as|called|named|titled|in|at|by|from|on|of|under|during|near)\s+)"
)
_TO_NAME = re.compile(
    r"(?!(?:the|an?|one|not)\b)(?:[a-z]+\s+){0,5}?(?:in|at|by|as|on|to|from|with|for|of|under|during|near|label)\s+(?:the\s+(?:(?:city|town|county|state|country|municipality|village|province|region|company|year|label)\s+(?:of\s+)?)?)?"
    r"(?=[\"“*]{0,3}(?:[^\Wa-z_]|[$€£]))"
)
_OPENING = re.compile(
    rf"(?:{_HEDGES})*(?:{_PLACED})?(?:{_HEDGES})*(?:(?:the\s+year|in|the\s+(?:city|town|county|state|country|municipality|village|province|region|company|band|group|movie|film|song|album|river)\s+of)\s+)?(?:(?:the)\s+)?",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\s*;\s|\s+[—–-]{1,2}\s+|:\s+(?=[a-z])|,?\s+(?:who|which|whose|whom|because|since|although|though|whereas|while|where|according\s+to)(?![^\W_])|"
    r",\s+(?:as|not|but|so|when|that|an?|the|one\s+of|based|located|known|founded|formed|born|formerly|also|with|and\s+(?:it|he|she|they|this|the|was|is|has|not)|it|he|she|they|this|there|then|"
    r"making|being|having|\w+ing|\w+ed|is|was|in\s+(?:the|which|\d)|during|given|if|i\s)(?![^\W_])|\s+that\s+(?:is|was|were|are|has|had|released|won)\b|\s+(?:so|but)\s+(?=[a-z])",
)
_BRACKET = re.compile(r"\s*[(\[]([^()\[\]]{0,200})[)\]]")
_ALIAS = re.compile(r"(?=.*[^\W\d_])(?:(?:born|née)\s.{1,40}|[^\Wa-z_]{2,8}|(?:[^\Wa-z_\d][\w.'’-]*\s*){1,3})")
_NUMBER = re.compile(
    r"(?<![\w.])(?:US\s?)?[$€£¥]?\d[\d,]*(?:\.\d+)?(?:\s*[-–]\s*\d[\d,]*)?(?:\s+(?:hundred|thousand|million|billion|trillion))?(?![\w])|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred)\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\s+(?:people|inhabitants|residents|persons|citizens|members|individuals|at\s+the|in\s+(?:\d{4}|the)|as\s+of|according|worldwide)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(
    rf"{_MONTH}\s+\d{{1,2}}(?!\d)(?:st|nd|rd|th)?(?:,?\s+\d{{3,4}})?|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{3,4}})?|{_MONTH}(?:\s+of)?\s+\d{{3,4}}|"
    r"(?:the\s+)?(?:(?:early|mid|late)[\s-]+)?\d{1,2}(?:st|nd|rd|th)\s+century(?:\s+(?:BCE?|AD|CE))?|(?<![\w-])(?:(?:early|mid|late)[\s-]+)?(?:AD\s+)?\d{3,4}s?(?:\s*(?:BCE?|B\.C\.|AD|CE))?(?![\w-])(?![,.]\d)"
)
_DATED_BY = re.compile(rf"({_DATE.pattern})\s+by\s+(?=(?:the\s+)?[^\Wa-z_\d])")
_WHEN = re.compile(
    r"^\W*when\b|\b(?:what|which|in\s+what)\s+(?:year|date|century|decade)\b|\b(?:date|year)\s+of\b", re.IGNORECASE
)
_COUNT = re.compile(r"\bhow\s+(?:many|much)\b|\bpopulation\b", re.IGNORECASE)
_PRONOUN = re.compile(
    r"(?:it|he|she|they|this|that|there|these|those)['’]?s?(?:\s+(?:would|should|must|could|might)\s+be)?$", re.IGNORECASE
)
_GOES_ON = re.compile(
    r"[\s*_]*(?:it|he|she|they|his|her|their|its|this|these|however|note|in\s+addition|additionally|also|if)(?![^\W_])",
    re.IGNORECASE,
)
_LOWER = re.compile(r"\s+[a-z]+\s[a-z\s,'’-]+[.!]?\s*")
_EMPTY = re.compile(r"(?:located|born|situated|based|known|found|unknown|released|founded|[a-z]{1,3})", re.IGNORECASE)
_DEFINITE = re.compile(r"\s*(?:the|an?|one\s+of\s+the|both\s+the)\s+(?!part\b|member\b|subsidiary\b|division\b)[a-z]")
_SMALL = frozenset(
    (
        "of",
        "the",
        "de",
        "da",
        "do",
        "dos",
        "del",
        "della",
        "la",
        "le",
        "van",
        "von",
        "der",
        "den",
        "di",
        "al",
        "el",
        "bin",
        "ibn",
        "for",
        "and",
        "&",
        "y",
        "e",
        "du",
        "des",
        "st",
        "on",
        "in",
        "upon",
    )
)
_FOREIGN_END = re.compile(r"\s*(?:です|でした|である|だ|입니다|이다|예요|이에요)?\s*[。．]?\s*$")


@dataclass(frozen=True, slots=True)
class Short:
    """A short answer and the offsets of the stretch that it was read from."""

    answer: str
    start: int
    end: int


def from_sentence(text: str, question: str = "", statement: bool = False) -> Short:
    """The short answer of a line; `statement`: a label stands before it, so that what is no sentence is the whole answer."""
    start, end = _sentence(text, first=statement)
    lead = _LEAD_IN.match(text[start:end])
    if lead and re.search(r"[^\W_]", text[start + lead.end() : end]):
        start += lead.end()
    sentence = text[start:end]
    begin, stop = _within(sentence, question, statement)
    if (not statement and _EMPTY.fullmatch(sentence[begin:stop].strip())) or (
        asked(sentence[begin:stop], question) == 1 and asked(sentence, question) > 0.8
    ):
        begin, stop = 0, len(sentence)
    return Short(sentence[begin:stop], start + begin, start + stop)


def without_remark(text: str) -> str:
    """A name without the relative clause, the remark in brackets and the explanation behind it."""
    remark = _REMARK.search(text, 1)
    text = text[: remark.start()] if remark else text
    for comma in re.finditer(r",\s+", text):
        described = re.split(r",", text[comma.end() :], maxsplit=1)[0].split()
        if _is_name(text[: comma.start()]) and any(
            word.islower() and word.isalpha() and word not in _SMALL for word in described
        ):
            text = text[: comma.start()]
            break
    bracket = _BRACKET.search(text, 1)
    if bracket and not _ALIAS.fullmatch(bracket[1].strip()):
        text = text[: bracket.start()]
    return text


def remark_start(text: str, start: int) -> int | None:
    """Where the first remark behind an offset begins; None where there is none."""
    remark = re.compile(rf"{_REMARK.pattern}|\s+[(\[]").search(text.replace("*", " "), start)
    return remark.start() if remark else None


def cleaned(text: str) -> str:
    """A short answer without LaTeX, endings of other languages and runs of spaces."""
    text = re.sub(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|textrm|operatorname)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<=\d)(?:\{,\}|\\[,!;])(?=\d)", ",", text)
    text = re.sub(r"\\[,;: ]|~", " ", re.sub(r"\\([&%$#_])", r"\1", text))
    return " ".join(_FOREIGN_END.sub("", text).split())


def asked(text: str, question: str) -> float:
    """Share of a text's words that the question has, 0 to 1; 0 for a text or question without words."""
    words, known = normalise(text).split(), set(normalise(question).split())
    return sum(word in known for word in words) / len(words) if words and known else 0.0


def is_typed(question: str) -> bool:
    """Whether a question asks for a date or a number."""
    return bool(_WHEN.search(question) or _COUNT.search(question))


def is_typed_value(text: str, question: str) -> bool:
    """Whether a text has what such a question asks for."""
    return bool((_DATE if _WHEN.search(question) else _NUMBER).search(text))


def _sentence(text: str, first: bool) -> tuple[int, int]:
    """The sentence that answers: the first of a statement, else the last one that does not go on about "it" or "them"."""
    ends = [0, *sentence_ends(text), len(text)]
    parts = [(a, b) for a, b in pairwise(ends) if re.search(r"[^\W_]", text[a:b])]
    if not parts:
        return 0, len(text)
    chosen = (
        parts[0] if first else next((part for part in reversed(parts) if not _GOES_ON.match(text[part[0] : part[1]])), parts[0])
    )
    return chosen[0] + len(text[chosen[0] : chosen[1]]) - len(text[chosen[0] : chosen[1]].lstrip()), chosen[1]


def _within(sentence: str, question: str, statement: bool) -> tuple[int, int]:
    """Start and end of the answer in a sentence."""
    typed = _typed(sentence, question)
    if typed:
        return typed
    copulas = list(_COPULA.finditer(sentence))
    head = without_remark(sentence)
    if (copulas and len(head) < copulas[0].start() and statement) or _is_name(head):
        return 0, len(head)
    full = len(sentence.split()) > 6 or sentence.rstrip(" *_").endswith(".") or not statement
    subject = sentence[: copulas[0].start()].strip() if copulas else ""
    if copulas and subject and (full or _PRONOUN.match(subject)):
        return _about_copula(sentence, copulas, question)
    run = _run(sentence)
    if not copulas and not statement and _is_name(run) and asked(run, question) < 1 and _LOWER.fullmatch(sentence[len(run) :]):
        return 0, len(run)
    if not copulas and (not statement or len(sentence.split()) > 6):
        value = _behind_verb(sentence, question)
        if value:
            return value
    return 0, len(without_remark(sentence)) if statement or len(sentence.split()) > 3 else len(sentence)


def _typed(sentence: str, question: str) -> tuple[int, int] | None:
    """The date or the number of a sentence where the question asks for one."""
    if len(sentence.split()) < 4 or not question:
        return None
    pattern = _DATE if _WHEN.search(question) else _NUMBER if _COUNT.search(question) else None
    matches = list(pattern.finditer(sentence)) if pattern else []
    new = [match for match in matches if match[0].lower() not in question.lower()] or matches
    if not new or (pattern is _NUMBER and len(new) != 1):
        return None
    return new[-1].span()


def _about_copula(sentence: str, copulas: list[re.Match[str]], question: str) -> tuple[int, int]:
    """The side of "is" that answers: what stands behind it, or a name before it that a description follows."""
    first = copulas[0]
    name, description = sentence[: first.start()].strip(' *_"“”'), sentence[first.end() :]
    known = asked(name, question)
    if _is_name(name) and ((_DEFINITE.match(description) and known < 0.5) or asked(description, question) > known + 0.4):
        return 0, len(without_remark(name)) + sentence.index(name)
    trailing = _REMARK.search(sentence, first.end())
    inside = [c for c in copulas if not trailing or c.end() <= trailing.start()]
    relatives = len(_RELATIVE.findall(name))
    verb = inside[-1] if relatives and len(inside) > 1 else first
    if verb is first and len(inside) > 1 and _about_name(sentence[inside[-1].end() :]) and not _about_name(description):
        verb = inside[-1]
    return _short_of(sentence, verb.end(), question)


def _about_name(text: str) -> bool:
    return bool(re.match(r"[\s*_\"“]*(?:[A-Z$]|\d)", text))


def _short_of(sentence: str, at: int, question: str) -> tuple[int, int]:
    """A predicate without hedges, participle and article in front, and without what is remarked behind."""
    start = at + len(sentence[at:]) - len(sentence[at:].lstrip(" *_"))
    for pattern in (_TO_NAME, _OPENING):
        opening = pattern.match(sentence, start)
        if opening and re.search(r"[^\W_]", sentence[opening.end() :]):
            start = opening.end()
    text = without_remark(sentence[start:])
    if re.match(r"an?\s+[a-z\s]+$", text) and (
        described := re.match(r"\s+(?:who|that|which)\s", sentence[start + len(text) :])
    ):
        value = _behind_verb(sentence[start + len(text) + described.end() - 1 :], "")
        if value:
            shift = start + len(text) + described.end() - 1
            return shift + value[0], shift + value[1]
    if dated := _DATED_BY.match(text):
        if re.search(r"\bwho\b", question, re.IGNORECASE):
            start, text = start + dated.end(), text[dated.end() :]
        else:
            text = dated[1]
    number = _NUMBER.match(text)
    if number:
        counted = _COUNTED.match(text, number.end())
        text = text[: number.end()] if counted else text
    return start, start + len(_places(text))


def _places(text: str) -> str:
    """A text up to the first comma that no name or year follows: "Washington, D.C." and "March 12, 1968" are whole."""
    for match in re.finditer(r",\s+", text):
        rest = text[match.end() :]
        if not re.match(r"(?:and\s+)?(?:[^\Wa-z_]|[\"“])", rest):
            return text[: match.start()]
    return text


def _behind_verb(sentence: str, question: str) -> tuple[int, int] | None:
    """The first name or number behind a sentence's verb that the question does not have."""
    verb = re.search(
        r"\s(?:[a-z]+(?:ed|ew|ook|ang|ought|aught)|died|became|grossed|married|won|wrote|led|played|plays|came|went|lies|belongs|stands|has|had|did|made|built|met|born|left|lost|held|ran|comes|owns|means|refers|contains|borders|takes|took|wins|begins|began|lives|formed|stars|shares|works|serves|flows|says|uses|hosts|airs)\s",
        sentence,
    )
    if not verb:
        return None
    for match in re.finditer(
        r"(?<![^\s\"“(*])(?:US\s?)?[$€£]?\d[\d,.]*\d?(?:\s+(?:million|billion|thousand))?|(?<![^\s\"“(*])[^\Wa-z_\d][\w'’.&-]*(?:\s+[^\s,;()]+)*",
        sentence[verb.end() - 1 :],
    ):
        at = verb.end() - 1 + match.start()
        date = _DATE.match(sentence, at)
        if date:
            return date.span()
        text = match[0] if match[0][0].isdigit() or match[0][0] in "$€£" else _run(match[0])
        if question and asked(text, question) == 1:
            continue
        known = _known_words(text, question)
        at, text = at + known, text[known:]
        end = at + len(text.rstrip("."))
        more = _places(without_remark(sentence[end:]))
        if re.match(r",\s+[^\Wa-z_\d]", more):
            end += len(more.rstrip(" ."))
        return at, end
    return None


def _known_words(text: str, question: str) -> int:
    """Length of the words at the beginning of a name that the question has, with the small ones behind them."""
    length = 0
    while question and (word := re.match(r"[^\s]+\s+", text[length:])):
        if word[0].strip() not in _SMALL and asked(word[0], question) < 1:
            break
        length += word.end()
    return length if length and text[length : length + 1].isupper() and asked(text[:length], question) > 0 else 0


def _run(text: str) -> str:
    """The capitalised words at the beginning of a text, small ones inside a name included."""
    words, kept = text.split(" "), 0
    for place, word in enumerate(words):
        if word[:1].isupper() or word[:1].isdigit() or not word[:1].isalnum():
            kept = place + 1
        elif word not in _SMALL:
            break
    return " ".join(words[:kept])


def _is_name(text: str) -> bool:
    """Whether a text is one name: up to eight words that begin with capitals, but for small ones."""
    words = [word.strip("\"“”'’*_(),.") for word in text.split()]
    words = [word for word in words if word]
    return (
        0 < len(words) <= 8
        and words[0] not in ("It", "He", "She", "They", "This", "That", "There", "The", "A", "An")
        and all(word[0].isupper() or word[0].isdigit() or word.lower() in _SMALL for word in words)
    )
