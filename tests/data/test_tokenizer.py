"""Tokenizers give back what they were given, the same each time, and read no text as an end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard._io.extra import extra
from regard.data.encoding.tokenizer import Tokenizer, portions
from regard.data.encoding.vocabulary import SPECIAL_TOKENS

TEXTS = [
    "Two young, White males are outside near many bushes.",
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Ein kleines Mädchen klettert in ein Spielhaus aus Holz.",
    "A little girl climbing into a wooden playhouse.",
] * 5
BYTES = ("bpe", "wordpiece", "unigram")
TRAINED = {kind: Tokenizer.train(TEXTS, kind, 400) for kind in BYTES}
RUNNING = Tokenizer.train(TEXTS, "bpe", 400, running=True)
composed = st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), max_size=60)


def again(tokenizer: Tokenizer, text: str) -> str:
    return tokenizer.decode(tokenizer.encode([text]).values.tolist())


@pytest.mark.parametrize("kind", BYTES)
@given(composed)
def test_decoding_gives_the_text_back(kind: str, text: str) -> None:
    assert again(TRAINED[kind], text) == text
    assert TRAINED[kind].unknown(text) == []


@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("text", [" two  spaces ", "日本語 🎈\n\t", "##a </s> <s> <pad> <unk>", ""])
def test_odd_texts_come_back_too(kind: str, text: str) -> None:
    assert again(TRAINED[kind], text) == text


@given(st.lists(composed, max_size=5))
def test_running_texts_joined_are_the_whole(texts: list[str]) -> None:
    assert RUNNING.decode(RUNNING.encode(texts).values.tolist()) == "".join(texts)


def test_texts_are_encoded_in_portions_as_they_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TRAINED["bpe"].encode(TEXTS)
    monkeypatch.setattr("regard.data.encoding.tokenizer.CHARACTERS_AT_ONCE", 60)
    some = TRAINED["bpe"].encode(TEXTS)
    assert [row.tolist() for row in some] == [row.tolist() for row in whole]
    assert max(map(len, portions(TEXTS))) == 1 and [*portions([])] == []


def test_letters_written_in_two_parts_are_composed() -> None:
    assert again(TRAINED["bpe"], "u\u0308") == "ü"


def test_characters_keep_every_one_and_name_the_unknown() -> None:
    tokenizer = Tokenizer.train(["a\nb \u2028c\t", "ü"], "characters")
    assert len(tokenizer) == len(SPECIAL_TOKENS) + 8
    assert again(tokenizer, "cab\n\u2028 ü\t") == "cab\n\u2028 ü\t"
    numbers = tokenizer.encode(["a?b"]).values.tolist()
    assert numbers[1] == tokenizer.unknown_id and tokenizer.unknown_id not in numbers[::2]
    assert tokenizer.unknown("a?b!?") == ["!", "?"]


@pytest.mark.parametrize("kind", [*BYTES, "characters"])
def test_no_text_is_read_as_a_special(kind: str) -> None:
    tokenizer = TRAINED.get(kind) or Tokenizer.train(["</s>unkpad"], "characters")
    numbers = tokenizer.encode(["".join(SPECIAL_TOKENS)]).values.tolist()
    assert not {tokenizer.pad, tokenizer.begin, tokenizer.end} & set(numbers)
    assert tokenizer.tokens([0, 1, 2, 3]) == list(SPECIAL_TOKENS)


@pytest.mark.parametrize("kind", [*BYTES, "characters", "words"])
def test_a_saved_tokenizer_reads_as_the_one_that_was_trained(tmp_path: Path, kind: str) -> None:
    tokenizer = TRAINED.get(kind) or Tokenizer.train(TEXTS, kind)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    texts = [*TEXTS, "</s> und mehr", "neu"]
    assert loaded.encode(texts).values.tolist() == tokenizer.encode(texts).values.tolist()
    assert (loaded.kind, len(loaded)) == (kind, len(tokenizer))


def test_the_same_texts_give_the_same_tokens_in_every_process() -> None:
    kinds = ["bpe", "wordpiece", "characters", "words"]
    script = (
        "import sys, json; from regard.data.encoding.tokenizer import Tokenizer;"
        "texts, kinds = json.loads(sys.argv[1]);"
        "print(json.dumps({kind: Tokenizer.train(texts, kind, 400).json() for kind in kinds}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([TEXTS, kinds])],
        env={
            **os.environ,
            "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
        },
        capture_output=True,
        check=True,
    )
    first = {kind: Tokenizer.train(TEXTS, kind, 400).json() for kind in kinds}
    second = json.loads(done.stdout)
    for kind in kinds:
        assert first[kind] == second[kind], kind


def test_words_are_the_most_frequent_ones_and_punctuation_stands_apart() -> None:
    tokenizer = Tokenizer.train(["b a, a! <unk>", "c a b"], "words", 6)
    assert tokenizer.tokens(range(6)) == [*SPECIAL_TOKENS, "a", "b"]
    numbers = tokenizer.encode(["a b,c"]).values.tolist()
    assert numbers == [4, 5, tokenizer.unknown_id, tokenizer.unknown_id]
    assert tokenizer.unknown("a b,c") == [",", "c"] and tokenizer.decode([4, 5]) == "a b"


def test_lower_case_is_lower_case() -> None:
    for kind in ("bpe", "characters", "words"):
        assert again(Tokenizer.train(TEXTS, kind, 400, lowercase=True), "Two") == "two"


def test_pieces_are_readable() -> None:
    tokenizer = TRAINED["bpe"]
    numbers = tokenizer.encode(["Zwei Mä 日"]).values.tolist()
    assert tokenizer.tokens(numbers) == ["▁Zwei", "▁Mä", "▁", "<e6>", "<97>", "<a5>"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"model": {"type": "BPE"}}', '{"a": 1, "a": 2}', '{"model": 3}'],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match="tokenizer.json is not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def bert(path: Path) -> Tokenizer:
    """A tokenizer as BERT's file has it: `[PAD]` first, the other special tokens from 100 on."""
    package = extra("tokenizers")
    words = [f"[unused{n}]" for n in range(99)]
    tokens = [
        "[PAD]",
        *words,
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "fine",
        "film",
        "##ing",
        "é",
    ]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    inner = package.Tokenizer(package.models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer = package.normalizers.BertNormalizer(strip_accents=False)
    inner.pre_tokenizer = package.pre_tokenizers.BertPreTokenizer()
    inner.decoder = package.decoders.WordPiece()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    inner.post_processor = package.processors.BertProcessing(ends[1], ends[0])
    inner.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    inner.save(str(path))
    return Tokenizer.load(path)


def test_the_special_tokens_of_bert_are_found_by_their_names(tmp_path: Path) -> None:
    found = bert(tmp_path / "tokenizer.json")
    assert (found.pad, found.unknown_id, found.begin, found.end) == (0, 100, 101, 102)
    assert found.kind == "wordpiece" and len(found) == 109
    numbers = found.encode(["A filming [SEP]", "é [CLS]", "fine"])
    assert [row.tolist() for row in numbers][2] == [105]
    assert not {0, 101, 102, 103} & set(numbers.values.tolist())
    assert found.tokens([104, 106, 107, 108, 102]) == ["a", "film", "##ing", "é", "[SEP]"]
    assert found.decode([101, 104, 106, 107, 102, 0]) == "a filming"
    assert found.unknown("a bad film") == ["bad"]
    found.save(tmp_path / "again.json")
    assert Tokenizer.load(tmp_path / "again.json").end == 102


def test_a_special_token_that_is_not_there_is_missed_only_where_it_is_needed(
    tmp_path: Path,
) -> None:
    package = extra("tokenizers")
    inner = package.Tokenizer(package.models.BPE())
    inner.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = package.decoders.ByteLevel()
    alphabet = sorted(package.pre_tokenizers.ByteLevel.alphabet())
    trainer = package.trainers.BpeTrainer(
        special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(TEXTS, trainer)
    # Files of this age, GPT-2's too, do not say what kind of model they hold.
    content = json.loads(inner.to_str())
    del content["model"]["type"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    gpt = Tokenizer.load(tmp_path / "tokenizer.json")
    assert (gpt.begin, gpt.end, gpt.kind) == (0, 0, "bpe")
    assert (gpt.specials.pad, gpt.specials.unknown) == (None, None)
    assert again(gpt, "Zwei <|endoftext|> 日") == "Zwei <|endoftext|> 日"
    assert gpt.unknown("日") == [] and gpt.tokens(gpt.encode(["ß"]).values.tolist()) == ["ß"]
    assert gpt.pad == 0 and gpt.tokens([9999]) == ["<9999>"]
    with pytest.raises(ValueError, match=r"no unknown token, .* one of <unk>, \[UNK\]"):
        _ = gpt.unknown_id


def test_the_special_tokens_that_training_makes_are_the_first_four() -> None:
    for tokenizer in (*TRAINED.values(), RUNNING, Tokenizer.train(TEXTS, "characters")):
        numbers = (tokenizer.pad, tokenizer.unknown_id, tokenizer.begin, tokenizer.end)
        assert numbers == (0, 1, 2, 3)
        assert tokenizer.tokens(numbers) == list(SPECIAL_TOKENS)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    content = json.loads(TRAINED["bpe"].json())
    content["model"]["type"] = "Magic"
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="tokenizer.json is not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_wrong_calls_say_what_is_right() -> None:
    with pytest.raises(ValueError, match="kind must be one of bpe.*'wordz'"):
        Tokenizer.train(TEXTS, "wordz")
    with pytest.raises(ValueError, match="size must be at least 260.*got 100"):
        Tokenizer.train(TEXTS, "bpe", 100)
    with pytest.raises(ValueError, match="without any character"):
        Tokenizer.train([], "characters")
    with pytest.raises(ValueError, match="without any word"):
        Tokenizer.train([" "], "words")
    with pytest.raises(ValueError, match="more than the 4 specials, got 4"):
        Tokenizer.train(TEXTS, "words", 4)


def test_berts_pieces_are_the_same_for_the_same_texts_and_read_all_letters() -> None:
    texts = [f"{one}{two} wörter {two}{one}, and ▁ more" for one in "abcdef" for two in "ghijk"]
    made = [Tokenizer.train(texts, "bert", size=60).json() for _ in range(3)]
    assert made[0] == made[1] == made[2]
    tokenizer = Tokenizer.train(texts, "bert", size=60)
    assert len(tokenizer) == 60
    assert not tokenizer.unknown("kwa, ewöd")
    few = Tokenizer.train(texts, "bert", size=25)
    assert len(few) <= 25 and few.unknown("abz")
    with pytest.raises(ValueError, match="size must be at least 7"):
        Tokenizer.train(texts, "bert", size=6)


def test_what_stands_around_one_text_does_not_depend_on_what_stands_around_a_pair() -> None:
    package = pytest.importorskip("tokenizers")
    inner = package.Tokenizer(package.models.WordLevel({"a": 0, "b": 1, "</s>": 2, "<s>": 3}))
    inner.pre_tokenizer = package.pre_tokenizers.WhitespaceSplit()
    ends = [("</s>", 2), ("<s>", 3)]
    template = package.processors.TemplateProcessing
    for single, pair, wanted in (
        ("$A </s>", "$A $B:1", ([0, 1, 2], ())),
        ("<s> $A", "<s> $A <s> $B:1", ([3, 0, 1], (3,))),
        ("<s> $A </s>", "<s> $A </s> </s> $B:1 </s>", ([3, 0, 1, 2], (2, 2))),
    ):
        inner.post_processor = template(single=single, pair=pair, special_tokens=ends)
        tokenizer = Tokenizer(inner)
        found = (tokenizer.sequences(["a b"]).ids[0].tolist(), tokenizer.frame.between)
        assert found == wanted


def test_a_file_of_a_quarter_of_a_million_tokens_is_read(tmp_path: Path) -> None:
    whole = Tokenizer.train(["so so"], "characters").json()
    (tmp_path / "tokenizer.json").write_text(whole + " " * 17 * 2**20)
    assert Tokenizer.load(tmp_path / "tokenizer.json").json() == whole
    (tmp_path / "tokenizer.json").write_text(whole + " " * 64 * 2**20)
    with pytest.raises(ValueError, match=r"more than the 67,108,864 allowed"):
        Tokenizer.load(tmp_path / "tokenizer.json")
