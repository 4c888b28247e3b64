"""Lists of tokens without `tokenizer.json` are read as the classes of `transformers` read them."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from regard.data.encoding.published_tokens import read_tokenizer, require_rows
from regard.data.encoding.sentence_pieces import sentence_pieces
from regard.data.encoding.tokenizer import Tokenizer
from tests.data.sentence_piece_file import (
    BYTE,
    CONTROL,
    NORMAL,
    OWN,
    PAIRS,
    UNKNOWN,
    Piece,
    charsmap,
    model_file,
    piece,
)

transformers = pytest.importorskip("transformers")

BY_GOOGLE = bytes.fromhex(
    "0a0e0a053c7061643e150000000018030a0d0a043c2f733e150000000018030a0e0a053c756e6b3e150000000018020a0d"
    "0a04e2968161150000c0bf18010a0a0a016215000010c018010a0e0a053c6f776e3e15000000001804122118012006553b"
    "df7f3f980201c00202c802ffffffffffffffffff01d00201d802001a0e0a086e6d745f6e666b6318012000"
)
"""A model as the package `protobuf` writes it, with fields that are not read here."""
REPLACED = {"\t": " ", "\n": " ", "ﬁ": "fi", "Ａ": "A", "x\u0301": "y"}
WORDS = {"▁the": -3.0, "▁film": -4.5, "ing": -4.0, "▁19": -5.0, "9,": -2.0, "▁go": -4.0, "od": -5.0}
LETTERS = "▁abcdefghilmnorstuy.,!19A\"'é"
TEXT = [(text, score, NORMAL) for text, score in WORDS.items()]
TEXT += [(letter, -6.0 - 0.1 * place, NORMAL) for place, letter in enumerate(LETTERS)]
TEXTS = [
    "the film", "The good  film ", "  going\tto the ﬁlm\n", "in 1999, ``Aﬁ''", "Été x\u0301 Ａ",
    "日本 the 日本日", "", " ", "▁the", "don't!",
]  # fmt: skip
Specials = list[tuple[str, int]]
ANGLES: Specials = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
T5: Specials = [("<pad>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN)]
ALBERT: Specials = [("<pad>", CONTROL), ("<unk>", UNKNOWN), ("[CLS]", OWN), ("[SEP]", OWN),
                    ("[MASK]", OWN)]  # fmt: skip
XLNET: Specials = [*ANGLES, ("<cls>", CONTROL), ("<sep>", CONTROL), ("<pad>", CONTROL),
                   ("<mask>", OWN), ("<eod>", OWN), ("<eop>", OWN)]  # fmt: skip


def pieces(specials: Specials, text: list[Piece] = TEXT) -> list[Piece]:
    return [*((name, 0.0, kind) for name, kind in specials), *text]


def scored(listed: list[Piece]) -> list[tuple[str, float]]:
    """Their vocabulary, with the score that ALBERT and XLNet were published with for `9,`."""
    return [(text, score) for text, score, _ in listed]


def folder(place: Path, family: str, files: Mapping[str, bytes | str | Any]) -> Path:
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps({"model_type": family}))
    for name, content in files.items():
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        (place / name).write_bytes(content)
    return place


def require_same(ours: Tokenizer, theirs: Any, texts: list[str] = TEXTS) -> None:
    """The same numbers for a text and a pair, with what is around them, and the same text back."""
    assert len(ours) == len(theirs)
    theirs.backend_tokenizer.encode_special_tokens = True
    for text in texts:
        wanted = theirs(text)
        assert ours._inner.encode(text).ids == wanted["input_ids"], text
        assert ours.decode(wanted["input_ids"]) == theirs.decode(
            wanted["input_ids"], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    for other in texts[1:3]:
        wanted, found = theirs(texts[0], other), ours._inner.encode(texts[0], other)
        assert (found.ids, found.type_ids) == (
            wanted["input_ids"], wanted.get("token_type_ids", found.type_ids)
        )  # fmt: skip


def test_a_file_of_googles_own_writer_is_read() -> None:
    found = sentence_pieces(BY_GOOGLE)
    assert found.pieces == ("<pad>", "</s>", "<unk>", "▁a", "b", "<own>")
    assert found.scores[3:5] == (-1.5, -2.25) and found.kinds == (3, 3, 2, 1, 1, 4)
    assert (found.prefix, found.strips, found.bytewise, found.unknown) == (True, False, True, 2)


@pytest.mark.parametrize("extra", [None, 3])
def test_t5_has_its_sentinels_behind_the_pieces_and_an_end(
    tmp_path: Path, extra: int | None
) -> None:
    listed = pieces(T5)
    said = {} if extra is None else {"tokenizer_config.json": {"extra_ids": extra}}
    files = {"spiece.model": model_file(listed, replaced=REPLACED), **said}
    ours = read_tokenizer(folder(tmp_path / "t5", "t5", files))
    count = 100 if extra is None else extra
    names = [f"<extra_id_{n}>" for n in reversed(range(count))]
    theirs = transformers.T5Tokenizer(
        vocab=[*scored(listed), *((name, 0.0) for name in names)],
        extra_ids=count, _spm_precompiled_charsmap=charsmap(REPLACED),
    )  # fmt: skip
    require_same(ours, theirs)
    assert ours.number_of("<extra_id_0>") == len(ours) - 1
    assert ours.sequences(["the film"]).ids[0, -1] == ours.end == 1


@pytest.mark.parametrize("options", [{}, {"do_lower_case": False}, {"keep_accents": True}])
def test_albert_has_small_letters_and_cuts_before_a_comma(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    listed = pieces(ALBERT)
    files = {
        "spiece.model": model_file(listed, replaced=REPLACED),
        "tokenizer_config.json": options,
    }
    ours = read_tokenizer(folder(tmp_path / "albert", "albert", files))
    published = [(text, score - 100 * (text == "9,")) for text, score in scored(listed)]
    theirs = transformers.AlbertTokenizer(
        vocab=published, _spm_precompiled_charsmap=charsmap(REPLACED), **options
    )
    require_same(ours, theirs)
    assert ours.tokens(ours.encode(["1999,"]).values.tolist())[-2:] == ["9", ","]


def test_xlnet_has_its_class_behind_with_a_segment_of_its_own(tmp_path: Path) -> None:
    listed = pieces(XLNET)
    files = {"spiece.model": model_file(listed, replaced=REPLACED)}
    ours = read_tokenizer(folder(tmp_path / "xlnet", "xlnet", files))
    published = [(text, score - 100 * (text == "9,")) for text, score in scored(listed)]
    theirs = transformers.XLNetTokenizer(
        vocab=published, _spm_precompiled_charsmap=charsmap(REPLACED)
    )
    require_same(ours, theirs)
    assert ours.frame.alone == (3,) and ours.frame.behind == (4, 3)


def test_xlm_roberta_has_the_numbers_of_fairseq_in_a_bert(tmp_path: Path) -> None:
    listed = pieces(ANGLES)
    files = {
        "sentencepiece.bpe.model": model_file(listed, replaced=REPLACED),
        "tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizer"},
    }
    ours = read_tokenizer(folder(tmp_path / "e5", "bert", files))
    first = [(name, 0.0) for name in ("<s>", "<pad>", "</s>", "<unk>")]
    theirs = transformers.XLMRobertaTokenizer(
        vocab=[*first, *scored(listed)[3:], ("<mask>", 0.0)],
        _spm_precompiled_charsmap=charsmap(REPLACED),
    )
    require_same(ours, theirs)
    assert (ours.begin, ours.pad, ours.end, ours.unknown_id) == (0, 1, 2, 3)


MERGED = {"th": -1.0, "the": -2.0, "▁the": -3.0, "oo": -4.0, "ood": -5.0, "he": -6.0, "ab": -7.0,
          "▁t": -8.0, "abab": -9.0, "ba": -10.0, "aba": -11.0, "▁▁": -12.0}  # fmt: skip
PAIRED = [
    *((f"<0x{n:02X}>", 0.0, BYTE) for n in range(256)),
    *((text, score, NORMAL) for text, score in MERGED.items()),
    *((letter, -20.0 - place, NORMAL) for place, letter in enumerate(LETTERS)),
]


def merged(text: str) -> list[str]:
    """What sentencepiece does: the best piece of two neighbours, the first of equals, again."""
    best = {piece: score for piece, score, kind in PAIRED if kind == NORMAL}
    found = list("▁" + text.replace(" ", "▁"))
    while True:
        pairs = [
            (-best[a + b], at)
            for at, (a, b) in enumerate(zip(found, found[1:], strict=False))
            if a + b in best
        ]
        if not pairs:
            break
        _, at = min(pairs)
        found[at : at + 2] = [found[at] + found[at + 1]]
    rows = [[x] if x in best else [f"<0x{n:02X}>" for n in x.encode()] for x in found]
    return [each for row in rows for each in row]


@pytest.mark.parametrize("ends", [False, True])
def test_llama_merges_the_best_pieces_and_spells_the_unknown_in_bytes(
    tmp_path: Path, ends: bool
) -> None:
    content = model_file(pieces(ANGLES, PAIRED), PAIRS, bytewise=True, strips=False)
    said = {"add_eos_token": ends, "tokenizer_class": "LlamaTokenizer"}
    files = {"tokenizer.model": content, "tokenizer_config.json": said}
    ours = read_tokenizer(folder(tmp_path / "llama", "llama", files))
    drawn = random.Random(0)
    texts = ["the food", "日本 é", "  the  ", *TEXTS[:6]]
    texts += ["".join(drawn.choices("abthe o", k=12)) for _ in range(50)]
    for text in texts:
        if text:
            assert ours.tokens(ours.encode([text]).values.tolist()) == merged(text), text
            assert ours.decode(ours.encode([text]).values.tolist()) == text
    assert ours.frame.before == (1,) and ours.frame.behind == ((2,) if ends else ())


def byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("f", "i"), ("l", "m"), ("fi", "lm")]
    tokens = [*bytes_to_unicode().values(), *("".join(pair) for pair in merges)]
    return {token: number for number, token in enumerate(tokens)}, merges


def two_files(tokens: dict[str, int], merges: list[tuple[str, str]]) -> dict[str, Any]:
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    return {"vocab.json": tokens, "merges.txt": "\n".join(lines)}


@pytest.mark.parametrize("options", [{}, {"add_prefix_space": True}])
def test_gpt2_merges_bytes(tmp_path: Path, options: dict[str, bool]) -> None:
    tokens, merges = byte_pairs()
    tokens["<|endoftext|>"] = len(tokens)
    files = {**two_files(tokens, merges), "tokenizer_config.json": options}
    ours = read_tokenizer(folder(tmp_path / "gpt2", "gpt2", files))
    theirs = transformers.GPT2Tokenizer(vocab=dict(tokens), merges=merges, **options)
    require_same(ours, theirs)
    assert ours.end == tokens["<|endoftext|>"] and not ours.frame


def test_gpt2_may_begin_with_a_token(tmp_path: Path) -> None:
    tokens, merges = byte_pairs()
    tokens["<|endoftext|>"] = len(tokens)
    files = {**two_files(tokens, merges), "tokenizer_config.json": {"add_bos_token": True}}
    ours = read_tokenizer(folder(tmp_path / "gpt2", "gpt2", files))
    assert ours.frame.before == (tokens["<|endoftext|>"],) and not ours.frame.behind


def test_roberta_has_two_ends_between_texts(tmp_path: Path) -> None:
    tokens, merges = byte_pairs()
    first = ["<s>", "<pad>", "</s>", "<unk>"]
    numbers = {token: number for number, token in enumerate([*first, *tokens, "<mask>"])}
    said = {"tokenizer_class": "RobertaTokenizer"}
    files = {**two_files(numbers, merges), "tokenizer_config.json": said}
    ours = read_tokenizer(folder(tmp_path / "roberta", "bert", files))
    theirs = transformers.RobertaTokenizer(vocab=dict(numbers), merges=merges)
    require_same(ours, theirs)
    assert ours.frame.between == (2, 2) and ours.mask == numbers["<mask>"]


def test_gpt1_merges_letters_to_the_end_of_a_word(tmp_path: Path) -> None:
    letters = "abcdefghilmnorstuy.,!19"
    merges = [("t", "h"), ("th", "e</w>"), ("f", "i"), ("l", "m</w>"), ("fi", "lm</w>")]
    tokens = ["<unk>", *letters, *(f"{each}</w>" for each in letters), *map("".join, merges)]
    numbers = {token: number for number, token in enumerate(tokens)}
    ours = read_tokenizer(folder(tmp_path / "gpt", "openai-gpt", two_files(numbers, merges)))
    theirs = transformers.OpenAIGPTTokenizer(vocab=dict(numbers), merges=merges)
    require_same(ours, theirs)


def test_tokens_that_were_added_later_have_their_numbers(tmp_path: Path) -> None:
    tokens, merges = byte_pairs()
    tokens["<|endoftext|>"] = count = len(tokens)
    files = {
        **two_files(tokens, merges),
        "added_tokens.json": {"[PAD]": count + 1, "<film>": count + 2},
        "special_tokens_map.json": {"pad_token": {"content": "[PAD]", "lstrip": False}},
    }
    ours = read_tokenizer(folder(tmp_path / "gpt2", "gpt2", files))
    assert len(ours) == count + 3 and ours.pad == count + 1
    assert ours.tokens(ours.encode(["the<film>"]).values.tolist()) == ["the", "<film>"]
    assert ours.number_of("[PAD]") not in ours.encode(["[PAD]"]).values.tolist()


def test_berts_lines_have_the_tokens_that_were_added(tmp_path: Path) -> None:
    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film"]
    decoder = {"7": {"content": "<film>", "special": False}, "8": {"content": "[E]", "special": 1}}
    files = {
        "vocab.txt": "\n".join(listed) + "\n",
        "tokenizer_config.json": {"added_tokens_decoder": decoder},
    }
    ours = read_tokenizer(folder(tmp_path / "bert", "bert", files))
    assert ours.encode(["a <film> film"]).values.tolist() == [5, 7, 6]
    assert ours.frame.before == (2,) and ours.number_of("[E]") == 8 and len(ours) == 9


def test_the_whole_tokenizer_counts_before_its_parts(tmp_path: Path) -> None:
    place = folder(tmp_path / "t5", "t5", {"spiece.model": b"damaged"})
    Tokenizer.train(["a film"], "characters").save(place / "tokenizer.json")
    assert read_tokenizer(place).kind == "characters"


GOOD = pieces(T5)
DAMAGED: dict[str, tuple[str, dict[str, Any], str]] = {
    "cut off": ("t5", {"spiece.model": model_file(GOOD)[:-3]}, "has .* left"),
    "within a number": ("t5", {"spiece.model": b"\x80"}, "it ends within a number"),
    "endless number": ("t5", {"spiece.model": b"\xff" * 40}, "more than ten bytes"),
    "of another form": ("t5", {"spiece.model": b"\x0b"}, "has the wire type 3, which is not read"),
    "empty": ("t5", {"spiece.model": b""}, "it has no pieces"),
    "a number for a piece": ("t5", {"spiece.model": b"\x08\x01"}, "field of bytes holds a number"),
    "bytes for a kind": (
        "t5", {"spiece.model": b"\n\x05\n\x01a\x1a\x00"}, "field of a number holds bytes"
    ),
    "tiktoken": ("llama", {"tokenizer.model": b"IQ== 0\nIg== 1\n"}, "not a sentencepiece model"),
    "not UTF-8": ("t5", {"spiece.model": b"\n\x03\n\x01\xff"}, "piece 0 is not UTF-8"),
    "no score": ("t5", {"spiece.model": piece("a", float("nan"), 1)}, "'a', has the score nan"),
    "a pointer": (
        "t5",
        {"spiece.model": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"},
        "spiece.model is a pointer of Git LFS, .* git lfs pull",
    ),
    "half a score": ("t5", {"spiece.model": b"\n\x07\n\x01a\x12\x02ab"}, "score of 2 bytes, not 4"),
    "unknown kind": ("t5", {"spiece.model": piece("a", 0.0, 9)}, "the type 9, and there are 1 to"),
    "long": ("t5", {"spiece.model": piece("a" * 300, 0.0, 1)}, "has 300 characters, 256 at most"),
    "nothing": ("t5", {"spiece.model": model_file([("", 0.0, 2)])}, "piece 0 is empty"),
    "twice": ("t5", {"spiece.model": model_file([*GOOD, GOOD[0]])}, "are both '<pad>'"),
    "none unknown": ("t5", {"spiece.model": model_file(TEXT)}, "it has 0 pieces for unknown text"),
    "words": ("t5", {"spiece.model": model_file(GOOD, 3)}, "are words; unigram and BPE are read"),
    "no end": ("t5", {"spiece.model": model_file([*GOOD[:1], *GOOD[2:]])}, "there is no </s>"),
    "damaged table": (
        "t5",
        {"spiece.model": model_file(GOOD) + b"\x1a\x06\x12\x04\xff\xff\xff\x7f"},
        "precompiled_charsmap of its normalizer is not as long as it says",
    ),
    "another family": ("bert", {"spiece.model": model_file(GOOD)}, "the folder says 'bert'"),
    "no family": ("t5", {"config.json": {}, "spiece.model": model_file(GOOD)}, "says nothing"),
    "sentinels": (
        "t5",
        {"spiece.model": model_file(GOOD), "tokenizer_config.json": {"extra_ids": -1}},
        "tokenizer_config.json says extra_ids is -1, which is no number of tokens",
    ),
    "no table of tokens": ("gpt2", {"vocab.json": [], "merges.txt": ""}, "not a list of tokens"),
    "half a table": ("gpt2", {"vocab.json": '{"a": 0', "merges.txt": ""}, "vocab.json is damaged"),
    "no number": ("gpt2", {"vocab.json": {"a": "0"}, "merges.txt": ""}, "'a' the number '0'"),
    "a gap": ("gpt2", {"vocab.json": {"a": 5}, "merges.txt": ""}, "'a' has the number 5"),
    "no pair": ("gpt2", {"vocab.json": {"a": 0}, "merges.txt": "a a a"}, "line 1: .* is no pair"),
    "no token": ("gpt2", {"vocab.json": {"a": 0}, "merges.txt": "\na a"}, "line 2: .* token 'aa'"),
    "pairs not UTF-8": ("gpt2", {"vocab.json": {"a": 0}, "merges.txt": b"a\xff"}, "at byte 1"),
    "an added gap": (
        "gpt2",
        {"vocab.json": {"a": 0}, "merges.txt": "", "added_tokens.json": {"b": 7}},
        "'b' is both 7 and 1",
    ),
    "an added word": (
        "gpt2",
        {"vocab.json": {"a": 0}, "merges.txt": "", "added_tokens.json": {"b": "x"}},
        "added_tokens.json gives the token 'b' the number 'x'",
    ),
    "a role": (
        "gpt2",
        {"vocab.json": {"a": 0}, "merges.txt": "", "special_tokens_map.json": {"pad_token": 3}},
        "pad_token is 3, which is no token",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_one_sentence_with_the_file(tmp_path: Path, name: str) -> None:
    family, files, message = DAMAGED[name]
    place = folder(tmp_path / "damaged", family, files)
    with pytest.raises(ValueError, match=message) as caught:
        read_tokenizer(place)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_half_of_the_two_files_is_named(tmp_path: Path, name: str) -> None:
    place = folder(tmp_path / "half", "gpt2", {name: "{}"})
    with pytest.raises(FileNotFoundError, match=f"without which {name} says nothing; copy it"):
        read_tokenizer(place)


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_read_or_refused(seed: int) -> None:
    drawn, content = random.Random(seed), model_file(GOOD, replaced={"ﬁ": "fi"})
    for _ in range(100):
        changed = bytearray(content[: drawn.randrange(1, len(content))])
        for _ in range(3):
            changed[drawn.randrange(len(changed))] = drawn.randrange(256)
        try:
            assert sentence_pieces(bytes(changed)).pieces
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "text", ["a</s>b", "</s>", "the <pad></s> film", "<<extra_id_1>>", "the </s", "＜/s＞"]
)
def test_unigrams_read_no_text_as_a_special_token(tmp_path: Path, whole: bool, text: str) -> None:
    letters = [(letter, -9.0, NORMAL) for letter in "</s>pdxtra_1"]
    known = [each for each in letters if each[0] not in LETTERS]
    wide = {"＜": "<", "＞": ">"}
    content = model_file(pieces(T5, [*TEXT, *known]), replaced=wide)
    ours = read_tokenizer(folder(tmp_path / "t5", "t5", {"spiece.model": content}))
    if whole:
        ours.save(tmp_path / "tokenizer.json")
        ours = Tokenizer.load(tmp_path / "tokenizer.json")
    found = list(ours.encode([text, "the film"]))
    plain = text.replace("＜", "<").replace("＞", ">")
    assert ours.decode(found[0].tolist()).replace(" ", "") == plain.replace(" ", "")
    assert not {0, 1, ours.number_of("<extra_id_1>")} & {*found[0].tolist()}
    assert ours.tokens(found[1].tolist()) == ["▁the", "▁film"]
    assert ours.unknown(text) == [] and len(ours.spans(text)) == len(found[0])


def test_tokens_that_were_added_without_a_row_are_named(tmp_path: Path) -> None:
    tokens, merges = byte_pairs()
    count = len(tokens)
    names = [f"<{n}>" for n in range(7)]
    added = {name: count + n for n, name in enumerate(names)}
    files = {**two_files(tokens, merges), "added_tokens.json": added}
    ours = read_tokenizer(folder(tmp_path / "gpt2", "gpt2", files))
    require_rows(ours, count + 7, "it")
    with pytest.raises(
        ValueError, match=f"has {count + 7} tokens, .* of {count + 5}; '<5>', '<6>' "
    ):
        require_rows(ours, count + 5, "it")
    with pytest.raises(ValueError, match="'<0>', .*, '<4>' and more were added to the tokenizer"):
        require_rows(ours, count, "it")
    with pytest.raises(ValueError, match="the tokenizer is another network's"):
        require_rows(ours, count - 1, "it")
