"""A run that is killed before any of the changes that it makes is begun again by its command."""

from pathlib import Path
from typing import Any

import pytest

from regard._io.leftovers import removable
from regard.training.run_folder import BEST, CHECKPOINTS
from tests.training.marks import slow
from tests.training.operations import DEAD
from tests.training.test_faults_signals import left
from tests.training.warm import Warm, write_pairs

SHORT = ("--steps", "6", "--set", "evaluate_every=2", "--set", "average=2")
SHARES = 8


@pytest.fixture(scope="module")
def straight(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """How many changes a run makes, and what it leaves."""
    folder = tmp_path_factory.mktemp("straight")
    write_pairs(folder)
    code, said = warm.train(folder, *SHORT, die_at=10**9)
    assert code == 0, said
    (note,) = folder.glob("*.changes")
    return int(note.read_text()), left(folder / "run")


def begun_again(warm: Warm, folder: Path, moment: int, wanted: dict[str, Any]) -> None:
    folder.mkdir()
    write_pairs(folder)
    code, said = warm.train(folder, *SHORT, die_at=moment)
    assert code == DEAD, (moment, said)
    code, again = warm.train(folder, *SHORT)
    assert code == 0, (moment, again)
    assert left(folder / "run") == wanted, moment
    names = [path.name for path in folder.rglob("*")]
    assert not [name for name in names if removable(name) or name.startswith(".tmp-")], moment
    assert not list((folder / "run").glob(f".{BEST}*")), moment
    assert len(list((folder / ".data").iterdir())) == 1, moment
    assert len(list((folder / "run" / CHECKPOINTS).iterdir())) <= 3, moment


EVERY = [pytest.param(share, marks=pytest.mark.exhaustive) for share in range(1, SHARES + 1)]


@pytest.mark.parametrize("share", [slow(0), *EVERY])
def test_a_run_killed_before_any_change_is_begun_again_and_ends_the_same(
    warm: Warm, tmp_path: Path, straight: tuple[int, dict[str, Any]], share: int
) -> None:
    changes, wanted = straight
    assert changes > 100
    # A sample, the first moments above all; the shares together are every moment.
    sample = [0, 4, 9, changes // 2]
    for moment in sample if not share else range(share - 1, changes, SHARES):
        begun_again(warm, tmp_path / str(moment), moment, wanted)
