"""How good captions are: BLEU against all captions of a picture, words, and where they looked."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from regard._io.extra import extra
from regard.tasks.translate.metrics import bleu_tokenizer

Record = dict[str, Any]


def caption_scores(records: Sequence[Record], captions: Sequence[str]) -> dict[str, float]:
    """Loss and perplexity per token, BLEU, the share of words, and the share that looked right.

    Of each picture there is one answer, which is compared with all its captions. Of `pointing` it
    is known, where the data says where things are, which words looked at theirs when they were
    told.

    >>> record = {"picture": 0, "answer": "a cat", "nll": 3.0, "targets": 3, "right": 1, "boxes": 2}
    >>> scores = caption_scores([record], ["a dog"])
    >>> scores["loss"], scores["word_accuracy"], scores["pointing"]
    (1.0, 0.5, 0.5)
    """
    loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
    answers, references = _by_picture(records, captions)
    # sacreBLEU wants the first references of all answers, then the second; None where is none.
    columns = [list(some) for some in zip_longest(*references)]
    found = extra("sacrebleu").corpus_bleu(answers, columns, tokenize=bleu_tokenizer(captions))
    both = zip(answers, references, strict=True)
    words = [max(same_words(answer, each) for each in some) for answer, some in both]
    boxes = sum(r["boxes"] for r in records)
    return {
        "loss": loss,
        "perplexity": float(np.exp(min(loss, 700.0))),
        "bleu": round(found.score, 4),
        "word_accuracy": float(np.mean(words)),
        **({"pointing": sum(r["right"] for r in records) / boxes} if boxes else {}),
    }


def same_words(answer: str, caption: str) -> float:
    """The share of the words of the longer one that stand at the same place in both.

    >>> same_words("a red cat", "a red dog"), same_words("", "a"), same_words("a a", "a")
    (0.6666666666666666, 0.0, 0.5)
    """
    ones, others = answer.split(), caption.split()
    same = sum(one == other for one, other in zip(ones, others, strict=False))
    return same / max(len(ones), len(others), 1)


def _by_picture(
    records: Sequence[Record], captions: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """The answer to each picture, and its captions."""
    answers: dict[int, str] = {}
    found: dict[int, list[str]] = {}
    for record, caption in zip(records, captions, strict=True):
        answers.setdefault(record["picture"], record["answer"])
        found.setdefault(record["picture"], []).append(caption)
    return list(answers.values()), [found[picture] for picture in answers]
