"""A checkpoint that is whole and makes no sense is passed over with a sentence."""

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from regard._io.manifest import NAME, seal, size_and_digest, unseal
from regard.errors import UsageError
from regard.run.folder import newest_of, resume_from
from regard.training.checkpoint_folder import STATE
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.run_folder import CHECKPOINTS
from tests.training.marks import slow
from tests.training.test_resume import session
from tests.training.tiny import Tiny, config
from tests.walk import mutated

LAST = "step-000000014"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of steps 10 and 14."""
    folder = tmp_path_factory.mktemp("done")
    session(folder, config(), stop=14)
    return folder


def copied(done: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(done, place))


def put_state(checkpoint: Path, state: Any) -> None:
    """Another state under a manifest that vouches for it."""
    (checkpoint / STATE).write_text(json.dumps(state))
    manifest = unseal((checkpoint / NAME).read_bytes())
    manifest["files"][STATE] = size_and_digest(checkpoint / STATE)
    (checkpoint / NAME).write_bytes(seal(manifest))


def resumed(folder: Path, task: Tiny | None = None) -> tuple[int, list[str]]:
    """The step that training would begin from, and what was said."""
    said: list[str] = []
    ranks = Ranks()
    found = newest_of(folder, "auto", ranks, said.append)
    trainer = Trainer(task or Tiny(), config(), folder, ranks)
    resume_from(found, trainer, "auto", ranks, said.append)
    return trainer.state.step, said


@pytest.mark.parametrize("every", [9, slow(1)])
def test_whatever_is_wrong_in_a_state_is_one_sentence_and_the_one_before_is_used(
    done: Path, tmp_path: Path, every: int
) -> None:
    state = json.loads((done / CHECKPOINTS / LAST / STATE).read_text())
    passed_over = 0
    for what, wrong in islice(mutated(state), 0, None, every):
        folder = copied(done, tmp_path / "run")
        put_state(folder / CHECKPOINTS / LAST, wrong)
        try:
            step, said = resumed(folder)
        except ValueError as error:
            # What is said of other data has to be decided by the user.
            assert "'place'" in what or "'accumulate'" in what, what
            assert "changed" in str(error) or "seed" in str(error), what
            continue
        assert step in (10, 14), what
        if step == 10:
            (sentence,) = said
            assert sentence.startswith(f"passed over: {folder}/checkpoints/{LAST}"), sentence
            assert "\n" not in sentence and f"; it is now {LAST}.corrupt" in sentence
            passed_over += 1
    assert passed_over > 150 // every


@pytest.mark.parametrize("every", [9, slow(1)])
def test_whatever_is_wrong_in_a_manifest_is_one_sentence(
    done: Path, tmp_path: Path, every: int
) -> None:
    manifest = unseal((done / CHECKPOINTS / LAST / NAME).read_bytes())
    steps = []
    for what, wrong in islice(mutated(manifest), 0, None, every):
        folder = copied(done, tmp_path / "run")
        place = folder / CHECKPOINTS / LAST / NAME
        place.write_bytes(seal(wrong) if isinstance(wrong, dict) else json.dumps(wrong).encode())
        step, said = resumed(folder)
        assert step in (10, 14) and all("\n" not in each for each in said), what
        # Of an earlier step, it is behind the other one and not looked at.
        behind = what in ("('step',) is -1", "('step',) is 7")
        assert len(said) == (step == 10 and not behind), (what, said)
        steps.append(step)
    assert steps.count(10) > 60 // every


@pytest.mark.parametrize("layers", ["one", "early"])
def test_a_checkpoint_of_another_network_is_passed_over(
    done: Path, tmp_path: Path, layers: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    Trainer(Tiny(layers=layers), config(steps=4), folder, Ranks()).train()
    shutil.copytree(done / CHECKPOINTS / LAST, folder / CHECKPOINTS / LAST)
    step, said = resumed(folder, Tiny(layers=layers))
    (sentence,) = said
    assert step == 4 and not (folder / CHECKPOINTS / LAST).exists()
    assert sentence.startswith(f"passed over: {folder}/checkpoints/{LAST}")
    assert "of another network: it " in sentence or "optimizer has 'stack.bl" in sentence


def test_nothing_is_begun_anew_where_no_checkpoint_is_of_this_run(
    done: Path, tmp_path: Path
) -> None:
    folder = copied(done, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(
        UsageError, match=r"its settings can resume: .*; if config.toml was changed"
    ):
        resumed(folder, Tiny(layers="early"))
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert resumed(folder) == (14, [])
