"""Show, Attend and Tell is what its equations say, and so is what teaches its attention."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from regard.generation.state import take
from regard.layers import CoverageLoss, Reinforce, ReinforceLoss, Sampled
from regard.models.captioner import Captioner, CaptionerConfig
from regard.models.resnet import ResNet, ResNetConfig

SIZES: dict[str, Any] = {
    **{"channels": 2, "target_vocab": 7, "embed_dim": 4, "hidden_dim": 5, "dropout": 0.0},
    "shape": "cifar(depth=8, width=2)",
}
FORMS = ("soft(attention_dim=3)", "hard(attention_dim=3)")
IMAGES = torch.arange(2 * 2 * 11 * 8, dtype=torch.float64).reshape(2, 2, 11, 8).cos()
TARGET = torch.tensor([[2, 5, 4, 6], [2, 4, 1, 3]])


def model_of(attention: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    model = Captioner(CaptionerConfig.from_entries({**SIZES, "attention": attention, **changes}))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model.double().eval()


def without_counts(hard: Any) -> dict[str, Tensor]:
    """The weights of a hard attention, which are those of a soft one."""
    counts = ("reinforce.baseline", "soft")
    return {name: weight for name, weight in hard.state_dict().items() if name not in counts}


def by_the_book(model: Any, annotations: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Follow the equations for one image with vectors: logits, and the weights of all steps."""
    w = dict(model.named_parameters())

    def linear(name: str, x: Tensor) -> Tensor:
        return w[f"{name}.weight"] @ x + w.get(f"{name}.bias", 0.0)

    mean = annotations.mean(0)
    hidden, cell = linear("hidden", mean).tanh(), linear("cell", mean).tanh()
    logits, weights = [], []
    for token in target.tolist():
        inner = torch.stack([linear("key", a) for a in annotations])
        inner = (inner + w["attend.score.query_weight"] @ hidden).tanh()
        alpha = (inner @ w["attend.score.v"]).exp()
        alpha = alpha / alpha.sum()
        if model.reinforce is not None:
            alpha = torch.zeros_like(alpha).index_fill(0, alpha.argmax(), 1.0)
        context = linear("selector", hidden).sigmoid() * (alpha[:, None] * annotations).sum(0)
        embedded = w["embedding.weight"][token]
        gates = embedded @ w["decoder.input_weight"] + hidden @ w["decoder.weight"]
        gates = gates + w["decoder.bias"] + linear("context", context)
        i, f, o, g = gates.chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        deep = embedded + linear("told_state", hidden) + linear("told_context", context)
        logits.append(linear("output", deep))
        weights.append(alpha)
    return torch.stack(logits), torch.stack(weights)


@pytest.mark.parametrize("attention", FORMS)
def test_logits_weights_and_gradients_are_those_of_the_equations(attention: str) -> None:
    model = model_of(attention)
    found, maps = model(IMAGES, TARGET), model.attention_weights(IMAGES, TARGET)
    annotations = model.sees.maps(IMAGES)[-1].flatten(2).mT
    wanted, weights = zip(
        *(by_the_book(model, a, t) for a, t in zip(annotations, TARGET, strict=True)), strict=True
    )
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-10, atol=1e-12)
    assert maps.shape == (2, 4, 3, 2)
    torch.testing.assert_close(maps.flatten(2), torch.stack(weights), rtol=1e-10, atol=1e-12)
    names, leaves = zip(*model.named_parameters(), strict=True)
    mine = torch.autograd.grad(found.square().sum(), leaves, allow_unused=True)
    theirs = torch.autograd.grad(torch.stack(wanted).square().sum(), leaves, allow_unused=True)
    for name, one, other in zip(names, mine, theirs, strict=True):
        if attention.startswith("hard") and name.startswith(("key", "attend")):
            assert one is None and other is None, "an arg max has no gradient"
            continue
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9, msg=name)


def test_annotations_are_the_last_maps_of_a_residual_network() -> None:
    model = model_of(FORMS[0])
    resnet = ResNet(ResNetConfig(channels=2, classes=3, shape=model.config.shape)).double().eval()
    state = {name: w for name, w in resnet.state_dict().items() if not name.startswith("output")}
    model.sees.load_state_dict(state)
    maps = resnet.maps(IMAGES)[-1]
    assert torch.equal(model.encode(IMAGES).values[:, 0], maps.flatten(2).mT)


@pytest.mark.parametrize("lengths", [None, [4, 2]])
def test_the_penalty_and_its_gradient_are_the_paper_s(lengths: list[int] | None) -> None:
    model = model_of("soft(attention_dim=3, penalty=0.7)").train()
    for part in model.sees.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eval()
    counts = None if lengths is None else torch.tensor(lengths)
    features, aux = model.features_sampled(IMAGES, TARGET, counts)
    torch.testing.assert_close(features, model.features(IMAGES, TARGET), rtol=1e-10, atol=1e-12)
    assert isinstance(aux, CoverageLoss)
    term = aux(torch.ones(2, dtype=torch.float64))
    assert not term.any(), "what is reported stays the loss of the labels"
    annotations = model.sees.maps(IMAGES)[-1].flatten(2).mT
    wanted = torch.zeros((), dtype=torch.float64)
    for a, target, count in zip(annotations, TARGET, lengths or [4, 4], strict=True):
        _, weights = by_the_book(model, a, target)
        for place in range(len(a)):
            wanted = wanted + 0.7 * (1 - sum(weights[t, place] for t in range(count))) ** 2
    leaves = [w for n, w in model.named_parameters() if n.startswith(("key", "attend", "sees"))]
    mine = torch.autograd.grad(term.sum(), leaves)
    theirs = torch.autograd.grad(wanted, leaves)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)
    assert any(each.any() for each in mine)


def test_without_a_penalty_or_out_of_training_nothing_is_taught() -> None:
    assert model_of("soft(penalty=0)").train().features_sampled(IMAGES, TARGET)[1] is None
    for attention in FORMS:
        assert model_of(attention).features_sampled(IMAGES, TARGET)[1] is None


def test_hard_attention_learns_by_what_it_drew_and_a_share_by_the_mean() -> None:
    model = model_of("hard(attention_dim=3, expectation=0.5)").train()
    images, target = IMAGES.repeat(200, 1, 1, 1), TARGET.repeat(200, 1)
    torch.manual_seed(3)
    lengths = torch.tensor([4, 2]).repeat(200)
    features, aux = model.features_sampled(images, target, lengths)
    assert isinstance(aux, ReinforceLoss) and isinstance(aux.reinforce, Reinforce)
    assert (aux.reinforce.decay, aux.reinforce.bonus) == (0.9, 0.002)
    log_prob, entropy = aux.sampled.log_prob, aux.sampled.entropy
    mean = log_prob == 0
    assert 0.4 < mean.double().mean() < 0.6
    assert (log_prob[~mean] < 0).all() and (entropy > 0).all()
    # With the mean there is one answer to an image; with draws there are many.
    assert len(features[::2][mean[::2]].detach().numpy().round(9).sum((1, 2)).tolist()) > 50
    assert np.unique(features[::2][mean[::2]].detach().numpy().round(9), axis=0).shape[0] == 1
    assert np.unique(features[::2][~mean[::2]].detach().numpy().round(9), axis=0).shape[0] > 5
    aux(torch.rand(400, dtype=torch.float64)).sum().backward()
    assert model.key.weight.grad.any() and model.attend.score.v.grad.any()


def test_the_mean_estimate_is_the_gradient_of_the_expected_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All ways to look at six places for three words, each with its probability."""
    model = model_of("hard(attention_dim=3, expectation=0)").train()
    model.sees.eval()
    model.reinforce.bonus = 0.0
    model.reinforce.baseline.fill_(1.7)
    ways = torch.cartesian_prod(*[torch.arange(6)] * 3)
    told = iter(ways.mT)

    def chosen(weights: Tensor) -> tuple[Tensor, Sampled]:
        drawn = one_hot(next(told), 6).unsqueeze(1).to(weights)
        return drawn, Sampled((drawn * weights).sum((1, 2)).log(), weights.new_zeros(len(weights)))

    monkeypatch.setattr("regard.models.captioner.model.sample_keys", chosen)
    images, target = IMAGES[:1].expand(len(ways), -1, -1, -1), TARGET[:1, :3].expand(len(ways), -1)
    features, aux = model.features_sampled(images, target)
    logits = model.output(features).transpose(1, 2)
    nll = cross_entropy(logits, TARGET[:1, 1:].expand(len(ways), -1), reduction="none").sum(1)
    chance = aux.sampled.log_prob.exp()
    assert float(chance.detach().sum()) == pytest.approx(1.0)
    leaves = [w for n, w in model.named_parameters() if n.startswith(("key", "attend", "output"))]
    estimated = (chance.detach() * (nll + aux(nll))).sum()
    mine = torch.autograd.grad(estimated, leaves, retain_graph=True)
    for one, other in zip(mine, torch.autograd.grad((chance * nll).sum(), leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
        assert one.any()


def test_an_expectation_of_all_is_soft_attention() -> None:
    hard, soft = model_of("hard(attention_dim=3, expectation=1)"), model_of(FORMS[0])
    soft.load_state_dict(without_counts(hard))
    for model in (hard, soft):
        model.train()
    features, _ = hard.features_sampled(IMAGES, TARGET)
    torch.testing.assert_close(features, soft.features_sampled(IMAGES, TARGET)[0])


def test_hard_attention_that_starts_soft_draws_once_its_captions_are_over() -> None:
    hard, soft = model_of("hard(attention_dim=3, expectation=0)"), model_of(FORMS[0])
    soft.load_state_dict(without_counts(hard))
    for model in (hard, soft):
        model.train().start_soft(5)
    for left in (5, 3, 1):
        assert float(hard.soft) == left
        features, aux = hard.features_sampled(IMAGES, TARGET)
        torch.testing.assert_close(features, soft.features_sampled(IMAGES, TARGET)[0])
        assert not aux.sampled.log_prob.any(), "what is not drawn is not rewarded"
        with torch.no_grad():
            hard.learned(2)
        for model in (hard, soft):
            model.learned(2)
    assert float(hard.soft) == 0 and "soft" in hard.state_dict() and "soft" not in soft.state_dict()
    assert hard.features_sampled(IMAGES, TARGET)[1].sampled.log_prob.all()


def test_what_is_behind_a_sentence_draws_nothing() -> None:
    model = model_of("hard(attention_dim=3, expectation=0)").train()
    found = []
    for filling in (3, 6):
        target = TARGET.clone()
        target[1, 2:] = filling
        torch.manual_seed(5)
        _, aux = model.features_sampled(IMAGES, target, torch.tensor([4, 2]))
        found.append((aux.sampled.log_prob, aux.sampled.entropy))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("attention", FORMS)
def test_steps_are_the_whole(attention: str) -> None:
    model = model_of(attention)
    wanted, encoded = model(IMAGES, TARGET), model.encode(IMAGES)
    state = model.start(encoded, beams=2)
    for place in range(4):
        token = TARGET[:, place].repeat_interleave(2)
        logits, state = model.step(encoded, state, token)
        torch.testing.assert_close(logits[::2], wanted[:, place], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(logits[::2], logits[1::2], rtol=1e-10, atol=1e-12)
    one = take(encoded, torch.tensor([1]))
    logits, _ = model.step(one, model.start(one, 1), TARGET[1:, 0])
    torch.testing.assert_close(logits, wanted[1:, 0], rtol=1e-10, atol=1e-12)


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels, height, width.*got .2, 3, 8, 8."):
        model_of(FORMS[0])(torch.zeros(2, 3, 8, 8), TARGET)
