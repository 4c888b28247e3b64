"""Bugs that others have shipped, as edits of our own source: each must fail a fast test.

A mutant replaces one piece of text, which must occur exactly once, so that a change of the source
that moves it away is noticed. `python -m tests.mutation` prints which test file kills which mutant.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FAST = [
    "tests/battery/test_metamorphic.py",
    "tests/contracts/test_operator.py",
    "tests/contracts/test_backends.py",
    "tests/battery/test_differential.py",
    "tests/parity/test_numpy.py",
    "tests/contracts/test_precision.py",
    "tests/contracts/test_normalizers.py",
]


class Mutant(NamedTuple):
    """One seeded bug; `only` is the test file that must kill it, where that is not a fast one."""

    name: str
    file: str
    old: str
    new: str
    only: str | None = None


MUTANTS = [
    Mutant(
        "window off by one", "masks/sliding_window.py", "q - k <= self.left", "q - k < self.left"
    ),
    Mutant(
        "window one too wide", "masks/sliding_window.py", "q - k <= self.left",
        "q - k <= self.left + 1",
    ),
    Mutant(
        "window ahead dropped", "masks/sliding_window.py", " & (k - q <= self.right)",
        " & (k - q <= 0)",
    ),
    Mutant("causal excludes itself", "masks/causal.py", "return q >= k", "return q > k"),
    Mutant(
        "causal is top-left", "_backends/_bind.py", "q_offset = key.shape[2] - query.shape[2]",
        "q_offset = 0",
    ),
    Mutant(
        "padding polarity", "masks/padding.py", "return ~self.ignore[b, k]",
        "return self.ignore[b, k]",
    ),
    Mutant("and is or", "masks/_mask.py", "self.left(b, h, q, k) & self.right(b, h, q, k)",
           "self.left(b, h, q, k) | self.right(b, h, q, k)"),
    Mutant("one side of and dropped", "masks/_mask.py",
           "self.left(b, h, q, k) & self.right(b, h, q, k)", "self.left(b, h, q, k)"),
    Mutant(
        "mask ignored per head", "_pairwise.py", "return tensor[b, h, q, k]",
        "return tensor[b, first, q, k]",
    ),
    Mutant(
        "mask ignored per sequence", "_pairwise.py", "return tensor[b, h, q, k]",
        "return tensor[first, h, q, k]",
    ),
    Mutant(
        "rows of a tensor forget the offset", "_pairwise.py", "(b, h, q - first_row, k)",
        "(b, h, q.clamp(0, tensor.shape[2] - 1), k)",
    ),
    Mutant(
        "heads tiled", "_backends/_call.py", "tensor_BGKD.repeat_interleave(groups, dim=1)",
        "tensor_BGKD.repeat(1, groups, 1, 1)",
    ),
    Mutant(
        "scale on the bias", "_backends/_call.py",
        "return scores if self.score_mod is None else self.score_mod(scores, b, h, q, k)",
        "return scores if self.score_mod is None else "
        "scores + 0.5 * (self.score_mod(scores, b, h, q, k) - scores)",
    ),
    Mutant(
        "offset ignored by the queries", "_backends/_call.py",
        "torch.arange(start + self.q_offset, stop + self.q_offset, device=device)",
        "torch.arange(start, stop, device=device)",
    ),
    Mutant(
        "finite fill value", "normalizers/_closed.py", "masked_fill(~dead, -torch.inf)",
        "masked_fill(~dead, -30.0)",
    ),
    Mutant(
        "dead row uniform", "normalizers/softmax.py",
        "torch.softmax(filled, dim=-1).masked_fill(closed, 0.0)",
        "torch.softmax(filled, dim=-1)",
    ),
    Mutant(
        "no maximum subtracted", "normalizers/softmax.py",
        "torch.softmax(filled, dim=-1).masked_fill(closed, 0.0)",
        "(filled.exp() / filled.exp().sum(-1, keepdim=True)).masked_fill(closed, 0.0)",
    ),
    Mutant(
        "softmax over queries", "normalizers/softmax.py",
        "torch.softmax(filled, dim=-1).masked_fill(closed, 0.0)",
        "torch.softmax(filled, dim=-2).masked_fill(closed, 0.0)",
    ),
    Mutant(
        "temperature multiplies", "normalizers/softmax.py", "scores / self.temperature",
        "scores * self.temperature",
    ),
    Mutant(
        "dropout before normalizing", "_backends/chunked.py",
        "weights = torch.dropout(weights, call.dropout, train=call.dropout > 0)",
        "weights = torch.dropout(weights, call.dropout, train=call.dropout > 0)\n"
        "    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)",
    ),
    Mutant(
        "dropout without its scale", "_backends/reference.py",
        "weights = torch.dropout(weigh(call), call.dropout, train=call.dropout > 0)",
        "weights = weigh(call)\n"
        "    weights = weights * (torch.rand_like(weights) >= call.dropout)",
    ),
    Mutant(
        "dropout dropped", "_backends/sdpa.py",
        "query, key, value, mask, call.dropout, is_causal,",
        "query, key, value, mask, 0.0, is_causal,",
    ),
    Mutant(
        "a chunk forgets where it is", "_backends/chunked.py", "call.indices_of(start, stop)",
        "call.indices_of(0, stop - start)",
    ),
    Mutant(
        "a chunk normalizes as the first", "_backends/chunked.py",
        "at(slice(None), slice(start, stop))", "at(slice(None), slice(0, stop - start))",
    ),
    Mutant(
        "a chunk draws again in the backward pass", "_backends/chunked.py",
        "use_reentrant=False)", "use_reentrant=False, preserve_rng_state=False)",
    ),
    Mutant(
        "triangle whatever the offset", "_backends/sdpa.py",
        " and call.q_offset == 0 and call.q_len == call.k_len", "",
    ),
    Mutant(
        "causal drops the mask", "_backends/sdpa.py", "type(call.mask) is Causal and",
        '"Causal" in str(call.mask) and',
    ),
    Mutant(
        "fused kernel forgets the mask next to a bias", "_backends/sdpa.py",
        "torch.where(call.permitted(*call.indices), bias, -math.inf)", "bias",
    ),
    Mutant(
        "bias not divided by the temperature", "_backends/sdpa.py",
        "call.modified(zero, *call.indices) / (temperature(call.normalizer) or 1.0)",
        "call.modified(zero, *call.indices)",
    ),
    Mutant(
        "negative scale unnoticed", "_backends/sdpa.py", "if scale < 0:", "if scale < -1e9:"
    ),
    Mutant(
        "default scale from the value", "_backends/sdpa.py", "scale = form.scale /",
        "scale = value.shape[-1] ** -0.5 /",
    ),
    Mutant(
        "any function is a bias", "_backends/_rewriting.py",
        'getattr(call.score_mod, "additive", False)', 'getattr(call.score_mod, "additive", True)',
    ),
    Mutant(
        "a cap is a bias", "score_mods/soft_cap.py", "additive: ClassVar[bool] = False",
        "additive: ClassVar[bool] = True",
    ),
    Mutant(
        "squared distance without the key term", "_backends/_rewriting.py",
        "torch.cat([2 * key, -lengths], -1)", "torch.cat([2 * key, 0 * lengths], -1)",
    ),
    Mutant(
        "squared distance far from zero", "_backends/_rewriting.py", "middle = _middle(key)",
        "middle = 0 * _middle(key)",
    ),
    Mutant(
        "cosine ignores its temperature", "_backends/_rewriting.py", "1.0 / score.temperature",
        "1.0",
    ),
    Mutant(
        "bilinear transposed", "scores/bilinear.py", "return query @ self.weight.to(query.dtype)",
        "return query @ self.weight.to(query.dtype).mT",
    ),
    Mutant(
        "additive forgets the key", "scores/additive.py", "torch.tanh(queries + keys)",
        "torch.tanh(queries + 0 * keys)",
    ),
    Mutant(
        "location starts at the wrong row", "scores/location.py", "self.weight[:k_len]",
        "self.weight[-k_len:]",
    ),
    Mutant(
        "banded starts one key late", "_backends/banded.py", "first = call.q_offset - left",
        "first = call.q_offset - left + 1",
    ),
    Mutant(
        "banded slice one key short", "_backends/banded.py", "rows + left + right)",
        "rows + left + right - 2)",
    ),
    Mutant(
        "banded shares masks that differ", "_backends/banded.py",
        "shown = 1 if is_relative(call.mask) else at.count", "shown = 1",
    ),
    Mutant(
        "a window or anything is a window", "_backends/_structure.py",
        "return None if a is None or b is None else max(a, b)",
        "return b if a is None else a if b is None else max(a, b)",
    ),
    Mutant(
        "linear running sum one block late", "_backends/linear.py",
        "states.cumsum(2) - states", "states.cumsum(2)",
    ),
    Mutant(
        "linear forgets the cache", "_backends/linear.py", "past.unsqueeze(2) + states",
        "0 * past.unsqueeze(2) + states",
    ),
    Mutant(
        "linear sees itself not", "_backends/linear.py", "torch.tril(query @ key.mT)",
        "torch.tril(query @ key.mT, -1)",
    ),
    Mutant(
        "linear padding keeps the values", "_backends/linear.py",
        "key, value = key.where(keep_B1K1, 0), value.where(keep_B1K1, 0)",
        "value = value.where(keep_B1K1, 0)",
    ),
    Mutant(
        "linear ignores the mask", "_backends/linear.py",
        "if type(part) not in (Causal, Padding):", "if False:",
    ),
    Mutant(
        "the shield is down", "_backends/_shield.py", "    if is_tame(call):", "    if True:"
    ),
    Mutant(
        "the shield swallows what is seen", "_backends/_shield.py",
        ".masked_fill(reached.unsqueeze(-1), torch.nan)", "",
    ),
    Mutant(
        "the shield forgets blind queries", "_backends/_shield.py", "bad_query | ~alive",
        "bad_query & alive",
    ),
    Mutant(
        "rows of the weights from the top", "_backends/_weights.py",
        "(b, h[:, heads], q[:, :, rows], k)", "(b, h[:, heads], q[:, :, : len(rows)], k)",
    ),
    Mutant(
        "heads of the weights from the first", "_backends/_weights.py",
        "(b, h[:, heads], q[:, :, rows], k)", "(b, h[:, : len(heads)], q[:, :, rows], k)",
    ),
    Mutant(
        "keys of the wrong group in the weights", "_backends/_weights.py", "heads // call.groups",
        "heads % call.key.shape[1]",
    ),
    Mutant(
        "half precision sums", "_backends/_call.py",
        "torch.promote_types(self.query.dtype, torch.float32)", "self.query.dtype",
    ),
    Mutant(
        "a named backend falls back", "_backends/_plan.py",
        "raise UnsupportedByBackend(name, {name: reasons})", 'return "reference"',
    ),
    Mutant(
        "a second derivative is silently wrong", "_backends/sdpa.py",
        "if torch.is_grad_enabled():", "if False:",
    ),
    Mutant(
        "flex forgets the offset of masks", "_backends/flex.py",
        "return mask(b, h, q + q_offset, k)", "return mask(b, h, q, k)",
    ),
    Mutant(
        "flex forgets the offset of score mods", "_backends/flex.py",
        "score_mod(score * warmth, b, h, q + offset, k)", "score_mod(score * warmth, b, h, q, k)",
    ),
    Mutant(
        "flex keeps a block mask too long", "_backends/flex.py",
        "if is_static(call.mask):", "if True:",
        "tests/compile/test_operator.py",
    ),
]  # fmt: skip


def seeded(mutant: Mutant, folder: Path) -> Path:
    """Copy package and tests into `folder` with the bug in it."""
    for name in ("regard", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    source = folder / "regard" / mutant.file
    text = source.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, (
        f"mutant {mutant.name!r}: {mutant.old!r} occurs {text.count(mutant.old)} times in "
        f"{mutant.file}; follow the source."
    )
    source.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return folder
