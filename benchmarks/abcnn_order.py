"""What keeps ABCNN's attention at the input from learning order, which BCNN learns?

The recipe `abcnn` on its own data; in each row one thing is changed against a network in which each
sentence has its own W and all filters begin alike. Accuracy on the test part is given apart for
pairs that mean the same, for those with agent and patient swapped, and for those that speak of
something else. What it showed is in docs/experiments/abcnn_order.md. A row that is in the results
already is not made again, so the script can be stopped and started.

    python -m benchmarks.abcnn_order [--seeds 0,1,2] [--only "abcnn-1;shared"] [--epochs 5]
"""

import argparse
import time
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d
from torch.nn.utils import clip_grad_norm_

from benchmarks.measure import rows_of, save_ways
from regard.data.synthetic.paraphrases import ROLE_SYNONYMS
from regard.layers import Attend
from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.models.abcnn.block import WORDS_GAIN
from regard.models.abcnn.columns import match
from regard.normalizers import unnormalized
from regard.scores import InverseDistance
from regard.sequences import Sequences
from regard.tasks.match import Match
from regard.tasks.task import Encoded
from regard.training.config import TrainConfig

KINDS = ("same", "swapped", "other")
LOOKS = 12
FIRST = {said: words[0] for table in ROLE_SYNONYMS.values() for words in table for said in words}
"""A word or two → the first of its synonyms."""


@dataclass(frozen=True)
class Way:
    """One way to begin and to train.

    Args:
        attention: where the network attends.
        places: one W for both sentences, or each its own.
        epochs: times the usual number.
        places_std: of the first W.
        words_std: of the first embeddings; the network's own if 0.
        words_gain: what the first filters of words are multiplied by.
        feature_gain: what those of the attention feature are multiplied by.
        places_rate: of the learning rate, what W gets.
        wait: the part of the budget in which W stays as it began.
        divided: A is divided by the length of the longest sentence.
        start: the way whose trained network this one goes on from, with W = 0.
    """

    attention: str = "input"
    places: str = "own"
    epochs: float = 1.0
    places_std: float = 0.01
    words_std: float = 0.0
    words_gain: float = 1.0
    feature_gain: float = 1.0
    places_rate: float = 1.0
    wait: float = 0.0
    divided: bool = False
    start: str = ""


WAYS = {
    "bcnn": Way("none"),
    "abcnn-1": Way(),
    "abcnn-2": Way("pooling"),
    "abcnn-3": Way("both"),
    "20 epochs": Way(epochs=4),
    "from bcnn": Way(start="bcnn"),
    "shared": Way(places="shared"),
    "shared, 10 epochs": Way(places="shared", epochs=2),
    "word filters x 4": Way(words_gain=4),
    "word filters x 4, shared": Way(places="shared", words_gain=4),
    "filters x 4": Way(words_gain=4, feature_gain=4),
    "words 1": Way(words_std=1),
    "bcnn, words 1": Way("none", words_std=1),
    "zero": Way(places_std=0),
    "slow W": Way(places_rate=0.1),
    "slower W": Way(places_rate=0.01),
    "late W": Way(wait=0.5),
    "A / length": Way(divided=True),
}


@cache
def data() -> Encoded:
    """The pairs of the recipe: 20 000 to learn from, 1 000 to choose by, 1 000 to count on."""
    return Match.prepare("synthetic:paraphrases")


def kind(left: str, right: str, label: str) -> int:
    """0 for a pair that means the same, 1 for swapped roles, 2 for something else."""
    if label == "yes":
        return 0
    return 1 if _bag(left) == _bag(right) else 2


def _bag(sentence: str) -> Counter[str]:
    """The words of a sentence, of synonyms the first, without those that tell the voice."""
    for said, word in sorted(FIRST.items(), key=lambda pair: -len(pair[0])):
        if " " in said:
            sentence = sentence.replace(said, word.replace(" ", "_"))
    return Counter(FIRST.get(word, word) for word in sentence.split() if word not in ("was", "by"))


@cache
def kinds_of(split: str) -> np.ndarray:
    """The kind of each pair of a split."""
    columns = (data().texts[split][name] for name in ("left", "right", "label"))
    return np.array([kind(*row) for row in zip(*columns, strict=True)])


def network(way: Way, vocab: int, older: ABCNN | None = None) -> ABCNN:
    """A network before training, or with the weights of a trained BCNN."""
    settings: dict[str, Any] = {"attention": way.attention, "places": way.places}
    model = ABCNN(ABCNNConfig(vocab=vocab, classes=2, **settings))
    block, width = first_block(model), model.config.embed_dim
    if way.words_std:
        nn.init.normal_(model.embedding.weight, std=way.words_std)
    if way.divided:
        block.attend = Attend(InverseDistance(), normalizer=divided)
    with torch.no_grad():
        # What the library has multiplied them by is taken back.
        begun = 1.0 if block.left_places is None else WORDS_GAIN
        block.filters[:, :width].mul_(way.words_gain / begun)
        block.filters[:, width:].mul_(way.feature_gain)
        if block.left_places is not None and (way.places_std != 0.01 or older):
            block.left_places.normal_().mul_(0.0 if older else way.places_std)
            block.right_places.normal_().mul_(0.0 if older else way.places_std)
        if older is not None:
            model.embedding.load_state_dict(older.embedding.state_dict())
            model.output.load_state_dict(older.output.state_dict())
            block.filters[:, :width] = first_block(older).filters
            block.bias.copy_(first_block(older).bias)
    return model


def divided(scores: Tensor, where: Tensor | None = None) -> Tensor:
    """Scores divided by the number of words of the longer side."""
    return unnormalized(scores, where) / max(scores.shape[-2:])


def first_block(model: ABCNN) -> Any:
    return model.blocks[0]


def train(
    name: str, seed: int, epochs: float, trained: dict[tuple[str, int], ABCNN]
) -> dict[str, Any]:
    """Train one network, and say what it knows of each kind."""
    way = WAYS[name]
    if way.start and (way.start, seed) not in trained:
        train(way.start, seed, epochs, trained)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    older = trained.get((way.start, seed))
    task = Match(data(), lambda vocab, **_: network(way, vocab, older), fixed=0)
    model = task.model
    before = accuracies(task, "test") if older else {}
    config = TrainConfig(epochs=epochs * way.epochs, learning_rate=1e-2, warmup=50.0, seed=seed)
    optimizer = adamw(model, config)
    lengths, batches, curve = task.part(0).lengths, list[np.ndarray](), []
    total = int(epochs * way.epochs * len(task.plan(lengths, np.random.default_rng(0))))
    began = time.perf_counter()
    for step in range(1, total + 1):
        batches = batches or task.plan(lengths, rng)
        spent = (step - 1) / total
        for group in optimizer.param_groups:
            share = (way.places_rate if spent >= way.wait else 0.0) if group["places"] else 1.0
            group["lr"] = config.learning_rate_at(step, spent) * share
        batch = task.batch("train", batches.pop(0))
        optimizer.zero_grad()
        (task.loss(batch) / len(batch.label)).backward()
        clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        if step % max(1, total // LOOKS) == 0:
            curve.append([step, *accuracies(task, "valid").values()])
    trained[name, seed] = deepcopy(model)
    return {
        "way": name,
        "seed": seed,
        "epochs": config.epochs,
        "steps": total,
        **{f"test_{what}": value for what, value in accuracies(task, "test").items()},
        **({"before": before} if before else {}),
        **sizes(task),
        "train_seconds": time.perf_counter() - began,
        "valid_curve": curve,
    }


def adamw(model: ABCNN, config: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's rule, with W in a group of its own."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        groups.setdefault(("places" in name, weight.ndim >= 2), []).append(weight)
    made = [
        {"params": some, "places": places, "weight_decay": config.weight_decay * matrices}
        for (places, matrices), some in groups.items()
    ]
    return torch.optim.AdamW(made, betas=(0.9, config.beta2), eps=1e-9)


def accuracies(task: Match, split: str) -> dict[str, float]:
    """The accuracy on all pairs and on each kind."""
    task.model.eval()
    records = task.examine(split, np.arange(task.size(split)))
    task.model.train()
    right = np.array([record["answer"] == record["target"] for record in records])
    kinds = kinds_of(split)
    each = {name: float(right[kinds == number].mean()) for number, name in enumerate(KINDS)}
    return {"accuracy": float(right.mean())} | each


@torch.no_grad()
def sizes(task: Match) -> dict[str, float]:
    """Root mean squares of what the filters make of words and of the attention feature."""
    block = first_block(task.model)
    if block.left_places is None:
        return {}
    batch = task.batch("train", np.arange(64))
    left, right = task.model.embed(batch.left), task.model.embed(batch.right)
    matrix = match(left, right, block.attend)
    seen = {"words": left.values, "feature": matrix @ block.left_places[: matrix.shape[2]]}
    found = {}
    for (name, columns), filters in zip(seen.items(), block.filters.chunk(2, dim=1), strict=True):
        sums = conv1d(columns.mT, filters, padding=block.width - 1)
        found[f"rms_{name}"] = float(sums.square().mean().sqrt())
    return found


@torch.no_grad()
def order_in(attention: str, gain: float, seed: int) -> float:
    """How far swapped roles move a new network's sentence vector, in parts of two other words.

    Sentences in the active voice that begin with the agent; the partner is the sentence itself.
    """
    torch.manual_seed(seed)
    way = Way(attention, words_gain=gain, feature_gain=gain)
    tokenizer = data().coder.tokenizer
    model = network(way, len(tokenizer))
    texts = [text.split() for text in data().texts["test"]["left"] if text.startswith("the ")]
    starts = [" ".join(words[:7]) for words in texts if "was" not in words]
    plain = torch.tensor([tokenizer.encode([each]).values.tolist() for each in starts])
    swapped, other = plain[:, [0, 5, 6, 3, 4, 1, 2]], plain.clone()
    other[:, 1:3] = plain.roll(4, 0)[:, 1:3]

    def vector(right: Tensor) -> Tensor:
        return first_block(model)(model.embed(Sequences(plain)), model.embed(Sequences(right)))[3]

    moved, changed = (vector(each) - vector(plain) for each in (swapped, other))
    return float(moved.norm(dim=-1).mean() / changed.norm(dim=-1).mean())


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the seeds in percent, and the accuracy on swapped roles of each seed."""
    lines = [f"{'':24} {'all':>6} {'same':>6} {'swapped':>8} {'other':>6}   swapped, each seed"]
    for name in dict.fromkeys(row["way"] for row in rows):
        some = sorted((row for row in rows if row["way"] == name), key=lambda row: row["seed"])
        cells = [100 * mean(row[f"test_{what}"] for row in some) for what in ("accuracy", *KINDS)]
        each = ", ".join(f"{100 * row['test_swapped']:.0f}" for row in some)
        numbers = "{:6.1f} {:6.1f} {:8.1f} {:6.1f}".format(*cells)
        lines.append(f"{name:24} {numbers}   {each}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default=";".join(WAYS))
    parser.add_argument("--epochs", type=float, default=5.0, help="where a row says nothing else")
    parser.add_argument("--name", default="abcnn_order", help="of the results' file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, trained = rows_of(options.name), dict[tuple[str, int], ABCNN]()

    def row(name: str, seed: int) -> dict[str, Any]:
        return train(name, seed, options.epochs, trained)

    save_ways(options.name, rows, row, options.only, options.seeds)
    print(table(rows))
    print("order in a new network, filters x 1, 4, 16:")
    for attention in ("none", "input", "pooling", "both"):
        found = [mean(order_in(attention, gain, seed) for seed in range(3)) for gain in (1, 4, 16)]
        print(f"  {attention:8}", *(f"{part:.3f}" for part in found))


if __name__ == "__main__":
    main()
