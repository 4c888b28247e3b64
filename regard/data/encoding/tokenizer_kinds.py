"""The kinds of tokenizer, and how each is learned.

References:
    Sennrich, Haddow, Birch. Neural Machine Translation of Rare Words with Subword Units. 2016.
    https://arxiv.org/abs/1508.07909
    Schuster, Nakajima. Japanese and Korean Voice Search. 2012.
    https://doi.org/10.1109/ICASSP.2012.6289079
    Kudo. Subword Regularization. 2018. https://arxiv.org/abs/1804.10959
"""

from collections.abc import Iterable
from typing import Any

from regard._io.extra import extra
from regard.data.encoding.vocabulary import SPECIAL_TOKENS, UNKNOWN_TOKEN

BYTES = 256
LONGEST_WORD = 1000
"""Bytes; WordPiece reads a longer word as `<unk>`, for its time grows with the square."""


def train_tokenizer(
    texts: Iterable[str], kind: str, size: int, lowercase: bool, running: bool
) -> Any:
    """A tokenizer of the package, learned from these texts."""
    if kind == "characters":
        return _characters(texts, lowercase)
    if kind == "words":
        return _words(texts, size, lowercase)
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
