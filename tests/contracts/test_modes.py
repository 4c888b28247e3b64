"""Every part in every way PyTorch runs code without a compiler: exact, and never a raw error.

Each part is tried alone, beside defaults for the other roles, against the same call run plainly.
Compiling and exporting are in tests/compile/test_modes.py.
"""

import copy
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import regard
from regard.masks import Causal
from regard.score_mods import ALiBi
from tests.contracts.test_masks import MASKS
from tests.contracts.test_score_mods import MODS
from tests.one_by_one import one_by_one
from tests.parts import NORMALIZERS, SCORES, Sizes, mask_and_rule, mod_and_rule, tensors

# Torch's own transforms import a part of torch that warns of its own age.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

SIZES = Sizes(2, 4, 2, 5, 7, 3, 4)
SMALL = Sizes(1, 2, 1, 2, 3, 2, 2)

CASES = [
    *[("score", name) for name in SCORES],
    *[("normalizer", name) for name in NORMALIZERS],
    *[("mask", name) for name in MASKS],
    *[("score_mod", name) for name in MODS],
]
every_part = one_by_one(
    ("role", "name"),
    {role: {name: (role, name) for its, name in CASES if its == role} for role, _ in CASES},
)

Parts = dict[str, Any]


def parts_of(role: str, name: str, sizes: Sizes = SIZES) -> Parts:
    """Make one part of a call of these sizes; `sum` meets scores that are positive."""
    offset = sizes.k_len - sizes.q_len
    if role == "score":
        return {"score": SCORES[name](sizes)[0]}
    if role == "mask":
        return {"mask": mask_and_rule(name, sizes, offset)[0]}
    if role == "score_mod":
        return {"score_mod": mod_and_rule(name, sizes, offset)[0], "mask": Causal()}
    made = {"normalizer": NORMALIZERS[name](sizes)[0], "mask": Causal()}
    return {**made, "score": SCORES["FeatureMapDot"](sizes)[0]} if name == "divide_by_sum" else made


def attend(parts: Parts, **options: Any) -> Callable[..., Tensor]:
    """Make the call a function of its tensors."""
    return lambda *inputs: regard.attention(*inputs, **parts, **options)


def squared(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *inputs: run(*inputs).square().sum()


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)


@every_part
def test_vmap_equals_a_loop(role: str, name: str) -> None:
    run = attend(parts_of(role, name))
    many = [torch.stack(pair) for pair in zip(tensors(SIZES), tensors(SIZES), strict=True)]
    mapped = torch.func.vmap(run)(*many)
    for n in range(2):
        close(mapped[n], run(*(x[n] for x in many)))


@every_part
def test_gradients_of_each_sample_equal_a_loop(role: str, name: str) -> None:
    loss = squared(attend(parts_of(role, name)))
    many = [torch.stack(pair) for pair in zip(tensors(SIZES), tensors(SIZES), strict=True)]
    mapped = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1, 2)))(*many)
    for n in range(2):
        inputs = [x[n].clone().requires_grad_() for x in many]
        wanted = torch.autograd.grad(loss(*inputs), inputs, materialize_grads=True)
        for found, gradient in zip(mapped, wanted, strict=True):
            close(found[n], gradient)


@every_part
@pytest.mark.parametrize("forward", ["torch.func", "dual numbers"])
def test_forward_mode_is_the_transpose_of_backward_mode(role: str, name: str, forward: str) -> None:
    run, inputs = attend(parts_of(role, name)), tensors(SIZES)
    directions = tuple(torch.randn_like(x) for x in inputs)
    if forward == "torch.func":
        output, tangent = torch.func.jvp(run, inputs, directions)
    else:
        with forward_ad.dual_level():
            pairs = zip(inputs, directions, strict=True)
            output, tangent = forward_ad.unpack_dual(
                run(*(forward_ad.make_dual(x, d) for x, d in pairs))
            )
            tangent = torch.zeros_like(output) if tangent is None else tangent
    upstream = torch.randn_like(output)
    recorded = [x.requires_grad_() for x in inputs]
    plain = run(*recorded)
    gradients = torch.autograd.grad(plain, recorded, upstream, materialize_grads=True)
    close(output, plain.detach())
    wanted = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    close((upstream * tangent).sum(), wanted)


@every_part
def test_the_hessian_is_that_of_the_definition(role: str, name: str) -> None:
    parts, inputs = parts_of(role, name, SMALL), tensors(SMALL)
    loss = squared(attend(parts))
    found = torch.func.hessian(loss)(*inputs)
    query, *others = inputs
    query = query.requires_grad_()
    defined = squared(attend(parts, backend="reference"))(query, *others)
    wanted, direction = torch.zeros_like(query), torch.randn_like(query)
    if defined.requires_grad:
        (first,) = torch.autograd.grad(defined, query, create_graph=True)
        (wanted,) = torch.autograd.grad(first, query, direction, materialize_grads=True)
    close(torch.einsum("abcdefgh,abcd->efgh", found, direction), wanted)


@every_part
def test_a_gradient_penalty_needs_no_other_backend(role: str, name: str) -> None:
    parts = parts_of(role, name)
    penalties = []
    for backend in (None, "reference"):
        torch.manual_seed(1)
        inputs = [x.requires_grad_() for x in tensors(SIZES)]
        output = attend(parts, backend=backend)(*inputs)
        upstream = torch.randn_like(output)
        first = torch.autograd.grad(
            output, inputs, upstream, create_graph=True, materialize_grads=True
        )
        penalty = sum(x.square().sum() for x in first)
        second = (
            torch.autograd.grad(penalty, inputs, materialize_grads=True)
            if penalty.requires_grad
            else ()
        )
        penalties.append((*first, *second))
    for found, wanted in zip(*penalties, strict=True):
        close(found.detach(), wanted.detach())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@every_part
@pytest.mark.parametrize("outside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_fake_tensors_have_the_right_shapes(role: str, name: str, outside: bool) -> None:
    parts, inputs = parts_of(role, name), tensors(SIZES)
    wanted = attend(parts)(*inputs)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    fakes = [mode.from_tensor(x) for x in inputs]
    if outside:
        found = attend(parts)(*fakes)
    else:
        with mode:
            found = attend(parts)(*fakes)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    close(attend(parts)(*inputs), wanted)  # nothing fake was kept


def moved(part: object, device: str) -> object:
    """Put all tensors of a part on a device."""
    if isinstance(part, nn.Module):
        return copy.deepcopy(part).to(device)
    if isinstance(part, Tensor):
        return part.to(device)
    if isinstance(part, tuple):
        return tuple(moved(one, device) for one in part)
    if hasattr(part, "__dataclass_fields__"):
        part = copy.copy(part)
        for field, value in vars(part).items():
            object.__setattr__(part, field, moved(value, device))
    return part


@every_part
def test_meta_tensors_have_the_right_shapes(role: str, name: str) -> None:
    parts, inputs = parts_of(role, name), tensors(SIZES)
    wanted = attend(parts)(*inputs)
    there = {role: moved(part, "meta") for role, part in parts.items()}
    found = attend(there)(*(x.to("meta") for x in inputs))
    assert (found.shape, found.dtype, found.device.type) == (wanted.shape, wanted.dtype, "meta")


@every_part
def test_the_default_device_is_no_concern(role: str, name: str) -> None:
    parts, inputs = parts_of(role, name), tensors(SIZES)
    wanted = attend(parts)(*inputs)
    rows = regard.attention_weights(*inputs[:2], **parts, rows=[0, -1])
    torch.set_default_device("meta")
    try:
        found = attend(parts)(*inputs)
        again = regard.attention_weights(*inputs[:2], **parts, rows=[0, -1])
    finally:
        torch.set_default_device(None)
    close(found, wanted)
    close(again, rows)


@every_part
def test_inference_leaves_nothing_behind_that_training_cannot_use(role: str, name: str) -> None:
    parts, inputs = parts_of(role, name), tensors(SIZES)
    with torch.inference_mode():
        first = attend(parts)(*inputs)
    recorded = [x.requires_grad_() for x in inputs]
    output = attend(parts)(*recorded)
    close(output.detach(), first.clone())
    if output.requires_grad:
        torch.autograd.grad(output.sum(), recorded, allow_unused=True)


@every_part
@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.slow)]
)
def test_autocast_equals_inputs_cast_beforehand(role: str, name: str, dtype: torch.dtype) -> None:
    parts = parts_of(role, name)
    query, key, value = (x.float() for x in tensors(SIZES))
    with torch.autocast("cpu", dtype):
        found = regard.attention(query, key, value, **parts)
    wanted = regard.attention(*(x.to(dtype) for x in (query, key, value)), **parts)
    assert found.dtype == wanted.dtype == dtype
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.slow
@every_part
def test_two_threads_do_not_disturb_each_other(role: str, name: str) -> None:
    parts = parts_of(role, name)
    calls = [tensors(SIZES) for _ in range(6)]
    wanted = [attend(parts)(*inputs) for inputs in calls]
    with ThreadPoolExecutor(2) as pool:
        for found, expected in zip(
            pool.map(lambda inputs: attend(parts)(*inputs), calls), wanted, strict=True
        ):
            close(found, expected)


def _in_a_child(pipe: Any, parts: Parts, inputs: tuple[Tensor, ...]) -> None:
    torch.set_num_threads(1)
    recorded = [x.clone().requires_grad_() for x in inputs]
    output = regard.attention(*recorded, **parts)
    gradients = torch.autograd.grad(output.sum(), recorded, materialize_grads=True)
    pipe.send([x.detach().numpy() for x in (output, *gradients)])


@pytest.mark.parametrize(
    ("role", "name"),
    [("score", "Additive"), ("normalizer", "Entmax"), ("mask", "Causal"), ("score_mod", "ALiBi")],
)
def test_a_forked_process_computes_the_same(role: str, name: str) -> None:
    parts, inputs = parts_of(role, name), tensors(SIZES)
    recorded = [x.clone().requires_grad_() for x in inputs]
    output = regard.attention(*recorded, **parts)
    wanted = [output, *torch.autograd.grad(output.sum(), recorded, materialize_grads=True)]
    here, there = multiprocessing.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forking with threads
        child = multiprocessing.get_context("fork").Process(
            target=_in_a_child, args=(there, parts, inputs)
        )
        child.start()
    assert here.poll(60), "the forked process did not answer"
    for found, expected in zip(here.recv(), wanted, strict=True):
        close(torch.from_numpy(found), expected.detach())
    child.join(10)


def test_every_interpreter_of_a_stack_is_served() -> None:
    """Transforms in transforms: the gradient of a mapped gradient, and one inside of a graph."""
    inputs = [x.requires_grad_() for x in tensors(SIZES)]
    parts = {"mask": Causal(), "score_mod": ALiBi(4)}

    def penalty(query: Tensor) -> Tensor:
        inner = torch.func.grad(squared(attend(parts)))(query, *inputs[1:])
        return inner.square().sum()

    (found,) = torch.autograd.grad(penalty(inputs[0]), inputs[0])
    first = torch.autograd.grad(
        squared(attend(parts, backend="reference"))(*inputs), inputs[0], create_graph=True
    )[0]
    (wanted,) = torch.autograd.grad(first.square().sum(), inputs[0])
    close(found, wanted)
    close(torch.func.grad(penalty)(inputs[0].detach()), wanted)
