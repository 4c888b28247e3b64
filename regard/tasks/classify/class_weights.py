"""Class weights: weights of the labels in the loss, for rare labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from regard._nearest import nearest


@dataclass(frozen=True)
class ClassWeights:
    """The weight of each label's examples: 1, balanced over labels, or as given.

    Labels without a `given` number have 1; only the proportions matter (see `label_weights`).

    >>> ClassWeights.of("ham=1, spam=20")
    ClassWeights(kind='given', given=(('ham', 1.0), ('spam', 20.0)))
    >>> ClassWeights.of({"spam": 20}).to_plain()
    {'spam': 20.0}
    """

    kind: Literal["none", "balanced", "given"] = "none"
    given: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, value: Any) -> "ClassWeights":
        """From `none`, `balanced`, a table of labels and numbers, or its text form.

        Raises `ValueError` for a number that is not a weight, and `TypeError` for anything else.
        """
        if isinstance(value, ClassWeights):
            return value
        if value in (None, "none", "balanced"):
            return cls(value or "none")
        if isinstance(value, str) and "=" in value:
            parts = (part.rpartition("=") for part in value.split(","))
            value = {label.strip(): number.strip() for label, _, number in parts}
        if not isinstance(value, Mapping) or not value or "" in value:
            raise TypeError(f"{_SAID}; got {value!r}")
        weights = tuple((str(label), _weight(label, number)) for label, number in value.items())
        if not any(weight for _, weight in weights):
            raise ValueError(f"{_SAID}; all that are given are 0")
        return cls("given", weights)

    def to_plain(self) -> Any:
        """The inverse of `of`, for JSON and TOML."""
        return dict(self.given) if self.kind == "given" else self.kind


class _Converted:
    """The mark of a field that holds class weights."""

    def converted(self, name: str, value: Any) -> ClassWeights:
        """The weights; raises `ValueError` or `TypeError` with the field's name."""
        try:
            return ClassWeights.of(value)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{name} {error}") from None


_SAID = "must be none, balanced, or a number for each label, such as ham=1,spam=20"

Weighing = Annotated[ClassWeights, _Converted()]
"""A setting of a task: the weights of the labels."""


def label_weights(
    weights: ClassWeights, labels: Sequence[str], numbers: Int[np.ndarray, " n"]
) -> Float[Tensor, " classes"] | None:
    r"""The weight of an example of each label, None if all are 1.

        w_c = n / (classes · n_c)  where they are balanced, else as given, times what makes
        1/n Σ_i w_{label i} = 1

    for the n training examples, n_c of them with label c. So the loss of an update, the weighted
    sum over its targets divided by their number, has the same scale as without weights, and its
    expectation is the weighted mean over all examples, however they are split into micro-batches
    and among processes.

    Args:
        numbers: the labels of the training examples; below 0 for unknown ones.

    Raises `ValueError` for a weight of an unknown label.

    >>> label_weights(ClassWeights("balanced"), ("ham", "spam"), np.array([0, 0, 0, 1]))
    tensor([0.6667, 2.0000])
    """
    if weights.kind == "none":
        return None
    given = dict(weights.given)
    for label in given:
        if label not in labels:
            raise ValueError(
                f"class_weights has the label {label!r}, which the data has not: "
                f"{nearest(label, [str(each) for each in labels[:20]])}"
            )
    counts = np.bincount(numbers[numbers >= 0], minlength=len(labels))
    found = np.array([given.get(label, 1.0) for label in labels])
    if weights.kind == "balanced":
        # A label that the training part has not yet, as of a stream, is as rare as can be.
        found = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    total = counts @ found
    if not total > 0:
        raise ValueError("class_weights gives 0 to every label of the training examples; leave one")
    return torch.tensor(found * (counts.sum() / total), dtype=torch.float32)


def _weight(label: Any, number: Any) -> float:
    try:
        weight = float(None if isinstance(number, bool) else number)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise TypeError(f"{_SAID}; got {number!r} for {label!r}") from None
    if not 0 <= weight < inf:
        raise ValueError(f"{_SAID}; got {weight:g} for {label!r}, which is no weight")
    return weight
