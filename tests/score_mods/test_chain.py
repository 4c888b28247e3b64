import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from regard.masks import Causal
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, SoftCap


def _at(q_len: int = 4, q_offset: int = 0, k_len: int = 5) -> list[Tensor]:
    views = [[-1 if axis == here else 1 for axis in range(4)] for here in range(4)]
    lengths = (2, 3, q_len, k_len)
    b, h, q, k = (torch.arange(n).view(v) for n, v in zip(lengths, views, strict=True))
    return [b, h, q + q_offset, k]


def _double(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return 2 * score


def test_links_are_applied_in_order() -> None:
    score, cap, bias = torch.randn(2, 3, 4, 5), SoftCap(2.0), Bias(torch.randn(3, 4, 5))
    at = _at()
    assert torch.equal(Chain(cap, bias)(score, *at), 2 * torch.tanh(score / 2) + bias.tensor)
    assert torch.equal(Chain(bias, cap)(score, *at), 2 * torch.tanh((score + bias.tensor) / 2))
    assert torch.equal(Chain(_double, bias)(score, *at), 2 * score + bias.tensor)


def test_the_gradient_reaches_every_link() -> None:
    cap = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    bias = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    relative = RelativeBias(3).double()
    score = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    chain = Chain(SoftCap(cap), Bias(bias), relative, SoftCap(1.5))
    leaves = [score, cap, bias, relative.weight]
    found = torch.autograd.grad(chain(score, *_at()).square().sum(), leaves)
    b, h, q, k = _at()
    added = cap * torch.tanh(score / cap) + bias + relative.weight[relative.bucket(k - q), h]
    wanted = torch.autograd.grad((1.5 * torch.tanh(added / 1.5)).square().sum(), leaves)
    torch.testing.assert_close(found, wanted)


def test_a_chain_in_a_chain_is_its_links() -> None:
    cap, bias = SoftCap(2.0), ALiBi(3)
    assert Chain(Chain(cap, bias), Chain(Chain(_double))) == Chain(cap, bias, _double)
    assert Chain(Chain(cap)).mods == (cap,)


def test_a_chain_is_additive_if_all_its_links_are() -> None:
    assert Chain(ALiBi(3), RelativeBias(3), Bias(torch.zeros(4, 5))).additive
    assert not Chain(ALiBi(3), SoftCap(2.0)).additive
    assert not Chain(ALiBi(3), _double).additive


def test_rows_of_every_link_are_bound() -> None:
    whole, part = torch.randn(9, 5), torch.randn(4, 5)
    chain = Chain(_double, Bias(whole, first_query=2), SoftCap(3.0), Bias(part))
    bound = chain.aligned(5)
    score = torch.randn(2, 3, 4, 5)
    wanted = 3 * torch.tanh((2 * score + whole[3:7]) / 3) + part
    torch.testing.assert_close(bound(score, *_at(q_offset=5)), wanted)
    unbound = Chain(_double, ALiBi(3))
    assert unbound.aligned(5) is unbound


def test_every_link_checks_the_call() -> None:
    query, key = torch.zeros(2, 3, 4, 6), torch.zeros(2, 3, 5, 6)
    Chain(_double, ALiBi(3), nn.Identity()).check(query, key)
    with pytest.raises(ValueError, match="ALiBi has num_heads 8 but query has 3 heads; "):
        Chain(_double, ALiBi(8)).check(query, key)


def test_a_chain_is_a_value() -> None:
    chain = Chain(SoftCap(2.0), ALiBi(3), _double)
    assert repr(chain) == "Chain(SoftCap(cap=2.0), ALiBi(num_heads=3), _double)"
    assert {chain: 1}[Chain(SoftCap(2.0), ALiBi(3), _double)] == 1
    assert copy.deepcopy(chain) == chain == pickle.loads(pickle.dumps(chain))


@pytest.mark.parametrize(
    ("links", "kind", "text"),
    [
        ((), ValueError, "at least 1 score_mod, got 0; leave"),
        ((SoftCap(2.0), Causal()), TypeError, r"the mask Causal\(\); pass it as mask="),
        ((Causal() & Causal(),), TypeError, "the mask .*; pass it as mask="),
        ((ALiBi,), TypeError, r"the class ALiBi; pass an instance, ALiBi\(...\)"),
        ((torch.zeros(4, 5),), TypeError, r"got Tensor; wrap a bias tensor as Bias\(tensor\)"),
        (([SoftCap(2.0), ALiBi(3)],), TypeError, "got list; .*one argument for each link"),
        ((None,), TypeError, "got NoneType; "),
        (("alibi",), TypeError, "got str; "),
    ],
    ids=str,
)
def test_what_is_no_modification_is_no_link(
    links: tuple[object, ...], kind: type[Exception], text: str, as_users_have_it: None
) -> None:
    with pytest.raises(kind, match=text):
        Chain(*links)


def test_rows_of_links_may_start_elsewhere_in_each_sequence() -> None:
    tensor, offsets = torch.randn(3, 9, 5), torch.tensor([4, 1])
    chain = Chain(SoftCap(3.0), Bias(tensor, first_query=0))
    score, (b, h, q, k) = torch.randn(2, 3, 4, 5), _at()
    found = chain.aligned(offsets)(score, b, h, q + offsets.view(2, 1, 1, 1), k)
    rows = torch.stack([tensor[:, start : start + 4] for start in (4, 1)])
    torch.testing.assert_close(found, 3 * torch.tanh(score / 3) + rows)
