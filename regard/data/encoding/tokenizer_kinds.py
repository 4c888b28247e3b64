"""The kinds of tokenizer, and how each is trained.

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from regard._io.extra import extra
from regard._printable import shown
from regard.data.encoding.vocabulary import SPECIAL_TOKENS, UNKNOWN_TOKEN

BYTES = 256
LONGEST_WORD = 1000
"""Bytes; WordPiece reads a longer word as `<unk>`, for its time grows with the square."""

BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORD_MARK = "▁"
MOST_LETTERS = 1000
"""Different letters that BERT's tokenizer knows by themselves."""


def train_tokenizer(
    texts: Iterable[str], kind: str, size: int, lowercase: bool, running: bool
) -> Any:
    """A tokenizer of the package, trained on these texts."""
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
    """BERT's tokenizer, its pieces found as those of byte-pair encoding are.

    The package's own trainer of pieces with `##` numbers them as they come out of a hash table, so
    that the same texts give others each time. Here each word has a mark in front while merges are
    counted; a piece without it is one that continues a word.
    """
    least = len(BERT_SPECIALS) + 2
    if size < least:
        raise ValueError(f"size must be at least {least}, the specials and a letter, got {size}")
    package = extra("tokenizers")
    made = bert_tokenizer(BERT_SPECIALS, lowercase=lowercase)
    counts: Counter[str] = Counter()

    def counted() -> Iterator[str]:
        for text in texts:
            counts.update(made.normalizer.normalize_str(text))
            yield text

    learner = package.Tokenizer(package.models.BPE())
    learner.normalizer = made.normalizer
    mark = package.pre_tokenizers.Metaspace(WORD_MARK, "always", split=False)
    learner.pre_tokenizer = package.pre_tokenizers.Sequence([made.pre_tokenizer, mark])
    # Letters are among these, and not all of them are kept.
    trainer = package.trainers.BpeTrainer(vocab_size=2 * size, show_progress=False)
    learner.train_from_iterator(counted(), trainer)
    numbered = sorted(learner.get_vocab().items(), key=lambda each: each[1])
    pieces = _pieces([piece for piece, _ in numbered], counts, size)
    if len(pieces) == len(BERT_SPECIALS):
        raise ValueError("a tokenizer cannot be learned from texts without any word")
    return bert_tokenizer(pieces, lowercase=lowercase)


def _pieces(marked: Sequence[str], counts: Mapping[str, int], size: int) -> list[str]:
    """The tokens: special ones, every letter as it begins and as it goes on, then longer pieces."""
    room = (size - len(BERT_SPECIALS)) // 2
    known = {piece for piece in marked if len(piece) == 1 and piece != WORD_MARK}
    common = sorted(known, key=lambda letter: (-counts.get(letter, 0), letter))
    letters = sorted(common[: min(room, MOST_LETTERS)])
    longer = [
        piece[1:] if piece.startswith(WORD_MARK) else f"##{piece}"
        for piece in marked
        if len(piece) > 1 and WORD_MARK not in piece[1:]
    ]
    every = [*BERT_SPECIALS, *letters, *(f"##{letter}" for letter in letters), *longer]
    return list(dict.fromkeys(each for each in every if each))[:size]


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
