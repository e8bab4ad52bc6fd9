"""Verdicts on a conclusion in words: True, False or Uncertain, in many ways of saying them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.sentences import sentence_ends

_KNOW = (
    r"(?:determined?|concluded?|inferr?e?d?|confirm(?:ed)?|verif(?:y|ied)|establish(?:ed)?|prov(?:e|ed|en)|decided?|known?|say|said|tell|judged?|deduced?|"
    r"ascertain(?:ed)?|derived?|evaluated?|resolved?|settled?|assess(?:ed)?|answer(?:ed)?|validated?|certain|sure|definitively\s+\w+)"
)
_CANNOT = (
    r"(?:can\s?not|can['’]?t|could\s?n[o'’]t|could\s+not|"
    r"unable\s+to|(?:im|not\s+)possible\s+to|not\s+able\s+to|hard\s+to|no\s+way\s+(?:to|of))"
)
_SOURCE = r"(?:information|evidence|data|facts|premises|details|support|basis|grounds|knowledge)"
_UNCERTAIN = (
    rf"neither\s+(?:\w+\s+){{0,2}}?(?:true|provable|proved|proven|confirmed|entailed)\s*,?\s+(?:n?or)\s+(?:\w+\s+){{0,2}}?(?:false|disprov\w+|refuted|denied|contradicted)|"
    rf"not\s+(?:necessarily\s+|definitely\s+|definitively\s+|always\s+|strictly\s+|logically\s+)?(?:certain|known|clear|determinable|determined|decidable|provable|proven|specified|verifiable|guaranteed|conclusive|deducible|established|possible\s+to\s+{_KNOW})|"
    rf"(?:do(?:es)?\s+not|do(?:es)?n['’]t|did\s+not|didn['’]t)\s+(?:(?:necessarily|logically|definitively|directly|strictly|really|actually|yet|even)\s+)*(?:know|follow|tell|say|specify|(?:provide|give|contain|offer|have)\s+(?:us\s+)?(?:with\s+)?(?:enough|sufficient|any|adequate)\b)|"
    rf"{_CANNOT}\s+(?:\w+\s+){{0,2}}?(?:be\s+)?(?:\w+\s+){{0,2}}?{_KNOW}|"
    rf"(?:not|\w{{2,6}}n['’]t|lacks?|without|no)\s+(?:\w+\s+){{0,1}}?(?:enough|sufficient|adequate)\s+(?:\w+\s+)?{_SOURCE}|insufficient(?:\s+\w+)?(?:\s+{_SOURCE})?|too\s+little\s+{_SOURCE}|lack\s+of\s+(?:\w+\s+)?{_SOURCE}|"
    r"(?:may|might|could)\s+or\s+(?:may|might|could)\s+not|could\s+(?:be|go)\s+either(?:\s+way)?|"
    r"no\s+(?:\w+\s+)?conclusion\s+can\s+be|undetermined|undeterminable|indeterminate|indeterminable|inconclusive|undecid(?:ed|able)|unprovable|unverifiable|unresolved|unclear|ambiguous|"
    r"uncertain|uncertainty|unknown|unsure|unknowable|open\s+question|neutral|not\s+necessarily\s+(?:true|false|the\s+case|so|follow\w*)|"
    r"不确定|不確定|无法(?:确定|判断|得知)|無法(?:確定|判斷)|不能确定|未知|不明|判断できない|わからない|불확실|알\s*수\s*없|неопредел[её]нн?\w*|неизвестно|incertain\w?|indétermin\w+|ungewiss|unbestimmt|unsicher|incierto|indeterminado|incerto|indeterminato"
)
_FALSE = (
    r"(?:can\s?not|can['’]t|could\s?n[o'’]t)\s+(?:possibly\s+)?be\s+(?:true|correct)|"
    r"not\s+(?:\w+ly\s+)?(?:true|correct|right|valid|the\s+case)|isn['’]t\s+(?:true|correct)|untrue|false|incorrect|wrong|invalid|refuted|disproved|disproven|contradicted|"
    r"falsch|faux|fausse|falso|falsa|ложь|ложно|неверно|(?<![不真])假的?|错误?|錯誤?|不正确|不成立|偽|誤り|間違い|거짓"
)
_TRUE = (
    r"(?:can\s?not|can['’]t|could\s?n[o'’]t)\s+(?:possibly\s+)?be\s+(?:false|incorrect|untrue)|"
    r"not\s+(?:false|untrue|incorrect|wrong)|isn['’]t\s+(?:false|untrue)|true|correct|right|entailed|"
    r"wahr|richtig|vrai|vraie|verdadero|verdadera|vero|vera|verdadeiro|истина|истинно|верно|(?<!不)真的?|(?<!不)正确|正しい|成立|참"
)
_WORDS = re.compile(rf"(?<![A-Za-z])(?:(?P<u>{_UNCERTAIN})|(?P<f>{_FALSE})|(?P<t>{_TRUE}))(?![A-Za-z])", re.IGNORECASE)
_QUOTED = re.compile(
    r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|(?<![^\W_])'[^'\n]{1,400}'(?![^\W_])|‘[^’\n]{1,400}’|«[^»\n]{1,400}»|「[^」\n]{1,400}」"
)
_BOTH = re.compile(
    r"(?:either\s+|both\s+|as\s+)?(?:definitively\s+)?true\s*(?:,|or|/|nor|and)\s*(?:definitively\s+)?false(?:\s*,?\s*(?:or|/)\s*(?:uncertain|unknown))?(?!\s+(?:answer))",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"(?<![^\W_])(?:only\s+if|even\s+if|if|unless|assuming|suppose|supposing|provided|were\s+(?!uncertain|unknown)|in\s+case|when(?:ever)?|whether)(?![^\W_])[^,;.\n]*|(?<![^\W_])(?:would|could|might|may)\s+(?:\w+\s+){0,2}?be\s+(?:\w+\s+)?(?:true|false|correct|incorrect)|otherwise\s+(?:true|false)",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"\b(?:most\s+likely|probably|likely|possibly|presumably|seems?|appears?|tempting|plausibl[ey])\b[^,.;\n]{0,30}$",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:^|[*_\"“'(:;,.—–=>\[{|-]|\b(?:is|are|was|be|as|remains?|considered|deemed|judged|making\s+(?:it|[^.,]{1,60})|holds?|say|answer|conclude|stands?|therefore|thus|hence|evaluates\s+to|it['’]s|that['’]s|proves|proven|"
    r"found|called|marked|labell?ed|option|final|verdict|becomes?|both|is\s+not|actually|follows))"
    r"\s*[*_\"“'(\\a-z{\s$]{0,12}?(?:\s*\b(?:logically|definitively|definitely|necessarily|clearly|certainly|therefore|thus|hence|also|always|indeed|simply|strictly|formally|still|actually|in\s+fact|not|then|just|currently|"
    r"considered|to\s+be|be|deemed|completely|entirely|ultimately|as|the\s+conclusion|text|textbf|mathrm))*[\s*_\"“'({\\]*$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s*_\"”'’)}\]$\\]*(?:$|[.,;:!?()\[\]|\n—–-]|\b(?:because|since|as|based|given|by|under|from|for|due|if|and|but|with|according|on|in|so|when|whether|regardless|unless|about|to\s+(?:say|determine|conclude|know|decide)|"
    r"i\.e|without|per|where|while|though|although|that\s+(?:the\s+)?(?:conclusion|statement)|or\s+not|at|until|cannot|必|是|[입です]))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict and its offsets. `said`: as a predicate ("is true"), not merely as a word ("a true dog")."""

    answer: str
    start: int
    end: int
    said: bool
    hedged: bool


def verdicts(text: str, conclusion: str = "") -> Iterator[Verdict]:
    """The verdicts that a text gives, in order: none from what it quotes or supposes, nor from the conclusion's own words."""
    bare = _bare(text, conclusion)
    for match in _WORDS.finditer(bare):
        answer = "Uncertain" if match["u"] else "False" if match["f"] else "True"
        before = bare[max(0, match.start() - 100) : match.start()]
        after = bare[match.end() : match.end() + 60]
        phrase = bool(match["u"]) and " " in match[0]
        said = phrase or bool(_BEFORE.search(before) and _AFTER.match(after))
        yield Verdict(answer, match.start(), match.end(), said, bool(_MEASURED.search(before)))


_OF_IT_ALL = re.compile(
    r"[\s*_#>-]*(?:(?:so|thus|therefore|hence),?\s+)?(?:the\s+)?(?:conclusion|statement|claim)\s+(?:that\b|[\"“‘'])[^\n]{1,400}\s(?:is|be)\s+"
    r"(?:therefore\s+|thus\s+|definitely\s+|indeed\s+|itself\s+)?[*_`\"]{0,3}(?P<verdict>(?:not\s+)?\w+)[*_`\"]{0,3}[.!]?$",
    re.IGNORECASE,
)
"""A sentence on the conclusion that ends in its verdict, whatever verdicts stand in the conclusion."""


def verdict(text: str, conclusion: str = "", last: bool = False) -> Verdict | None:
    """The first verdict of a text (`last`: the last one): a predicate before a mere word, a plain one before a guess."""
    if whole := _OF_IT_ALL.match(text.rstrip()):
        start = whole.start("verdict")
        ends = next(verdicts(text[start:].rstrip()), None)
        if ends and ends.start == 0:
            return Verdict(ends.answer, start, start + ends.end, True, False)
    every = list(verdicts(text, conclusion))
    said = [one for one in every if one.said]
    firm = [one for one in said if not one.hedged] or said
    if firm:
        return firm[-1 if last else 0]
    return every[0] if len({one.answer for one in every}) == 1 else None


def first_clause(text: str) -> str:
    """A statement up to its first full stop."""
    ends = sentence_ends(text)
    return text[: ends[0]] if ends else text


_IGNORANT = re.compile(
    r"\bI(?:\s+am|['’]m)?\s+(?:really\s+|honestly\s+|just\s+)?(?:do\s+not|don['’]t)\s+know|\bI(?:\s+am|['’]m)\s+(?:not\s+sure|unsure|not\s+certain|(?:unable|not\s+able)\s+to\s+(?:answer|help|assist|comply))|\bI\s+can(?:not|['’]t)\s+(?:answer|help|assist|say)",
    re.IGNORECASE,
)
"""Said of oneself, not of the premises: no verdict."""


_OPEN = re.compile(r"\b(?:could|may|might|can)\s+be\s+(?:either\s+)?true\s+or\s+false", re.IGNORECASE)
_CONTRAST = re.compile(r"\bnot\s+[*_]{0,2}(?:true|false|uncertain|unknown)[*_]{0,2}\s*,?\s+but\b", re.IGNORECASE)


def _bare(text: str, conclusion: str) -> str:
    """A text with spaces for what it quotes, supposes or leaves open; of equal length."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match[0])

    def unquoted(match: re.Match[str]) -> str:
        return match[0] if _WORDS.fullmatch(match[0][1:-1].strip(" .*_!")) else blank(match)

    wanted = conclusion.strip(" .")
    if len(wanted) > 3 and _WORDS.search(wanted):
        text = re.sub(re.escape(wanted), blank, text, flags=re.IGNORECASE)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf|mbox|boxed|fbox)\s*\{", blank, text)
    text = _QUOTED.sub(unquoted, text)
    text = _CONTRAST.sub(blank, _IGNORANT.sub(blank, text))
    text = re.sub(
        r"(?<=\w)[*_]{0,2}[,;]\s*(?:and\s+)?not\s+(?:as\s+)?[*_]{0,2}(?:true|false|uncertain|unknown|correct|incorrect)\b(?:\s*(?:n?or|and)\s+\w+)?",
        blank,
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(
        r"neither\s+(?:\w+\s+)?true\s+n?or\s+(?:\w+\s+)?false",
        lambda m: "uncertain".ljust(len(m[0])),
        text,
        flags=re.IGNORECASE,
    )
    text = _OPEN.sub(lambda m: "uncertain".ljust(len(m[0])), text)
    text = _BOTH.sub(blank, text)
    return _CONDITION.sub(lambda m: m[0] if _UNKNOWN_IF.match(m[0]) else blank(m), text)


_UNKNOWN_IF = re.compile(r"whether\s+or\s+not\s+$", re.IGNORECASE)
