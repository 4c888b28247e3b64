"""What can be read off a mask or a normalizer without evaluating it."""

from torch import Tensor

from regard._typing import MaskMod, Normalizer
from regard.masks import Block, Causal, Prefix, SlidingWindow
from regard.masks._mask import And, Not, Or
from regard.normalizers import Softmax, softmax

Reach = tuple[int | None, int | None]


def is_softmax(normalizer: Normalizer) -> bool:
    return normalizer is softmax or type(normalizer) is Softmax


def temperature(normalizer: Normalizer) -> float | Tensor:
    """What a softmax divides the scores by; a 0-d tensor where it is learned."""
    if type(normalizer) is not Softmax:
        return 1.0
    found = normalizer.temperature
    return found.reshape(()) if isinstance(found, Tensor) else found


def reach(mask: MaskMod | None) -> Reach:
    """How far back and ahead any query may see: an upper bound, None where there is none."""
    match mask:
        case Causal():
            return None, 0
        case SlidingWindow():
            return mask.left, mask.right
        case Block():
            return mask.size - 1, mask.size - 1
        case And():
            (left_a, right_a), (left_b, right_b) = reach(mask.left), reach(mask.right)
            return _tighter(left_a, left_b), _tighter(right_a, right_b)
        case Or():
            (left_a, right_a), (left_b, right_b) = reach(mask.left), reach(mask.right)
            return _wider(left_a, left_b), _wider(right_a, right_b)
        case _:
            return None, None


def _tighter(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _wider(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)


def conjuncts(mask: MaskMod | None) -> list[MaskMod]:
    """The masks that must all permit a pair."""
    if mask is None:
        return []
    return conjuncts(mask.left) + conjuncts(mask.right) if isinstance(mask, And) else [mask]


def leaves(mask: MaskMod | None) -> list[MaskMod]:
    """The masks that this one is joined from."""
    match mask:
        case None:
            return []
        case And() | Or():
            return leaves(mask.left) + leaves(mask.right)
        case Not():
            return leaves(mask.inner)
        case _:
            return [mask]


def is_relative(mask: MaskMod | None) -> bool:
    """Whether the mask looks at the distance of query and key only, so that it may be shifted."""
    match mask:
        case Causal() | SlidingWindow():
            return True
        case And() | Or():
            return is_relative(mask.left) and is_relative(mask.right)
        case Not():
            return is_relative(mask.inner)
        case _:
            return False


def follows_from_numbers(mask: MaskMod | None) -> bool:
    """Whether the mask follows from its numbers alone: no tensor, no function from elsewhere."""
    match mask:
        case Causal() | SlidingWindow() | Block():
            return True
        case Prefix():
            return isinstance(mask.length, int)
        case And() | Or():
            return follows_from_numbers(mask.left) and follows_from_numbers(mask.right)
        case Not():
            return follows_from_numbers(mask.inner)
        case _:
            return False
