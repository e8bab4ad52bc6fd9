"""Where an answer part states its answer: the spans that the benchmarks' own rules then read.

Read off real outputs of reasoning models: they end in "**Answer:** (C) 2pm to 4pm", "Final Answer: \\boxed{B}",
"The correct answer is (A)", a heading with the answer on the next line, or in nothing but the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.sentences import sentence_ends

WINDOW = 20_000
"""Characters at the end of an answer part in which an answer is looked for; real answers are shorter than 5,000."""
MOST = 20
"""Places of one rule that are read, the last ones: an answer that states more is noise."""

_OTHER_LANGUAGES = (
    r"(?:最终|正确|最終|正確|標準)?(?:答案|答え|回答|解答|选项|選項|選択肢)|正解|结论|結論|정답|최종\s?답|답변?|결론|"
    r"(?<!\w)(?:(?:окончательный|правильный|верный|итоговый)\s+)?ответ|(?<!\w)відповідь|"
    r"(?<!\w)(?:(?:endgültige|richtige|finale|korrekte)\s+)?antwort|(?<!\w)r[ée]ponse(?:\s+(?:finale|correcte))?|"
    r"(?<!\w)respuesta(?:\s+(?:final|correcta))?|(?<!\w)risposta(?:\s+(?:finale|corretta))?|"
    r"(?<!\w)resposta(?:\s+(?:final|correta))?|(?<!\w)odpowiedź|(?<!\w)odpověď|(?<!\w)cevap|(?<!\w)yanıt|(?<!\w)svar(?:et)?|"
    r"(?<!\w)vastaus|(?<!\w)antwoord|(?<!\w)jawaban|(?<!\w)válasz|(?<!\w)răspuns(?:ul)?|(?<!\w)απάντηση|"
    r"đáp\s+án|trả\s+lời|الجواب|الإجابة|(?:ال)?إجابة|उत्तर|คำตอบ|תשובה"
)
_OTHER_VERBS = r"[是为為](?!什)|[はがもを]|[은는이가](?=[\s(])|(?:est|ist|es|è|é|lautet|jest|är|er|is|adalah|là)(?![^\W_])"
_NAME = (
    r"(?<!\bthis\s)(?<![^\W_])(?:final\s+(?:answer|verdict|determination|result|choice)|"
    r"(?:correct|right|best)\s+(?:answer|option|choice|time)|answer|verdict)(?![a-z])"
)
_VERB = (
    r"(?:(?:(?:should|must|would|has\s+to|turns\s+out\s+to)\s+(?:\w+\s+)?be|"
    r"is|are|was|were|equals|remains)(?![^\W_])|=)[*_`#:\s]*"
)
_MARK = r"(?:[*_`#:\s>]|\\[\[(]|\$\$|[→⇒]|(?<=[\s*])[-–—]{1,2}(?=\s))"
_GAP = rf"{_MARK}*"
_ANSWER = rf"(?P<answer>(?!{_MARK})[^\n]+)"
"""Begins behind the whole gap. Possessive quantifiers would say so too, but those of CPython 3.11 can raise SystemError."""
_LEAD = r"(?:(?:option|indeed|therefore,?|thus,?|hence,?|then|simply|clearly|that)\s+)?"
_EXPLICIT = re.compile(
    rf"(?:{_NAME})(?:\s*\([^()\n]{{1,60}}\))?(?P<gap>{_GAP})(?P<verb>{_VERB})?{_LEAD}{_ANSWER}", re.IGNORECASE
)
_ANSWER_TO = re.compile(
    rf"(?<![^\W_])answer\s+(?:to|of|for|in)\b[^\n:.=]{{0,200}}?(?:(?<![^\W_])(?P<verb>{_VERB})|(?P<gap>:)){_GAP}{_LEAD}{_ANSWER}",
    re.IGNORECASE,
)
_FOREIGN = re.compile(rf"(?:{_OTHER_LANGUAGES})(?P<gap>{_GAP})(?P<verb>(?:{_OTHER_VERBS})[*_`#:\s]*)?{_ANSWER}", re.IGNORECASE)
_LABELS = re.compile(r"[:\n–—→⇒-]")
_LABEL_FIRST = re.compile(r"(?:^|[.!?>\n]\s*|\n[\s*_#>\d.)-]*)(?:\w+\s+){0,3}$")
_CONDITION = re.compile(r"\b(?:if|whether|unless|suppose|once)\s+(?:that\s+)?(?:the\s+|your\s+|an?\s+)?$", re.IGNORECASE)
_BOLD = re.compile(r"\*\*(?P<answer>[^*\n]+)\*\*|(?<![^\W_])__(?P<under>[^_\n]+)__(?![^\W_])")
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s{0,9}\{|[{}]")
_BARE_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s{1,9}(?P<answer>[^\s{}$\\]{1,100})")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_MARKS = re.compile(r"<\|[^<>|\n]{1,40}\|>|</?s>|<(?:eos|pad|end_of_turn|start_of_turn)>|</(?:think|answer|final)>|\[/?INST\]")
_DOUBT = re.compile(
    r"\b(?:wait|hmm+|hold\s+on|actually|alternatively|on\s+second\s+thought|let\s+me\s+(?:re|double|check|verify|see|think)|"
    r"not\s+(?:sure|certain|quite\s+right)|unsure|is\s+(?:that|this|it)\s+(?:right|correct|true)|mistake|oops|sorry|"
    r"re-?check|re-?consider|double-check|maybe|perhaps)\b|\bno\s*[,:.]\s|\bnot\s+correct\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"(?:(?:\.\.\.|[…—–.,;:!?)}$-])\s*|^)[*_]{0,2}(?:oh\s+)?(?:but\s+)?(?:wait|no|oops|actually|sorry|correction|scratch\s+that|"
    r"make\s+that|i\s+mean|or\s+rather)\b[\s,.:!…—–-]{0,5}(?:no\b[\s,.:]{0,3})?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the answer part in which a rule expects the answer; `labelled`: a label and a colon stand before it."""

    rule: str
    text: str
    start: int
    labelled: bool = False

    @property
    def end(self) -> int:
        """Offset just behind the stretch."""
        return self.start + len(self.text)


def plain(answer: str) -> str:
    """An answer part with full-width letters as plain ones, and with spaces for the marks that end a turn; of equal length."""
    return _MARKS.sub(lambda match: " " * len(match[0]), answer.translate(_FULL_WIDTH))


def candidates(answer: str, cut: bool = False) -> Iterator[Span]:
    """Every place where an answer may stand, the most explicit first, later ones before earlier ones in each rule.

    Looks at the last WINDOW characters of `plain(answer)`. Of an answer that was `cut` off only statements and boxes count
    that are closed and that no doubt follows.
    """
    base = max(0, len(answer) - WINDOW)
    text = plain(answer[base:])
    spans = [*_statements(text), *_boxed(text)]
    if cut:
        closed = (closed for span in spans if (closed := _closed(span, text)))
        spans = [span for span in closed if not _DOUBT.search(text, span.end)]
    else:
        bold = reversed(list(_BOLD.finditer(text))[-MOST:])
        spans += [Span("bold", match[match.lastgroup or 0], match.start(match.lastgroup or 0)) for match in bold]
        last = last_line(text)
        spans += [last] if last else []
    for span in spans:
        yield Span(span.rule, span.text, base + span.start, span.labelled)


def corrected(text: str) -> Iterator[str]:
    """What stands behind the last correction of a statement ("809. No, wait: 810"), then the statement itself."""
    for match in reversed(list(_CORRECTION.finditer(text[:2_000]))[-5:]):
        yield text[match.end() :]
    yield text


def last_line(answer: str) -> Span | None:
    """The last line that says something (rules and code fences do not)."""
    offset = len(answer)
    for line in reversed(answer.split("\n")):
        offset -= len(line)
        if re.search(r"[^\W_]", line) and not line.strip().startswith("```"):
            stripped = line.strip()
            return Span("last line", stripped, offset + line.index(stripped))
        offset -= 1
    return None


def first_line(answer: str) -> Span | None:
    """The first line that says something."""
    offset = 0
    for line in answer.split("\n"):
        stripped = line.strip()
        if re.search(r"[^\W_]", stripped) and not stripped.startswith("```"):
            return Span("first line", stripped, offset + line.index(stripped))
        offset += len(line) + 1
    return None


def _statements(text: str) -> list[Span]:
    """What follows "answer" and a verb, a colon or a line break, in many languages; the last ones first."""
    found = [match for pattern in (_EXPLICIT, _ANSWER_TO, _FOREIGN) for match in pattern.finditer(text)]
    stated = [m for m in found if m["verb"] or _LABELS.search(m["gap"] or "") or "<" in text[max(0, m.start() - 1) : m.start()]]
    stated = [m for m in stated if not _CONDITION.search(text, max(0, m.start() - 30), m.start())]
    spans = [Span("statement", m["answer"], m.start("answer"), not m["verb"] or ":" in (m["gap"] or "")) for m in stated]
    return sorted(spans, key=lambda span: span.start, reverse=True)[:MOST]


def _boxed(text: str) -> list[Span]:
    """What boxes hold, the box that closes last first."""
    found = [Span("boxed", text[start:end], start) for start, end in _boxes(text)]
    found += [Span("boxed", match["answer"], match.start("answer")) for match in _BARE_BOX.finditer(text)]
    return sorted(found, key=lambda span: span.end, reverse=True)[:MOST]


def _closed(span: Span, text: str) -> Span | None:
    """A place whose end was written before the answer was cut off: the whole line, a closed box or bold text, a sentence."""
    if span.rule == "boxed" or "\n" in text[span.end :]:
        return span
    ends = [match.end() for match in re.finditer(r"\S\*\*|\}", span.text)] + sentence_ends(span.text)
    return Span(span.rule, span.text[: max(ends)], span.start, span.labelled) if ends else None


def _boxes(answer: str) -> Iterator[tuple[int, int]]:
    """Start and end of what each box holds, in the order in which the boxes close."""
    opened: list[tuple[int, bool]] = []
    for match in _BOX.finditer(answer):
        if match[0] != "}":
            opened.append((match.end(), match[0] != "{"))
        elif opened:
            start, boxed = opened.pop()
            if boxed:
                yield start, match.start()
