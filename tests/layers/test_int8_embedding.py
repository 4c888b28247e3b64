"""Eight bits: the definition written out, near the layer in float, and a whole network in them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.generation import greedy
from regard.layers import Int8Embedding, by_columns, int8
from regard.layers.dynamic_int8 import DynamicInt8Linear
from regard.models.gpt import GptLM, GptLMConfig
from regard.models.llama import LlamaLM, LlamaLMConfig
from regard.sequences import Packed, Sequences

TEXTS = Sequences.of([[4, 8, 5, 6], [6]])


def written_out(layer: DynamicInt8Linear, x: Tensor) -> Tensor:
    """y_i = s_i t sum_j W_ij round(x_j / t) + b_i, number by number."""
    found = []
    for row in x.double():
        t = max(float(row.abs().max()), 1e-30) / 127
        whole = [round(float(number) / t) for number in row]
        for i, weights in enumerate(layer.weight.tolist()):
            total = sum(w * q for w, q in zip(weights, whole, strict=True))
            found.append(
                float(layer.step[i]) * t * total
                + (0.0 if layer.bias is None else float(layer.bias[i]))
            )
    return torch.tensor(found, dtype=torch.float64).reshape(len(x), len(layer.weight))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs", "rows"), [(1, 1, 1), (5, 3, 2), (64, 33, 17)])
def test_it_is_its_definition(inputs: int, outputs: int, rows: int, bias: bool) -> None:
    layer = DynamicInt8Linear.of(nn.Linear(inputs, outputs, bias))
    x = torch.randn(rows, inputs)
    torch.testing.assert_close(layer(x).double(), written_out(layer, x), rtol=1e-5, atol=1e-5)


def test_weights_are_rounded_by_rows_to_the_nearest_step() -> None:
    linear = nn.Linear(40, 9)
    with torch.no_grad():
        linear.weight[3] *= 100
        linear.weight[4] = 0
    layer = DynamicInt8Linear.of(linear)
    off = (layer.weight * layer.step.unsqueeze(1) - linear.weight).abs()
    assert (off <= 0.5001 * layer.step.unsqueeze(1)).all()
    assert (layer.weight.abs().amax(1) == 127).sum() == 8 and not layer.weight[4].any()


def test_a_row_of_zeros_gives_the_bias_and_one_that_is_no_number_none() -> None:
    layer = DynamicInt8Linear.of(nn.Linear(4, 3))
    x = torch.zeros(3, 4)
    x[1, 2], x[2, 0] = torch.nan, 1.0
    found = layer(x)
    assert (
        torch.equal(found[0], layer.bias) and found[1].isnan().all() and found[2].isfinite().all()
    )


def test_any_shape_and_dtype_of_inputs(generator: torch.Generator) -> None:
    layer = DynamicInt8Linear.of(nn.Linear(8, 3))
    x = torch.randn(2, 5, 8, generator=generator)
    assert layer(x).shape == (2, 5, 3) and layer(x[:0]).shape == (0, 5, 3)
    torch.testing.assert_close(layer(x[0]), layer(x)[0])
    assert layer(x.bfloat16()).dtype == torch.bfloat16


NETWORKS: dict[str, Any] = {
    "gpt": lambda: GptLM(GptLMConfig(vocab=11, embed_dim=32, num_heads=2, ff_dim=64, layers=2)),
    "llama": lambda: LlamaLM(
        LlamaLMConfig(vocab=11, embed_dim=32, num_heads=4, kv_heads=2, ff_dim=64, layers=2)
    ),
    "tied": lambda: LlamaLM(
        LlamaLMConfig(vocab=11, embed_dim=32, num_heads=4, ff_dim=64, layers=2, tied=True)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_in_eight_bits_is_near_and_a_quarter_as_large(name: str) -> None:
    model = NETWORKS[name]().eval()
    before = {key: weight.clone() for key, weight in model.state_dict().items()}
    wanted, small = model(TEXTS), int8(model)
    found = small(TEXTS)
    assert (found - wanted).abs().max() <= 0.05 * wanted.abs().max()
    torch.testing.assert_close(small(Packed.of(TEXTS))[0, :4], found[0])
    assert all(torch.equal(weight, before[key]) for key, weight in model.state_dict().items())
    linear = [part for part in small.modules() if isinstance(part, DynamicInt8Linear)]
    assert linear and not any(type(part) is nn.Linear for part in small.modules())
    assert all(part.weight.dtype == torch.int8 for part in linear)
    tied = isinstance(small.body.embedding.tokens, Int8Embedding)
    assert tied == model.config.tied and not any(w.requires_grad for w in small.parameters())
    prompt = small.encode(TEXTS)
    assert [len(each.tokens) for each in greedy(small, prompt, begin=prompt.last, max_length=3)]


def test_a_network_in_eight_bits_is_not_saved(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="eight bits is not saved; save the one it was made of"):
        regard.save(int8(NETWORKS["gpt"]()), tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_by_columns_are_the_same_weights(name: str, tmp_path: Any) -> None:
    model = NETWORKS[name]().eval()
    other = by_columns(model)
    torch.testing.assert_close(other(TEXTS), model(TEXTS))
    # The output has fewer tokens than inputs here, the hidden layer is wider than its own.
    assert sum(weight.stride()[:1] == (1,) for weight in other.parameters() if weight.ndim == 2)
    pairs = zip(model.state_dict().items(), other.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)
    regard.save(other, tmp_path)
    torch.testing.assert_close(regard.load(tmp_path)(TEXTS), model(TEXTS))
