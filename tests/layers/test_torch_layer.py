"""`nn.MultiheadAttention` and our layer are the same function of the same weights."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.layers import Attend, Heads, MultiHeadAttention, mean_heads
from regard.masks import Causal, Padding
from regard.normalizers import sparsemax
from regard.positions import RoPE
from regard.score_mods import Bias, SoftCap
from regard.scores import ScaledDot

LENGTHS = torch.tensor([6, 2, 4])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"kdim": 12, "vdim": 12},
    {"kdim": 8, "vdim": 8},
    {"kdim": 8},
    {"vdim": 10},
    {"kdim": 8, "vdim": 10},
    {"kdim": 8, "vdim": 10, "bias": False},
    {"add_zero_attn": True},
    {"dropout": 0.3},
]
every_form = pytest.mark.parametrize("options", OPTIONS, ids=str)


def made(options: dict[str, Any], batch_first: bool = True) -> nn.MultiheadAttention:
    theirs = nn.MultiheadAttention(12, 3, batch_first=batch_first, **options).double()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_()
    return theirs


def inputs(options: dict[str, Any]) -> list[Tensor]:
    widths = (12, options.get("kdim", 12), options.get("vdim", 12))
    return [
        torch.randn(3, length, width, dtype=torch.float64, requires_grad=True)
        for width, length in zip(widths, (4, 6, 6), strict=True)
    ]


@every_form
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_the_layer_made_of_torchs_gives_its_outputs_and_gradients(
    options: dict[str, Any], batch_first: bool, masked: bool
) -> None:
    theirs = made(options, batch_first).eval()
    ours = MultiHeadAttention.from_torch(theirs)
    given = inputs(options)
    copies = [x.detach().clone().requires_grad_() for x in given]
    turned = copies if batch_first else [x.transpose(0, 1) for x in copies]
    # torch says True for what is ignored, ours for what may be attended to.
    hidden = {"key_padding_mask": torch.arange(6) >= LENGTHS[:, None]} if masked else {}
    wanted, weights = theirs(*turned, average_attn_weights=False, **hidden)
    wanted = wanted if batch_first else wanted.transpose(0, 1)
    mask = Padding(LENGTHS) if masked else None
    found = ours(*given, mask=mask)
    torch.testing.assert_close(found, wanted)
    # Torch appends the key of zeros; its weight is what ours leave out.
    torch.testing.assert_close(ours.weights(*given[:2], mask=mask), weights[..., :6])
    found.square().sum().backward()
    wanted.square().sum().backward()
    for one, other in zip(given, copies, strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    grads = MultiHeadAttention.from_torch(_with_grads_as_weights(theirs)).state_dict()
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, grads[name], atol=1e-8, rtol=1e-6)


def _with_grads_as_weights(module: nn.MultiheadAttention) -> nn.MultiheadAttention:
    shown = copy.deepcopy(module)
    for own, weight in zip(shown.parameters(), module.parameters(), strict=True):
        own.data = weight.grad
    return shown


@every_form
@pytest.mark.parametrize("batch_first", [True, False])
def test_there_and_back_again_is_bit_equal(options: dict[str, Any], batch_first: bool) -> None:
    theirs = made(options, batch_first)
    again = MultiHeadAttention.from_torch(theirs).to_torch(batch_first)
    assert again.state_dict().keys() == theirs.state_dict().keys()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    for word in ("batch_first", "dropout", "add_zero_attn", "kdim", "vdim", "num_heads"):
        assert getattr(again, word) == getattr(theirs, word)
    assert again.training and all(p.requires_grad for p in again.parameters())
    ours = MultiHeadAttention.from_torch(theirs)
    back = MultiHeadAttention.from_torch(ours.to_torch())
    assert all(torch.equal(back.state_dict()[k], t) for k, t in ours.state_dict().items())
    with torch.no_grad():
        ours.output.weight.zero_()
    assert theirs.out_proj.weight.any(), "the two share no memory"


@pytest.mark.parametrize("options", [{}, {"kv_dim": 12}, {"kv_dim": 8}, {"value_dim": 10}], ids=str)
def test_torchs_layer_made_of_ours_gives_its_outputs(options: dict[str, int]) -> None:
    ours = MultiHeadAttention(12, 3, **options).double()
    widths = {"kdim": options.get("kv_dim", 12), "vdim": options.get("value_dim")}
    given = inputs({"kdim": widths["kdim"], "vdim": widths["vdim"] or widths["kdim"]})
    wanted = ours(*given)
    torch.testing.assert_close(ours.to_torch()(*given)[0], wanted)
    turned = [x.transpose(0, 1) for x in given]
    found = ours.to_torch(batch_first=False)(*turned)[0]
    torch.testing.assert_close(found.transpose(0, 1), wanted)


def test_dtype_device_and_mode_are_kept() -> None:
    theirs = nn.MultiheadAttention(8, 2, dtype=torch.bfloat16).eval()
    ours = MultiHeadAttention.from_torch(theirs)
    assert {p.dtype for p in ours.parameters()} == {torch.bfloat16} and not ours.training
    assert {p.dtype for p in ours.to_torch().parameters()} == {torch.bfloat16}
    assert all(p.is_meta for p in MultiHeadAttention.from_torch(theirs.to("meta")).parameters())
    state = torch.get_rng_state()
    ours.to_torch()
    MultiHeadAttention.from_torch(nn.MultiheadAttention(8, 2, device="meta"))
    assert torch.equal(torch.get_rng_state(), state), "no random number is drawn"


def test_what_is_no_such_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="add_bias_kv=True"):
        MultiHeadAttention.from_torch(nn.MultiheadAttention(8, 2, add_bias_kv=True))


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (lambda: MultiHeadAttention(8, Heads(4, kv_heads=2)), "kv_heads=2"),
        (lambda: MultiHeadAttention(8, Heads(4, head_dim=3)), "head_dim=3"),
        (
            lambda: MultiHeadAttention(8, Heads(4, head_dim=2), join=mean_heads),
            "join other than concat",
        ),
        (lambda: MultiHeadAttention(8, 4, positions=RoPE()), "positions=RoPE"),
        (lambda: MultiHeadAttention(8, 4, Attend(ScaledDot(2.0))), "score=ScaledDot"),
        (lambda: MultiHeadAttention(8, 4, Attend(score_mod=SoftCap(2.0))), "score_mod=SoftCap"),
        (
            lambda: MultiHeadAttention(8, 4, Attend(score_mod=Bias(torch.zeros(3, 3)))),
            "score_mod=Bias",
        ),
        (lambda: MultiHeadAttention(8, 4, Attend(mask=Causal())), r"mask=Causal\(\)"),
        (lambda: MultiHeadAttention(8, 4, Attend(normalizer=sparsemax)), "normalizer=sparsemax"),
        (lambda: _hidden_in_a_sequence(), "wrapped input"),
    ],
)
def test_what_torchs_layer_cannot_have_is_named(layer: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"torch's layer has no .*{why}"):
        layer().to_torch()


def _hidden_in_a_sequence() -> MultiHeadAttention:
    layer = MultiHeadAttention(8, 4)
    layer.input = nn.Sequential(layer.input, nn.Dropout(0.5))
    return layer
