"""What is drawn of an answer, whatever task it is of."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Answered(Protocol):
    """Answers with log-probabilities, and weights with names to rows and columns."""

    @property
    def text(self) -> str: ...

    @property
    def best(self) -> str: ...

    @property
    def answers(self) -> tuple[tuple[str, float], ...]: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def weights(self) -> Tensor | None: ...

    @property
    def unknown(self) -> tuple[str, ...]: ...
