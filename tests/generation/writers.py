"""Small networks that write, some answers soon at an end and some never, and what they read."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.generation import Hypothesis
from regard.models.captioner import Captioner, CaptionerConfig
from regard.models.luong import Luong, LuongConfig
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.models.transformer import Transformer, TransformerConfig
from regard.sequences import Sequences

BEGIN, END, VOCAB = 2, 3, 7
ENDS: dict[str, Any] = {"begin": BEGIN, "end": END}
ROWS = [[4, 8, 5, 21, 9, 28], [17], [10, 4, 26, 6], [5, 11, 19, 4, 23], [13, 7]]
SOURCE = Sequences.of(ROWS)
SIZES: dict[str, Any] = {"source_vocab": 30, "target_vocab": VOCAB, "embed_dim": 6}


def alone(row: int) -> Sequences:
    """One source, without padding."""
    return Sequences(torch.tensor([ROWS[row]]))


def rnnsearch(attention: str = "search(attention_dim=4)", ends: float = 1.5) -> Any:
    entries = SIZES | {"hidden_dim": 8, "maxout_dim": 3, "attention": attention}
    model = opinionated(RNNsearch, RNNsearchConfig.from_entries(entries), 0.8)
    with torch.no_grad():
        model.output.bias[END] += ends
    return model


def luong(attention: str = "local_p(window=2)") -> Any:
    entries = SIZES | {"hidden_dim": 5, "layers": 2, "attention": attention, "max_source_length": 6}
    model = opinionated(Luong, LuongConfig.from_entries(entries), 0.8)
    with torch.no_grad():
        model.output.weight *= 2
        model.output.bias[END] += 2
    return model


def transformer() -> Any:
    blocks: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12, "norm": "pre"}
    config = TransformerConfig(**SIZES | blocks, layers=1, decoder_layers=2, tied="none")
    return opinionated(Transformer, config, 0.5, seed=4)


def opinionated(kind: Any, config: Any, std: float, seed: int = 0) -> Any:
    """The network in float64, with weights large enough for it to have opinions."""
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=std)
    return model.double().eval()


class OfIds(nn.Module):
    """A network that reads images, asked by texts: an image is drawn from the ids of each."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.start, self.step = model, model.start, model.step
        self.config = model.config

    def encode(self, source: Sequences) -> Any:
        return self.model.encode(self.drawn(source))

    def forward(self, source: Sequences, target: Tensor) -> Tensor:
        return self.model(self.drawn(source), target)

    @staticmethod
    def drawn(source: Sequences) -> Tensor:
        place = torch.arange(2 * 12 * 8, dtype=torch.float64).reshape(2, 12, 8)
        phase = (1 + torch.arange(source.ids.shape[1])) * source.ids
        waves = torch.sin(place + phase[..., None, None, None]) * source.real[..., None, None, None]
        return waves.sum(1)


def captioner(attention: str = "soft(attention_dim=4)") -> Any:
    entries = {"channels": 2, "target_vocab": VOCAB, "embed_dim": 6, "hidden_dim": 5}
    entries |= {"shape": "cifar(depth=8, width=2)", "attention": attention}
    model = opinionated(Captioner, CaptionerConfig.from_entries(entries), 0.8, seed=1)
    with torch.no_grad():
        for layer in (model.told_context, model.context, model.key, model.hidden, model.cell):
            layer.weight *= 0.1  # What is seen is that much larger than any state.
        model.output.weight *= 0.5
        model.output.bias[END] += 1
    return OfIds(model)


WRITERS: dict[str, Callable[[], Any]] = {
    "rnnsearch": rnnsearch,
    "rnnsearch, blind": lambda: rnnsearch("none", ends=0.0),
    "luong": luong,
    "luong, local_m": lambda: luong("local_m(window=1, normalizer=learned_entmax)"),
    "transformer": transformer,
    "captioner": captioner,
    "captioner, hard": lambda: captioner("hard(attention_dim=4)"),
}


def log_probability(model: Any, source: Sequences, tokens: list[int]) -> float:
    """The probability of an answer without any search: teacher forcing."""
    logits = model(source, torch.tensor([[BEGIN, *tokens[:-1]]]))
    chosen = logits[0].log_softmax(-1)[torch.arange(len(tokens)), torch.tensor(tokens)]
    return chosen.sum().item()


def written(answer: Hypothesis) -> list[int]:
    """The tokens with the end, where there is one."""
    return [*answer.tokens, *([END] if answer.finished else [])]


def assert_same(found: Hypothesis, wanted: Hypothesis) -> None:
    """Fail unless these are one answer, as probable up to rounding."""
    assert (found.tokens, found.finished) == (wanted.tokens, wanted.finished)
    assert found.log_probability == pytest.approx(wanted.log_probability, abs=1e-9)


class Counting:
    """A decoder that counts the rows it is asked to continue."""

    def __init__(self, model: Any) -> None:
        self.model, self.rows, self.start = model, 0, model.start

    def step(self, encoded: Any, state: Any, token: Tensor) -> tuple[Tensor, Any]:
        self.rows += len(token)
        return self.model.step(encoded, state, token)
