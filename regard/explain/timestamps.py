"""When each token was spoken: its path through the weights on a recording's frames."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import Layers, positions_in, read_layers
from regard.explain._warping import cheapest_path
from regard.explain.normalized import rows_of_one
from regard.explain.words import Words


@dataclass(frozen=True)
class TokenTimes:
    """When each token starts and ends, in seconds.

    Args:
        starts: of each token.
        ends: of each token; a token ends where the next one starts.
        path: (token, frame), from the first of both to the last.
    """

    starts: tuple[float, ...]
    ends: tuple[float, ...]
    path: tuple[tuple[int, int], ...]

    def of_words(self, words: Words) -> tuple[tuple[float, float], ...]:
        """(start, end) of each word; `ValueError` if the numbers of tokens differ."""
        if words.tokens != len(self.starts):
            raise ValueError(
                f"these words have {words.tokens} tokens, and {len(self.starts)} were timed; give "
                "the words of the queries that were chosen."
            )
        return tuple((self.starts[first], self.ends[last - 1]) for first, last in words.spans)


def token_times(
    weights: Layers,
    heads: Iterable[tuple[int, int]] | None = None,
    *,
    seconds_per_frame: float,
    queries: Iterable[int] | None = None,
    frames: int | None = None,
    median: int = 7,
    item: int = 0,
) -> TokenTimes:
    """Determine from cross-attention when each token of a transcript was spoken.

        a = w over the first `frames` keys, each row summing to 1
        z_hqk = (a_hqk - mean_q a_hqk) / std_q a_hqk          each frame over all tokens
        m_qk = mean over the heads of median filter(z_hq·)    along the frames
        path = the monotone path through m with the largest sum, from first to last of both

    A token starts at the first frame of its row in the path. In a decoder, the row that attends to
    a token's sound is the one that predicts it: that of the previous token.

    Args:
        weights: of the decoder's cross-attention, `[layers, batch, heads, q_len, frames]`, or one
            tensor per layer.
        heads: (layer, head) of those that follow the sound; all heads if None, which is coarse.
        seconds_per_frame: 0.02 for Whisper.
        queries: the rows to time, in order; all if None. The others (prompt and end) still count
            toward mean and deviation.
        frames: how many keys are sound rather than trailing silence; all if None.
        median: width of the filter, an odd number; 1 for none.
        item: index in the batch.

    Raises:
        ValueError, TypeError, IndexError: not weights, layers that differ in tokens or frames,
            heads, queries, frames or items that do not exist, or an even filter.

    Example:
        >>> said = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.0, 0.1, 0.45, 0.45]])
        >>> token_times(said[None, None, None], seconds_per_frame=0.5, median=1).starts
        (0.0, 1.0)

    References:
        Radford, Kim, Xu, Brockman, McLeavey & Sutskever. Robust Speech Recognition via Large-Scale
        Weak Supervision. 2022. https://arxiv.org/abs/2212.04356
    """
    if isinstance(seconds_per_frame, bool) or not seconds_per_frame > 0:
        raise ValueError(
            f"token_times needs seconds_per_frame above 0, got {seconds_per_frame!r}; Whisper's "
            "are 0.02."
        )
    chosen = _chosen(read_layers("token_times", weights), heads, item)
    rows, columns = chosen.shape[1:]
    if frames is not None and not 1 <= frames <= columns:
        raise ValueError(
            f"token_times: frames is {frames}, and there are {columns} keys; give from 1 to "
            f"{columns}."
        )
    sound = rows_of_one(chosen[:, :, :frames])
    deviation = sound.std(1, unbiased=False, keepdim=True)
    scaled = (sound - sound.mean(1, keepdim=True)) / deviation.where(deviation > 0, 1.0)
    matrix = median_filter(scaled, median).mean(0)
    if queries is not None:
        matrix = matrix[positions_in("token_times", "queries", queries, rows)]
    path = cheapest_path(-matrix.double().cpu().numpy())
    first = {token: frame for token, frame in reversed(path)}
    starts = tuple(first[token] * seconds_per_frame for token in range(len(matrix)))
    ends = (*starts[1:], (path[-1][1] + 1) * seconds_per_frame)
    return TokenTimes(starts, ends, tuple(path))


def median_filter(
    values: Float[Tensor, "*batch frames"], width: int
) -> Float[Tensor, "*batch frames"]:
    """The median of each number and its neighbors, `width` in all; ends are mirrored.

    Fewer numbers than half the width have nothing to mirror, and are unchanged.

    >>> median_filter(torch.tensor([0.0, 9.0, 1.0, 2.0]), 3)
    tensor([9., 1., 2., 1.])
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1 or width % 2 == 0:
        raise ValueError(f"median_filter needs an odd width of at least 1, got {width!r}.")
    half = width // 2
    if values.shape[-1] <= half:
        return values
    flat = values.reshape(1, -1, values.shape[-1])
    padded = F.pad(flat, (half, half), mode="reflect")
    return padded.unfold(-1, width, 1).median(-1).values.reshape(values.shape)


def _chosen(layers: list[Tensor], heads: Iterable[tuple[int, int]] | None, item: int) -> Tensor:
    """The chosen heads of an item, `[heads, q_len, frames]`."""
    pairs = (
        [(n, head) for n, layer in enumerate(layers) for head in range(layer.shape[1])]
        if heads is None
        else list(heads)
    )
    if not pairs:
        raise ValueError("token_times needs at least one (layer, head), got none.")
    found = []
    for number, head in pairs:
        layer = layers[positions_in("token_times", "layers", [number], len(layers))[0]]
        one = layer[positions_in("token_times", "item", [item], len(layer))[0]].detach()
        found.append(one[positions_in("token_times", "heads", [head], len(one))[0]])
        if found[-1].shape != found[0].shape:
            raise ValueError(
                f"token_times: layer {number} has {[*found[-1].shape]} queries and frames, layer "
                f"{pairs[0][0]} {[*found[0].shape]}; give the cross-attention of one decoder."
            )
    return torch.stack(found)
