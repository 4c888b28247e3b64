"""Fuzzers of what reads the files of a model folder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regard
from regard._io.files import read_json
from regard.data.encoding.tokenizer import Tokenizer
from regard.models.weights import weight_shapes
from tests.fuzz.fuzzing import fuzz, seconds
from tests.hostile.folders import asked, copied, files_of, folder_of, put
from tests.hostile.laws import sentence
from tests.patience import PATIENCE

FUZZED = ("classify", "translate", "recommend", "regress", "answer", "language_model")


@pytest.mark.parametrize("task", FUZZED)
def test_changed_json_of_a_folder(task: str, tmp_path: Path) -> None:
    folder = copied(task, tmp_path)
    names = [name for name in files_of(task) if "tokenizer" not in name]
    whole = {name: (folder / name).read_bytes() for name in names}

    def read(content: bytes) -> None:
        name, _, text = content.partition(b":")
        if name.decode("latin-1") not in whole:
            return
        for each, old in whole.items():
            (folder / each).write_bytes(old)
        put(folder, name.decode("latin-1"), text.decode("utf-8", "surrogateescape"))
        asked(folder, task)

    fuzz(f"folder of {task}", [name.encode() + b":" + whole[name] for name in names], read)


def test_changed_safetensors(tmp_path: Path) -> None:
    folder = copied("classify", tmp_path)
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    content = (folder / "model.safetensors").read_bytes()
    head = 8 + int.from_bytes(content[:8], "little")

    def read(changed: bytes) -> None:
        # The header is where there is something to read; a number may be any number.
        (folder / "model.safetensors").write_bytes(changed + content[head:])
        regard.load(folder)

    fuzz("safetensors", [content[:head]], read)


@given(st.binary(max_size=200))
def test_any_bytes_as_safetensors(content: bytes) -> None:
    length = len(content).to_bytes(8, "little")
    assert sentence(lambda: weight_shapes(length + content + b"x")) is not None


KINDS = ("bpe", "wordpiece", "unigram", "words", "characters")


def read_tokenizers(place: str) -> None:
    """Fuzz in a process of its own, which the package may end; `place` is a folder."""
    path = Path(place) / "tokenizer.json"
    texts = ["ein Hund", "ein Haus, 12 Häuser!"]
    contents = [Tokenizer.train(texts, kind, 280).json().encode() for kind in KINDS]
    # As small as they can be: the changes are to hit more than numbers of tokens.
    contents = [json.dumps(json.loads(content)).encode() for content in contents]

    def read(content: bytes) -> None:
        path.write_bytes(content)
        tokenizer = Tokenizer.load(path)
        numbers = tokenizer.encode(["ein Hund", "aaaa\nÄ 日 </s>", ""]).values.tolist()
        tokenizer.tokens(numbers)
        tokenizer.decode(numbers)
        tokenizer.unknown("ein 日")
        assert all(0 <= number < len(tokenizer) for number in numbers)

    last = Path(place) / "last"
    fuzz("tokenizers", contents, read, note=last.write_bytes)


def test_changed_tokenizers(tmp_path: Path) -> None:
    script = (
        f"from tests.fuzz.test_folders import read_tokenizers; read_tokenizers({str(tmp_path)!r})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=seconds() + PATIENCE
    )
    last = (tmp_path / "last").read_bytes() if (tmp_path / "last").exists() else b""
    assert ran.returncode == 0, f"{ran.stderr[-3000:]}\nwith {last!r}"


NAMES = st.text(max_size=8)
ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING)
def test_any_value_is_read_back_as_json_or_refused(value: Any) -> None:
    text = json.dumps(value)
    if sentence(lambda: read_json(text)) is None:
        assert json.dumps(read_json(text)) == text


@pytest.mark.parametrize("task", ["classify", "translate", "language_model", "recommend"])
@settings(max_examples=15)
@given(st.data())
def test_any_value_of_a_configuration(task: str, tmp_path_factory: Any, data: Any) -> None:
    folder = copied(task, tmp_path_factory.mktemp(task))
    name = data.draw(st.sampled_from(["config.json", "task.json"]))
    entries = json.loads((folder_of(task) / name).read_bytes())
    key = data.draw(st.sampled_from(sorted(entries)))
    put(folder, name, json.dumps({**entries, key: data.draw(ANYTHING)}))
    sentence(lambda: asked(folder, task))
