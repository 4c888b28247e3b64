"""Recurrent attention: its sensor, its equations, its loss, and an estimator of no bias."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import avg_pool2d, cross_entropy, grid_sample, linear, relu

from regard.layers import AwaitsReward, BaselineReinforceLoss
from regard.models.ram import RAM, RAMConfig, patches
from regard.tasks.classify.loss import label_loss
from tests.tolerance import assert_close_to_golden


def small(**changes: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"channels": 2, "classes": 3, "patch_size": 4, "hidden_dim": 5, "embed_dim": 7}
    model = RAM(RAMConfig(**{**sizes, "glimpses": 4, **changes})).double()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.4)
    return model.eval()


def images(*size: int, channels: int = 2) -> Tensor:
    torch.manual_seed(3)
    return torch.randn(5, channels, *size, dtype=torch.float64)


@pytest.mark.parametrize(("size", "count", "scale"), [(4, 1, 2), (3, 3, 2), (5, 2, 3)])
def test_patches_are_pooled_samples_of_the_image(size: int, count: int, scale: int) -> None:
    x = images(13, 10)
    places = torch.rand(5, 2, dtype=torch.float64) * 2 - 1
    found = patches(x, places, size, count, scale)
    for number in range(count):
        wide = size * scale**number
        offsets = torch.arange(wide, dtype=torch.float64) - (wide - 1) / 2
        down = places[:, 0, None] + offsets * 2 / 13
        across = places[:, 1, None] + offsets * 2 / 10
        grid = torch.stack(
            [
                across[:, None, :].expand(-1, wide, -1),
                down[:, :, None].expand(-1, -1, wide),
            ],
            -1,
        )
        seen = grid_sample(x, grid, padding_mode="zeros", align_corners=False)
        wanted = avg_pool2d(seen, scale**number)
        assert_close_to_golden(found[:, number], wanted, wanted, what=f"patch {number}")


def test_a_patch_on_pixels_is_cut_out_and_zero_outside() -> None:
    x = images(8, 6)
    middle = patches(x, torch.zeros(5, 2, dtype=torch.float64), 4)[:, 0]
    torch.testing.assert_close(middle, x[:, :, 2:6, 1:5])
    corner = patches(x, -torch.ones(5, 2, dtype=torch.float64), 4)[:, 0]
    torch.testing.assert_close(corner[:, :, 2:, 2:], x[:, :, :2, :2])
    assert not corner[:, :, :2].any() and not corner[:, :, :, :2].any()


def by_the_book(model: Any, x: Tensor, places: Tensor) -> tuple[list[Tensor], Tensor]:
    """The states at these places, and the logits."""
    config, net, state = model.config, model.glimpse, torch.zeros(len(x), 7, dtype=x.dtype)
    states = []
    for place in places.unbind(1):
        seen = patches(x, place, config.patch_size, config.patches, config.scale).flatten(1)
        what = relu(linear(seen, net.seen.weight, net.seen.bias))
        where = relu(linear(place, net.place.weight, net.place.bias))
        glimpse = relu(
            linear(what, net.what.weight, net.what.bias)
            + linear(where, net.where.weight, net.where.bias)
        )
        state = relu(
            linear(glimpse, model.core.weight, model.core.bias)
            + linear(state, model.recurrence.weight)
        )
        states.append(state)
    return states, linear(state, model.output.weight, model.output.bias)


@pytest.mark.parametrize("size", [(4, 4), (9, 14), (1, 1), (40, 3)])
def test_it_looks_where_its_states_say(size: tuple[int, int]) -> None:
    model, x = small(patches=2), images(*size)
    places = model.locations(x)
    assert places.shape == (5, 4, 2) and not places[:, 0].any() and places.abs().max() <= 1
    states, logits = by_the_book(model, x, places)
    for number, state in enumerate(states[:-1]):
        wanted = torch.tanh(linear(state, model.location.weight, model.location.bias))
        assert_close_to_golden(places[:, number + 1], wanted, wanted, what="place")
    assert_close_to_golden(model(x), logits, logits, what="logits")


class Watched:
    """Keeps the patches' places of a call of the network."""

    def __init__(self, model: Any) -> None:
        self.places: list[Tensor] = []
        model.glimpse.register_forward_pre_hook(lambda _, given: self.places.append(given[1]))


@pytest.mark.parametrize("first", ["middle", "anywhere"])
def test_the_loss_and_its_gradients_are_those_of_the_equation(first: Any) -> None:
    std, weight = 0.2, 0.3
    model, x = small(std=std, reinforce=weight, first=first).train(), images(9, 9)
    label, watched = torch.tensor([0, 1, 2, -1, 1]), Watched(model)
    torch.manual_seed(7)
    told = label_loss(model, (x,), label, smoothing=0.0)
    torch.manual_seed(7)
    noise = torch.empty(5, 3, 2, dtype=torch.float64).normal_()
    start = torch.zeros(5, 2, dtype=torch.float64)
    if first == "anywhere":
        start.uniform_(-1, 1)
    places = torch.stack(watched.places, 1)
    assert torch.equal(places[:, 0], start)
    states, logits = by_the_book(model, x, places.detach())
    nll = cross_entropy(logits.float(), label, ignore_index=-1, reduction="none")
    reward = (logits.argmax(1) == label).double()
    assert 0 < reward.sum() < 4
    square, policy = 0.0, 0.0
    for number, state in enumerate(states[:-1]):
        known = state.detach()
        mean = torch.tanh(linear(known, model.location.weight, model.location.bias))
        drawn = (mean + std * noise[:, number]).detach()
        torch.testing.assert_close(places[:, number + 1], drawn.clamp(-1, 1))
        baseline = linear(known, model.baseline.weight, model.baseline.bias)[:, 0]
        log_prob = Normal(mean, std).log_prob(drawn).sum(1)
        square = square + (reward - baseline).square() / 3
        policy = policy + log_prob * (reward - baseline).detach()
    loss = (nll + (square - weight * policy) * (label >= 0)).sum()
    torch.testing.assert_close(told.float(), nll.sum())
    names, weights = zip(*model.named_parameters(), strict=True)
    wanted = torch.autograd.grad(loss, weights)
    for name, found, other in zip(names, torch.autograd.grad(told, weights), wanted, strict=True):
        assert other.any()
        assert_close_to_golden(found, other, other, what=f"gradient of {name}", gradient=True)


@pytest.mark.parametrize("baseline", [0.0, 0.6])
def test_the_mean_estimate_is_the_gradient_of_the_mean_reward(baseline: float) -> None:
    # Two draws of three places each, all nine ways tried; the second depends on the first.
    torch.manual_seed(0)
    one = torch.randn(3, dtype=torch.float64, requires_grad=True)
    two = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    rewards = torch.rand(3, 3, dtype=torch.float64)
    ways = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    logs = torch.stack(
        [one.log_softmax(0)[ways[:, 0]], two.log_softmax(1)[ways[:, 0], ways[:, 1]]], 1
    )
    chances = logs.sum(1).exp()
    reward = rewards[ways[:, 0], ways[:, 1]]
    exact = torch.autograd.grad(-(chances * reward).sum(), (one, two), retain_graph=True)
    # A baseline may depend on what was drawn before, not on the draw itself.
    expected = torch.stack([torch.full((9,), baseline), baseline * ways[:, 0]], 1).double()
    aux = BaselineReinforceLoss(logs, expected).rewarded(reward)
    each = aux(torch.zeros(9, dtype=torch.float64))
    assert not each.any()
    found = torch.autograd.grad((chances.detach() * each).sum(), (one, two))
    for mine, wanted in zip(found, exact, strict=True):
        torch.testing.assert_close(mine, wanted)


def test_gaussian_draws_estimate_the_gradient_of_the_mean_reward() -> None:
    # E[l²] of l ~ N(m, s²) has the gradient 2m.
    torch.manual_seed(0)
    mean = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    drawn = (mean + 0.5 * torch.randn(200_000, dtype=torch.float64)).detach()
    log_prob = Normal(mean, 0.5).log_prob(drawn)[:, None]
    for baseline in (0.0, 0.34):
        aux = BaselineReinforceLoss(log_prob, torch.full_like(log_prob, baseline))
        loss = aux.rewarded(drawn.square())(drawn).mean()
        (found,) = torch.autograd.grad(loss, mean, retain_graph=True)
        assert found.item() == pytest.approx(-0.6, abs=0.02)


def test_a_loss_without_a_reward_says_what_is_missing() -> None:
    logits, aux = small().train().forward_sampled(images(6, 6))
    assert isinstance(aux, AwaitsReward) and logits.shape == (5, 3)
    with pytest.raises(ValueError, match=r"say rewarded\(reward\)"):
        aux(torch.zeros(5))
    assert small().forward_sampled(images(6, 6))[1] is None


def test_several_ways_of_looking_are_averaged_and_the_same_twice() -> None:
    model, x, watched = small(samples=3), images(9, 9), None
    watched = Watched(model)
    found = model(x)
    ways = [torch.stack(watched.places[n : n + 4], 1) for n in (0, 4, 8)]
    shares = torch.stack([by_the_book(model, x, each)[1].softmax(1) for each in ways])
    torch.testing.assert_close(found.exp(), shares.mean(0), rtol=1e-6, atol=1e-6)
    assert not torch.equal(ways[0], ways[1])
    assert torch.equal(model(x), found)
    torch.testing.assert_close(model(x[2:3]), found[2:3])


def test_attention_weights_are_shares_of_the_finest_patches() -> None:
    model, x = small(patches=2), images(12, 10)
    found, places = model.attention_weights(x), model.locations(x)
    ones = torch.ones(5, 1, 12, 10, dtype=torch.float64, requires_grad=True)
    total = sum(patches(ones, place, 4).flatten(1).mean(1).sum() for place in places.unbind(1))
    (wanted,) = torch.autograd.grad(total / 4, ones)
    torch.testing.assert_close(found, wanted[:, 0])
    assert found.min() >= 0 and found.sum((1, 2)).max() <= 1 + 1e-12


def test_one_glimpse_draws_nothing() -> None:
    model, x = small(glimpses=1).train(), images(6, 6)
    loss = label_loss(model, (x,), torch.tensor([0, 1, 2, 0, 1]), smoothing=0.0)
    loss.backward()
    assert loss.isfinite() and model.location.weight.grad is None


def test_half_precision_places_are_told_apart_in_large_images() -> None:
    x = torch.arange(1000.0).expand(1, 1, 2, 1000).bfloat16()
    place = torch.tensor([[0.0, 0.5]]).bfloat16()
    (seen,) = patches(x, place, 2)[:, 0, 0, 0]
    assert seen.tolist() == [748.0, 752.0]  # 749 and 750, in half precision.


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[batch, 2 channels, height, width\], got \[5, 3, 8"):
        small()(images(8, 8, channels=3))
    with pytest.raises(ValueError, match="std must be above 0"):
        RAMConfig(classes=2, std=0.0)
    with pytest.raises(ValueError, match="samples must be at least 0"):
        RAMConfig(classes=2, samples=-1)


@pytest.mark.slow
def test_it_learns_to_look_where_the_answer_is() -> None:
    """A mark in the middle says on which side the label stands, too far off to be seen from it."""
    torch.manual_seed(0)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        x, label = torch.zeros(count, 1, 12, 28), torch.randint(2, (count,))
        left = torch.rand(count) < 0.5
        rows = torch.arange(count)
        mark = 3 * left[:, None, None].float()
        x[:, 0, 4:8, 11:14], x[:, 0, 4:8, 14:17] = mark, 3 - mark
        value = (2 * label - 1).float()[:, None, None]
        x[rows[left], 0, 2:10, 1:9] = value[left].expand(-1, 8, 8)
        x[rows[~left], 0, 2:10, 19:27] = value[~left].expand(-1, 8, 8)
        return x, label

    sizes = {"patch_size": 6, "glimpses": 2, "hidden_dim": 32, "embed_dim": 64}
    model = RAM(RAMConfig(channels=1, classes=2, std=0.5, first="middle", **sizes))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(500):
        x, label = drawn(64)
        loss = label_loss(model, (x,), label, smoothing=0.0) / 64
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, label = drawn(500)
    right = (model.eval()(x).argmax(1) == label).float().mean().item()
    assert right > 0.9
    across = model.locations(x)[:, 1, 1]
    left = x[:, 0, 5, 13] == 3
    assert across[left].mean() < -0.2 and across[~left].mean() > 0.2
    assert math.isclose(model.attention_weights(x).sum((1, 2)).mean().item(), 1, abs_tol=0.2)
