"""Where a run is kept, and what it says of its network."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regard.errors import UsageError
from regard.models import model_class
from regard.run.folder import attention_of, claimed, folder_of, require_place
from regard.run.merging import settings_for
from regard.run.request import Request
from regard.run.saved_settings import CONFIG
from tests.run.tiny import SMALL, data_of


@pytest.mark.parametrize(
    ("out", "resume", "path", "recipe", "wanted"),
    [
        (None, "auto", "some/reviews.csv", "lstm", "runs/reviews-lstm"),
        (None, "auto", "some/reviews.csv", None, "runs/reviews"),
        (None, "never", "corpus/", "rnnsearch", "runs/corpus-rnnsearch"),
        (None, "auto", "hf:owner/name", "cnn", "runs/name-cnn"),
        (None, "auto", "synthetic:qa2", "memory", "runs/qa2-memory"),
        (None, "auto", "", "dates", "runs/dates"),
        ("there", "auto", "some/reviews.csv", "lstm", "there"),
        (None, "runs/old", "some/reviews.csv", "lstm", "runs/old"),
        ("runs/../runs/old", "runs/old", "", None, "runs/old"),
    ],
)
def test_a_folder_is_named_after_its_data_and_its_recipe(
    out: str | None, resume: str, path: str, recipe: str | None, wanted: str
) -> None:
    assert folder_of(Path(out) if out else None, resume, path, recipe) == Path(wanted)


def test_a_run_is_not_in_two_folders() -> None:
    with pytest.raises(UsageError, match="the run is in runs/old and cannot be in there too"):
        folder_of(Path("there"), "runs/old", "", None)


def test_a_place_is_tried_and_nothing_stays(tmp_path: Path) -> None:
    require_place(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file: Not a directory"):
        require_place(tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be made in .*: Permission denied"):
        require_place(tmp_path / "run")


KILLED = """
import os, sys
from pathlib import Path
from regard._io.files import write_whole
os.replace = lambda *_: os.kill(os.getpid(), 9)
write_whole(Path(sys.argv[1]), b"x")
"""


def test_a_folder_whose_making_was_killed_is_taken_and_another_one_is_not(tmp_path: Path) -> None:
    data = {"data": str(data_of("dan")), **SMALL["dan"]}
    settings, _ = settings_for(Request("dan", (), tuple(data.items())), None)
    folder = tmp_path / "run"
    folder.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder / CONFIG)], check=False)
    assert killed.returncode == -9 and len(list(folder.iterdir())) == 1
    assert claimed(folder, settings, "auto") == folder
    (folder / CONFIG).rename(folder / "notes.toml")
    with pytest.raises(UsageError, match="run exists and is no run; give another folder"):
        claimed(folder, settings, "auto")


@pytest.mark.parametrize(
    ("recipe", "given", "said"),
    [
        ("transformer", {"score_mod": "alibi"}, "attention scaled_dot, alibi, softmax"),
        ("cnn", {}, "pooling max"),
        ("lstm", {"attention": "additive"}, "pooling attention(score=additive, attention_dim=5)"),
        ("memory", {"hops": 3}, "attention soft, hops 3"),
        ("abcnn", {}, "attention both"),
        (
            "han",
            {},
            "word pooling attention(attention_dim=5), sentence pooling attention(attention",
        ),
        ("luong", {"attention": "none"}, "attention none"),
    ],
)
def test_how_a_network_attends_is_said_in_a_few_words(
    recipe: str, given: dict[str, Any], said: str
) -> None:
    data = {"data": str(data_of(recipe)), **SMALL[recipe], **given}
    settings, _ = settings_for(Request(recipe, (), tuple(data.items())), None)
    config = model_class(settings.model_name).config_type
    sizes = {**dict.fromkeys(config.from_data, 9), "joint_vocab": True}
    assert attention_of(settings.network(sizes)).startswith(said)
