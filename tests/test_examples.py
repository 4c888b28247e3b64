"""The examples run as they stand, and show what they say they show."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "examples"


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Their folder, first on the path: where Python puts it for a script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return FOLDER


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_every_example_stands_in_the_table_of_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    named = {path.name for path in FOLDER.glob("*.py") if f"]({path.name})" in readme}
    assert named == {path.name for path in FOLDER.glob("*.py")} and len(named) == 7


def test_a_loop_without_the_workbench_learns_its_text(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module("loop").main(steps=50) < 0.3
    assert "attention is all you need" in capsys.readouterr().out
    lines = (FOLDER / "loop.py").read_text("utf-8").splitlines()
    assert len(lines) <= 60


def test_a_network_with_a_score_of_ones_own_answers_the_same_when_it_is_loaded(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module("own_score").main()
    said = capsys.readouterr().out
    assert "score <function manhattan" in said
    assert "its score is yours (manhattan), so it has to be given again" in said


def test_blocks_go_into_a_trained_network_that_loses_nothing(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, plan = module("insert_block").main(steps=20)
    said = capsys.readouterr().out
    assert "outputs unchanged to the bit: True" in said
    assert "transferred 44 of 44 tensors; 33 of blocks are new" in said
    assert [place.module for place in plan.places] == ["0", "1", "2"]
    assert after > before


@pytest.mark.slow
def test_a_csv_is_learned_and_attention_is_on_the_word_that_counts(examples: Path) -> None:
    accuracy, answer = module("train_on_csv").main()
    assert accuracy > 0.9 and answer.best == "good"
    assert answer.inputs[int(answer.weights[0].argmax())] == "clever"


@pytest.mark.slow
def test_a_module_of_ones_own_is_trained_saved_and_loaded(examples: Path) -> None:
    accuracy, answer = module("own_module").main()
    assert accuracy > 0.9 and answer.best == "good"
    assert answer.inputs[int(answer.weights[0].argmax())] == "clever"


@pytest.mark.slow
def test_words_are_written_in_reverse_order_along_the_other_diagonal(examples: Path) -> None:
    bleu, answer = module("seq2seq_alignment").main()
    assert bleu > 95 and answer.best == "lima echo tango oscar hotel"
    assert answer.weights[:5].argmax(1).tolist() == [4, 3, 2, 1, 0]
    assert answer.weights[:5].amax(1).min() > 0.5


def test_an_example_without_its_package_says_which_it_needs(
    examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atom_mapping = module("atom_mapping")
    monkeypatch.setattr(atom_mapping, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install --no-deps rxnmapper"):
        atom_mapping.main()


@pytest.mark.parametrize("text", ["CCO", "CCO>>xx", "C>>C>>C", ""])
def test_what_is_no_reaction_is_refused(text: str, examples: Path) -> None:
    with pytest.raises(ValueError, match="is no reaction in SMILES"):
        module("atom_mapping").read(text)
