"""Full disks, damaged files, workers that die: a sentence, and nothing is lost."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from regard._io.manifest import NAME, seal, unseal
from regard.training.checkpoint import newest
from regard.training.run_folder import BEST, CHECKPOINTS
from tests.patience import until
from tests.training.marks import slow
from tests.training.warm import Run, Warm, training, write_pairs

ENDLESS = ("--steps", "100000")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path)
    return tmp_path


def step_of(folder: Path) -> int:
    found = newest(folder / "run" / CHECKPOINTS, mend=False)
    return found.step if found else 0


def started(warm: Warm, folder: Path, *arguments: str, beyond: int = 5) -> Run:
    """An endless run that has saved something."""
    run = warm.start(folder, *training(*ENDLESS, *arguments))
    run.until(lambda: step_of(folder) >= beyond)
    return run


def sentences(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("regard: ")]


@pytest.mark.parametrize(
    ("largest", "ff_dim", "what"),
    [
        slow(15_000, 16, "run/best could not be written: File too large; "),
        slow(35_000, 16, "run/report.html could not be written: File too large; "),
        (400_000, 900, "could not be saved in run/checkpoints: File too large; it needs "),
    ],
)
def test_a_disk_that_is_full_ends_the_run_with_a_sentence(
    warm: Warm, folder: Path, largest: int, ff_dim: int, what: str
) -> None:
    rest = ("--steps", "10", "--set", f"ff_dim={ff_dim}")
    code, said = warm.train(folder, *rest, largest_file=largest)
    assert code == 1, said
    (sentence,) = sentences(said)
    assert what in sentence and " free" in sentence and "before is kept" in sentence
    assert not list((folder / "run").rglob(".*tmp*")), "no part of a file stays"
    code, said = warm.train(folder, *rest)
    assert code == 0 and step_of(folder) == 10, said


def test_metrics_that_cannot_be_written_end_the_run_and_leave_the_older_checkpoints(
    warm: Warm, folder: Path
) -> None:
    run = started(warm, folder)
    run.send(signal.SIGTERM)
    assert run.wait() == 143
    before, metrics = step_of(folder), folder / "run" / "metrics.jsonl"
    padding = '{"kind": "event", "step": 0, "text": "' + "x" * 100_000 + '"}\n'
    metrics.write_text(metrics.read_text() + padding)
    size = metrics.stat().st_size + 100
    code, said = warm.train(folder, *ENDLESS, largest_file=size)
    assert code == 1 and len(sentences(said)) == 1
    assert "run/metrics.jsonl could not be written: File too large; " in said
    assert step_of(folder) >= before
    run = started(warm, folder, beyond=before + 5)
    run.send(signal.SIGTERM)
    assert run.wait() == 143


@pytest.mark.parametrize("out", ["file", "file/run", "/proc/run", "dangling", "loop"])
def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(
    warm: Warm, folder: Path, out: str
) -> None:
    (folder / "file").write_text("mine")
    (folder / "dangling").symlink_to(folder / "nowhere" / "deep")
    (folder / "loop").symlink_to(folder / "loop")
    code, said = warm.run(folder, *training("--steps", "5", "--out", out))
    assert code == 2 and "Traceback" not in said
    assert len(sentences(said)) == 1 and f"--out {out}" in sentences(said)[0]
    assert (folder / "file").read_text() == "mine"


def test_a_symlink_to_a_folder_is_that_folder(warm: Warm, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "run").symlink_to(folder / "real")
    code, said = warm.train(folder, "--steps", "5")
    assert code == 0, said
    assert (folder / "real" / BEST / "model.safetensors").exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def of_another_version(path: Path) -> None:
    entries = unseal((path / NAME).read_bytes())
    (path / NAME).write_bytes(seal({**entries, "format": 99}))


DAMAGES = {
    "flipped": lambda path: flip(path / "optimizer.safetensors"),
    "cut": lambda path: os.truncate(path / "model.safetensors", 1000),
    "empty": lambda path: os.truncate(path / "state.json", 0),
    "foreign": of_another_version,
}


@pytest.fixture(scope="module")
def done(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    write_pairs(folder)
    code, said = warm.train(folder, "--steps", "10")
    assert code == 0, said
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_and_its_steps_are_made_again(
    warm: Warm, done: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    last = tmp_path / "run" / CHECKPOINTS / "step-000000010"
    model = (last / "model.safetensors").read_bytes()
    DAMAGES[damage](last)
    assert step_of(tmp_path) == 5
    code, said = warm.train(tmp_path, "--steps", "10")
    assert code == 0, said
    assert "passed over: run/checkpoints/step-000000010" in said
    assert (last / "model.safetensors").read_bytes() == model and step_of(tmp_path) == 10


def test_a_run_without_a_whole_checkpoint_begins_anew_only_where_nothing_is_lost(
    warm: Warm, done: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    for path in (folder / "run" / CHECKPOINTS).glob("step-*"):
        flip(path / "model.safetensors")
    model = (folder / "run" / BEST / "model.safetensors").read_bytes()
    code, said = warm.train(folder, "--steps", "10")
    assert code == 2 and "run has no valid checkpoint (step-" in said
    assert "damaged); to begin anew beside it, say --resume never" in said
    assert (folder / "run" / BEST / "model.safetensors").read_bytes() == model
    (folder / "run" / BEST).rename(folder / "elsewhere")
    assert warm.train(folder, "--steps", "10")[0] == 0
    assert (folder / "run" / BEST / "model.safetensors").read_bytes() == model


def test_a_worker_that_is_killed_ends_the_run_and_no_process_stays(
    warm: Warm, folder: Path
) -> None:
    run = started(warm, folder, "--workers", "2", "--timeout", "3")
    workers = run.until(lambda: run.children if len(run.children) >= 2 else None)
    os.kill(workers[0], signal.SIGKILL)
    assert run.wait() == 1
    (sentence,) = sentences(run.text)
    assert "a process that prepares batches died" in sentence and "Traceback" not in run.text
    assert not any(alive(pid) for pid in workers)


@pytest.mark.slow
def test_workers_do_not_outlive_a_run_that_is_killed(warm: Warm, folder: Path) -> None:
    run = started(warm, folder, "--workers", "2")
    workers = run.until(lambda: run.children if len(run.children) >= 2 else None)
    run.send(signal.SIGKILL)
    run.wait()
    until(lambda: not any(alive(pid) for pid in workers))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_data_that_changes_during_training_ends_it_and_is_named(warm: Warm, folder: Path) -> None:
    run = started(warm, folder)
    with open(folder / "pairs.tsv", "a") as file:
        file.write("ab\tba\n")
    assert run.wait() == 1
    (sentence,) = sentences(run.text)
    assert "pairs.tsv changed since it was read: " in sentence


def test_other_settings_are_refused_with_every_key(warm: Warm, folder: Path) -> None:
    run = started(warm, folder)
    run.send(signal.SIGTERM)
    assert run.wait() == 143
    code, said = warm.train(folder, *ENDLESS, "--lr", "0.5", "--seed", "3", "--set", "dropout=0.7")
    assert code == 2
    for changed in ("train.learning_rate is ", "train.seed is 0 in", "model.dropout is "):
        assert changed in said
    code, said = warm.run(folder, "train", "--resume", "run", "--seed", "3")
    assert code == 2 and "train.seed is 0 in the run and 3 now" in said


def test_two_trainers_in_one_folder_are_one_too_many(warm: Warm, folder: Path) -> None:
    run = started(warm, folder)
    code, said = warm.train(folder, *ENDLESS)
    assert code == 1 and f"process {run.pid} is training in run; wait for it, stop it" in said
    run.send(signal.SIGTERM)
    assert run.wait() == 143


def test_a_reader_who_leaves_does_not_end_the_training(warm: Warm, folder: Path) -> None:
    code, said = warm.train(folder, "--steps", "10", deaf=True)
    assert (code, said) == (0, "")
    assert '"finished"' in (folder / "run" / "metrics.jsonl").read_text()
