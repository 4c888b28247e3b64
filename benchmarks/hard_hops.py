"""What does it take to learn hard attention over two hops: less variance, or another start?

Two facts, as in `benchmarks.memory`: the first hop has to find who has the thing, the second where
they went. A memory network adds up what its hops read, so every pair of sentences can be tried and
the expected loss has an exact gradient; beside it stand estimates from one draw. What the exact
gradient cannot learn, no lower variance will. All networks read the likeliest sentence when they
are tested, but for `soft`; the epoch is that of the best validation error after the start. What it
showed is in docs/experiments/hard_hops.md. A row that is in the results is not made again.

    python -m benchmarks.hard_hops [--seeds 0,1,2] [--only "reinforce;exact"] [--epochs 100]
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils import clip_grad_norm_

from benchmarks.measure import rows_of, save_ways
from regard.layers import Reinforce, Sampled, sample_keys
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.normalizers import GumbelSoftmax
from regard.tasks.answer import AnswerQuestions
from regard.tasks.answer.coder import QuestionBatch
from regard.tasks.task import Encoded
from regard.training.config import TrainConfig

LOOK_EVERY = 280
Attention = Callable[[Tensor], Tensor]
"""Scores of the sentences → their weights."""


@dataclass(frozen=True)
class Way:
    """One way to learn.

    Args:
        loss: `soft`, `gumbel`, `reinforce` (one draw and a moving average), `exact` (the expected
            loss) or `marginal` (the likelihood, with the sentences as latent variables).
        linear: until this part of the budget there is no softmax.
        soft: until this part attention is soft.
        told: whether the first hop is told which sentence to look at.
    """

    loss: str
    linear: float = 0.0
    soft: float = 0.2
    told: bool = False

    @property
    def start(self) -> float:
        """The part of the budget after which attention is what it shall be."""
        return max(self.linear, self.soft if self.loss != "soft" else 0.0)


WAYS = {
    "soft": Way("soft", linear=0.2),
    "soft, no linear start": Way("soft"),
    "reinforce": Way("reinforce"),
    "gumbel": Way("gumbel"),
    "exact": Way("exact"),
    "marginal": Way("marginal"),
    "reinforce, linear start": Way("reinforce", linear=0.2),
    "gumbel, linear start": Way("gumbel", linear=0.2),
    "reinforce, long start": Way("reinforce", linear=0.2, soft=0.6),
    "gumbel, long start": Way("gumbel", linear=0.2, soft=0.6),
    "exact, long start": Way("exact", linear=0.2, soft=0.6),
    "reinforce, first hop told": Way("reinforce", told=True),
}


@cache
def data() -> Encoded:
    """1 000 questions to learn from, 200 to choose the epoch by, 1 000 to count errors on."""
    return AnswerQuestions.prepare("synthetic:qa2")


@dataclass(frozen=True, eq=False)
class Paths:
    """Every way through two hops.

    Args:
        first: log-probabilities of the first hop's sentence, batch × sentences.
        second: those of the second's after each first, batch × sentences × sentences.
        nats: the loss behind each pair.
    """

    first: Tensor
    second: Tensor
    nats: Tensor

    @classmethod
    def of(cls, model: MemoryNetwork, batch: QuestionBatch) -> "Paths":
        """Try all pairs: the state is the question and what was read, so logits are sums."""
        keep, (one, two, three), state = remembered(model, batch)
        first = (one @ state.unsqueeze(-1))[..., 0].masked_fill(~keep, -1e9).log_softmax(-1)
        after = state.unsqueeze(1) + two
        second = (after @ two.mT).masked_fill(~keep.unsqueeze(1), -1e9).log_softmax(-1)
        return cls(first, second, _nats(model.output(after), model.output(three), batch.label))

    @property
    def log_prob(self) -> Tensor:
        return self.first.unsqueeze(-1) + self.second

    @property
    def entropy(self) -> Tensor:
        """Of the first hop, and what is to be expected of the second's."""
        sure = (self.second.exp() * self.second).sum(-1)
        return -(self.first.exp() * (self.first + sure)).sum(-1)

    def loss(self, kind: str) -> Tensor:
        """The expected nats, or those of the marginal likelihood."""
        if kind == "exact":
            return (self.log_prob.exp() * self.nats).sum((1, 2))
        return -(self.log_prob - self.nats).flatten(1).logsumexp(-1)


def _nats(one: Tensor, two: Tensor, label: Tensor) -> Tensor:
    """The nats of the answer for the sum of any row of logits and any other, as one product."""
    one, two = one.double(), two.double()
    high, top = one.amax(-1, keepdim=True), two.amax(-1, keepdim=True)
    total = ((one - high).exp() @ (two - top).exp().mT).log() + high + top.mT
    rows = torch.arange(len(label))
    wanted = one[rows, :, label].unsqueeze(2) + two[rows, :, label].unsqueeze(1)
    return (total - wanted).float()


def remembered(model: MemoryNetwork, batch: QuestionBatch) -> tuple[Tensor, list[Tensor], Tensor]:
    """Which sentences there are, what each table makes of them, and the question."""
    grid = model._grid(batch.story)
    keep = torch.arange(grid.words.shape[1]) < grid.counts.unsqueeze(1)
    return keep, [memory[:, 0] for memory in model._remember(grid)], model._ask(batch.question)


def hops(
    model: MemoryNetwork, batch: QuestionBatch, attend: Attention | None
) -> tuple[Tensor, list[Tensor]]:
    """Logits by any attention (None: weights are the scores), and the scores of each hop."""
    keep, memories, state = remembered(model, batch)
    looks = []
    for key, value in pairwise(memories):
        scores = (key @ state.unsqueeze(-1))[..., 0]
        looks.append(scores.masked_fill(~keep, -1e9))
        weights = attend(looks[-1]) if attend else scores.masked_fill(~keep, 0.0)
        state = state + (weights.unsqueeze(1) @ value)[:, 0]
    return model.output(state), looks


def softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def likeliest(scores: Tensor) -> Tensor:
    return one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)


def nats_of(
    way: Way,
    model: MemoryNetwork,
    batch: QuestionBatch,
    support: Tensor,
    spent: float,
    reinforce: Reinforce,
) -> Tensor:
    """What each question costs in this part of the budget."""
    starting = spent < way.start
    if way.loss in ("exact", "marginal") and not starting:
        paths = Paths.of(model, batch)
        return paths.loss(way.loss) - reinforce.bonus * paths.entropy
    draws: list[Sampled] = []

    def draw(scores: Tensor) -> Tensor:
        weights, sampled = sample_keys(scores.softmax(-1).unsqueeze(1))
        draws.append(sampled)
        return weights[:, 0]

    attend: Attention | None = softmax
    if spent < way.linear:
        attend = None
    elif way.loss != "soft" and not starting:
        attend = draw if way.loss == "reinforce" else GumbelSoftmax(hard=True)
    logits, looks = hops(model, batch, attend)
    nats = cross_entropy(logits, batch.label, reduction="none")
    if draws:
        nats = nats + reinforce(nats, draws[0] + draws[1])
    if way.told:
        nats = nats + cross_entropy(looks[0], support[:, 0], ignore_index=-1, reduction="none")
    return nats


def supports(split: str) -> Tensor:
    """For each hop the sentence, from 0, that it should look at: who has the thing, where they are.

    -1 where the thing is in no supporting sentence, or in both.
    """
    examples, end = data().examples[split], data().coder.vocabulary.end
    told, asked, _, support = examples.take(np.arange(len(examples)))
    found = np.full((len(examples), 2), -1)
    for row, (story, question, facts) in enumerate(zip(told, asked, support, strict=True)):
        starts = np.concatenate([[0], np.flatnonzero(story == end) + 1])
        sides = [question[-1] in story[starts[n - 1] : starts[n]] for n in facts]
        if sorted(sides) == [False, True]:
            found[row] = facts[sides.index(True)] - 1, facts[sides.index(False)] - 1
    return torch.from_numpy(found)


@torch.no_grad()
def examined(task: AnswerQuestions, split: str, attend: Attention) -> dict[str, float]:
    """Error, nats, and how often each hop looked most where it should."""
    task.model.eval()
    batch = task.batch(split, np.arange(task.size(split)))
    logits, looks = hops(task.model, batch, attend)
    task.model.train()
    right = [looks[n].argmax(-1) == wanted for n, wanted in enumerate(supports(split).unbind(1))]
    return {
        "error": float((logits.argmax(-1) != batch.label).float().mean()),
        "loss": float(cross_entropy(logits, batch.label)),
        "first": float(right[0].float().mean()),
        "second": float(right[1].float().mean()),
    }


def train(name: str, seed: int, epochs: float) -> dict[str, Any]:
    """Train once, and say how it went."""
    way = WAYS[name]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)

    def network(vocab: int, end: int, **_: Any) -> MemoryNetwork:
        return MemoryNetwork(MemoryConfig(vocab=vocab, end=end, hops=2))

    task = AnswerQuestions(data(), network, fixed=0)
    config = TrainConfig(epochs=epochs, learning_rate=1e-2, weight_decay=0.0, seed=seed)
    optimizer = torch.optim.AdamW(
        task.model.parameters(), betas=(0.9, config.beta2), eps=1e-9, weight_decay=0.0
    )
    reinforce, support = Reinforce(), supports("train")
    attend = softmax if way.loss == "soft" else likeliest
    lengths, batches, curve = task.part(0).lengths, list[np.ndarray](), []
    total = int(epochs * len(task.plan(lengths, np.random.default_rng(0))))
    best, kept, began = 2.0, task.model.state_dict(), time.perf_counter()
    for step in range(1, total + 1):
        batches = batches or task.plan(lengths, rng)
        rows, spent = batches.pop(0), (step - 1) / total
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate_at(step, spent)
        batch = task.batch("train", rows)
        optimizer.zero_grad()
        nats_of(way, task.model, batch, support[rows], spent, reinforce).mean().backward()
        clip_grad_norm_(task.model.parameters(), config.clip)
        optimizer.step()
        if step % LOOK_EVERY == 0 or step == total:
            scores = examined(task, "valid", attend)
            curve.append([step, *(round(x, 3) for x in scores.values())])
            if spent >= way.start and scores["error"] < best:
                best, kept = scores["error"], deepcopy(task.model.state_dict())
    seconds = time.perf_counter() - began
    task.model.load_state_dict(kept)
    found = {"way": name, "seed": seed, "epochs": epochs, **examined(task, "test", attend)}
    return found | {"train_seconds": seconds, "valid_curve": curve}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean error in percent and that of each seed; how often the hops looked where they should."""
    lines = [f"{'':34} {'error':>6}  {'each seed':20} {'hop 1':>6} {'hop 2':>6}"]
    for name in dict.fromkeys(row["way"] for row in rows):
        some = sorted((row for row in rows if row["way"] == name), key=lambda row: row["seed"])
        error, first, second = (
            100 * mean(row[key] for row in some) for key in ("error", "first", "second")
        )
        each = ", ".join(f"{100 * row['error']:.1f}" for row in some)
        lines.append(f"{name:34} {error:6.1f}  {each:20} {first:6.1f} {second:6.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default=";".join(WAYS))
    parser.add_argument("--epochs", type=float, default=100.0)
    parser.add_argument("--name", default="hard_hops", help="of the results' file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of(options.name)

    def row(name: str, seed: int) -> dict[str, Any]:
        return train(name, seed, options.epochs)

    save_ways(options.name, rows, row, options.only, options.seeds)
    print(table(rows))


if __name__ == "__main__":
    main()
