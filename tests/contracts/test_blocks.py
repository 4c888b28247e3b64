"""What every vision block owes, each variant of it a row in `tests/tables/blocks.py`."""

import copy
import inspect
import io
import pickle
import re

import pytest
import torch
from torch import Tensor

from regard.vision import BLOCKS, Block, block
from regard.vision.blocks import spell
from tests.one_by_one import all_in_one
from tests.tables.blocks import EXAMPLES, PLACES, Example, after_steps, tensors

every = all_in_one("example", EXAMPLES, ids=lambda example: example.spelled)
DTYPES = {torch.float32: 2e-5, torch.bfloat16: 5e-2, torch.float16: 6e-3}
"""How far from float64 of the same weights and maps, as a part of the largest value."""


def assert_near(found: Tensor, wanted: Tensor, part: float = 2e-5) -> None:
    __tracebackhide__ = True
    assert found.shape == wanted.shape
    error = (found.double() - wanted.double()).abs().max().item()
    limit = part * max(1.0, wanted.abs().max().item())
    assert error <= limit, f"differs by {error:.3g}, more than {limit:.3g}"


def test_every_block_has_a_row() -> None:
    assert {example.spelled.partition("(")[0] for example in EXAMPLES} == set(BLOCKS)


@every
def test_a_block_is_made_by_name_and_spelled_back(example: Example) -> None:
    made = example.make()
    assert isinstance(made, Block) and isinstance(made, torch.nn.Module)
    assert made.channels == example.channels
    again = block(spell(made), example.channels)
    assert repr(again) == repr(made) and spell(again) == spell(made)
    for option in [*inspect.signature(type(made)).parameters.values()][1:]:
        assert option.default is not inspect.Parameter.empty, f"{option.name} has no default"


@every
def test_a_block_is_explained_by_an_example_and_credits_its_paper(example: Example) -> None:
    explained = inspect.getdoc(type(example.make())) or ""
    assert ">>> " in explained and "Raises:" in explained
    _, _, credited = explained.partition("References:")
    assert re.search(r"^\s+\w.+?[.?]\s+\d{4}\.\s+https://\S+", credited, re.DOTALL)


@every
def test_maps_keep_their_shape_and_weights_their_range(example: Example) -> None:
    made = example.make().eval()
    for places in example.sizes():
        for batch in (1, 3):
            x = example.maps(places, batch)
            y, weights = made(x), tensors(made.weights(x))
            assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
            assert weights and all(w.shape[0] == batch for w in weights.values())
            for name, w in weights.items():
                assert w.isfinite().all(), name
                assert example.signed or (w.min() >= 0 and w.max() <= 1 + 1e-6), name
                if example.sums_over is not None:
                    last = w.flatten(1) if example.sums_over == "places" else w
                    sums = last.sum(1 if example.sums_over == "splits" else -1)
                    assert_near(sums, torch.ones_like(sums))


@every
def test_an_empty_batch_stays_empty(example: Example) -> None:
    x = example.maps(batch=0)
    assert example.make().eval()(x).shape == x.shape


@every
def test_no_image_enters_what_is_said_of_another(example: Example) -> None:
    made = after_steps(example.make(), example.maps()).eval()
    for mode in (False, True) if example.batch_norm is None else (False,):
        made.train(mode)
        for places in example.sizes():
            x = example.maps(places).requires_grad_()
            y = made(x)
            for i in range(len(x)):
                assert_near(y[i : i + 1], made(x[i : i + 1]))
            (gradient,) = torch.autograd.grad(y[0].square().sum(), x)
            assert gradient[0].any() and not gradient[1:].any()


@every
def test_a_block_edits_nothing_and_says_the_same_twice(example: Example) -> None:
    made, x = example.make(), example.maps()
    made(x)
    given, held = x.clone(), {name: t.clone() for name, t in made.eval().state_dict().items()}
    once, weights = made(x), tensors(made.weights(x))
    kept = {name: w.clone() for name, w in weights.items()}
    assert torch.equal(made(x), once) and torch.equal(x, given)
    assert all(torch.equal(w, kept[name]) for name, w in tensors(made.weights(x)).items())
    assert all(torch.equal(t, held[name]) for name, t in made.state_dict().items())
    assert all(torch.equal(w, kept[name]) for name, w in weights.items())
    made.train()(x)
    assert torch.equal(x, given)


@every
def test_the_fewest_channels_leave_no_layer_empty(example: Example) -> None:
    name = type(example.make()).__name__
    for channels in (1, 2, 3, 5):
        if channels % example.multiple_of:
            with pytest.raises(ValueError, match=rf"{name}.*channels.*{channels}"):
                example.make(channels)
            continue
        made = example.make(channels)
        assert all(weight.numel() for weight in made.parameters())
        x = example.maps()[:, :channels]
        assert made(x).shape == x.shape and made(x).isfinite().all()
    usual = block(example.spelled.partition("(")[0], 64)
    assert all(weight.numel() for weight in usual.parameters())


@every
def test_one_image_can_be_trained_on_or_is_refused_in_words(example: Example) -> None:
    made, name = example.make().train(), type(example.make()).__name__
    for places in example.sizes():
        x, single = example.maps(places, 1), all(size == 1 for size in places)
        if example.batch_norm == "pooled" or (example.batch_norm == "places" and single):
            with pytest.raises(ValueError, match=rf"{name}.*one value .*eval\(\)"):
                made(x)
        else:
            assert made(x).isfinite().all()


@every
def test_neither_layout_nor_strides_matter(example: Example) -> None:
    made = after_steps(example.make(), example.maps())
    for places in example.sizes():
        x = example.maps(places)
        doubled = x.repeat_interleave(2, -1)[..., ::2]
        turned = x.transpose(1, -1).contiguous().transpose(1, -1)
        for other in (doubled, turned, x[:1].expand_as(x)):
            assert_near(made(other), made(other.contiguous()))
        if x.ndim == 4:
            last = x.to(memory_format=torch.channels_last)
            assert made(last).is_contiguous(memory_format=torch.channels_last)
            assert_near(made(last), made(x))


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_block_follows_its_dtype(example: Example, dtype: torch.dtype) -> None:
    made = after_steps(example.make(), example.maps()).to(dtype)
    exact = copy.deepcopy(made).double()
    for places in example.sizes():
        x = example.maps(places).to(dtype)
        assert made(x).dtype == dtype
        assert_near(made(x), exact(x.double()), DTYPES[dtype])
        weights, wanted = tensors(made.weights(x)), tensors(exact.weights(x.double()))
        for name, w in weights.items():
            assert w.is_floating_point()
            assert_near(w, wanted[name], DTYPES[dtype])


@every
def test_sixteen_bits_hold_large_activations(example: Example) -> None:
    """Their squares are over 65504, the largest number of float16.

    A batch norm is in training, for its first statistics are nothing that it would ever have seen.
    """
    made = example.make().half().train(example.batch_norm is not None)
    x = 300 * example.maps().half()
    assert made(x).isfinite().all()


@every
def test_maps_of_a_single_value_have_finite_gradients(example: Example) -> None:
    made = after_steps(example.make(), example.maps()).double()
    for value in (0.0, 1.0, -3.0, 1e6):
        x = torch.full_like(example.maps(), value, dtype=torch.float64).requires_grad_()
        y = made(x)
        gradients = torch.autograd.grad(y.sum(), [x, *made.parameters()], allow_unused=True)
        assert y.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@every
def test_autocast_is_near_and_trains(example: Example) -> None:
    made = after_steps(example.make(), example.maps())
    x = example.maps().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = made(x)
    assert_near(y, made(x), 5e-2)
    y.float().square().sum().backward()
    assert all(w.grad is not None and w.grad.dtype == w.dtype for w in made.parameters())


@every
def test_every_weight_learns(example: Example) -> None:
    made = after_steps(example.make().double(), example.maps().double())
    made.zero_grad()
    x = example.maps(batch=8).double().requires_grad_()
    (made(x) * torch.randn_like(x)).sum().backward()
    assert {name for name, _ in made.named_parameters()} <= set(made.state_dict())
    for name, weight in made.named_parameters():
        assert weight.grad.abs().max() > 1e-10, f"{name} has no gradient"


@every
def test_derivatives_are_those_of_finite_differences(example: Example) -> None:
    made = after_steps(example.make(), example.maps()).double()
    for dims in example.dims:
        x = torch.randn(2, example.channels, *(4, 3, 2)[:dims], dtype=torch.float64)
        held = dict(made.named_parameters())

        def outputs(x: Tensor, *weights: Tensor, held: dict[str, Tensor] = held) -> Tensor:
            return torch.func.functional_call(made, dict(zip(held, weights, strict=True)), (x,))

        weights = (weight.detach().requires_grad_() for weight in held.values())
        assert torch.autograd.gradcheck(outputs, (x.requires_grad_(), *weights), fast_mode=True)


@every
def test_a_block_says_truly_whether_it_starts_as_identity(example: Example) -> None:
    made = example.make()
    for mode in (True, False):
        for places in example.sizes():
            x = example.maps(places)
            assert torch.equal(made.train(mode)(x), x) == made.starts_as_identity


@every
def test_copies_and_saved_weights_are_the_same_block(example: Example) -> None:
    made, x = after_steps(example.make(), example.maps()), example.maps()
    buffer = io.BytesIO()
    torch.save(made.state_dict(), buffer)
    loaded = example.make().eval()
    loaded.load_state_dict(torch.load(io.BytesIO(buffer.getvalue()), weights_only=True))
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), loaded):
        assert torch.equal(other(x), made(x)) and spell(other) == spell(made)


@every
def test_shapes_can_be_asked_for_without_numbers(example: Example) -> None:
    made = example.make().to("meta").eval()
    x = example.maps().to("meta")
    assert made(x).shape == x.shape and made(x).device.type == "meta"


@pytest.mark.usefixtures("as_users_have_it")
@every
def test_a_wrong_input_is_one_sentence(example: Example) -> None:
    made = example.make()
    name, places, channels = type(made).__name__, example.sizes()[0], example.channels
    wrong = [torch.randn(2, channels), torch.randn(2, channels + 1, *places)]
    wrong += [torch.randn(2, channels, *PLACES[d][0]) for d in PLACES if d not in example.dims]
    for x in wrong:
        for call in (made, made.weights):
            with pytest.raises(ValueError, match=f"^{name} ") as caught:
                call(x)
            assert str(list(x.shape)) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(TypeError, match=f"^{name} .*int64"):
        made(torch.ones(2, channels, *places, dtype=torch.int64))
    with pytest.raises(ValueError, match=f"^{name} .*place"):
        made(torch.randn(2, channels, *places[:-1], 0))


@pytest.mark.usefixtures("as_users_have_it")
@every
def test_a_wrong_count_is_one_sentence_naming_it(example: Example) -> None:
    kind = type(example.make())
    for channels in (0, -1, 2.5, True, "8"):
        with pytest.raises(ValueError, match=rf"^{kind.__name__} .*channels"):
            kind(channels)
    for option in [*inspect.signature(kind).parameters.values()][1:]:
        if isinstance(option.default, bool):
            wrong = [2, "yes"]
        elif isinstance(option.default, int):
            wrong = [0, -1, True, 1.5, "many"]
        elif isinstance(option.default, str):
            wrong = ["neither", 3]
        else:
            continue
        for value in wrong:
            with pytest.raises(ValueError, match=rf"{kind.__name__} .*{option.name}"):
                kind(example.channels, **{option.name: value})
