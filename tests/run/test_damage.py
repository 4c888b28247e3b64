"""What is read back is as it was written, or is made again, or is said to be damaged."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.errors import UsageError
from regard.run.training import Options
from regard.training.run_folder import BEST
from tests.training.marks import slow

QUIET = Options(progress=False)
SMALL: dict[str, Any] = {
    **{"model": "lstm", "embed_dim": 4, "hidden_dim": 4, "evaluate_every": 2},
}
UNIGRAM = {"kind": "unigram", "size": 300}
"""Which learns other tokens each time."""


def train(folder: Path, out: str, steps: int, tokens: Any = "characters") -> Path:
    return regard.train(
        folder / "films.csv",
        out=folder / out,
        steps=steps,
        options=QUIET,
        tokens=tokens,
        **SMALL,
    ).path


def weights(run: Path) -> bytes:
    return (run / BEST / "model.safetensors").read_bytes()


def flip(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGES = {"flipped": flip, "cut": cut, "gone": Path.unlink}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two updates, kept to be resumed, and as many as they are to become."""
    folder = tmp_path_factory.mktemp("done")
    words = ["good", "bad", "fine", "poor", "lovely", "dreadful"]
    lines = [
        f"a {word} film {other},{'pos' if place % 2 == 0 else 'neg'}\n"
        for place, word in enumerate(words)
        for other in words
    ]
    (folder / "films.csv").write_text("text,label\n" + "".join(lines))
    train(folder, "short", 2, UNIGRAM)
    train(folder, "long", 6)
    return folder


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "copy", copy_function=shutil.copy2))


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_of_the_data_is_made_again(done: Path, copy: Path, damage: str) -> None:
    for number, path in enumerate(files(done / ".data")):
        DAMAGES[damage](copy / path.relative_to(done))
        assert weights(train(copy, f"new-{number}", 6)) == weights(done / "long")
        assert (copy / path.relative_to(done)).read_bytes() == path.read_bytes()
    assert number > 1


@pytest.mark.parametrize("damage", [list(DAMAGES)[0], *map(slow, list(DAMAGES)[1:])])
def test_damaged_tokens_are_made_again_as_the_network_knows_them(
    done: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(done / "short", tmp_path / "short")
    before = weights(resumed(done, tmp_path / "whole"))
    paths = [*files(done / "short" / "tokens")]
    for number, path in enumerate(paths if damage == "flipped" else paths[:2]):
        place = tmp_path / str(number)
        shutil.copytree(done / "short", place)
        DAMAGES[damage](place / path.relative_to(done / "short"))
        assert weights(resumed(done, place)) == before, path
    assert len(paths) > 5


def resumed(done: Path, place: Path) -> Path:
    if not place.exists():
        shutil.copytree(done / "short", place)
    return regard.train(resume=place, steps=6, options=QUIET).path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("steps", [2, slow(6)])
def test_a_damaged_model_is_one_sentence_and_the_way_out_works(
    done: Path, copy: Path, damage: str, steps: int
) -> None:
    names = [path.name for path in files(done / "short" / BEST)]
    assert {"model.safetensors", "config.json", "task.json", "manifest.json"} <= {*names}
    for name in names:
        best = copy / "short" / BEST
        shutil.rmtree(best)
        shutil.copytree(done / "short" / BEST, best)
        DAMAGES[damage](best / name)
        with pytest.raises(UsageError, match=f"or remove {best} and start again") as caught:
            regard.train(resume=copy / "short", steps=steps, options=QUIET)
        assert str(best) in str(caught.value).partition("; or")[0] and "\n" not in str(caught.value)
    shutil.rmtree(best)
    run = regard.train(resume=copy / "short", steps=steps, options=QUIET)
    assert run.predict(["a good film"])[0].best in ("pos", "neg")


@pytest.mark.parametrize("times", ["kept", "new"])
def test_data_that_was_changed_in_place_is_not_resumed_with(
    done: Path, tmp_path: Path, times: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = done / "films.csv"
    content, about = data.read_bytes(), data.stat()
    shutil.copytree(done / "short", tmp_path / "short")
    try:
        data.write_bytes(content.replace(b"a poor film", b"a rich film"))
        if times == "kept":
            os.utime(data, ns=(about.st_atime_ns, about.st_mtime_ns))
        with pytest.raises(
            UsageError, match="films.csv has changed since the run in .*short began"
        ):
            regard.train(resume=tmp_path / "short", steps=6, options=QUIET)
        # Where the tokens are lost as well, the run remembers all the same.
        shutil.rmtree(tmp_path / "short" / "tokens")
        with pytest.raises(
            UsageError, match="films.csv has changed since the run in .*short began"
        ):
            regard.train(resume=tmp_path / "short", steps=6, options=QUIET)
    finally:
        data.write_bytes(content)
    assert weights(resumed(done, tmp_path / "short")) == weights(resumed(done, tmp_path / "whole"))
