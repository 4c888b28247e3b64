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
        "causal is top-left", "_backends/_bind.py",
        "key.shape[2] - query.shape[2] if q_offset is None else _offset",
        "0 if q_offset is None else _offset",
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
        "rows of a tensor forget the offset", "_pairwise.py",
        "return q if first_query is None else q - first_query",
        "return q if first_query is None else q.clamp(0, rows - 1)",
    ),
    Mutant(
        "heads tiled", "_backends/_call.py", "tensor_BGKD.repeat_interleave(groups, dim=1)",
        "tensor_BGKD.repeat(1, groups, 1, 1)",
    ),
    Mutant(
        "scale on the bias", "_backends/_call.py",
        "answer = self.score_mod(scores, b, h, q, k)",
        "answer = scores + 0.5 * (self.score_mod(scores, b, h, q, k) - scores)",
    ),
    Mutant(
        "offset ignored by the queries", "_backends/_call.py", "first = self.q_offset", "first = 0",
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
        "temperature multiplies", "normalizers/softmax.py", "warm / scalar(self.temperature, warm)",
        "warm * scalar(self.temperature, warm)",
    ),
    Mutant(
        "dropout before normalizing", "_backends/chunked.py",
        "weights = torch.dropout(weights, call.dropout, train=True)",
        "weights = torch.dropout(weights, call.dropout, train=True)\n"
        "        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)",
    ),
    Mutant(
        "dropout without its scale", "_backends/reference.py",
        "weights = torch.dropout(weigh(call), call.dropout, train=call.dropout > 0)",
        "weights = weigh(call)\n"
        "    weights = weights * (torch.rand_like(weights) >= call.dropout)",
    ),
    Mutant(
        "dropout dropped", "_backends/_dot.py", "query, key, value, mask, dropout, is_causal,",
        "query, key, value, mask, 0.0, is_causal,",
    ),
    Mutant(
        "a chunk forgets where it is", "_backends/chunked.py",
        "call.indices_of(chunk.start, chunk.stop)",
        "call.indices_of(0, chunk.stop - chunk.start)",
    ),
    Mutant(
        "a chunk forgets where its keys are", "_backends/chunked.py",
        "k[..., chunk.first : chunk.last] if", "k[..., : chunk.last - chunk.first] if",
        "tests/backends/test_spans.py",
    ),
    Mutant(
        "a chunk loses its last key", "_backends/_intervals.py",
        "return Interval(0, q + 1, True)", "return Interval(0, q, True)",
        "tests/backends/test_spans.py",
    ),
    Mutant(
        "a chunk normalizes as the first", "_backends/chunked.py",
        "at(slice(None), slice(start, stop))", "at(slice(None), slice(0, stop - start))",
    ),
    Mutant(
        "a chunk draws again in the backward pass", "_backends/chunked.py",
        "checkpoint(again, query, *keys, *values, use_reentrant=False)",
        "checkpoint(again, query, *keys, *values, use_reentrant=False, preserve_rng_state=False)",
    ),
    Mutant(
        "triangle whatever the offset", "_backends/sdpa.py",
        "        and surely(call.q_offset == 0)\n        and surely(call.q_len == call.k_len)\n",
        "",
    ),
    Mutant(
        "causal drops the mask", "_backends/sdpa.py", "type(call.mask) is Causal\n",
        '"Causal" in str(call.mask)\n',
    ),
    Mutant(
        "fused kernel forgets the mask next to a bias", "_backends/_dot.py",
        "return known.masked_fill(~call.permitted(*indices), -torch.inf)", "return known",
    ),
    Mutant(
        "bias not divided by the temperature", "_backends/_dot.py",
        "known = known / divisor",
        "known = known / 1",
    ),
    Mutant(
        "negative scale unnoticed", "_backends/_dot.py", "elif scale < 0:", "elif scale < -1e9:"
    ),
    Mutant(
        "default scale from the value", "_backends/_dot.py", "form.key, form.scale /",
        "form.key, call.value.shape[-1] ** -0.5 /",
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
        "cosine ignores its temperature", "_backends/_rewriting.py",
        "1.0 / _plain(score.temperature)", "1.0",
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
        "banded starts one key late", "_backends/banded.py",
        "first = call.shared_offset - left\n    blocks",
        "first = call.shared_offset - left + 1\n    blocks",
    ),
    Mutant(
        "banded slice one key short", "_backends/banded.py", "rows + left + right)",
        "rows + left + right - 2)",
    ),
    Mutant(
        "banded shares masks that differ", "_backends/banded.py",
        "shown = 1 if is_relative(call.mask) and not sticks_out else at.count", "shown = 1",
    ),
    Mutant(
        "packed forgets its triangle", "_backends/packed.py",
        "is_causal = bool(_within(call))", "is_causal = False",
    ),
    Mutant(
        "packed puts tokens back in the order it took them", "_backends/packed.py",
        "row.order.argsort()", "row.order",
    ),
    Mutant(
        "packed takes documents in pieces for several", "_backends/packed.py",
        "if len(set(names.tolist())) < len(names):", "if False:",
    ),
    Mutant(
        "packed keeps apart what else is hidden", "_backends/packed.py",
        "return not _within(call)", "return True",
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
        "the shield is down", "_backends/_sanitize.py",
        "    if all_finite(call):\n        return _unanswered(serve(call), call)\n    clean",
        "    return _unanswered(serve(call), call)\n    clean",
    ),
    Mutant(
        "the shield swallows what is seen", "_backends/_sanitize.py",
        ".masked_fill(reached.unsqueeze(-1), torch.nan)", "",
    ),
    Mutant(
        "the shield forgets blind queries", "_backends/_sanitize.py", "bad_query | ~alive",
        "bad_query & alive",
    ),
    Mutant(
        "rows of the weights from the top", "_backends/_weights.py",
        "query, q = query[:, :, rows], q[:, :, rows]",
        "query, q = query[:, :, rows], q[:, :, : len(rows)]",
    ),
    Mutant(
        "heads of the weights from the first", "_backends/_weights.py",
        "query, h = query[:, heads], h[:, heads]",
        "query, h = query[:, heads], h[:, : len(heads)]",
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
        "a second derivative is forgotten", "_backends/_derivatives.py",
        "if upstream[0] is None or not torch.is_grad_enabled():", "if True:",
        "tests/backends/test_derivatives.py",
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
        "if follows_from_numbers(call.mask) and not is_traced():", "if not is_traced():",
        "tests/backends/test_block_masks.py",
    ),
    Mutant(
        "a known call is top-left", "_backends/_bind.py",
        "key.shape[2] - query.shape[2] if q_offset is None else q_offset",
        "0 if q_offset is None else q_offset",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a form forgets dropout", "_backends/_memo.py", "for part in parts],",
        "for part in (*parts[:4], parts[5])],",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a form forgets the mask", "_backends/_memo.py", "for part in parts],",
        "for part in (*parts[:2], *parts[3:])],",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a form forgets dtypes", "_backends/_memo.py", "query.dtype, key.dtype, value.dtype,", "",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a form forgets who learns", "_backends/_memo.py",
        "held.shape, held.dtype, held.device, held.requires_grad",
        "held.shape, held.dtype, held.device",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a form forgets the shape of a part's tensor", "_backends/_memo.py",
        "held.shape, held.dtype, held.device, held.requires_grad",
        "held.dtype, held.device, held.requires_grad",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a kept kernel drops dropout", "_backends/sdpa.py",
        "is_causal=is_causal, dropout=dropout,", "is_causal=is_causal, dropout=0.0,",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a fused kernel has no second derivative", "_backends/_dot.py",
        "if output.requires_grad and not is_traced():", "if False:",
        "tests/backends/test_derivatives.py",
    ),
    Mutant(
        "a kept kernel answers without looking", "_backends/_sanitize.py",
        "return kernel(query, key, value, mask) if are_finite(query, key, value) else None",
        "return kernel(query, key, value, mask)",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "an interval starts one key late", "_backends/_reach.py", "low.maximum(q - left)",
        "low.maximum(q - left + 1)",
        "tests/backends/test_reach.py",
    ),
    Mutant(
        "a window without a limit overflows", "_backends/_reach.py",
        "(min(reach, FARTHEST) for reach in (part.left, part.right))", "(part.left, part.right)",
        "tests/contracts/test_offsets.py",
    ),
    Mutant(
        "numbers that are equal are one call", "_backends/_memo.py", "return kind, held",
        "return held", "tests/backends/test_memo.py",
    ),
    Mutant(
        "an interval ends one key early", "_backends/_reach.py", "(high + 1, low)", "(high, low)",
        "tests/backends/test_reach.py",
    ),
    Mutant(
        "an interval counts padding", "_backends/_reach.py",
        "real = real & part(*call.indices).squeeze(2)", "real = real",
        "tests/backends/test_reach.py",
    ),
    Mutant(
        "a second derivative without the bias", "_backends/_derivatives.py",
        "None if bias is None else Bias(bias, first_query=0),", "None,",
        "tests/backends/test_derivatives.py",
    ),
    Mutant(
        "a second derivative sees later keys", "_backends/_derivatives.py",
        "Causal() if is_causal else None, softmax", "None, softmax",
        "tests/backends/test_derivatives.py",
    ),
    Mutant(
        "a part that changes is called for each chunk", "_backends/_held.py",
        "module.training\n", "False\n",
        "tests/backends/test_recompute.py",
    ),
    Mutant(
        "any normalizer is given some rows", "_backends/_held.py",
        'return hasattr(normalizer, "at") or is_ours(normalizer)', "return True",
        "tests/contracts/test_foreign_parts.py",
    ),
    Mutant(
        "what was written to goes unnoticed", "_backends/chunked.py",
        "for part in call.parts\n        for tensor", "for part in ()\n        for tensor",
        "tests/backends/test_recompute.py",
    ),
    Mutant(
        "a function that changed goes unnoticed", "_backends/chunked.py",
        "foreign = not all(is_known(part) for part in call.parts)", "foreign = False",
        "tests/backends/test_recompute.py",
    ),
    Mutant(
        "a score from elsewhere is given some heads", "_backends/_weights.py",
        "for_heads = for_rows and is_ours(call.score)", "for_heads = for_rows",
        "tests/contracts/test_foreign_parts.py",
    ),
    Mutant(
        "an empty logsumexp has a gradient", "_backends/_logsumexp.py",
        "torch.logsumexp(scores.masked_fill(empty, 0.0), dim", "torch.logsumexp(scores, dim",
        "tests/backends/test_logsumexp.py",
    ),
    Mutant(
        "a logsumexp forgets the temperature", "_backends/_logsumexp.py",
        "    scores = scores / temperature(call.normalizer)\n", "",
        "tests/contracts/test_partial.py",
    ),
    Mutant(
        "a merge without its maximum", "_partial.py",
        "softmax(sums.movedim(0, -1)).movedim(-1, 0)", "sums.exp() / sums.exp().sum(0)",
        "tests/contracts/test_partial.py",
    ),
    Mutant(
        "a merge of nothing is not zero", "_partial.py",
        "softmax(sums.movedim(0, -1)).movedim(-1, 0)", "torch.softmax(sums, 0)",
        "tests/contracts/test_partial.py",
    ),
    Mutant(
        "a learned scale is forgotten", "_backends/_dot.py",
        "query.to(call.exact) * scale", "query.to(call.exact)",
        "tests/backends/test_memo.py",
    ),
    Mutant(
        "a rewritten score stays in half precision", "_backends/_rewriting.py",
        "AS_THEY_ARE = (Dot, ScaledDot)", "AS_THEY_ARE = (Dot, ScaledDot, Bilinear)",
        "tests/contracts/test_precision.py",
    ),
    Mutant(
        "no transform needs the definition", "_torch_private.py",
        "    if is_forward_mode():\n        return True\n    if not is_transformed():",
        "    if True:", "tests/contracts/test_modes.py",
    ),
    Mutant(
        "every sequence starts where the first does", "_backends/_call.py",
        "self.q_offset.view(-1, 1, 1, 1)", "self.q_offset[:1].view(-1, 1, 1, 1)",
        "tests/contracts/test_offsets.py",
    ),
    Mutant(
        "rows of every sequence start where the first do", "_pairwise.py",
        "asked = q - first_query[b]", "asked = q - first_query[0]",
        "tests/contracts/test_offsets.py",
    ),
    Mutant(
        "padded blocks ask for queries beyond the last", "_backends/banded.py",
        "q = q.clamp(max=call.q_offset + call.q_len - 1)", "q = q + 0",
        "tests/backends/test_padded_blocks.py",
    ),
    Mutant(
        "padded blocks ask for keys that are not there", "_backends/banded.py",
        "k = k.clamp(min=0, max=call.k_len - 1)", "k = k + 0",
        "tests/backends/test_padded_blocks.py",
    ),
    Mutant(
        "padded blocks see the filling", "_backends/banded.py",
        "mask = mask & inside if sticks_out else mask", "mask = mask | False",
        "tests/backends/test_padded_blocks.py",
    ),
    Mutant(
        "a count of keys one too many", "masks/key_counts.py", "k < look_up(", "k <= look_up(",
        "tests/masks/test_key_counts.py",
    ),
    Mutant(
        "a chain is applied from its end", "score_mods/chain.py",
        "for mod in self.mods:\n            score",
        "for mod in self.mods[::-1]:\n            score",
        "tests/score_mods/test_chain.py",
    ),
    Mutant(
        "a sink without its hidden keys", "normalizers/sink.py", "weights.masked_fill(closed, 0.0)",
        "weights",
        "tests/contracts/test_normalizers.py",
    ),
    Mutant(
        "entmax measures from the best key", "normalizers/_above_two.py",
        "(s * (best - keys.spread(keys.at(best, lowest)))).clamp_min(0.0)",
        "(s * (best - keys.spread(keys.at(best, 0 * lowest)))).clamp_min(0.0)",
        "tests/contracts/test_normalizers.py",
    ),
    Mutant(
        "a block's bottleneck without a unit", "vision/_checks.py",
        "return max(at_least, channels // reduction)", "return channels // reduction",
        "tests/contracts/test_blocks.py",
    ),
    Mutant(
        "a block edits its input", "vision/squeeze_excitation.py",
        "return x * self.weights(x)", "return x.mul_(self.weights(x))",
        "tests/contracts/test_blocks.py",
    ),
    Mutant(
        "a block mixes the images of a batch", "vision/global_context.py",
        "torch.softmax(scores.flatten(2), 2)", "torch.softmax(scores.flatten(2), 0)",
        "tests/contracts/test_blocks.py",
    ),
    Mutant(
        "a block's norm of one value", "vision/_checks.py",
        "if values.numel() == values.shape[1]:", "if values.numel() < 0:",
        "tests/contracts/test_blocks.py",
    ),
    Mutant(
        "SimAM divides by no others", "vision/simam.py",
        "torch.sym_max(others, 1)", "others",
        "tests/vision/test_simam.py",
    ),
    Mutant(
        "BAM without its residual", "vision/bottleneck_attention.py",
        "torch.addcmul(x, x, self.weights(x))", "x * self.weights(x)",
        "tests/vision/test_bottleneck_attention.py",
    ),
    Mutant(
        "selective kernels choose between channels", "vision/selective_kernel.py",
        "torch.softmax(scores, 1)", "torch.softmax(scores, 2)",
        "tests/vision/test_selective_kernel.py",
    ),
    Mutant(
        "split attention's splits outside of its groups", "vision/split_attention.py",
        "b (g r c) 1 -> b r (g c)", "b (r g c) 1 -> b r (g c)",
        "tests/vision/test_split_attention.py",
    ),
    Mutant(
        "ECA's kernel rounded", "vision/efficient_channel_attention.py",
        "size = int(abs(log2(channels) + 1) / 2)", "size = round(abs(log2(channels) + 1) / 2)",
        "tests/vision/test_efficient_channel_attention.py",
    ),
    Mutant(
        "CBAM's places before its channels", "vision/convolutional_block_attention.py",
        "self.spatial(self.channel(x))", "self.channel(self.spatial(x))",
        "tests/vision/test_convolutional_block_attention.py",
    ),
    Mutant(
        "a covariance divided by one less", "vision/covariance_pooling.py",
        "centered @ centered.mT / x.shape[2]", "centered @ centered.mT / (x.shape[2] - 1)",
        "tests/vision/test_covariance_pooling.py",
    ),
    Mutant(
        "a start from the identity loses the sign of zero", "vision/from_identity.py",
        "return x - (0.0 - self.gamma * change)", "return x + self.gamma * change",
        "tests/vision/test_from_identity.py",
    ),
    Mutant(
        "fusing past a block is not noticed", "vision/hooks.py",
        "if each.norm is not None and not", "if False and not",
        "tests/vision/test_fusing.py",
    ),
    Mutant(
        "a module copied alone keeps its guard", "vision/hooks.py", "memo.get(id(self.guard))",
        "self.guard",
        "tests/vision/test_fusing.py",
    ),
    Mutant(
        "the shortcut is taken for the branch", "vision/structure.py",
        "shortcut, branch = sorted(", "branch, shortcut = sorted(",
        "tests/vision/test_places.py",
    ),
    Mutant(
        "looking at a network leaves its buffers changed", "vision/probe.py",
        "tensor.copy_(before)", "pass",
        "tests/vision/test_insertion.py",
    ),
    Mutant(
        "rollout the other way round", "explain/rollout.py", "total = each @ total",
        "total = total @ each",
        "tests/explain/test_rollout.py",
    ),
    Mutant(
        "rollout divides columns", "explain/normalized.py", "weights.sum(-1, keepdim=True)",
        "weights.sum(-2, keepdim=True)",
        "tests/explain/test_rollout.py",
    ),
    Mutant(
        "a query that sees nothing loses its residual", "explain/_fusion.py", ".where(~dead, eye)",
        "",
        "tests/explain/test_rollout.py",
    ),
    Mutant(
        "what is hidden counts among the discarded", "explain/_fusion.py",
        "one.shape[-1] - positive + (share * positive)", "(share * one.shape[-1] + 0 * positive)",
        "tests/explain/test_rollout.py",
    ),
    Mutant(
        "flow never turns back", "explain/_max_flow.py", "self.up[floor - 1, :, node] += fallen",
        "pass",
        "tests/explain/test_flow.py",
    ),
    Mutant(
        "an edge takes more than it has room for", "explain/_max_flow.py",
        "before, 0.0, room)", "before, 0.0, 2 * room)",
        "tests/explain/test_flow.py",
    ),
    Mutant(
        "relevance lets heads cancel", "explain/relevance.py", ".clamp(min=0).mean(1)",
        ".mean(1).clamp(min=0)",
        "tests/explain/test_relevance.py",
    ),
    Mutant(
        "relevance across is not normalized", "explain/bimodal.py",
        "_normalized(self.r_aa).mT @ each", "self.r_aa.mT @ each",
        "tests/explain/test_relevance.py",
    ),
    Mutant(
        "value heads tiled in norms", "explain/value_norm.py",
        "repeat_interleave(heads // value.shape[1], 1)",
        "repeat(1, heads // value.shape[1], 1, 1)",
        "tests/explain/test_value_norm.py",
    ),
    Mutant(
        "columns of a head interleaved", "explain/ablation.py",
        "kept = torch.ones(count, width // count, dtype=like.dtype, device=like.device)\n"
        "    kept[list(heads)] = 0",
        "kept = torch.ones(width // count, count, dtype=like.dtype, device=like.device)\n"
        "    kept[:, list(heads)] = 0",
        "tests/explain/test_ablation.py",
    ),
    Mutant(
        "a matrix with zeros is kept between calls", "explain/ablation.py",
        "stack.callback(module.register_forward_hook(show, always_call=True).remove)", "pass",
        "tests/explain/test_ablation.py",
    ),
    Mutant(
        "a growing cache is given again", "explain/value_zeroing.py", "return copy.deepcopy(given)",
        "return given",
        "tests/explain/test_value_zeroing.py",
    ),
    Mutant(
        "a token keeps its bias", "explain/_zeroed_values.py",
        "F.linear(token, matrix, bias)", "F.linear(token, matrix)",
        "tests/explain/test_value_zeroing.py",
    ),
    Mutant(
        "induction looks at the token itself", "explain/_patterns.py",
        "seen.tokens[:, None] == seen.tokens[None, :-1]",
        "seen.tokens[:, None] == seen.tokens[None, 1:]",
        "tests/explain/test_tags.py",
    ),
    Mutant(
        "a broad head is a block", "explain/_patterns.py", "_mean_over(mass * _spread(rows, near)",
        "_mean_over(_spread(rows, near)",
        "tests/explain/test_tags.py",
    ),
    Mutant(
        "words are summed over queries too", "explain/words.py", "(rows / rows.sum(0)).mT",
        "rows.mT",
        "tests/explain/test_words.py",
    ),
    Mutant(
        "windows rolled the wrong way", "explain/windows.py", "(-shift[0], -shift[1])",
        "(shift[0], shift[1])",
        "tests/explain/test_patches.py",
    ),
    Mutant(
        "a path may not go both ways at once", "explain/_warping.py",
        "np.minimum(least[i - 1, j - 1], least[i - 1, j])", "least[i - 1, j]",
        "tests/explain/test_timestamps.py",
    ),
    Mutant(
        "frames are scaled along time", "explain/timestamps.py",
        "sound.mean(1, keepdim=True)", "sound.mean(2, keepdim=True)",
        "tests/explain/test_timestamps.py",
    ),
    Mutant(
        "a small turn is lost", "explain/head_effects.py",
        "turn = (one - other).square().sum(-1) / 2", "turn = 1 - (one * other).sum(-1)",
        "tests/explain/test_ablation.py",
    ),
    Mutant(
        "an operator that is shared loses heads everywhere", "explain/ablation.py",
        "        if not depth:\n            return None\n        done.calls[name] += 1\n"
        "        if output",
        "        done.calls[name] += 1\n        if output",
        "tests/explain/test_ablation.py",
    ),
    Mutant(
        "a softmax is lost by dropout", "explain/_values_in_use.py",
        "output.numel() == args[0].numel() and", "False and",
        "tests/explain/test_value_zeroing.py",
    ),
    Mutant(
        "the wrong operand of a sum over letters", "explain/_values_in_use.py",
        "words[other].index(key) - len(words[other])", "-2",
        "tests/explain/test_value_zeroing.py",
    ),
    Mutant(
        "several attentions are changed at once", "explain/_zeroed_values.py",
        "if len(self.lengths) > 1:", "if False:",
        "tests/explain/test_value_zeroing.py",
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
