"""Attention written by hand: a softmax over scores, multiplied with values.

Scores are followed from a product through whatever scores go through (masks, biases, casts, other
layouts) to a softmax, and its output through dropout to a product with values, in which the axis
of the softmax is summed. What is told is what the module computed. A softmax over what a parameter
made, such as the classes of a classifier, the words of a vocabulary or the experts of a router, is
no attention, nor is one that is multiplied with parameters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from regard.capturing import einsums
from regard.capturing.einsums import Product
from regard.capturing.parts import Parts
from regard.capturing.provenance import (
    Folded,
    Known,
    Node,
    OfParameters,
    Packed,
    Scores,
    Told,
    Weighted,
    Weights,
    followed,
    layout_of,
)
from regard.capturing.source import Index, Seen, Shape

Tell = Callable[[Seen], None]

LAYOUT = frozenset(
    "view reshape permute transpose t swapaxes swapdims movedim moveaxis squeeze unsqueeze flatten "
    "unflatten contiguous clone expand expand_as repeat repeat_interleave getitem narrow select "
    "index_select gather take_along_dim cat concat concatenate stack pad roll flip view_as "
    "reshape_as unbind split chunk tensor_split mT mH T H adjoint split_with_sizes as_strided "
    "copy diagonal tril triu alias detach hsplit vsplit masked_select constant_pad_nd unfold "
    "broadcast_to atleast_3d".split()
)
CASTS = frozenset("to float half bfloat16 double type type_as".split())
DROPS = frozenset("dropout alpha_dropout feature_dropout dropout1d dropout2d".split())
ELEMENTWISE = frozenset(
    "add radd iadd sub rsub isub mul rmul imul multiply div truediv rtruediv itruediv true_divide "
    "divide masked_fill where clamp clamp_min clamp_max clip tanh neg nan_to_num maximum minimum "
    "masked_scatter addcmul index_add scatter scatter_add index_fill index_put fill_diagonal "
    "max min index_copy slice_scatter select_scatter fill subtract softcap hardtanh threshold "
    "leaky_relu relu elu pow log".split()
)
SOFTMAXES = frozenset("softmax _softmax gumbel_softmax _safe_softmax".split())
PRODUCTS = frozenset(
    "matmul rmatmul imatmul bmm mm baddbmm addbmm addmm mv einsum linear inner tensordot".split()
)
CONVOLUTIONS = frozenset("conv1d conv2d conv3d".split())
SUMS = frozenset("sum mean nansum".split())
MASKING = frozenset("masked_fill where maximum".split())
CAPPING = frozenset(("tanh",))
FOLDING = frozenset("view reshape flatten".split())


@dataclass(frozen=True, eq=False)
class Whole:
    """Weights that the module computed itself, `[B, H, Q, K]`."""

    computed: Tensor

    is_cheap = True

    @property
    def shape(self) -> Shape:
        batch, heads, q_len, k_len = self.computed.shape
        return batch, heads, q_len, k_len

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        found = self.computed if item is None else self.computed[item : item + 1]
        if heads is not None:
            found = found.index_select(1, heads.to(found.device))
        return found if rows is None else found.index_select(2, rows.to(found.device))

    def parts(self, item: int) -> Parts | None:
        return None


@cache
def _projected(ndim: int) -> Scores:
    """What a parameter made of something of which nothing is known, its last axis."""
    return Scores(False, frozenset((ndim - 1,)))


def name_of(func: Any) -> str:
    """What a function does, whether it is a method, an operator, in place or a property."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "")
    return str(name).strip("_") if name not in SOFTMAXES else name


Handler = Callable[["Handwritten", str, Any, Mapping[str, Any], Any], None]


class Handwritten:
    """What is known of the tensors of one thread; it tells of each attention as values meet it."""

    def __init__(self, tell: Tell) -> None:
        self.known = Known()
        self._tell = tell

    def handler(self, func: Any) -> Callable[[Any, Mapping[str, Any], Any], None] | None:
        """What to do after a function; None where it does not matter."""
        name = name_of(func)
        for names, handler in HANDLERS:
            if name in names:
                return partial(handler, self, name)
        return None

    def product(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        if name == "linear" and len(args) > 1 and isinstance(args[1], nn.Parameter):
            if self.known.of(args[0]) is None:  # as nearly all are
                self.known.note(out, _projected(out.ndim))
                return
        found = _product(name, args, kwargs)
        if found is None or not isinstance(out, Tensor):
            return
        one, other = self.known.of(found.one), self.known.of(found.other)
        fixed, other_fixed = _is_fixed(found.one, one), _is_fixed(found.other, other)
        if isinstance(one, Weights) and isinstance(other, Weights):
            return
        if isinstance(one, Weights):
            self._met(found, one, other_fixed, out)
        elif isinstance(other, Weights):
            self._met(found.turned(), other, fixed, out)
        if self.known.of(out) is not None and not fixed and not other_fixed:
            self.known.forget(out)
        if isinstance(one, Weights) or isinstance(other, Weights):
            if fixed or other_fixed:
                return
        if fixed and other_fixed:
            return
        features = frozenset(
            place
            for place, letter in enumerate(found.of_result)
            if (fixed and letter not in found.of_other)
            or (other_fixed and letter not in found.of_one)
        )
        scored = [node for node in (one, other) if isinstance(node, Scores)]
        split = next(
            (node.split for node in (one, other) if isinstance(node, (Folded, Scores))), None
        )
        of_two = not (fixed or other_fixed) or any(node.of_two for node in scored)
        self.known.note(out, Scores(of_two, features, split if out.ndim == 3 else None))

    def _met(self, product: Product, node: Weights, is_fixed: bool, out: Tensor) -> None:
        """Weights in a product: with values, or with parameters that mix heads."""
        if len(product.contracted) != 1:
            return
        key = product.of_one.index(product.contracted[0])
        if is_fixed:
            if node.axis is not None and node.axis != key:
                place = product.of_result.find(product.of_one[node.axis])
                self.known.note(out, replace(node, before=None, axis=place if place >= 0 else None))
            return
        is_query = [c in product.of_result and c not in product.of_other for c in product.of_one]
        of_two = node.scores is not None and node.scores.of_two
        if node.axis != key and not (of_two and (node.axis is None or is_query[node.axis])):
            return
        weights = product.one if node.before is None else node.before
        self._told(node, weights, key, is_query, over_queries=node.axis not in (key, None))

    def _told(
        self,
        node: Weights,
        weights: Tensor,
        key: int,
        is_query: Sequence[bool],
        over_queries: bool = False,
    ) -> None:
        if node.told.yet or weights.numel() == 0:
            return
        node.told.yet = True
        queries = [place for place, one in enumerate(is_query) if one and place != key]
        lead = [place for place in range(weights.ndim) if place not in queries and place != key]
        scores = node.scores or Scores(False)

        def arranged(of_weights: Tensor) -> Tensor:
            turned = of_weights.permute(*lead, *queries, key)
            return _in_four(turned, len(lead), len(queries), scores)

        four = arranged(weights.detach())
        kind = "pool" if not queries or (four.shape[2] == 1 and not scores.of_two) else ""
        self._tell(
            Seen(
                Whole(four),
                _mechanism(scores, node.normalizer, over_queries),
                "as the module computed them",
                kind,
                output=weights,
                of_output=arranged,
            )
        )

    def convolution(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        node = self.known.of(args[0]) if args else None
        if isinstance(node, Weights):
            self._changed(args[0], node, out)
        elif isinstance(out, Tensor):
            of_two = isinstance(node, Scores) and node.of_two
            channels = out.ndim - int(name[4]) - 1
            self.known.note(out, Scores(of_two, frozenset((channels,))))

    def softmax(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        given = dict(zip(("input", "tau", "hard", "eps", "dim"), args, strict=False))
        if name != "gumbel_softmax":
            given = dict(zip(("input", "dim"), args, strict=False))
        given |= kwargs
        x, dim = given.get("input"), given.get("dim", -1)
        if not isinstance(x, Tensor) or not isinstance(dim, int) or out.ndim == 0:
            return
        node, axis = self.known.of(x), dim % out.ndim
        if not isinstance(node, Scores) or axis in node.features:
            self.known.forget(out)
            return
        self.known.note(out, Weights(node, name.strip("_").removeprefix("safe_"), axis))

    def sigmoid(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        node = self.known.of(args[0]) if args else None
        if isinstance(node, Scores) and node.of_two and isinstance(out, Tensor):
            self.known.note(out, Weights(node, "sigmoid", None))

    def total(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        node = self.known.of(args[0]) if args else None
        if not isinstance(node, Weighted):
            return
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if isinstance(dim, (list, tuple)) and len(dim) == 1:
            dim = dim[0]
        if not isinstance(dim, int) or node.node.axis is None:
            return
        key = dim % args[0].ndim - (args[0].ndim - node.weights.ndim)
        if key == node.node.axis and node.weights.shape[key] > 1:
            lead = node.weights.ndim - node.values.ndim
            is_query = [
                place != key and size > 1 and (place < lead or node.values.shape[place - lead] == 1)
                for place, size in enumerate(node.weights.shape)
            ]
            ones = [place for place, size in enumerate(node.weights.shape) if size == 1]
            weights = node.weights
            for place in reversed(ones):
                if weights.ndim > 2 and place != 0:
                    weights = weights.squeeze(place)
                    is_query.pop(place)
                    key -= place < key
            self._told(node.node, weights, key, is_query)

    def dropout(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        node = self.known.of(args[0]) if args else None
        if node is None or not isinstance(out, Tensor) or out is args[0]:
            return
        if isinstance(node, Weights):
            before = args[0] if node.before is None else node.before
            node = replace(node, before=before)
        self.known.note(out, node)

    def before_dropout(self, args: Any, kwargs: Mapping[str, Any]) -> None:
        """Copy weights that will be dropped in place."""
        node = self.known.of(args[0]) if args else None
        if isinstance(node, Weights) and node.before is None:
            if kwargs.get("inplace") or (len(args) > 3 and args[3]):
                self.known.note(args[0], replace(node, before=args[0].detach().clone()))

    def before_dropout_(self, args: Any, kwargs: Mapping[str, Any]) -> None:
        self.before_dropout(args, {"inplace": True})

    def first(self, func: Any) -> Callable[[Any, Mapping[str, Any]], None] | None:
        """What to do before a function."""
        name = getattr(func, "__name__", "")
        if name.rstrip("_") in DROPS:
            return self.before_dropout_ if name.endswith("_") else self.before_dropout
        return None

    def cast(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        if args and isinstance(args[0], nn.Parameter) and out is not args[0]:
            self.known.note(out, OfParameters())
        elif args and isinstance(out, Tensor) and out is not args[0]:
            node = self.known.of(args[0])
            if isinstance(node, Weights):
                longer = args[0].element_size() > out.element_size()
                if longer or node.before is not None:
                    before = args[0] if node.before is None else node.before
                    node = replace(node, before=before)
            if node is not None:
                self.known.note(out, node)

    def layout(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        first = args[0] if args else None
        if isinstance(first, nn.Parameter):
            for each in _tensors(out):
                self.known.note(each, OfParameters())
            return
        if name in FOLDING and isinstance(first, Tensor) and (heads := _packed(first, out)):
            self.known.note(out, Packed(heads))
            return
        if not self.known and name not in FOLDING:
            return
        x, node = self._first_known(first, args)
        if node is None:
            if name in FOLDING and isinstance(first, Tensor) and isinstance(out, Tensor):
                split = _fold(first, out)
                if split is not None:
                    self.known.note(out, Folded(split))
            return
        assert x is not None
        again = None
        for number, each in enumerate(_tensors(out)):
            if each is x:
                continue
            if isinstance(node, Scores):
                split = _fold(x, each) or node.split
                moves = node.moves
                if node.made:
                    moves = (*moves, (layout_of(x), layout_of(each)))
                self.known.note(each, Scores(node.of_two, node.made, split, node.said, moves))
            elif isinstance(node, Weights):
                axes = frozenset(() if node.axis is None else (node.axis,))
                found = followed(axes, layout_of(x), layout_of(each)) if axes else axes
                axis = next(iter(found)) if len(found) == 1 else None
                before = None
                if node.before is not None:
                    if again is None:
                        again = list(_tensors(_again(name, x, node.before, args, kwargs)))
                    before = again[number] if number < len(again) else None
                self.known.note(each, replace(node, axis=axis, before=before))
            else:
                self.known.note(each, node)

    def elementwise(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        if not self.known or not isinstance(out, Tensor):
            return
        if name in ("max", "min") and (len(args) < 2 or not isinstance(args[1], Tensor)):
            return  # of all, not of two
        x, node = self._first_known(None, (*args, *kwargs.values()) if kwargs else args)
        if node is None or x is None:
            return
        if isinstance(node, Scores):
            said, other = _said(name, args), self._second_known(args, x)
            if other is not None and other.of_two:
                node = Scores(True, split=node.split, said=node.said)
            elif out.ndim != x.ndim:
                more = out.ndim - x.ndim
                made = frozenset(axis + more for axis in node.features)
                node = Scores(node.of_two, made, node.split, node.said)
            if said is not None and said not in node.said:
                said_all = node.said | {said}
                node = Scores(node.of_two, node.made, node.split, said_all, node.moves)
            self.known.note(out, node)
        elif isinstance(node, Weights):
            values = [each for each in args if isinstance(each, Tensor) and each is not x]
            if name in ("mul", "rmul", "multiply") and values and out.shape != x.shape:
                if not isinstance(values[0], nn.Parameter):
                    weights = x if node.before is None else node.before
                    self.known.note(out, Weighted(node, weights, values[0]))
            else:
                self._changed(x, node, out)
        elif isinstance(node, (Folded, OfParameters)):
            if isinstance(node, Folded) or not [
                e for e in args if isinstance(e, Tensor) and e is not x
            ]:
                self.known.note(out, node)

    def _changed(self, x: Tensor, node: Weights, out: Any) -> None:
        """Weights that the module itself changes after its softmax: these are the ones it uses."""
        if isinstance(out, Tensor) and out.shape == x.shape:
            self.known.note(out, replace(node, before=None, told=Told(node.told.yet)))

    def written(self, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        """`x[...] = scores`."""
        if len(args) == 3 and self.known:
            node = self.known.of(args[2])
            if isinstance(node, Scores) and self.known.of(args[0]) is None:
                self.known.note(args[0], Scores(node.of_two, said=node.said))

    def _second_known(self, args: Sequence[Any], first: Tensor) -> Scores | None:
        """The scores that are the other operand."""
        for each in args:
            if each is not first and isinstance(node := self.known.of(each), Scores):
                return node
        return None

    def _first_known(self, first: Any, args: Sequence[Any]) -> tuple[Tensor | None, Node | None]:
        """The first tensor that something is known of, weights before scores before all else."""
        best: tuple[Tensor | None, Node | None] = None, None
        rank = {Weights: 3, Scores: 2, Folded: 1}
        for each in _each(args):
            node = self.known.of(each)
            if node is not None and (
                best[1] is None or rank.get(type(node), 0) > rank.get(type(best[1]), 0)
            ):
                best = each, node
        return best


def _mechanism(scores: Scores, normalizer: str, over_queries: bool) -> dict[str, str]:
    mechanism = {
        "score": "dot" if scores.of_two else "additive",
        "normalizer": f"{normalizer} over queries" if over_queries else normalizer,
    }
    if "mask" in scores.said:
        mechanism["mask"] = "dense"
    mods = [word for word in ("bias", "soft_cap") if word in scores.said]
    if mods:
        mechanism["score_mod"] = ", ".join(mods)
    return mechanism


def _each(args: Sequence[Any]) -> Iterator[Any]:
    for each in args:
        if isinstance(each, (list, tuple)):
            yield from each
        else:
            yield each


def _tensors(out: Any) -> Iterator[Tensor]:
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, (list, tuple)):
        yield from (each for each in out if isinstance(each, Tensor))


def _again(name: str, x: Tensor, before: Tensor, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """The same change of layout for the numbers before dropout."""
    moved = tuple(before if each is x else _exchanged(each, x, before) for each in args)
    if name in ("mT", "mH", "T", "H"):
        return getattr(before, name)
    method = {"getitem": "__getitem__"}.get(name, name)
    function = getattr(torch, name, None)
    if hasattr(Tensor, method) and moved and moved[0] is before:
        return getattr(before, method)(*moved[1:], **kwargs)
    if name == "pad":
        pad: Any = torch.nn.functional.pad
        return pad(*moved, **kwargs)
    return before if function is None else function(*moved, **kwargs)


def _exchanged(given: Any, x: Tensor, before: Tensor) -> Any:
    if type(given) in (list, tuple) and any(each is x for each in given):
        return type(given)(before if each is x else each for each in given)
    return given


def _is_fixed(tensor: Tensor, node: Node | None) -> bool:
    return isinstance(tensor, nn.Parameter) or isinstance(node, OfParameters)


def _said(name: str, args: Sequence[Any]) -> str | None:
    if name in MASKING:
        return "mask"
    if name in CAPPING:
        return "soft_cap"
    if name in ("add", "iadd", "radd") and sum(isinstance(each, Tensor) for each in args) == 2:
        return "bias"
    return None


def _product(name: str, args: Any, kwargs: Mapping[str, Any]) -> Product | None:
    if name == "einsum":
        return einsums.einsum(args)
    if name in ("baddbmm", "addbmm", "addmm"):
        args = args[1:]
    given = [*args, *(each for each in kwargs.values() if isinstance(each, Tensor))]
    if len(given) < 2 or not (isinstance(given[0], Tensor) and isinstance(given[1], Tensor)):
        return None
    if name == "linear":
        return einsums.linear(given[0], given[1])
    if name in ("addbmm", "tensordot", "inner"):
        return None
    one, other = (given[1], given[0]) if name == "rmatmul" else (given[0], given[1])
    return einsums.matmul(one, other)


def _fold(before: Tensor, after: Tensor) -> tuple[int, int] | None:
    """Batch and heads, where a change of layout makes one axis of both, or two of one.

    That is so of two axes next to each other that stand before length and width, and of the heads
    of `[length, batch, heads · width]`, of which `[length, batch · heads, width]` is made.
    """
    old, new = before.shape, after.shape
    if len(new) == 4 and len(old) == 3 and new[2:] == old[1:]:
        return new[0], new[1]
    if len(new) == len(old) - 1 and len(new) in (3, 4):
        for place in range(len(old) - 3):
            joined = (*old[:place], old[place] * old[place + 1], *old[place + 2 :])
            if joined == tuple(new):
                return old[place], old[place + 1]
    if len(new) == len(old) == 3 and old[0] == new[0] and old[1]:
        if new[2] and new[1] % old[1] == 0 and old[2] > new[2]:
            return old[1], new[1] // old[1]
    return None


def _packed(before: Tensor, after: Tensor) -> int:
    """How many heads of one query became rows; 0 where that is not what was done."""
    if before.ndim != 4 or after.ndim != 4 or before.shape[2] != 1 or after.shape[2] == 1:
        return 0
    batch, heads, _, width = before.shape
    kept = after.shape[0] == batch and after.shape[3] == width
    return heads if kept and after.shape[1] * after.shape[2] == heads else 0


def _in_four(weights: Tensor, lead: int, queries: int, scores: Scores) -> Tensor:
    """`[batch..., queries..., key]` as batch, heads, queries and keys."""
    if queries == 0:
        weights = weights.unsqueeze(-2)
    elif queries > 1:
        weights = weights.flatten(lead, lead + queries - 1)
    if lead == 0:
        return weights[None, None]
    if lead == 1:
        split = scores.split
        if split is not None and split[0] * split[1] == weights.shape[0]:
            return weights.unflatten(0, split)
        return weights[:, None]
    return weights if lead == 2 else weights.flatten(0, lead - 2)


HANDLERS: list[tuple[frozenset[str], Handler]] = [
    (PRODUCTS, Handwritten.product),
    (SOFTMAXES, Handwritten.softmax),
    (ELEMENTWISE, Handwritten.elementwise),
    (LAYOUT, Handwritten.layout),
    (CASTS, Handwritten.cast),
    (DROPS, Handwritten.dropout),
    (CONVOLUTIONS, Handwritten.convolution),
    (SUMS, Handwritten.total),
    (frozenset(("sigmoid",)), Handwritten.sigmoid),
    (frozenset(("setitem",)), Handwritten.written),
]
