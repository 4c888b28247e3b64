"""What the attention page draws: anything with the attributes of a captured map."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Parts(Protocol):
    """The tensors of one item from which its scores and weights are computed again.

    Args:
        query: after projection and rotation, as the score sees it; of scores that are a layer of
            their own (`additive`, `luong_concat`, `concat_tanh_sum`, `gatv2`), after that layer,
            `W q + b`, of `feature_map_dot` after the feature map.
        key: likewise, of each group of heads; grouped heads map as `repeat_interleave`.
        value: None where it is not known.
        scale: what a dot product or a cosine is multiplied by, 1 where it is not.
        bias: what is added to the scores after scaling.
        allowed: True = may attend; None for all, or where `spans` says it.
        spans: where each row may attend is one range of keys: its first, and the one behind its
            last. A part may leave it out.
        score: its name in `regard.parts.SCORES`.
        parameters: tensors by name: `v` of `additive`, `luong_concat` and `gatv2`, `weight` of
            `general`, `location`, `concat_relu` and `concat_linear`, `bias` of the last, and
            `center` of `local_gaussian`, `[heads or 1, rows]`.
        normalizer: its name in `regard.parts.NORMALIZERS`, `divide_by_sum` or `local_gaussian`.
        numbers: single numbers: `temperature` of any softmax, `alpha`, `k`, `sigma`, `window`,
            `soft_cap`, `eps`, `negative_slope`, and `sink_0`, `sink_1`, … of the heads.
    """

    @property
    def query(self) -> Float[Tensor, "heads q_len head_dim"]: ...

    @property
    def key(self) -> Float[Tensor, "kv_heads k_len key_dim"]: ...

    @property
    def value(self) -> Float[Tensor, "kv_heads k_len value_dim"] | None: ...

    @property
    def scale(self) -> float: ...

    @property
    def bias(self) -> Float[Tensor, "some_heads some_rows k_len"] | None: ...

    @property
    def allowed(self) -> Bool[Tensor, "some_heads some_rows k_len"] | None: ...

    @property
    def score(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Tensor]: ...

    @property
    def normalizer(self) -> str: ...

    @property
    def numbers(self) -> Mapping[str, float]: ...


@runtime_checkable
class CapturedMap(Protocol):
    """One call of one attention: who called, what it is made of, and its exact weights.

    Args:
        name: the module that called, as in `named_modules()`.
        call: which call of that module it was in one pass.
        kind: "self", "cross", "pool" or "gate".
        shape: batch, heads, queries, keys.
        mechanism: its parts by role, spelled.
        provenance: where the weights come from, in one short phrase.
    """

    @property
    def name(self) -> str: ...

    @property
    def call(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    @property
    def mechanism(self) -> Mapping[str, str]: ...

    @property
    def provenance(self) -> str: ...

    def weights(
        self,
        heads: int | Sequence[int] | None = None,
        rows: int | slice | Sequence[int] | None = None,
        item: int | None = None,
    ) -> Float[Tensor, "batch some_heads some_rows k_len"]: ...

    def parts(self, item: int = 0) -> Parts | None: ...
