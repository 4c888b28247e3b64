"""Every network in every form: trained, resumed, measured and asked, it stays what was asked for.

A case is a recipe with the words that choose a form of its network, and what the configuration of
the network that was saved must say then.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.run.recipes import recipe
from regard.view.run_log import read_run
from tests.cli.small import sets
from tests.run.tiny import MATCHES, SMALL, data_of

Call = Callable[..., str]

TEXTS = {
    "dates": "<en> March 3, 2026",
    "span_corruption": "ab<extra_id_0>d",
    "match": "ab cd\tcd ab",
    "answer": "Mary went to the garden. John took the milk. Where is Mary?",
    "extract": "Mary lives in Rome. John lives in Oslo. Where does Mary live?",
    "recommend": "i0, i3",
}
"""Task → what it is asked; a text is enough for the others."""
SHORT = {
    "translate": ("extra_length=5",),
    "text_to_text": ("extra_length=5",),
    "language_model": ("length=5",),
}


@dataclass(frozen=True)
class Case:
    """A form of a network.

    Args:
        recipe: what is trained.
        words: further words of the command line.
        kept: path in the configuration of the trained network → what stands there.
        attends: has an answer weights?
        sized: may the width of an attention be said?
    """

    recipe: str
    words: tuple[str, ...]
    kept: dict[str, Any]
    attends: bool = True
    sized: bool = True

    def __str__(self) -> str:
        return " ".join([self.recipe, *(word for word in self.words if word != "--set")])


def case(recipe: str, *words: str, attends: bool = True, sized: bool = True, **kept: Any) -> Case:
    """A case whose words with `=` are settings; `__` in a path is a dot."""
    said = [part for word in words for part in (("--set", word) if "=" in word else (word,))]
    paths = {path.replace("__", "."): value for path, value in kept.items()}
    return Case(recipe, tuple(said), paths, attends, sized)


QUICK = [
    case("transformer", "--attention", "additive", "--normalizer", "entmax(1.3)", "norm=pre",
         attention__score="additive", attention__normalizer="entmax(1.3)", norm="pre"),
    case("transformer_classifier", "sharing=adaptive(ponder_cost=0.5)", "layers=3",
         sharing__ponder_cost=0.5, layers=3),
    case("transformer_lm", "sharing=universal", "positions=sinusoidal", "layers=2",
         sharing__tag="universal"),
    case("t5", "--normalizer", "entmax(1.3)", "feed_forward=gated", "score_mod=soft_cap(9)",
         attention__normalizer="entmax(1.3)", feed_forward__tag="gated",
         attention__score_mod="soft_cap(9.0)", attention__score="dot"),
    case("t5_pretraining", "tied=false", "scaled=false", tied=False, scaled=False),
    case("rnnsearch", "--attention", "none", attends=False, sized=False, attention__tag="none"),
    case("lstm", "--attention", "additive", "--normalizer", "sparsemax",
         pooling__score="additive", pooling__normalizer="sparsemax"),
    case("lstm", "pooling=hard(estimator=gumbel)", pooling__estimator="gumbel"),
    case("abcnn", attention="both"),
    case("lstm_tagger", "--attention", "additive", "--normalizer", "sparsemax",
         attention__score="additive", attention__normalizer="sparsemax"),
    case("attentive_reader", "alignment.score=general", "alignment.normalizer=sparsemax",
         alignment__score="general", alignment__normalizer="sparsemax"),
    case("memory", "hops=3", "--normalizer", "sparsemax",
         hops=3, attention__normalizer="sparsemax"),
]  # fmt: skip
SLOW = [
    case("cnn", "pooling=guided", pooling__tag="guided"),
    case("youtube_dnn", "pooling=attention", pooling__tag="attention"),
    case("din", pooling__score="mlp"),
    case("han", "--attention", "additive", "--normalizer", "sparsemax",
         word_pooling__score="additive", sentence_pooling__normalizer="sparsemax"),
    case("luong", "--attention", "location", "input_feeding=false",
         attention__score="location", attention__input_feeding=False),
    case("transformer", "score_mod=alibi", "mask=sliding_window(2, 2)", "positions=none",
         attention__score_mod="alibi", attention__mask="sliding_window(2, 2)",
         positions__tag="none"),
    case("rnnsearch", "--attention", "general", "--normalizer", "sparsemax",
         attention__score="general", attention__normalizer="sparsemax"),
    case("lstm", "pooling=last", "cell=gru", sized=False, pooling__tag="last", cell="gru"),
    case("cnn", pooling__tag="max"),
    case("abcnn", "attention=none", attention="none"),
    case("memory", "--attention", "hard", "model.encoding=bag",
         attention__tag="hard", encoding__tag="bag"),
    case("lstm_tagger", "attention=none", "cell=gru", attends=False, attention__tag="none"),
    case("transformer_tagger", "sharing=universal", "layers=3", sharing__tag="universal"),
    case("attentive_reader", "alignment=none", "pooling=mean", sized=False, pooling__tag="mean"),
    case("dates", attention__tag="search"),
    case("transformer", "--attention", "general", attention__score="general"),
    case("transformer", "--normalizer", "learned_entmax", attention__normalizer="learned_entmax"),
    case("transformer", "--normalizer", "sigmoid", "score_mod=relative_bias",
         attention__normalizer="sigmoid", attention__score_mod="relative_bias"),
    case("transformer", "positions=learned", "--attention", "cosine(0.1)",
         positions__tag="learned", attention__score="cosine(0.1)"),
    case("transformer", "positions=rope", "joint=false", positions__tag="rope"),
    case("transformer", "sharing=adaptive", "layers=3", sharing__tag="adaptive"),
    case("transformer", "sharing=all", "layers=3", sharing__tag="all"),
    case("transformer_classifier", "sharing=all", "layers=3", sharing__tag="all"),
    case("transformer_classifier", "sharing=universal", "layers=3", sharing__tag="universal"),
    case("transformer_lm", "sharing=all", "layers=2", sharing__tag="all"),
    case("luong", "--attention", "local_p", "window=2", attention__window=2),
    case("luong", "--attention", "local_m", "score=luong_concat", attention__score="luong_concat"),
    case("luong", "--attention", "dot", "--normalizer", "sparsemax", attention__score="dot"),
    case("luong", "--attention", "none", attends=False, attention__tag="none"),
    case("lstm", "pooling=mean", "bidirectional=false", sized=False, bidirectional=False),
    case("lstm", "pooling=hard", pooling__estimator="reinforce"),
    case("cnn", "pooling=mean", pooling__tag="mean"),
    case("cnn", "pooling=attention", "widths=2,3", widths=(2, 3)),
    case("han", "word_pooling=mean", "sentence_pooling=mean", sized=False,
         word_pooling__tag="mean"),
    case("abcnn", "attention=input", attention="input"),
    case("abcnn", "attention=pooling", attention="pooling"),
    case("memory", "tying=layerwise", "--attention", "general", attention__score="general"),
    case("memory", "--attention", "hard", "estimator=gumbel", attention__estimator="gumbel"),
    case("din", "pooling=mean", pooling__tag="mean"),
    case("din", "--normalizer", "unnormalized", pooling__normalizer="unnormalized"),
    case("youtube_dnn", pooling__tag="mean"),
]  # fmt: skip


def at(config: Any, path: str) -> Any:
    """What stands at a path in a configuration."""
    for name in path.split("."):
        config = getattr(config, name)
    return config


@pytest.mark.parametrize(
    "form", [*QUICK, *(pytest.param(form, marks=pytest.mark.slow) for form in SLOW)], ids=str
)
def test_every_form_of_a_network_trains_resumes_is_measured_and_answers(
    form: Case, tmp_path: Path, done: Call
) -> None:
    task, data, run = recipe(form.recipe)["task"]["name"], data_of(form.recipe), tmp_path / "run"
    given = () if data is None else ("--data", data)
    sizes = {k: v for k, v in SMALL[form.recipe].items() if form.sized or k != "attention_dim"}
    small = sets(*(f"{key}={value}" for key, value in sizes.items()), *SHORT.get(task, ()))
    said = done("train", form.recipe, *given, "--out", run, "--steps", "2", *small, *form.words)
    assert f"Learning {task} with {recipe(form.recipe)['model']['name']} (" in said
    done("train", "--resume", run, "--steps", "4")
    assert (read_run(run).steps, read_run(run).status()) == (4, "finished")

    model = regard.load(run)
    assert {path: at(model.config, path) for path in form.kept} == form.kept

    measured = json.loads(done("eval", run, "--split", "valid", "--json"))
    assert measured["examples"] > 0 and all(value is not None for value in measured.values())
    if data is not None:
        other = json.loads(done("eval", run, "--data", data, "--json"))
        assert other.keys() == measured.keys() and other["data"] == str(data)

    text = TEXTS.get(task, "ab cd")
    answer = regard.Run(run).predict([text])[0]
    told = json.loads(done("predict", run, text, "--json"))
    assert told["answer"] == answer.best and told["text"] == text
    assert (answer.weights is not None) == form.attends == (told["alignment"] is not None)
    if answer.weights is not None:
        assert answer.weights.shape[-2:] == (len(answer.outputs), len(answer.inputs))
        assert done("predict", run, text, "--show").count("\n") > 2


DOCUMENT = "the soup was good\nwe left early"


def documents(path: Path) -> Path:
    """Write a table of documents of several lines."""
    rows = [
        {"text": f"the {thing} was {label}\n{end}", "label": label}
        for thing in "soup bread wine room bed train film".split()
        for label in ("good", "bad")
        for end in ("we left early", "we left early\nit rained")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_documents_are_shown_sentence_by_sentence_with_the_strongest_word_marked(
    tmp_path: Path, done: Call
) -> None:
    data, run = documents(tmp_path / "documents.jsonl"), tmp_path / "run"
    small = sets("embed_dim=8", "hidden_dim=6", "attention_dim=6", "tokens.size=50")
    done("train", "han", "--data", data, "--out", run, "--steps", "2", *small)
    (answer,) = regard.Run(run).predict([DOCUMENT])
    lines = [line.replace("[", "").replace("]", "") for line in answer.inputs]
    assert lines == ["the soup was good", "we left early"]
    assert all(line.count("[") == 1 for line in answer.inputs)
    assert answer.weights is not None and answer.weights.shape == (1, 2)
    assert answer.weights.sum().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_a_stream_of_pairs_is_learned_from(tmp_path: Path, done: Call) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid"):
        (data / f"{split}.csv").write_text(MATCHES)
    small = sets("embed_dim=8", "hidden_dim=6", "longest=24")
    given = ["--data", data, "--out", tmp_path / "run", "--streaming", "--steps", "3"]
    said = done("train", *given, *small)
    assert "read as match" in said and "streamed" in said
    assert read_run(tmp_path / "run").steps == 3
