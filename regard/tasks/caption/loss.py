"""What captions cost: the cross-entropy of their tokens, and what teaches the attention."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.layers import AuxLoss
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.caption.coder import CaptionedPictures
from regard.tasks.fused_loss import chosen
from regard.tasks.seq2seq import target_nll


def caption_loss(model: Any, batch: CaptionedPictures, smoothing: float = 0.0) -> Float[Tensor, ""]:
    """The summed cross-entropy of all tokens, in nats, with the gradient of an auxiliary loss."""
    logits, aux = _logits(model, batch)
    return with_auxiliary_loss(target_nll(logits, batch.target, smoothing), aux).sum()


@torch.no_grad()
def caption_nll(model: Any, batch: CaptionedPictures) -> Float[Tensor, " batch"]:
    """The negative log-likelihood of each caption, `</s>` included."""
    return target_nll(chosen(model(batch.images, batch.written), _where(batch)), batch.target)


def _logits(
    model: Any, batch: CaptionedPictures
) -> tuple[Float[Tensor, "tokens vocab"], AuxLoss | None]:
    """Those of the tokens that are no padding."""
    inputs, where = (batch.images, batch.written), _where(batch)
    if hasattr(model, "features_sampled") and hasattr(model, "output"):
        features, aux = model.features_sampled(*inputs, batch.target.lengths)
        return model.output(chosen(features, where)), aux
    logits, aux = forward_sampled(model, *inputs)
    return chosen(logits, where), aux


def _where(batch: CaptionedPictures) -> Tensor | None:
    return None if batch.target.lengths is None else batch.target.real
