"""PyTorch's functions by what they do to scores and weights, however they are called."""

from typing import Any

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
    "leaky_relu relu elu pow rpow log exp exp2".split()
)
BOUNDING = frozenset(
    "exp exp2 rpow pow clamp clamp_min clip relu maximum max threshold div truediv itruediv "
    "true_divide divide".split()
)
"""After these no number may be below zero, and each may have been divided by the sum."""
SOFTMAXES = frozenset("softmax _softmax gumbel_softmax _safe_softmax".split())
PRODUCTS = frozenset(
    "matmul rmatmul imatmul bmm mm baddbmm addbmm addmm mv einsum linear inner tensordot".split()
)
CONVOLUTIONS = frozenset("conv1d conv2d conv3d".split())
SUMS = frozenset("sum mean nansum".split())
MASKING = frozenset("masked_fill where maximum".split())
CAPPING = frozenset(("tanh",))
FOLDING = frozenset("view reshape flatten".split())
KEEPING = FOLDING | frozenset("unflatten contiguous clone detach alias view_as reshape_as".split())
"""These move nothing; they may make one axis of two, and two of one."""


def name_of(func: Any) -> str:
    """What a function does, whether it is a method, an operator, in place or a property."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "")
    return str(name).strip("_") if name not in SOFTMAXES else name
