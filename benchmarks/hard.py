"""How good are the gradients that teach a hard attention where to look?

A toy whose answer is known: the label is the one keyword among noise, or that there is none. At
fixed weights, before, during and after training, the exact gradient of the expected loss is had by
trying every place. Beside it stand REINFORCE without a baseline, with the baseline that its moving
average settles at, and Gumbel-softmax straight through at several temperatures, each with one draw
for each of 32 texts. All numbers are relative to the length of the exact gradient of the
attention's weights: `bias` is the distance of the mean estimate from it, `chance` what that
distance would be on average without a bias, `variance` the mean squared distance of an estimate
from the mean one.

    python -m benchmarks.hard [--seeds 0,1,2] [--draws 20000]
"""

import argparse
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.measure import rows_of, save
from regard.layers import AttentionPool, HardPool, Reinforce, ReinforceLoss, sample_keys
from regard.normalizers import GumbelSoftmax
from regard.sequences import Sequences

WIDTH, BATCH, WITHOUT = 16, 32, 0.3
STAGES = (0, 75, 400)
"""Updates after which the gradients are judged."""
AT_ONCE = 1000
TAUS = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Toy:
    """Texts of noise in which one token in front of the vocabulary, the keyword, may stand."""

    keywords: int = 4
    noise: int = 40
    length: int = 12

    def texts(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Texts, their labels (which keyword, or none), and where the keyword stands (or -1).

        Were there no texts without a keyword, one of the labels could be read off from what a
        model does not see: always right, and looking at noise for one of the keywords.
        """
        vocab = self.keywords + self.noise
        source = torch.randint(self.keywords, vocab, (count, self.length), generator=rng)
        label = torch.randint(self.keywords, (count,), generator=rng)
        place = torch.randint(self.length, (count,), generator=rng)
        without = torch.rand(count, generator=rng) < WITHOUT
        row = (~without).nonzero()[:, 0]
        source[row, place[row]] = label[row]
        return source, label.masked_fill(without, self.keywords), place.masked_fill(without, -1)


class Spotter(nn.Module):
    """Name the keyword after looking at one token.

    Its embeddings are small at first: with larger ones the attention may begin so sure of itself
    that a keyword is never drawn, and then nothing can teach it.
    """

    def __init__(self, toy: Toy, estimator: str, tau: float = 1.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(toy.keywords + toy.noise, WIDTH)
        nn.init.normal_(self.embedding.weight, std=0.1)
        key = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.pool = HardPool(AttentionPool(WIDTH, key=key), estimator, tau)
        self.output = nn.Linear(WIDTH, toy.keywords + 1)
        self.reinforce = Reinforce() if estimator == "reinforce" else None

    def forward(self, source: Sequences) -> Tensor:
        """Logits from the likeliest token."""
        return self.output(self.pool(self.embedding(source.ids)))[:, 0]

    def forward_sampled(self, source: Sequences) -> tuple[Tensor, ReinforceLoss | None]:
        """Logits from a drawn token, and what teaches where to look."""
        pooled, sampled = self.pool.forward_sampled(self.embedding(source.ids))
        logits = self.output(pooled)[:, 0]
        if sampled is None or self.reinforce is None:
            return logits, None
        return logits, ReinforceLoss(self.reinforce, sampled)

    def attention_weights(self, source: Sequences) -> Tensor:
        """One at the likeliest token."""
        return self.pool.weights(self.embedding(source.ids))[:, 0]


def train(model: Any, toy: Toy, seed: int, steps: int, rate: float = 3e-3) -> Iterator[int]:
    """Teach a model the toy, coming back after every update."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for step in range(1, steps + 1):
        source, label, _ = toy.texts(BATCH, rng)
        logits, aux = model.forward_sampled(Sequences(source))
        nll = cross_entropy(logits, label, reduction="none")
        if aux is not None:
            nll = nll + aux(nll)
        optimizer.zero_grad()
        nll.mean().backward()
        optimizer.step()
        yield step


class Judged:
    """The probabilities of every place in a batch at fixed weights, and what follows from them.

    A gradient with respect to the probabilities becomes one of the attention's weights by the
    Jacobian, which is computed once; so thousands of draws are one pass.
    """

    def __init__(self, model: Spotter, source: Tensor, label: Tensor) -> None:
        self.output, self.label = model.output, label
        self.x = model.embedding(source).detach()
        looks = model.pool.pool.weights(self.x)[:, 0]
        weights = list(model.pool.parameters())
        rows = [torch.autograd.grad(p, weights, retain_graph=True) for p in looks.flatten()]
        self.jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
        self.looks = looks.detach()

    @torch.no_grad()
    def nats(self) -> Tensor:
        """The loss at every place."""
        wanted = repeat(self.label, "batch -> batch place", place=self.x.shape[1])
        return cross_entropy(self.output(self.x).mT, wanted, reduction="none")

    def expected(self) -> float:
        """The mean loss over all places to look at."""
        return (self.looks * self.nats()).sum(1).mean().item()

    def exact(self) -> Tensor:
        """Its gradient."""
        return (self.nats() / len(self.label)).flatten() @ self.jacobian

    def estimates(self, draws: int, baseline: float = 0.0, tau: float | None = None) -> Tensor:
        """Estimates from one draw per text: REINFORCE's, or straight through if there is a tau."""
        looks = repeat(self.looks, "batch place -> (draws batch) 1 place", draws=draws)
        looks.requires_grad_()
        if tau is None:
            weights, sampled = sample_keys(looks)
        else:
            weights, sampled = GumbelSoftmax(tau, hard=True)(looks.log()), None
        split = rearrange(weights, "(draws batch) 1 place -> batch draws place", draws=draws)
        logits = rearrange(self.output(split @ self.x), "batch draws kind -> (draws batch) kind")
        nats = cross_entropy(logits, self.label.repeat(draws), reduction="none")
        if sampled is not None:
            nats = (nats.detach() - baseline) * sampled.log_prob
        (grad,) = torch.autograd.grad(nats.sum() / len(self.label), looks)
        return rearrange(grad, "(draws batch) 1 place -> draws (batch place)", draws=draws) @ (
            self.jacobian
        )


def judge(model: Spotter, seed: int, draws: int) -> list[dict[str, Any]]:
    """Bias and variance of every estimator at these weights."""
    source, label, place = Toy().texts(BATCH, torch.Generator().manual_seed(100 + seed))
    judged = Judged(deepcopy(model).double(), source, label)
    with_one = place >= 0
    state = {
        "expected_nats": judged.expected(),
        "probability_of_keyword": judged.looks[with_one, place[with_one]].mean().item(),
        "exact_norm": judged.exact().norm().item(),
    }
    ways: list[tuple[str, dict[str, float]]] = [
        ("reinforce", {}),
        ("reinforce + baseline", {"baseline": judged.expected()}),
        *((f"gumbel tau {tau:g}", {"tau": tau}) for tau in TAUS),
    ]
    return [
        state | {"estimator": name} | spread(judged.exact(), judged, options, draws)
        for name, options in ways
    ]


def spread(
    exact: Tensor, judged: Judged, options: dict[str, float], draws: int
) -> dict[str, float]:
    """How one estimator's estimates lie around the exact gradient."""
    found = torch.cat([judged.estimates(AT_ONCE, **options) for _ in range(draws // AT_ONCE)])
    scale, variance, mean = exact.square().sum(), found.var(0).sum(), found.mean(0)
    return {
        "bias": ((mean - exact).norm() / scale.sqrt()).item(),
        "chance": (variance / len(found) / scale).sqrt().item(),
        "cosine": torch.cosine_similarity(mean, exact, dim=0).item(),
        "variance": (variance / scale).item(),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Medians over the seeds: bias / variance, a line for each estimator, a column for a stage."""
    lines = ["estimator               " + "".join(f"after {step:<14}" for step in STAGES)]
    for name in dict.fromkeys(row["estimator"] for row in rows):
        cells = []
        for step in STAGES:
            some = [row for row in rows if (row["estimator"], row["step"]) == (name, step)]
            bias, variance = (median(row[key] for row in some) for key in ("bias", "variance"))
            cells.append(f"{bias:7.3f} /{variance:9.3f}  ")
        lines.append(f"{name:24}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--draws", type=int, default=20_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("hard")
    for seed in map(int, options.seeds.split(",")):
        if any(row["seed"] == seed for row in rows):
            continue
        torch.manual_seed(seed)
        model = Spotter(Toy(), "reinforce")
        learning, step = train(model, Toy(), seed, STAGES[-1]), 0
        for stage in STAGES:
            while step < stage:
                step = next(learning)
            rows += [
                {"seed": seed, "step": step} | row for row in judge(model, seed, options.draws)
            ]
        save("hard", rows, batch=BATCH, draws=options.draws)
    print(table(rows))


if __name__ == "__main__":
    main()
