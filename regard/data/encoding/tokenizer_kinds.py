"""The kinds of tokenizer, and how each is learned.

References:
    Sennrich, Haddow, Birch. Neural Machine Translation of Rare Words with Subword Units. 2016.
    https://arxiv.org/abs/1508.07909
    Schuster, Nakajima. Japanese and Korean Voice Search. 2012.
    https://doi.org/10.1109/ICASSP.2012.6289079
    Kudo. Subword Regularization. 2018. https://arxiv.org/abs/1804.10959
    Devlin, Chang, Lee & Toutanova. BERT: Pre-training of Deep Bidirectional Transformers for
    Language Understanding. 2019. https://arxiv.org/abs/1810.04805
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from regard._io.extra import extra
from regard._printable import shown
from regard.data.encoding.vocabulary import SPECIAL_TOKENS, UNKNOWN_TOKEN

BYTES = 256
LONGEST_WORD = 1000
"""Bytes; WordPiece reads a longer word as `<unk>`, for its time grows with the square."""

BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MOST_LETTERS = 1000
"""Different letters that BERT's tokenizer knows by themselves."""


def train_tokenizer(
    texts: Iterable[str], kind: str, size: int, lowercase: bool, running: bool
) -> Any:
    """A tokenizer of the package, learned from these texts."""
    if kind == "characters":
        return _characters(texts, lowercase)
    if kind == "words":
        return _words(texts, size, lowercase)
    if kind == "bert":
        return _bert(texts, size, lowercase)
    if size < len(SPECIAL_TOKENS) + BYTES:
        raise ValueError(
            f"size must be at least {len(SPECIAL_TOKENS) + BYTES} ({len(SPECIAL_TOKENS)} specials "
            f"and the {BYTES} bytes), got {size}"
        )
    package = extra("tokenizers")
    tokenizer = package.Tokenizer(_model(kind))
    normalizers = [package.normalizers.NFC()]
    normalizers += [package.normalizers.Lowercase()] * lowercase
    normalizers += [package.normalizers.Prepend(" ")] * (not running)
    tokenizer.normalizer = package.normalizers.Sequence(normalizers)
    tokenizer.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    strip = [package.decoders.Strip(" ", 1, 0)] * (not running)
    tokenizer.decoder = package.decoders.Sequence([package.decoders.ByteLevel(), *strip])
    tokenizer.train_from_iterator(texts, _trainer(kind, size))
    if kind == "wordpiece":
        tokenizer.model.max_input_chars_per_word = LONGEST_WORD
    return tokenizer


def _model(kind: str) -> Any:
    models = extra("tokenizers").models
    if kind == "bpe":
        return models.BPE()
    if kind == "unigram":
        return models.Unigram()
    # The space says where a word begins, so its continuations need no mark.
    return models.WordPiece(unk_token=UNKNOWN_TOKEN, continuing_subword_prefix="")


def _trainer(kind: str, size: int) -> Any:
    package = extra("tokenizers")
    alphabet = sorted(package.pre_tokenizers.ByteLevel.alphabet())
    shared = dict(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    if kind == "bpe":
        return package.trainers.BpeTrainer(**shared)
    if kind == "unigram":
        return package.trainers.UnigramTrainer(unk_token=UNKNOWN_TOKEN, **shared)
    return package.trainers.WordPieceTrainer(continuing_subword_prefix="", **shared)


def _characters(texts: Iterable[str], lowercase: bool) -> Any:
    package = extra("tokenizers")
    characters: set[str] = set()
    for text in texts:
        characters.update(text.lower() if lowercase else text)
    if not characters:
        raise ValueError("a tokenizer cannot be learned from texts without any character")
    tokens = [*SPECIAL_TOKENS, *sorted(characters)]
    model = package.models.WordLevel({t: n for n, t in enumerate(tokens)}, unk_token=UNKNOWN_TOKEN)
    tokenizer = package.Tokenizer(model)
    if lowercase:
        tokenizer.normalizer = package.normalizers.Lowercase()
    each = package.Regex(r"[\s\S]")
    tokenizer.pre_tokenizer = package.pre_tokenizers.Split(each, "isolated")
    tokenizer.decoder = package.decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def _words(texts: Iterable[str], size: int, lowercase: bool) -> Any:
    if size <= len(SPECIAL_TOKENS):
        raise ValueError(f"size must be more than the {len(SPECIAL_TOKENS)} specials, got {size}")
    package = extra("tokenizers")
    tokenizer = package.Tokenizer(package.models.WordLevel(unk_token=UNKNOWN_TOKEN))
    normalizers = [package.normalizers.NFC()] + [package.normalizers.Lowercase()] * lowercase
    tokenizer.normalizer = package.normalizers.Sequence(normalizers)
    tokenizer.pre_tokenizer = package.pre_tokenizers.Whitespace()
    trainer = package.trainers.WordLevelTrainer(
        vocab_size=size, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() == len(SPECIAL_TOKENS):
        raise ValueError("a tokenizer cannot be learned from texts without any word")
    return tokenizer


def _bert(texts: Iterable[str], size: int, lowercase: bool) -> Any:
    if size <= len(BERT_SPECIALS):
        raise ValueError(f"size must be more than the {len(BERT_SPECIALS)} specials, got {size}")
    package = extra("tokenizers")
    tokenizer = bert_tokenizer(BERT_SPECIALS, lowercase=lowercase)
    trainer = package.trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(BERT_SPECIALS),
        limit_alphabet=min(MOST_LETTERS, size),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() == len(BERT_SPECIALS):
        raise ValueError("a tokenizer cannot be learned from texts without any word")
    # A learned tokenizer is one that is made of its tokens, whatever the trainer left in it.
    numbered = sorted(tokenizer.get_vocab().items(), key=lambda each: each[1])
    return bert_tokenizer([piece for piece, _ in numbered], lowercase=lowercase)


def bert_tokenizer(
    pieces: Sequence[str],
    lowercase: bool = True,
    strip_accents: bool | None = None,
    handle_chinese_chars: bool = True,
) -> Any:
    """BERT's tokenizer of these tokens: texts are cleaned, cut at spaces and signs, and framed.

    Accents go with the case where `strip_accents` does not say.
    """
    if len(set(pieces)) < len(pieces):
        twice = next(piece for piece, count in Counter(pieces).items() if count > 1)
        raise ValueError(f"the token {shown(twice)} comes twice")
    numbers = {piece: number for number, piece in enumerate(pieces)}
    if lacking := [each for each in BERT_SPECIALS if each not in numbers]:
        raise ValueError(f"there is no {', '.join(lacking)} among the {len(pieces):,} tokens")
    package = extra("tokenizers")
    pad, unknown, begin, end, mask = BERT_SPECIALS
    tokenizer = package.Tokenizer(package.models.WordPiece(numbers, unk_token=unknown))
    tokenizer.normalizer = package.normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=handle_chinese_chars
    )
    tokenizer.pre_tokenizer = package.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = package.decoders.WordPiece()
    tokenizer.post_processor = package.processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(begin, numbers[begin]), (end, numbers[end])],
    )
    tokenizer.add_special_tokens(list(BERT_SPECIALS))
    return tokenizer
