"""Saving in the background saves what was there when it was asked to."""

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from regard.training.checkpoint import CheckpointError, newest
from regard.training.saver import Saver
from tests.patience import PATIENCE


def test_what_training_changes_after_the_call_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, sync = threading.Event(), os.fsync

    def slow(handle: int) -> None:
        assert go_on.wait(PATIENCE)
        sync(handle)

    monkeypatch.setattr(os, "fsync", slow)
    weight, state = torch.ones(4, 5), {"losses": [1.0]}
    with Saver(tmp_path) as saver:
        saver.save(1, {"model": {"a": weight, "b": weight, "turned": weight.T}}, state)
        weight.zero_()
        state["losses"].append(2.0)
        assert newest(tmp_path) is None
        go_on.set()
        done = saver.wait()
    found = newest(tmp_path)
    assert found is not None and done is not None and done.path == found.path
    read = found.read("model")
    assert torch.equal(read["a"], torch.ones(4, 5)) and read["b"] is read["a"]
    assert torch.equal(read["turned"], torch.ones(5, 4)) and found.state == {"losses": [1.0]}


def test_saves_follow_each_other_and_the_newest_two_stay(tmp_path: Path) -> None:
    weight = torch.zeros(3)
    with Saver(tmp_path) as saver:
        for step in range(1, 6):
            weight += 1
            saver.save(step, {"model": {"w": weight[: 1 + step % 3]}}, {"step": step})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000004", "step-000000005"]
    found = newest(tmp_path)
    assert found is not None and found.read("model")["w"].tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("when", ["next save", "wait", "end"])
def test_a_save_that_failed_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    saver = Saver(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        saver.save(1, {"model": {"w": torch.zeros(3)}}, {})
        assert saver._thread is not None
        saver._thread.join()
    with pytest.raises(CheckpointError, match="step 1 could not be saved"):
        if when == "next save":
            saver.save(2, {"model": {"w": torch.zeros(3)}}, {})
        elif when == "wait":
            saver.wait()
        else:
            with saver:
                pass
    saver.save(3, {"model": {"w": torch.zeros(3)}}, {})
    done = saver.wait()
    assert done is not None and done.path.name == "step-000000003"


def test_an_error_of_the_training_is_not_hidden_by_one_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyError), Saver(tmp_path / "file" / "checkpoints") as saver:
        saver.save(1, {}, {})
        raise KeyError
