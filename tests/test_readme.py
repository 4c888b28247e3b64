"""What the README shows, runs; one block continues where the one before it stopped."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.models.bert import Bert, BertConfig
from regard.models.gpt import GptLM, GptLMConfig

README = Path(__file__).parents[1] / "README.md"
REVIEWS = "text,label\n" + "a fine film,good\na dull film,bad\nit is fine,good\n" * 20
"""What the README calls `reviews.csv` and `other.csv`."""
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_published() -> None:
    """Small networks as what the README calls `minilm` and `gpt2`."""
    sizes: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "ff_dim": 8, "layers": 1}
    texts = ["a fine film", "Once upon a time", "A film is great"]
    cut = Tokenizer.train(texts, "bert", size=90)
    regard.save(Bert(BertConfig(vocab=len(cut), **sizes)), "minilm")
    cut.save(Path("minilm/tokenizer.json"))
    written = Tokenizer.train(texts, "bpe", size=300)
    regard.save(GptLM(GptLMConfig(vocab=len(written), **sizes)), "gpt2")
    written.save(Path("gpt2/tokenizer.json"))


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("reviews.csv", "other.csv"):
        Path(name).write_text(REVIEWS)
    write_published()
    assert README.is_file(), "there is no README.md"
    text = README.read_text("utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "README.md has no ```python block"
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        line = text[: block.start()].count("\n") + 1
        # Blank lines in front make a traceback name the README's own line.
        code = compile("\n" * line + block[1], str(README), "exec")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)
