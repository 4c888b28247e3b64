"""A checkpoint is whole or is not there, and nothing that was saved is lost."""

import errno
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from regard._io.manifest import seal
from regard.training import checkpoint, checkpoint_folder
from regard.training.checkpoint import CheckpointError, newest, save_checkpoint, verified
from tests.patience import PATIENCE

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def tensors(step: int = 0) -> dict[str, dict[str, Tensor]]:
    weight = torch.arange(12.0).reshape(3, 4) + step
    return {
        "model": {"embed": weight, "out": weight, "turned": weight.T},
        "optimizer": {
            "count": torch.tensor(step),
            "random": torch.get_rng_state(),
            "half": torch.tensor([0.1, float("nan")], dtype=torch.bfloat16),
            "mask": torch.tensor([True, False, True]),
            "none": torch.zeros(0, 3),
        },
    }


def saved(folder: Path, *steps: int) -> None:
    for step in steps:
        save_checkpoint(
            folder, step, tensors(step), {"step": step, "lr": 0.1, "names": ["ä", None, True]}
        )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(
        found[name].dtype == tensor.dtype
        and found[name].shape == tensor.shape
        and found[name].numpy(force=True).tobytes() == tensor.contiguous().numpy().tobytes()
        if tensor.dtype != torch.bfloat16
        else torch.equal(found[name].view(torch.int16), tensor.view(torch.int16))
        for name, tensor in wanted.items()
    )


def test_what_was_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved(tmp_path, 7)
    found = newest(tmp_path)
    assert found is not None and (found.step, found.skipped) == (7, [])
    assert found.state == {"step": 7, "lr": 0.1, "names": ["ä", None, True]}
    assert found.groups == ("model", "optimizer")
    assert all(same(found.read(group), named) for group, named in tensors(7).items())


def test_tied_tensors_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    weight = torch.randn(100, 100)
    done = save_checkpoint(tmp_path, 1, {"model": {"a": weight, "b": weight}}, {})
    found = newest(tmp_path)
    assert found is not None and done.bytes < 2 * weight.nbytes
    read = found.read("model")
    assert read["a"] is read["b"] and torch.equal(read["a"], weight)


def test_safetensors_itself_reads_the_files(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    saved(tmp_path, 1)
    read = load_file(tmp_path / "step-000000001" / "optimizer.safetensors")
    assert same(read, tensors(1)["optimizer"])


def test_the_two_newest_and_the_protected_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10, 20):
        save_checkpoint(tmp_path, step, tensors(step), {}, protect=[2])
    assert names(tmp_path) == ["step-000000002", "step-000000010", "step-000000020"]
    assert [each.step for each in verified(tmp_path)] == [2, 10, 20]


def test_a_damaged_checkpoint_does_not_count_among_those_kept(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    flip(tmp_path / "step-000000002" / "model.safetensors", -1)
    saved(tmp_path, 3)
    assert [each.step for each in verified(tmp_path)] == [1, 3]


def test_what_is_saved_after_going_back_is_not_removed_for_later_steps(tmp_path: Path) -> None:
    saved(tmp_path, 300, 400, 150)
    assert [each.step for each in verified(tmp_path)] == [150, 400]


def test_a_step_that_is_there_already_stays(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    before = (tmp_path / "step-000000005" / "manifest.json").stat().st_ino
    assert save_checkpoint(tmp_path, 5, tensors(6), {}).bytes == 0
    assert (tmp_path / "step-000000005" / "manifest.json").stat().st_ino == before


def test_a_damaged_step_that_is_there_already_is_replaced(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    flip(tmp_path / "step-000000005" / "state.json", 3)
    saved(tmp_path, 5)
    assert names(tmp_path) == ["step-000000005", "step-000000005.corrupt"]
    assert [each.step for each in verified(tmp_path)] == [5]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 5, 8, 40, 0.5, -20, -1])
def test_a_flipped_bit_is_seen_wherever_it_is(tmp_path: Path, name: str, place: float) -> None:
    saved(tmp_path, 1, 2)
    path = tmp_path / "step-000000002" / name
    size = path.stat().st_size
    flip(path, int(place * size) if isinstance(place, float) else max(-size, min(size - 1, place)))
    found = newest(tmp_path)
    assert found is not None and found.step == 1 and same(found.read("model"), tensors(1)["model"])
    assert names(tmp_path) == ["step-000000001", "step-000000002.corrupt"]
    (sentence,) = found.skipped
    assert "step-000000002" in sentence and sentence.endswith("now step-000000002.corrupt")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [None, 0, 7, 0.5, -1])
def test_a_cut_or_missing_file_is_seen(tmp_path: Path, name: str, kept: float | None) -> None:
    saved(tmp_path, 1, 2)
    path = tmp_path / "step-000000002" / name
    content = path.read_bytes()
    end = int(kept * len(content)) if isinstance(kept, float) else kept
    path.unlink() if end is None else path.write_bytes(content[:end])
    found = newest(tmp_path)
    assert found is not None and found.step == 1 and name in found.skipped[0]


def test_folders_that_are_no_checkpoints_are_passed_over(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    for name in ("step-10.tmp", "step-10", "step-x", "step-000000099.corrupt", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-000000050").write_text("a file")
    (tmp_path / "step-000000060").symlink_to(tmp_path / "step-000000001")
    (tmp_path / "step-000000070").mkdir()
    (tmp_path / "step-000000070" / "thesis.tex").write_text("mine")
    found = newest(tmp_path)
    assert found is not None and found.step == 1
    assert [s for s in found.skipped if "is no checkpoint: it has no manifest.json" in s]
    assert (tmp_path / "step-000000070.corrupt" / "thesis.tex").read_text() == "mine"


def test_damaged_ones_never_replace_each_other(tmp_path: Path) -> None:
    for _ in range(3):
        saved(tmp_path, 2)
        flip(tmp_path / "step-000000002" / "model.safetensors", -1)
        assert newest(tmp_path) is None
    assert names(tmp_path) == [
        "step-000000002.corrupt",
        "step-000000002.corrupt-2",
        "step-000000002.corrupt-3",
    ]


@pytest.mark.parametrize("other", [0, 2, None, "1"])
def test_another_format_is_named_and_left_alone(tmp_path: Path, other: object) -> None:
    saved(tmp_path, 1, 2)
    entries = checkpoint_folder.manifest_of(tmp_path / "step-000000002")
    path = tmp_path / "step-000000002" / "manifest.json"
    path.write_bytes(seal({**entries, "format": other}))
    found = newest(tmp_path)
    assert found is not None and found.step == 1
    assert f"has format {other!r}, this regard reads 1" in found.skipped[0]
    assert names(tmp_path) == ["step-000000001", "step-000000002"]


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/b.json", "x", "a\\b.json"])
def test_a_manifest_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    saved(tmp_path, 1)
    entries = checkpoint_folder.manifest_of(tmp_path / "step-000000001")
    entries["files"][name] = {"bytes": 0, "sha256": ""}
    (tmp_path / "step-000000001" / "manifest.json").write_bytes(seal(entries))
    assert newest(tmp_path) is None


def test_a_file_that_changes_after_it_was_verified_is_not_read(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    found = newest(tmp_path)
    assert found is not None
    flip(found.path / "model.safetensors", -1)
    with pytest.raises(CheckpointError, match="damaged"):
        found.read("model")
    with pytest.raises(KeyError, match="it has model, optimizer"):
        found.read("ema")


def test_no_clock_is_asked_which_is_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, 9, 10)
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (4e9 - 1e9 * number,) * 2)
    monkeypatch.setattr(time, "time", lambda: -1.0)
    found = newest(tmp_path)
    assert found is not None and found.step == 10
    saved(tmp_path, 11)
    assert [each.step for each in verified(tmp_path)] == [10, 11]


def test_only_what_dead_processes_were_writing_is_cleaned_up(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    dead, live = f".tmp-3-{ended.pid}", f".tmp-3-{os.getppid()}"
    for name in (dead, live, f".tmp-old-step-000000001-{ended.pid}", ".tmp-mine"):
        (tmp_path / name).mkdir()
    assert newest(tmp_path, mend=False) is None and dead in names(tmp_path)
    assert newest(tmp_path) is None
    assert names(tmp_path) == sorted([live, ".tmp-mine"])


FAULTS = [errno.ENOSPC, errno.EIO, errno.EDQUOT]


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_disk_that_fails_at_any_moment_costs_nothing_saved_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fault: int
) -> None:
    saved(tmp_path, 1, 2)
    real = getattr(os, call)
    for allowed in range(20):
        calls = 0

        def failing(*arguments: object, allowed: int = allowed) -> object:
            nonlocal calls
            calls += 1
            if calls > allowed:
                raise OSError(fault, os.strerror(fault))
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                saved(tmp_path, 3)
            except CheckpointError as error:
                assert os.strerror(fault) in str(error) and "bytes" in str(error)
            else:
                break
        assert not [name for name in names(tmp_path) if name.startswith(".tmp")]
        assert {1, 2} <= {each.step for each in verified(tmp_path)}
        # After the rename the new one is whole, even if the folder could not be synchronized.
        assert not (tmp_path / "step-000000003").exists() or newest(tmp_path).step == 3  # type: ignore[union-attr]
    else:
        pytest.fail("the save never succeeded")
    assert allowed >= 1


def test_too_little_room_is_said_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1)
    room = os.statvfs(tmp_path)
    full = os.statvfs_result([*room[:2], 1000, 1, 1, *room[5:10]])
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("wrote"))
    with pytest.raises(
        CheckpointError, match=r"No space left .* needs [\d,]+ bytes and [\d,]+ are"
    ):
        saved(tmp_path, 2)
    assert names(tmp_path) == ["step-000000001"]


def test_everything_is_on_the_disk_before_it_counts_and_before_an_older_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1, 2)
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def note_sync(handle: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        sync(handle)

    def note_rename(old: Path, new: Path) -> None:
        done.append(f"{old.name} -> {new.name}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    saved(tmp_path, 3)
    new, old, pid = "step-000000003", "step-000000001", os.getpid()
    assert sorted(done[:3]) == sorted(set(FILES) - {"manifest.json"})
    assert done[3:] == [
        "manifest.json",
        f".tmp-3-{pid}",
        f".tmp-3-{pid} -> {new}",
        tmp_path.name,
        f"{old} -> .tmp-old-{old}-{pid}",
    ]


def test_no_older_one_goes_when_the_new_one_does_not_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1, 2)
    rename = os.rename

    def lose_a_bit(old: Path, new: Path) -> None:
        flip(old / "model.safetensors", -1)
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lose_a_bit)
        with pytest.raises(CheckpointError, match="step 3 could not be saved .* is damaged"):
            saved(tmp_path, 3)
    assert [each.step for each in verified(tmp_path)] == [1, 2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB where one may be mounted, otherwise a limit on files of that size."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        yield tmp_path
        subprocess.run(["umount", str(tmp_path)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_disk_that_is_really_full_costs_nothing_saved_before(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, foreseen: bool
) -> None:
    saved(small_disk, 1)
    if not foreseen:
        monkeypatch.setattr(checkpoint, "_require_room", lambda folder, needed: None)
    with pytest.raises(CheckpointError, match="No space left on device|File too large"):
        save_checkpoint(small_disk, 2, {"model": {"w": torch.zeros(2**20)}}, {})
    assert names(small_disk) == ["step-000000001"]
    saved(small_disk, 3)
    assert [each.step for each in verified(small_disk)] == [1, 3]


def test_a_limit_on_the_size_of_files_costs_nothing_saved_before(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            save_checkpoint(tmp_path, 2, {"model": {"w": torch.zeros(2**20)}}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["step-000000001"]


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="step 1 could not be saved in .*file"):
        saved(tmp_path / "file" / "checkpoints", 1)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"best": float("nan")}, ValueError),
        ({"best": float("inf")}, ValueError),
        ({"rates": {1: 0.5}}, ValueError),
        ({"path": Path("x")}, TypeError),
    ],
)
def test_a_state_that_would_not_come_back_is_refused(
    tmp_path: Path, state: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        save_checkpoint(tmp_path, 1, tensors(), state)
    assert names(tmp_path) == []


def test_tensors_and_names_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'s' is torch.float32, torch.sparse_coo"):
        save_checkpoint(tmp_path, 1, {"model": {"s": torch.eye(2).to_sparse()}}, {})
    with pytest.raises(ValueError, match="'../up'"):
        save_checkpoint(tmp_path, 1, {"../up": {}}, {})
    with pytest.raises(ValueError, match="keep must be 2 or more"):
        save_checkpoint(tmp_path, 1, {}, {}, keep=1)


def sweep(folder: Path, kills: int) -> list[dict[str, object]]:
    script = Path(__file__).with_name("killed_saver.py")
    command = [sys.executable, str(script), str(folder), str(kills)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_sweep(outcomes: list[dict[str, object]]) -> None:
    reached = 0
    for outcome in outcomes:
        assert outcome["equal"] and outcome["skipped"] == []
        assert outcome["found"] >= max(reached, outcome["announced"])  # type: ignore[operator,call-overload]
        assert not [name for name in outcome["after"] if name.startswith(".")]  # type: ignore[attr-defined]
        reached = outcome["found"]  # type: ignore[assignment]
    assert reached > 10
    assert any(outcome["torn"] for outcome in outcomes), "no kill fell into a save"


@pytest.mark.slow
def test_a_process_killed_at_any_moment_of_a_save_loses_nothing_it_announced(
    tmp_path: Path,
) -> None:
    check_sweep(sweep(tmp_path / "checkpoints", kills=60))


@pytest.mark.slow
def test_many_more_kills_lose_nothing_either(tmp_path: Path) -> None:
    check_sweep(sweep(tmp_path / "checkpoints", kills=600))
