"""A folder that is replaced is, for all who read it, the old one or the new one."""

import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from regard.training.swapped_folder import holds, read_folder, replace_folder, settle, standing
from tests.patience import PATIENCE
from tests.training.operations import before_each, count, listing

OLD, NEW, NEWER = ("1", "1"), ("2", "2"), ("3", "3")


def put(target: Path, text: str) -> None:
    def write(new: Path) -> None:
        for name in "ab":
            (new / name).write_text(text)

    replace_folder(target, write)


def parts(place: Path) -> tuple[str, str]:
    return (place / "a").read_text(), (place / "b").read_text()


def seen(target: Path) -> tuple[str, str]:
    assert holds(target, "a")
    return read_folder(target, parts)


def fresh(folder: Path) -> Path:
    """A folder with the old one in it, as it was before anything happened."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    put(folder / "best", "1")
    return folder / "best"


def test_at_every_moment_of_a_replacement_a_reader_sees_one_folder_and_touches_nothing(
    tmp_path: Path,
) -> None:
    steps = count(lambda: put(fresh(tmp_path / "run"), "2"))
    states = set()

    def look(number: int) -> None:
        before = listing(target.parent)
        states.add(seen(target))
        assert listing(target.parent) == before

    target = fresh(tmp_path / "run")
    with before_each(look) as operations:
        put(target, "2")
    assert states == {OLD, NEW} and 15 < len(operations) < steps
    assert seen(target) == NEW and [path.name for path in target.parent.iterdir()] == ["best"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_replacement_at_any_moment_of_a_reading_does_not_reach_it(
    tmp_path: Path, times: int
) -> None:
    target = fresh(tmp_path / "run")
    texts = ["2", "3"][:times]

    def replace(number: int, at: int) -> None:
        if number == at:
            for text in texts:
                put(target, text)

    for moment in range(count(partial(seen, target))):
        fresh(tmp_path / "run")
        with before_each(partial(replace, at=moment)):
            found = seen(target)
        assert found in (OLD, (texts[-1], texts[-1])), moment


def test_a_reader_may_be_anywhere_while_the_writer_is_anywhere(tmp_path: Path) -> None:
    target = fresh(tmp_path / "run")
    writing, reading = count(lambda: put(target, "2")), count(lambda: seen(target))
    outcomes = set()
    for stop in range(0, writing, 2):
        for moment in (*range(0, reading, 3), reading):
            outcomes.add(_interleaved(fresh(tmp_path / "run"), stop, moment))
    assert outcomes == {OLD, NEW}


def _interleaved(target: Path, stop: int, moment: int) -> tuple[str, str]:
    """What a reader sees when the writer stops at one operation until the reader is at another."""
    stopped, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with before_each(lambda n: n == stop and (stopped.set(), go_on.wait(PATIENCE))):
            put(target, "2")

    def resume(number: int) -> None:
        if number == moment:
            go_on.set()
            writer.join()

    writer = threading.Thread(target=write)
    writer.start()
    stopped.wait(PATIENCE)
    try:
        with before_each(resume):
            return seen(target)
    finally:
        go_on.set()
        writer.join()


def test_a_writer_that_is_lost_at_any_moment_leaves_a_folder_to_read_and_to_replace(
    tmp_path: Path,
) -> None:
    class Lost(BaseException):
        pass

    def lose(number: int, at: int) -> None:
        if number >= at:  # What would tidy up is lost as well.
            raise Lost

    for moment in range(count(lambda: put(fresh(tmp_path / "run"), "2"))):
        target = fresh(tmp_path / "run")
        with pytest.raises(Lost), before_each(lambda n, at=moment: lose(n, at)):
            put(target, "2")
            raise Lost
        left = listing(target.parent)
        assert seen(target) in (OLD, NEW) and listing(target.parent) == left
        put(target, "3")
        assert seen(target) == NEWER
        assert [path.name for path in target.parent.iterdir()] == ["best"]


def test_a_folder_half_filled_is_never_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / ".best-filling").mkdir()
    (tmp_path / ".best-filling" / "a").write_text("1")
    assert standing(tmp_path / "best") is None
    with pytest.raises(FileNotFoundError, match="there is no folder .*best"):
        read_folder(tmp_path / "best", parts)
    settle(tmp_path / "best")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_replaced_without_end_is_given_up(tmp_path: Path) -> None:
    target = fresh(tmp_path / "run")

    def read(place: Path) -> None:
        put(target, "2")

    with pytest.raises(RuntimeError, match="replaced again and again for 0.05 s while it was read"):
        read_folder(target, read, seconds=0.05)


def test_what_a_reader_raises_of_a_folder_that_stays_is_raised(tmp_path: Path) -> None:
    target = fresh(tmp_path / "run")
    (target / "b").unlink()
    with pytest.raises(FileNotFoundError, match="best/b"):
        read_folder(target, parts)


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "best"
    replace_folder(target, lambda new: (new / "a").write_text("1") and None)
    replace_folder(target, lambda new: (new / "b").write_text("2") and None)
    assert [path.name for path in target.iterdir()] == ["b"]

    def fails(new: Path) -> None:
        (new / "c").write_text("3")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_folder(target, fails)
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize("name", ["new", "old"])
def test_a_replacement_that_was_interrupted_is_finished(tmp_path: Path, name: str) -> None:
    left = tmp_path / f".best-{name}"
    left.mkdir()
    (left / "a").write_text("1")
    settle(tmp_path / "best")
    assert (tmp_path / "best" / "a").read_text() == "1"
    left.mkdir()
    settle(tmp_path / "best")
    assert (tmp_path / "best" / "a").exists() and not left.exists()
