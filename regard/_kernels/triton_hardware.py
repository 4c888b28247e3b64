"""What a GPU has an instruction for, and Triton's interpreter does in another way."""

import triton
import triton.language as tl

from regard._kernels.triton_pattern import inline

IN_HARDWARE = tl.constexpr(not triton.knobs.runtime.interpret)


@inline
def reciprocal(x):  # type: ignore[no-untyped-def]
    """`1 / x` for positive numbers that are far from the ends of float32, to one unit of it."""
    if IN_HARDWARE:  # a division would guard against ends that cannot be met
        return tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return 1.0 / x


@inline
def product(a, b):  # type: ignore[no-untyped-def]
    """`a b`, summed in float32; float32 itself in three parts, so that the same units serve it."""
    if IN_HARDWARE:
        return tl.dot(a, b, input_precision="bf16x6")
    else:
        return tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")


@inline
def exact_product(a, b):  # type: ignore[no-untyped-def]
    """`a b` of `a` in float32, which would be rounded where `b` is in half precision."""
    if b.dtype == tl.float32:
        return product(a, b)
    else:
        coarse = a.to(b.dtype)
        return product(coarse, b) + product((a - coarse.to(tl.float32)).to(b.dtype), b)
