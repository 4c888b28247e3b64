"""Every sample of docs/data.md is read as it says there."""

import re
from pathlib import Path

import pytest

from tests.data.any_task import ALL, read
from tests.pictures import drawn_file

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SAMPLES = re.findall(r"`(\S+)`, read as (\w+)[^\n]*\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
TASKS = {schema.task for schema in ALL if schema.inferred}
"""Those that data itself can tell; the others are asked for by name."""


def test_every_task_that_data_tells_has_a_sample() -> None:
    assert {task for _, task, _ in SAMPLES} == TASKS


@pytest.mark.parametrize(("name", "task", "text"), SAMPLES, ids=[name for name, *_ in SAMPLES])
def test_a_sample_is_read_as_the_page_says(tmp_path: Path, name: str, task: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    for number, picture in enumerate(re.findall(r"[^\s,]+\.png", text)):
        drawn_file((9 * number, 9, 9), path=tmp_path / picture)
    corpus = read(str(tmp_path / name))
    assert corpus.task == task


def test_what_is_said_of_data_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    rows = "".join(f"a film {n},e\x1bins\na book {n},zwei\n" for n in range(30))
    (tmp_path / "data.csv").write_text("text,la\x1bbel\n" + rows)
    said = read(str(tmp_path / "data.csv")).description
    assert "\x1b" not in said and r"e\x1bins" in said
