"""Calls of the command line in this process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from regard.data.synthetic.data_sets import DATA
from tests.cli.small import put, train_arguments

KINDS = {"translate": "pairs.tsv", "classify": "labels.csv", "language_model": "text.txt"}


def little(patch: pytest.MonkeyPatch) -> None:
    """Make a few rows only of synthetic data: checking every call takes longer than learning."""
    for name, data in DATA.items():
        sizes = {split: max(60, count // 50) for split, count in data.sizes.items()}
        patch.setitem(DATA, name, replace(data, sizes=sizes))


@pytest.fixture(autouse=True)
def little_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `little`."""
    little(monkeypatch)


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Make a call that is wrong and return the one sentence that says so."""
    from regard.cli import main

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main([*map(str, arguments)]) == 2
        printed = capsys.readouterr()
        # How data is read is said before it is known whether it can be learned from.
        assert printed.out == "" or printed.out.startswith("read as ")
        assert printed.err.startswith("regard: ") and printed.err.count("\n") == 1
        return printed.err

    return call


@pytest.fixture
def done(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Make a call that works and return what it printed."""
    from regard.cli import main

    def call(*arguments: object) -> str:
        capsys.readouterr()
        code = main([*map(str, arguments)])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return printed.out

    return call


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each task, hardly trained."""
    from regard.cli import main

    found = {}
    for task, kind in KINDS.items():
        folder = tmp_path_factory.mktemp(task)
        data = put(folder, kind)
        with pytest.MonkeyPatch.context() as patch:
            little(patch)
            assert main(train_arguments(data, folder / "run")) == 0
        found[task] = folder / "run"
    return found
