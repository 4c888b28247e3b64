"""`hf:` is downloaded from the Hub, and a plain path never is."""

import sys
from pathlib import Path
from typing import Any

import pytest

import regard
from regard._io import hub
from regard.models.bert import Bert, BertConfig
from regard.sequences import Sequences

SIZES: dict[str, Any] = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "ff_dim": 6, "layers": 1}


class Store:
    """Stands for the package, and answers from a folder."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.folder, self.error, self.asked = folder, error, list[Any]()
        self.errors = self

    class RepositoryNotFoundError(Exception):
        """What the package raises for a name that is not there."""

    def snapshot_download(self, *args: Any, **options: Any) -> str:
        self.asked.append((*args, options["revision"]))
        assert not any("bin" in pattern for pattern in options["allow_patterns"])
        if self.error is not None:
            raise self.error
        return str(self.folder)


@pytest.mark.parametrize(
    ("said", "asked"),
    [("hf:some/bert", ("some/bert", None)), ("hf:some/bert@v1.2", ("some/bert", "v1.2"))],
)
def test_a_name_is_a_folder(
    said: str, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regard.save(Bert(BertConfig(**SIZES)), tmp_path)
    store = Store(tmp_path)
    monkeypatch.setattr(hub, "extra", lambda name: store)
    assert regard.load(said)(Sequences.of([[4, 5]])).shape == (1, 2, 8)
    assert store.asked == [asked]


@pytest.mark.parametrize("said", ["hf:", "hf:a/b/c", "hf:../etc", "hf:a b", "hf:a/b@", "hf:/a"])
def test_what_is_no_name_is_not_asked_for(said: str) -> None:
    with pytest.raises(ValueError, match="no name on the Hub; write hf:owner/name"):
        regard.load(said)


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, Store.RepositoryNotFoundError("404"))
    monkeypatch.setattr(hub, "extra", lambda name: store)
    with pytest.raises(FileNotFoundError, match="the Hub has no model some/bert"):
        regard.load("hf:some/bert")
    store.error = RuntimeError("no route\nto host")
    with pytest.raises(OSError, match="hf:some/bert could not be downloaded: no route$"):
        regard.load("hf:some/bert")


def test_a_plain_path_needs_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regard.save(Bert(BertConfig(**SIZES)), tmp_path)
    for package in ("huggingface_hub", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)
    assert isinstance(regard.load(tmp_path), Bert)
