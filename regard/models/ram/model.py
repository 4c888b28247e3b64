"""Recurrent attention (Mnih et al., 2014): a sequence of glimpses of an image."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from regard.layers import AuxLoss, BaselineReinforceLoss
from regard.models.ram.config import RAMConfig
from regard.models.ram.glimpse import GlimpseNetwork, filters, patches


@dataclass(frozen=True, eq=False)
class Walk:
    """The locations of the glimpses, and the resulting states."""

    state: Float[Tensor, "batch embed_dim"]
    locations: Float[Tensor, "batch glimpses 2"]
    log_prob: Float[Tensor, "batch draws"]
    baseline: Float[Tensor, "batch draws"]


class RAM(nn.Module):
    """Image classification from a few glimpses, each located by the previous ones.

        g_t = glimpse(patches around l_t, l_t)            h_t = relu(W_h h_{t-1} + W_g g_t)
        l_{t+1} ~ N(tanh(W_l h_t), std²)                  logits = W h_T + b

    Locations are sampled and have no gradient; they are learned by REINFORCE, with reward 1 for a
    correct answer and 0 for a wrong one, and a baseline learned from each state. Neither of these
    trains the states. In evaluation, it uses the mean locations. Images may have any size, and are
    cast to the dtype of the weights.

    The location after the last state is not sampled: no answer depends on it.

    >>> model = RAM(RAMConfig(classes=3, patch_size=4, glimpses=5, embed_dim=16)).eval()
    >>> images = torch.randn(2, 3, 20, 24)
    >>> model(images).shape, model.locations(images).shape, model.attention_weights(images).shape
    (torch.Size([2, 3]), torch.Size([2, 5, 2]), torch.Size([2, 20, 24]))

    References:
        Mnih, Heess, Graves & Kavukcuoglu. Recurrent Models of Visual Attention. 2014.
        https://arxiv.org/abs/1406.6247
    """

    config_type: ClassVar[type[RAMConfig]] = RAMConfig

    def __init__(self, config: RAMConfig) -> None:
        super().__init__()
        self.config, width = config, config.embed_dim
        self.glimpse = GlimpseNetwork(config.reads, config.hidden_dim, width)
        self.core, self.recurrence = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.location, self.baseline = nn.Linear(width, 2), nn.Linear(width, 1)
        self.output = nn.Linear(width, config.classes)
        # The same draws for every image, so that an answer depends on nothing else.
        draws = np.random.default_rng(0).standard_normal((config.samples, config.glimpses - 1, 2))
        self._draws = draws.tolist()

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the labels; with several trajectories, the log of the mean probability."""
        if self.training or not self.config.samples:
            return self.forward_sampled(images)[0]
        images = self._read(images)
        found: list[Tensor] = []
        for number in range(self.config.samples):
            noise = torch.tensor(self._draws[number], device=images.device).to(images.dtype)
            state = self._walk(images, noise.expand(images.shape[0], -1, 2)).state
            found.append(self.output(state).float().log_softmax(-1))
        mean = torch.stack(found).logsumexp(0) - math.log(len(found))
        return mean.to(images.dtype)

    def forward_sampled(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch classes"], AuxLoss | None]:
        """The logits, and in training the REINFORCE loss of the sampled locations."""
        images = self._read(images)
        if not self.training:
            return self.output(self._walk(images, None).state), None
        noise = images.new_empty(images.shape[0], self.config.glimpses - 1, 2).normal_()
        first = None
        if self.config.first == "anywhere":
            first = images.new_empty(images.shape[0], 2).uniform_(-1, 1)
        walk = self._walk(images, noise, first)
        aux = BaselineReinforceLoss(walk.log_prob, walk.baseline, self.config.reinforce)
        return self.output(walk.state), aux

    @torch.no_grad()
    def locations(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch glimpses 2"]:
        """The mean locations of the glimpses: rows and columns, from -1 to 1."""
        return self._walk(self._read(images), None).locations

    @torch.no_grad()
    def attention_weights(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch height width"]:
        """How much each pixel counted in the finest patches of all glimpses, equally weighted.

        The weights of an image sum to 1, minus what lies outside of it.
        """
        size, places = self.config.patch_size, self.locations(images)
        seen = [
            [filters(place[:, axis], images.shape[2 + axis], size, 1).mean(1) for axis in (0, 1)]
            for place in places.unbind(1)
        ]
        maps = [torch.einsum("b h, b w -> b h w", *each) for each in seen]
        return torch.stack(maps).mean(0)

    def _read(self, images: Tensor) -> Tensor:
        """The images in the weights' type; raises `ValueError` for other channels."""
        if images.ndim != 4 or images.shape[1] != self.config.channels:
            raise ValueError(
                f"images must be [batch, {self.config.channels} channels, height, width], got "
                f"{[*images.shape]}"
            )
        weight = next(self.parameters(), images)  # rounded to 8 bits it has none
        return images.to(weight.dtype)

    def _walk(self, images: Tensor, noise: Tensor | None, first: Tensor | None = None) -> Walk:
        """Look as often as is said, at the means if there is no noise, first in the middle."""
        config, batch = self.config, images.shape[0]
        place = images.new_zeros(batch, 2) if first is None else first
        state = images.new_zeros(batch, config.embed_dim)
        locations: list[Tensor] = [place]
        log_probs: list[Tensor] = []
        baselines: list[Tensor] = []
        for number in range(config.glimpses):
            seen = patches(images, place, config.patch_size, config.patches, config.scale)
            glimpse = self.glimpse(seen.flatten(1), place)
            state = relu(self.core(glimpse) + self.recurrence(state))
            if number == config.glimpses - 1:
                break
            known = state.detach()
            mean = self.location(known).tanh()
            drawn = mean.detach()
            if noise is not None:
                drawn = drawn + config.std * noise[:, number]
                log_probs.append(_log_density(drawn, mean, config.std))
                baselines.append(self.baseline(known)[:, 0])
            place = drawn.clamp(-1, 1).to(images.dtype)
            locations.append(place)
        none = images.new_zeros(batch, 0)
        return Walk(
            state,
            torch.stack(locations, 1),
            torch.stack(log_probs, 1) if log_probs else none,
            torch.stack(baselines, 1) if baselines else none,
        )


def _log_density(
    drawn: Float[Tensor, "batch 2"], mean: Float[Tensor, "batch 2"], std: float
) -> Float[Tensor, " batch"]:
    """Of a Gaussian whose two numbers deviate alike, where it was drawn, not where it is cut."""
    apart = ((drawn - mean) / std).square().sum(-1) / 2
    return -apart - 2 * math.log(std * math.sqrt(2 * math.pi))
