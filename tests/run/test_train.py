"""`regard.train` and `Run`: from a file to a trained network and back, in three lines of Python."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.errors import UsageError
from regard.layers import Attend
from regard.models.bert import BertMaskedLM, BertMaskedLMConfig
from regard.models.lstm import LSTMClassifier, LSTMConfig
from regard.normalizers import Softmax
from regard.run.run import Run
from regard.run.training import Options
from regard.scores import Dot
from regard.sequences import Sequences
from regard.tasks.classify import Classify
from regard.tasks.predictor import Answer
from tests.run.tiny import SMALL, data_of

QUIET = Options(progress=False)
TINY = SMALL["lstm"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def labels() -> str:
    return str(data_of("lstm"))


def trained(out: str = "run", **given: Any) -> Run:
    """A small classifier of two updates."""
    options = given.pop("options", QUIET)
    settings = {"model": "lstm", "steps": 2, **TINY, **given}
    return regard.train(labels(), out=out, options=options, **settings)


def sharp(scores: Tensor, where: Tensor | None = None) -> Tensor:
    return Softmax(0.5)(scores, where)


class Bag(nn.Module):
    """The sum of a vector of logits for each word: a network of the user's own."""

    def __init__(self, vocab: int, classes: int, **_: Any) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, classes)

    def forward(self, source: Sequences) -> Tensor:
        return source.mean(self.words(source.ids))


def test_three_lines_go_from_a_file_to_answers_and_numbers() -> None:
    run = regard.train(labels(), model="lstm", epochs=1, options=QUIET, **TINY)
    answer = run.predict(["ab cd"])[0]
    assert run.path == Path("runs/labels-lstm") and run.signal is None
    assert answer.best in ("with", "without") and answer.text == "ab cd"
    assert answer.weights is not None and answer.weights.shape == (1, len(answer.inputs))
    assert run.metrics["valid"].keys() >= {"loss", "accuracy", "f1", "step"}
    assert run.history[-1]["event"] == "finished" and run.metrics["train"]["loss"] > 0
    assert repr(run).startswith("Run('runs/labels-lstm': ") and "accuracy" in repr(run)
    assert run.evaluate().keys() == {"loss", "accuracy", "balanced_accuracy", "f1"}
    with pytest.raises(TypeError, match=r"inputs must be a list, such as \['ab cd'\], got a text"):
        run.predict("ab cd")
    with pytest.raises(TypeError, match=r"input 2 of 2 must be a text, got \('ab', 'cd'\)"):
        run.predict(["ab", ("ab", "cd")])


def test_the_same_call_finds_the_run_and_a_longer_one_resumes_it() -> None:
    first = trained(epochs=1, steps=None)
    weights = first.model.state_dict()
    again = trained(epochs=1, steps=None)
    assert all(torch.equal(v, weights[k]) for k, v in again.model.state_dict().items())
    longer = first.resume(epochs=3, options=QUIET)
    assert longer.path == first.path and longer.settings.train.epochs == 3
    assert longer.metrics["train"]["epoch"] == 3.0
    with pytest.raises(UsageError, match="train.learning_rate is 0.004 in the run and 0.5 now"):
        first.resume(lr=0.5)
    with pytest.raises(UsageError, match="is to train 1 altogether; give more epochs"):
        longer.resume(epochs=1)


def test_a_run_is_resumed_as_if_it_had_never_ended() -> None:
    whole = trained("whole", steps=6, schedule="constant", warmup=1).model.state_dict()
    # An epoch has three updates, so that both are evaluated at the same steps.
    part = trained("parts", steps=3, schedule="constant", warmup=1).resume(steps=6, options=QUIET)
    assert all(torch.equal(value, whole[key]) for key, value in part.model.state_dict().items())


def test_settings_given_back_as_a_file_train_the_same() -> None:
    first = trained("first", normalizer="entmax(1.3)", seed=3)
    again = regard.train(config="first/config.toml", out="again", options=QUIET)
    assert (first.path / "config.toml").read_text() == (again.path / "config.toml").read_text()
    one, other = (run.path / "best/model.safetensors" for run in (first, again))
    assert one.read_bytes() == other.read_bytes()


def test_metrics_are_those_of_the_best_evaluation_and_of_the_test() -> None:
    run = trained(steps=4, evaluate_every=1)
    lines = [line for line in run.history if line["kind"] == "valid"]
    best = max(lines, key=lambda line: line["accuracy"])
    assert len(lines) == 4 and run.metrics["valid"]["accuracy"] == best["accuracy"]
    assert run.metrics["valid"]["step"] == best["step"] and "test" not in run.metrics


def test_a_network_and_its_parts_are_loaded_as_they_were_trained() -> None:
    run = trained(normalizer="entmax(1.3)", attention="additive", pooling="hard")
    model = regard.load(run.path)
    assert isinstance(model, LSTMClassifier) and not model.training
    assert model.config.pooling.spelled() == (
        "hard(score=additive, normalizer=entmax(1.3), attention_dim=5)"
    )
    for folder in (run.path, run.path / "best"):
        found = Run(folder).predict(["ab cd"])[0]
        assert found.answers == run.predict(["ab cd"])[0].answers
    assert all(
        torch.equal(value, model.state_dict()[key]) for key, value in run.model.state_dict().items()
    )


def test_other_data_is_evaluated_as_a_whole_and_a_part_by_its_name() -> None:
    run = trained()
    split, count, scores = run.evaluation(labels())
    assert (split, count) == ("test", 50) and scores == run.evaluate(labels())
    assert run.evaluation(split="valid")[:2] == ("valid", 4)
    with pytest.raises(UsageError, match=r"no test part; say split=valid"):
        run.evaluate(split="test")
    with pytest.raises(UsageError, match="nowhere.csv does not exist"):
        run.evaluate("nowhere.csv")


# Of the user's own


def test_a_part_of_ones_own_trains_and_has_to_be_given_to_load() -> None:
    run = trained(normalizer=sharp)
    answer = run.predict(["ab cd"])[0]
    twin = trained("twin", normalizer="softmax(0.5)").predict(["ab cd"])[0]
    assert answer.answers == twin.answers
    why = "its normalizer is yours \\(sharp\\), so it has to be given again"
    with pytest.raises(ValueError, match=why):
        regard.load(run.path)
    with pytest.raises(ValueError, match=why):
        _ = Run(run.path).predict(["ab"])
    assert trained(normalizer=sharp).predict(["ab cd"])[0].answers == answer.answers
    attend = Attend(score=Dot(), normalizer=sharp)
    for again in (Run(run.path, attend=attend), Run("run", attend=lambda: attend)):
        assert again.predict(["ab cd"])[0].answers == answer.answers
    with pytest.raises(UsageError, match=why):
        run.resume(steps=3, options=QUIET)
    assert run.resume(steps=3, normalizer=sharp, options=QUIET).history[-1]["step"] == 3


def test_any_module_that_meets_the_protocol_is_trained_kept_and_loaded() -> None:
    task = Classify(labels(), Bag)
    run = regard.train(task=task, epochs=2, out="runs/bag", options=QUIET)
    assert run.metrics["valid"].keys() >= {"accuracy", "loss"}
    answer = run.predict(["ab cd"])[0]
    assert answer.weights is None and answer.best in ("with", "without")
    new = Bag(**task.coder.sizes)
    again = Run("runs/bag", model=new)
    assert again.predict(["ab cd"])[0].answers == answer.answers and again.model is new
    assert regard.load("runs/bag", model=Bag(**task.coder.sizes)).words.weight.shape[1] == 2
    assert again.evaluate(labels()) == run.evaluate(labels())
    with pytest.raises(ValueError, match=r"a network of your own, Bag: give it again, as model="):
        regard.load("runs/bag")
    with pytest.raises(UsageError, match=r"give some, as in evaluate\(data\)"):
        run.evaluate()
    with pytest.raises(UsageError, match="trains a network of your own, Bag: resume it in Python"):
        run.resume(epochs=3)
    more = regard.train(task=Classify(labels(), Bag), epochs=3, resume="runs/bag", options=QUIET)
    assert more.metrics["train"]["epoch"] == 3.0
    with pytest.raises(UsageError, match="runs/bag has a run with other settings: train.learning"):
        regard.train(task=Classify(labels(), Bag), epochs=3, lr=0.9, out="runs/bag")


def test_a_task_that_is_given_is_resumed_whatever_its_network_is() -> None:
    def task() -> Classify:
        return Classify(labels(), lambda vocab, classes, **_: LSTMClassifier(small(vocab, classes)))

    def small(vocab: int, classes: int) -> LSTMConfig:
        return LSTMConfig(vocab=vocab, classes=classes, embed_dim=4, hidden_dim=4)

    given: dict[str, Any] = {"out": "run", "options": QUIET}
    assert regard.train(task=task(), steps=2, **given).history[-1]["step"] == 2
    assert regard.train(task=task(), steps=2, **given).history[-1]["step"] == 2
    assert regard.train(task=task(), steps=3, resume="run", options=QUIET).history[-1]["step"] == 3
    with pytest.raises(UsageError, match="run has a run with other settings: train.learning"):
        regard.train(task=task(), steps=3, lr=0.9, **given)
    with pytest.raises(UsageError, match="trains a network of your own, lstm: resume it in Python"):
        Run("run").resume(steps=4)
    assert Run("run").settings.entries()["model"] == {"name": "lstm"}


def test_a_task_of_ones_own_is_trained_with_what_is_said_of_training() -> None:
    class Mine(Classify):
        name = "mine"

    data = Classify.prepare(labels())
    run = regard.train(task=Mine(data, Bag), steps=2, out="mine", options=QUIET)
    assert run.history[-1]["event"] == "finished"
    assert run.predict(["ab"])[0].best in ("with", "without")
    with pytest.raises(UsageError, match="give a budget: epochs, steps or seconds"):
        regard.train(task=Mine(data, Bag), out="mine-2")


def test_a_network_of_ours_goes_into_a_task_too() -> None:
    from regard.models.lstm import LSTMConfig

    def network(**sizes: Any) -> LSTMClassifier:
        known = {name: sizes[name] for name in LSTMConfig.from_data}
        return LSTMClassifier(LSTMConfig(**known, embed_dim=8, hidden_dim=6))

    run = regard.train(task=Classify(labels(), network), steps=2, out="ours", options=QUIET)
    assert regard.load("ours").config == run.model.config
    assert Run("ours").predict(["ab"])[0].answers == run.predict(["ab"])[0].answers


# What is wrong


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"hops": 3}, "the model lstm and the task classify have no hops, the model memory has"),
        ({"dropuot": 0.1}, "no setting dropuot; did you mean dropout"),
        ({"dropout": 2}, r"\[model\] dropout must be at least 0 and below 1, got 2"),
        ({"dropout": "much"}, r"\[model\] dropout must be a number, got 'much'"),
        ({"dropout": object()}, r"\[model\] dropout must be a number, got <object"),
        ({"pooling": object()}, "pooling must be one of last, mean, attention, hard, got <object"),
        ({"pooling": "mean", "normalizer": "sparsemax"}, "pooling mean has no attention_dim; poo"),
        ({"normalizer": "spasemax"}, "did you mean sparsemax"),
        ({"tokens": {"siz": 3}}, "there is no tokens.siz; did you mean size"),
        ({"minutes": "soon"}, "minutes must be a number, got 'soon'"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"model": "lstn"}, "there is no model 'lstn': did you mean lstm"),
        ({"task": "translate"}, "no recipe trains the model 'lstm' for translate"),
        ({"recipe": "cnn"}, "the recipe cnn is for the model cnn, not for lstm"),
        ({"config": "gone.toml"}, "gone.toml cannot be read"),
        ({"resume": "gone"}, "there is no run in gone, its config.toml is missing"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_call_raises_the_sentence_of_the_command_line(
    given: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        trained(**given)
    assert "\n" not in str(caught.value)
    assert not [p for p in Path().rglob("*") if p.is_file() and ".data" not in p.parts]


def test_what_does_not_go_together_is_said_before_anything_is_done() -> None:
    with pytest.raises(UsageError, match=r"give the task that trains it, such as task=Classify"):
        regard.train(labels(), model=Bag(4, 2))  # type: ignore[arg-type]
    task = Classify(labels(), Bag)
    for beside in ({"data": labels()}, {"recipe": "lstm"}, {"config": "x.toml"}):
        with pytest.raises(UsageError, match="leave data, recipe, config out"):
            regard.train(task=task, **beside)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="smoothing is no setting of training; the task has its"):
        regard.train(task=task, smoothing=0.1)
    with pytest.raises(UsageError, match="say what to learn from"):
        regard.train(model="lstm")
    with pytest.raises(FileNotFoundError, match="there is no folder gone; train one first"):
        Run("gone")
    with pytest.raises(FileNotFoundError, match="or write hf:meta/gone for the one of the Hub"):
        regard.load("meta/gone")
    with pytest.raises(FileNotFoundError, match=r"train one first \(regard train\)$"):
        regard.load("runs/gone")
    Path("empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no trained model"):
        regard.load("empty")
    assert [str(path) for path in Path().iterdir()] == ["empty"]


def test_a_published_network_one_folder_further_down_is_named() -> None:
    config = BertMaskedLMConfig(vocab=9, embed_dim=8, num_heads=2, layers=1)
    regard.save(BertMaskedLM(config), "st/0_Bert")
    with pytest.raises(FileNotFoundError, match=r"in it yet; there is one in st/0_Bert$"):
        regard.load("st")


def test_missing_run_names_the_trained_ones_next_to_it(tmp_path: Path) -> None:
    for name in ("reviews", "pairs"):
        (tmp_path / name / "best").mkdir(parents=True)
    (tmp_path / "reviewed").mkdir()
    gone = tmp_path / "review"
    for asked in (Run, regard.load):
        with pytest.raises(
            FileNotFoundError, match=f"there is no folder {gone}; did you mean "
        ) as e:
            asked(gone)
        assert str(tmp_path / "reviews") in str(e.value)
        assert "reviewed" not in str(e.value) and "pairs" not in str(e.value)
    with pytest.raises(FileNotFoundError, match="there is one in .*pairs, .*reviews$"):
        regard.load(tmp_path)


# How it shows itself, and where it works


def test_an_answer_shows_itself_in_a_terminal_and_in_a_notebook() -> None:
    answer = trained().predict(["ab <b>"], num_answers=2)[0]
    drawn = repr(answer)
    assert drawn.splitlines()[0] == answer.best and answer.inputs[0] in drawn
    assert all(f"{score:.3f}" in drawn for _, score in answer.answers)
    html = answer._repr_html_()
    assert html.startswith("<ol><li>") and "&lt;" in html and "<b>" not in html
    assert answer.weights is not None and 'dir="auto"' in html
    plain = Answer("x", (("yes", -0.1),))
    assert repr(plain) == "yes" and plain._repr_html_() == '<p><span dir="auto">yes</span></p>'


def test_progress_is_said_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    trained()
    assert capsys.readouterr() == ("", "")
    trained("loud", options=Options())
    said = capsys.readouterr().out
    assert "read as classify" in said and "Learning classify with lstm (" in said
    assert "pooling attention(attention_dim=5)" in said and "for 2 steps (about" in said


def test_it_works_in_a_thread() -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(trained().predict(["ab"])[0].best)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found and found[0] in ("with", "without")


@pytest.mark.slow
def test_two_processes_under_torchrun_learn_what_one_does(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "import regard\n"
        "from regard.run.training import Options\n"
        "data, out, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])\n"
        "run = regard.train(data, model='lstm', steps=4, accumulate=2, out=out,\n"
        "                   dropout=0, word_dropout=0, **given)\n"
        "print(json.dumps([run.path.name, run.predict(['ab cd'])[0].answers]))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    said = []
    for out, start in (
        ("one", [sys.executable]),
        ("two", [sys.executable, "-m", "torch.distributed.run", "--standalone",
                 "--nproc-per-node=2"]),
    ):  # fmt: skip
        arguments = [*start, str(script), labels(), out, json.dumps(TINY)]
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Learning classify with lstm") == 1
        said.append([json.loads(line) for line in done.stdout.splitlines() if line[:1] == "["])
    (one,), two = said
    assert [name for name, _ in two] == ["two", "two"] and two[0] == two[1]
    for (label, score), (other, same) in zip(one[1], two[0][1], strict=True):
        assert label == other and score == pytest.approx(same, abs=1e-5)
    about = json.loads((tmp_path / "two/environment.json").read_text())
    assert about["processes"] == 2
