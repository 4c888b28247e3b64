"""A network as a function of plain tensors, and examples to call it with."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.errors import UsageError
from regard.sequences import Packed, Sequences

LENGTHS = "_lengths"
WIDEST = 33
"""Tokens of the longest example that a network is called with, if it accepts that many."""


@dataclass(frozen=True)
class PlainInput:
    """One argument of a network.

    Args:
        name: of the argument.
        ragged: whether it is `Sequences`: ids, followed by the lengths of the rows.
        vocab: the number of ids.
        longest: maximum number of columns, None for any.
        image: channels, height and width, if it is images rather than ids.
    """

    name: str
    ragged: bool
    vocab: int
    longest: int | None
    image: tuple[int, int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that represent it."""
        return (self.name, self.name + LENGTHS) if self.ragged else (self.name,)

    @property
    def free(self) -> tuple[tuple[int, ...], ...]:
        """The dynamic dimensions of each tensor; for images, the batch."""
        if self.image:
            return ((0,),)
        return ((0, 1), (0,)) if self.ragged else ((0, 1),)


class PlainNetwork(nn.Module):
    """A network that takes ids `[batch, length]`, and lengths `[batch]` if rows are ragged.

    An image network takes `[batch, channels, height, width]`.

    >>> from regard.models.dan import DAN, DANConfig
    >>> network = DAN(DANConfig(vocab=9, classes=2, embed_dim=4)).eval()
    >>> plain = PlainNetwork(network, inputs_of(network, {"vocab": 9}))
    >>> plain(torch.tensor([[4, 5], [6, 0]]), torch.tensor([2, 1])).shape
    torch.Size([2, 2])
    """

    def __init__(self, network: nn.Module, inputs: tuple[PlainInput, ...]) -> None:
        super().__init__()
        self.network, self.inputs = network, inputs

    def forward(self, *tensors: Tensor) -> Float[Tensor, "..."]:
        """The network's output."""
        rest = iter(tensors)
        return self.network(
            *(
                Sequences(next(rest), next(rest)) if each.ragged else next(rest)
                for each in self.inputs
            )
        )


def inputs_of(network: nn.Module, sizes: Mapping[str, Any]) -> tuple[PlainInput, ...]:
    """The arguments of a network's `forward`, by its annotations.

    Args:
        sizes: the coder's sizes: `vocab`, `source_vocab`, `items`, `max_length`, `channels` ...

    Raises `UsageError` for an argument that is not `Sequences`, ids or images.
    """
    found = []
    for name, parameter in inspect.signature(type(network).forward).parameters.items():
        if name == "self" or parameter.default is not parameter.empty:
            continue
        if _is_picture(parameter.annotation) and "image_size" in sizes:
            height, width = sizes["image_size"]
            picture = (sizes["channels"], height, width)
            found.append(PlainInput(name, False, 0, None, picture))
            continue
        kinds = typing.get_args(parameter.annotation) or (parameter.annotation,)
        ragged = any(kind in (Sequences, Packed) for kind in kinds)
        whole = getattr(parameter.annotation, "dims", None) is not None
        vocab = _first(sizes, f"{name}_vocab", "vocab", "items", "source_vocab")
        if parameter.kind is parameter.VAR_POSITIONAL or not (ragged or whole) or vocab is None:
            raise UsageError(
                f"{type(network).__name__}.forward takes {name!r}, which is neither Sequences nor "
                "a tensor of token numbers, so its inputs are not known: annotate it so, as in "
                "regard.models.protocols"
            )
        longest = _first(sizes, f"max_{name}_length", "max_length")
        found.append(PlainInput(name, ragged, vocab, longest))
    return tuple(found)


def _is_picture(annotation: Any) -> bool:
    """Whether an argument is annotated as pictures are: `batch channels height width`."""
    named = str(getattr(annotation, "dim_str", "")).split()
    return named == ["batch", "channels", "height", "width"]


def _first(sizes: Mapping[str, Any], *names: str) -> int | None:
    values = (sizes.get(name) for name in names)
    return next((value for value in values if type(value) is int), None)


def examples(
    inputs: tuple[PlainInput, ...], end: int | None, seed: int = 0
) -> Iterator[tuple[Tensor, ...]]:
    """Batches of one and of several, of short and long rows, ragged where allowed.

    Args:
        end: the id that ends a sentence; every fifth token is one, and the last.
    """
    draw = torch.Generator().manual_seed(seed)
    shapes = [(3, 7), (1, 1), (1, 12), (2, 2), (5, 5), (4, WIDEST)]
    for batch, width in shapes:
        tensors: list[Tensor] = []
        for number, each in enumerate(inputs):
            if each.image:
                tensors.append(torch.randn(batch, *each.image, generator=draw))
                continue
            # Arguments differ in length, as they do in use.
            columns = max(1, min(width + number, each.longest or WIDEST))
            ids = torch.randint(
                min(4, each.vocab - 1), each.vocab, (batch, columns), generator=draw
            )
            lengths = torch.randint(1, columns + 1, (batch,), generator=draw)
            lengths[0] = columns
            if end is not None and each.ragged and end < each.vocab:
                ids[:, 4::5] = end
            if each.ragged:
                tensors += [ids.masked_fill(torch.arange(columns) >= lengths[:, None], 0), lengths]
            else:
                tensors.append(ids)
        yield tuple(tensors)
