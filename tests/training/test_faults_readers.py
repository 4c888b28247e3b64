"""Whoever reads a run, at any time, writes nothing and sees a model that was whole."""

import json
import signal
from pathlib import Path

import pytest

from regard.run.run import Run
from regard.training.run_folder import BEST
from tests.training.operations import listing
from tests.training.warm import Warm, training, write_pairs


@pytest.fixture(scope="module")
def done(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    write_pairs(folder)
    code, said = warm.train(folder, "--steps", "6")
    assert code == 0, said
    return folder


def reads(warm: Warm, folder: Path, place: str = "run") -> str:
    """What `predict` answers; `eval` and the run's own reading have to work as well."""
    code, said = warm.run(folder, "predict", place, "abca", "--json")
    assert code == 0, said
    code, evaluated = warm.run(folder, "eval", place)
    assert code == 0, evaluated
    found = Run(folder / place)
    assert (found.metrics or place != "run") and found.model is not None
    return json.loads(said)["answer"]


def test_readers_write_nothing_into_a_run(warm: Warm, done: Path) -> None:
    before = listing(done / "run")
    reads(warm, done)
    assert listing(done / "run") == before


@pytest.mark.slow
@pytest.mark.parametrize("place", ["run", "run/best"])
def test_a_model_between_two_names_is_read_there_and_left_there(
    warm: Warm, done: Path, place: str
) -> None:
    answer = reads(warm, done)
    (done / "run" / BEST).rename(done / "run" / ".best-new")
    before = listing(done / "run")
    try:
        assert reads(warm, done, place) == answer
        assert listing(done / "run") == before
    finally:
        (done / "run" / ".best-new").rename(done / "run" / BEST)


def test_a_log_that_is_being_written_is_read_up_to_its_last_whole_line(done: Path) -> None:
    whole, log = Run(done / "run").history, done / "run" / "metrics.jsonl"
    content = log.read_bytes()
    try:
        for cut in range(len(content) - 40, len(content)):
            log.write_bytes(content[:cut])
            assert Run(done / "run").history == whole[: len(Run(done / "run").history)]
            assert Run(done / "run").metrics["valid"]
    finally:
        log.write_bytes(content)


@pytest.mark.slow
def test_a_training_and_its_readers_do_not_disturb_each_other(warm: Warm, tmp_path: Path) -> None:
    write_pairs(tmp_path)
    often = ("--steps", "100000", "--set", "evaluate_every=1", "--lr", "0.0003")
    run = warm.start(tmp_path, *training(*often))
    run.until(lambda: (tmp_path / "run" / BEST / "model.safetensors").exists())
    for _ in range(12):
        reads(warm, tmp_path)
    run.send(signal.SIGTERM)
    assert run.wait() == 143, run.text
