"""Fuzzers of what is asked of a trained model."""

from pathlib import Path

import pytest

import regard
from regard.tasks import TASKS
from tests.fuzz.fuzzing import fuzz
from tests.hostile.folders import folder_of
from tests.tables.tasks import ROWS


@pytest.mark.parametrize("task", TASKS)
def test_changed_texts(task: str, tmp_path: Path) -> None:
    run = regard.Run(folder_of(task))

    def read(content: bytes) -> None:
        (answer,) = run.predict([content.decode("utf-8", "surrogateescape")], 2)
        assert answer.answers and repr(answer).isprintable() or "\n" in repr(answer)

    fuzz(f"texts of {task}", [ROWS[task].asked.encode()], read)
