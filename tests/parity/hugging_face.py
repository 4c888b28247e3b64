"""What every published family is compared by: a small random network of `transformers`, and ours.

Theirs is saved as a folder, ours is loaded from it. What may be asked of both is asked of both: the
states of all layers, the logits, the weights of attention (theirs eager, ours of the fused run),
the gradients of every weight, and what theirs makes of the folder that ours saves.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.models.published import family_of
from regard.sequences import Packed, Sequences

transformers = pytest.importorskip("transformers")
transformers.logging.disable_progress_bar()

TOLERANCE = 1e-5
VOCAB = 23
ROWS = [[4, 8, 5, 6, 9, 11, 2], [7], [10, 4, 11]]
PADDED = Sequences.of(ROWS)
MASK = PADDED.real.expand_as(PADDED.ids)


def random_network(kind: Any, config: Any, seed: int = 0, spread: float = 0.1) -> Any:
    """Theirs, eager, no weight of which is as all others of its kind are at first."""
    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(spread * torch.randn_like(weight))
    return model


def flipped(changes: Mapping[str, Any]) -> str:
    """The options of theirs that a test changes, as its name."""
    return ", ".join(f"{key}={value}" for key, value in changes.items()) or "usual"


def loaded(theirs: Any, folder: Path, **options: Any) -> Any:
    """Ours, from the folder that theirs is saved in."""
    theirs.save_pretrained(folder)
    return regard.load(folder, **options)


def near(found: Tensor, wanted: Tensor, what: str, tolerance: float = TOLERANCE) -> None:
    assert found.shape == wanted.shape, f"{what}: {[*found.shape]}, theirs {[*wanted.shape]}"
    scale = max(1.0, float(wanted.detach().abs().max()))
    off = float((found - wanted).detach().abs().max()) if found.numel() else 0.0
    assert off <= tolerance * scale, f"{what} is off by {off:.2g}"


def near_where_real(found: Tensor, wanted: Tensor, what: str) -> None:
    near(found[MASK], wanted[MASK], what)


def gradients_like_theirs(ours: Any) -> dict[str, Tensor]:
    """The gradients of our weights under the names that theirs have."""
    family = family_of(ours.config)
    assert family is not None
    weights = dict(ours.named_parameters(remove_duplicate=False))
    found = {}
    for rule in family.rules(ours.config, family.prefix_of(ours.config.tag)):
        gradient = weights[rule.ours].grad
        if gradient is not None:
            found |= dict(zip(rule.theirs, rule.edit.split(gradient), strict=True))
    return found


def same_gradients(ours: Any, theirs: Any, mine: Tensor, yours: Tensor) -> None:
    """The gradients of the same loss of both answers, weight by weight."""
    for answers in (mine, yours):
        (answers.square().sum() / answers.numel()).backward()
    found = gradients_like_theirs(ours)
    wanted = {n: w.grad for n, w in theirs.named_parameters() if w.grad is not None}
    assert found.keys() >= wanted.keys(), sorted(wanted.keys() - found.keys())
    for name, gradient in wanted.items():
        near(found[name], gradient, f"gradient of {name}")


def same_after_saving(ours: Any, kind: Any, folder: Path, ask: Mapping[str, Any],
                      read: str, wanted: Tensor) -> None:  # fmt: skip
    """What theirs answers that is read from our folder, with no warning of missing weights."""
    regard.save(ours, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs, told = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    theirs.config._attn_implementation = "eager"
    near(getattr(theirs.eval()(**ask), read), wanted, "theirs from our folder")


def unpacked(found: Tensor, packed: Packed) -> Tensor:
    """What was said of packed tokens, in rows, zeros where there is no token."""
    rows = packed.split(found)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
