"""A reader takes what people type, and a run folder is whole or refused."""

import json
from pathlib import Path

import pytest
import torch

from regard._io.manifest import write_manifest
from regard.tasks.dates import DateReader
from regard.tasks.exchange import read_about
from tests.tasks.dates import small_reader

FILES = ["config.json", "model.safetensors", "task.json", "README.md", "vocabulary.json"]


@pytest.fixture(scope="module")
def reader() -> DateReader:
    return small_reader("en", "fr", "fa")


def load_predictor(folder: Path) -> DateReader:
    return DateReader.load(folder, read_about(folder))


@pytest.fixture
def folder(reader: DateReader, tmp_path: Path) -> Path:
    reader.save(tmp_path)
    return tmp_path


def test_a_text_is_its_tag_and_its_characters(reader: DateReader) -> None:
    assert reader.coder.tokens("<fr> 3 mai") == ["<fr>", "3", " ", "m", "a", "i"]
    assert reader.coder.tokens("  <fr>3 mai \n") == reader.coder.tokens("<fr> 3 mai")


def test_digits_of_every_script_are_digits(reader: DateReader) -> None:
    assert reader.coder.tokens("<fa> ۲۰۲۶/۳/۳") == reader.coder.tokens("<fa> 2026/3/3")


def test_composed_and_decomposed_letters_are_the_same(reader: DateReader) -> None:
    assert reader.coder.tokens("<fr> 3 fe\u0301vrier") == reader.coder.tokens("<fr> 3 f\u00e9vrier")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the text is empty"),
        (" \n\t", "the text is empty"),
        ("mardi 3 mars 2026", "must begin with the tag"),
        ("<fr", "must begin with the tag"),
        ("<> 3", "unknown language ''"),
        ("<fr>", "has 1 to 500 characters after the tag, got 0"),
        ("<fr>" + "1" * 501, "has 1 to 500 characters after the tag, got 501"),
        ("<fra> 3 mars", r"did you mean fr \(French\)"),
        ("<FR> 3 mars", "did you mean fr"),
        ("<french> 3 mars", r"did you mean fr \(French\)"),
        ("<klingon> 3 mars", "3 are known: en, fa, fr"),
        ("<en_US> 3/3/26", "did you mean en"),
        ("<xx-\x1b[31m> 3", r"\\x1b"),
        ("\x1b[31m" * 1000, r"\\x1b"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_the_fix(
    reader: DateReader, text: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        reader.coder.tokens(text)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_long_text_is_refused_at_once(reader: DateReader) -> None:
    with pytest.raises(ValueError, match="got 1000000"):
        reader.coder.tokens("<fr>" + "a" * 1_000_000)


def test_an_answer_says_where_it_looked(reader: DateReader) -> None:
    (answer,) = reader.predict(["<fr> 3 mai 2026"], num_answers=3)
    assert answer.weights.shape == (len(answer.outputs), len(answer.inputs))
    assert answer.inputs[0] == "<fr>"
    assert "".join(answer.outputs) == answer.answers[0][0]
    assert 1 <= len(answer.answers) <= 3
    torch.testing.assert_close(answer.weights.sum(-1), torch.ones(len(answer.outputs)))


def test_answers_are_read_each_for_itself(reader: DateReader) -> None:
    texts = ["<fr> 3 mai 2026", "<en> 1/2/26", "<fr> 1"]
    together = reader.predict(texts)
    assert [a.answers for a in together] == [reader.predict([t])[0].answers for t in texts]
    assert reader.predict([]) == []


def test_characters_that_were_never_seen_are_named(reader: DateReader) -> None:
    (answer,) = reader.predict(["<fr> 3 ☃ 2026"])
    assert answer.unknown == ("☃",)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped", "foreign"])
def test_a_damaged_folder_is_refused_naming_the_file(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(content[:-20])
    elif damage == "flipped":
        place = len(content) // 2
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    else:
        path.write_bytes(b'{"files": 3}')
    kind = FileNotFoundError if damage == "missing" else ValueError
    # A flipped digest in the manifest makes the file that it vouches for look damaged.
    with pytest.raises(kind, match=name if name != "manifest.json" else r"\.json|\.safetensors"):
        load_predictor(folder)


@pytest.mark.parametrize(
    "text",
    ["[]", '{"source": []}', '{"source": ["a"], "target": ["b"]}', '{"source": 3, "target": 4}'],
)
def test_a_foreign_vocabulary_is_refused_even_if_it_is_vouched_for(folder: Path, text: str) -> None:
    (folder / "vocabulary.json").write_text(text)
    write_manifest(folder, FILES)
    with pytest.raises(ValueError, match="vocabulary.json"):
        load_predictor(folder)


def test_a_vocabulary_of_another_size_is_refused_with_both_numbers(folder: Path) -> None:
    path = folder / "vocabulary.json"
    lists = json.loads(path.read_text())
    count = len(lists["source"])
    lists["source"].append("☃")
    path.write_text(json.dumps(lists))
    write_manifest(folder, FILES)
    with pytest.raises(ValueError, match=f"source_vocab {count}, its files say {count + 1}"):
        load_predictor(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_predictor(tmp_path / "nowhere")
