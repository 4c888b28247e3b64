"""A network inside a page: what is typed there is answered there, without a server."""

import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from regard.view.document import Document


@dataclass(frozen=True, eq=False)
class CarriedNetwork:
    """A network as the page runs it (`web/src/network/`), and the characters of both its sides.

    Args:
        kind: which of the networks that the page knows.
        tensors: by the names of their modules; the page has them in single precision.
        source, target: all tokens, each at the place of its number.
        longest: characters that are read of a text.
        max_length: tokens that are written.
        examples: texts to begin with.
    """

    kind: str
    tensors: Mapping[str, Tensor]
    source: Sequence[str]
    target: Sequence[str]
    longest: int
    max_length: int
    examples: Sequence[str]


def carrying(made: Document, network: CarriedNetwork) -> Document:
    """The document with the network in it. A parameter takes 4.5 to 5 bytes of the page."""
    tensors = {name: _single(made, tensor) for name, tensor in network.tensors.items()}
    coder = {
        "source": list(network.source),
        "target": list(network.target),
        "zeros": _zeros(),
        "longest": network.longest,
        "max_length": network.max_length,
    }
    carried = {
        "kind": network.kind,
        "coder": coder,
        "tensors": tensors,
        "examples": list(network.examples),
    }
    return Document({**made.head, "network": carried}, made.blocks)


def _single(made: Document, tensor: Tensor) -> dict[str, Any]:
    array = np.ascontiguousarray(tensor.detach().float().cpu().numpy(), dtype="<f4")
    block = made.blocks.add(array)
    return {"kind": "single", "block": block, "shape": list(array.shape), "factor": 1.0}


@cache
def _zeros() -> list[int]:
    """The code point of the digit zero in every script; one to nine follow it.

    >>> _zeros()[:3]
    [48, 1632, 1776]
    """
    return [c for c in range(sys.maxunicode + 1) if unicodedata.decimal(chr(c), -1) == 0]
