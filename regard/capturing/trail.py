"""The trail of one thread's tensors: what is known of them, and who is told of an attention."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from regard.capturing.provenance import Folded, Known, Node, Scores, Weights
from regard.capturing.source import Seen

Tell = Callable[[Seen], None]


@dataclass(eq=False)
class Trail:
    """What is known of tensors, and whom to tell."""

    tell: Tell
    known: Known = field(default_factory=Known)

    def first_known(self, first: Any, args: Sequence[Any]) -> tuple[Tensor | None, Node | None]:
        """The first tensor that something is known of, weights before scores before all else."""
        best: tuple[Tensor | None, Node | None] = None, None
        rank = {Weights: 3, Scores: 2, Folded: 1}
        for each in each_of(args):
            node = self.known.of(each)
            if node is not None and (
                best[1] is None or rank.get(type(node), 0) > rank.get(type(best[1]), 0)
            ):
                best = each, node
        return best

    def second_known(self, args: Sequence[Any], first: Tensor) -> Scores | None:
        """The scores that are the other operand."""
        for each in args:
            if each is not first and isinstance(node := self.known.of(each), Scores):
                return node
        return None


Handler = Callable[[Trail, str, Any, Mapping[str, Any], Any], None]
"""What a function did, by its name, to what is known of its arguments."""


def tensors(out: Any) -> Iterator[Tensor]:
    """The tensors of an output, one or several."""
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, (list, tuple)):
        yield from (each for each in out if isinstance(each, Tensor))


def each_of(args: Sequence[Any]) -> Iterator[Any]:
    """The arguments, those of lists one by one."""
    for each in args:
        if isinstance(each, (list, tuple)):
            yield from each
        else:
            yield each
