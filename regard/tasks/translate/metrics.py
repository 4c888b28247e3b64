"""How good texts are: sacreBLEU and chrF."""

from collections.abc import Sequence

from regard._io.extra import extra


def text_scores(answers: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF of detokenized texts as sacrebleu defines them; BLEU without case too.

    >>> text_scores(["the cat sat on the mat"], ["the cat sat on the mat"])["bleu"]
    100.0
    """
    sacrebleu = extra("sacrebleu")
    references = [list(targets)]
    lowercase = sacrebleu.corpus_bleu(list(answers), references, lowercase=True).score
    return {
        "bleu": round(sacrebleu.corpus_bleu(list(answers), references).score, 4),
        "chrf": round(sacrebleu.corpus_chrf(list(answers), references).score, 4),
        "bleu_lowercase": round(lowercase, 4),
    }
