"""What the page computes is what Python computed, for every mechanism and every tier."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Causal, SlidingWindow
from regard.normalizers import (
    Entmax,
    LocalGaussian,
    Sink,
    Softmax,
    TopK,
    divide_by_count,
    divide_by_sum,
    hard,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
    unnormalized,
)
from regard.score_mods import ALiBi, RelativeBias, SoftCap
from regard.scores import (
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatReLU,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from regard.view.attention_view import View
from regard.view.tiers import Storage
from tests.view.browser.conftest import Open, settle, weights_of
from tests.view.recorded import Recorded, encoder

TOKENS = [f"t{n}" for n in range(12)]
LENGTH, WIDTH, HEADS = len(TOKENS), 8, 2


def vectors(seed: int, heads: int = HEADS, width: int = WIDTH) -> Tensor:
    return torch.randn(1, heads, LENGTH, width, generator=torch.Generator().manual_seed(seed))


def made(score: Any, name: str, normalizer: Any = softmax, of: str = "softmax", **more: Any) -> Any:
    return Recorded(
        vectors(0),
        vectors(1),
        vectors(2),
        score=score,
        normalizer=normalizer,
        names=(name, of),
        **more,
    )


def projected(score: Any) -> tuple[Tensor, Tensor]:
    return tuple(t.detach() for t in score.project(vectors(0), vectors(1)))


def by_score() -> dict[str, Recorded]:
    torch.manual_seed(0)
    additive, bilinear = Additive(WIDTH, WIDTH, 6), Bilinear(WIDTH, WIDTH)
    luong, tanh = LuongConcat(WIDTH, WIDTH, 6), ConcatTanhSum(WIDTH, WIDTH, 6)
    location, relu = Location(WIDTH, LENGTH), ConcatReLU(WIDTH, WIDTH)
    graph = GATv2(WIDTH, WIDTH, 6, negative_slope=0.3)
    linear, features = ConcatLinear(WIDTH, WIDTH, LENGTH), FeatureMapDot()
    phi = tuple(features.feature_map(t) for t in (vectors(0), vectors(1)))
    weights = {name: s.weight.detach() for name, s in {"l": location, "r": relu}.items()}
    return {
        "scaled_dot": made(ScaledDot(), "scaled_dot"),
        "dot": made(Dot(), "dot", scale=1.0),
        "cosine": made(Cosine(0.25), "cosine", scale=4.0),
        "general": made(bilinear, "general", parameters={"weight": bilinear.weight.detach()}),
        "additive": made(
            additive, "additive", projected=projected(additive), parameters={"v": additive.v}
        ),
        "luong_concat": made(
            luong, "luong_concat", projected=projected(luong), parameters={"v": luong.v}
        ),
        "concat_tanh_sum": made(tanh, "concat_tanh_sum", projected=projected(tanh)),
        "gatv2": made(
            graph,
            "gatv2",
            projected=projected(graph),
            parameters={"v": graph.v},
            numbers={"negative_slope": 0.3},
        ),
        "location": made(location, "location", parameters={"weight": weights["l"]}),
        "concat_relu": made(relu, "concat_relu", parameters={"weight": weights["r"]}),
        "concat_linear": made(
            linear,
            "concat_linear",
            parameters={"weight": linear.weight.detach(), "bias": linear.bias.detach()},
        ),
        "squared_distance": made(NegativeSquaredDistance(), "squared_distance"),
        "inverse_distance": made(InverseDistance(1e-3), "inverse_distance", numbers={"eps": 1e-3}),
        "feature_map_dot": made(
            features, "feature_map_dot", divide_by_sum, "divide_by_sum", projected=phi
        ),
    }


def by_normalizer() -> dict[str, Recorded]:
    center = torch.linspace(0, LENGTH - 1, LENGTH)
    gaussian = LocalGaussian(center[None, None], sigma=2.0, window=4)
    sink = Sink(HEADS)
    with torch.no_grad():
        sink.sink.copy_(torch.tensor([0.5, -1.0]))
    dot = ScaledDot()
    return {
        "warm": made(dot, "scaled_dot", Softmax(0.5), numbers={"temperature": 0.5}),
        "sparsemax": made(dot, "scaled_dot", sparsemax, "sparsemax"),
        "entmax": made(dot, "scaled_dot", Entmax(1.3), "entmax", numbers={"alpha": 1.3}),
        "sigmoid": made(dot, "scaled_dot", sigmoid, "sigmoid"),
        "softmax_one": made(dot, "scaled_dot", softmax_one, "softmax_one"),
        "sink": made(dot, "scaled_dot", sink, "sink", numbers={"sink_0": 0.5, "sink_1": -1.0}),
        "hard": made(dot, "scaled_dot", hard, "hard"),
        "top_k": made(dot, "scaled_dot", TopK(3), "top_k", numbers={"k": 3}),
        "unnormalized": made(dot, "scaled_dot", unnormalized, "unnormalized"),
        "divide_by_count": made(dot, "scaled_dot", divide_by_count, "divide_by_count"),
        "local_gaussian": made(
            dot,
            "scaled_dot",
            gaussian,
            "local_gaussian",
            numbers={"sigma": 2.0, "window": 4},
            parameters={"center": center},
        ),
    }


def relative_bias() -> tuple[RelativeBias, Tensor]:
    mod = RelativeBias(HEADS)
    torch.nn.init.normal_(mod.weight)
    places = torch.arange(LENGTH)
    return mod, mod.weight[mod.bucket(places[None] - places[:, None])].permute(2, 0, 1).detach()


def by_mask_and_bias() -> dict[str, Recorded]:
    places = torch.arange(LENGTH)
    distance = (places[None] - places[:, None]).abs()
    alibi = ALiBi(HEADS)
    zero = torch.zeros(LENGTH, LENGTH)
    at = torch.meshgrid(places, places, indexing="ij")
    slopes = torch.stack([alibi(zero, torch.tensor(0), torch.tensor(h), *at) for h in range(HEADS)])
    t5, t5_bias = relative_bias()
    holes = torch.rand(1, LENGTH, LENGTH, generator=torch.Generator().manual_seed(3)) > 0.4
    holes[0].fill_diagonal_(True)
    any_bias = torch.randn(1, LENGTH, LENGTH, generator=torch.Generator().manual_seed(4))
    from regard.score_mods import Bias

    dot = ScaledDot()
    return {
        "causal": made(dot, "scaled_dot", mask=Causal()),
        "window": made(
            dot, "scaled_dot", mask=SlidingWindow(2, 1), allowed=_band(distance, places)
        ),
        "holes": made(dot, "scaled_dot", mask=holes[None], allowed=holes),
        "nothing": made(dot, "scaled_dot", mask=zero.bool()[None, None], allowed=zero.bool()[None]),
        "alibi": made(dot, "scaled_dot", score_mod=alibi, bias=slopes),
        "t5": made(dot, "scaled_dot", score_mod=t5, bias=t5_bias),
        "any bias": made(dot, "scaled_dot", score_mod=Bias(any_bias[None]), bias=any_bias),
        "soft cap": made(dot, "scaled_dot", score_mod=SoftCap(0.7), numbers={"soft_cap": 0.7}),
    }


def _band(distance: Tensor, places: Tensor) -> Tensor:
    behind = places[:, None] - places[None]
    return ((behind <= 2) & (behind >= -1))[None]


def as_captured(table: Any) -> dict[str, Recorded]:
    """The same calls, seen by `regard.capture` while they are made."""
    found = {}
    for name, each in table().items():
        parts = {"score": each.score, "score_mod": each.score_mod, "mask": each.mask}
        with regard.capture() as maps, torch.no_grad():
            regard.attention(each.query, each.key, each.value, normalizer=each.normalizer, **parts)
        (found[name],) = maps
    return found


def captured_scores() -> dict[str, Recorded]:
    return as_captured(by_score)


def captured_normalizers() -> dict[str, Recorded]:
    return as_captured(by_normalizer)


def captured_masks_and_biases() -> dict[str, Recorded]:
    return as_captured(by_mask_and_bias)


TABLES = [by_score, by_normalizer, by_mask_and_bias]
CAPTURED = [captured_scores, captured_normalizers, captured_masks_and_biases]


def from_parts(page: Any, layer: int, head: int) -> list[list[float]]:
    found: list[list[float]] = page.evaluate(
        """async ([layer, head, rows]) => {
          const { parts } = document.getElementById("regard").regard.model.docs[0].layers[layer];
          await parts.load();
          return Array.from({ length: rows }, (_, i) => Array.from(parts.weights(head, i)));
        }""",
        [layer, head, LENGTH],
    )
    return found


@pytest.mark.parametrize("table", [*TABLES, *CAPTURED])
def test_weights_from_the_parts_are_those_of_the_library(opened: Open, table: Any) -> None:
    cases = table()
    page = opened(View(list(cases.values()), TOKENS).html())
    for number, (name, each) in enumerate(cases.items()):
        known = each.weights()[0].detach()
        size = max(1.0, float(known.abs().max()))
        for head in range(HEADS):
            error = (torch.tensor(from_parts(page, number, head)) - known[head]).abs().max()
            assert error <= 4e-3 * size, (name, float(error))
        settle(page, {"layer": str(number), "head": "1", "q": 5, "k": 3, "panel": "steps"})
        steps = page.locator(".steps").inner_text()
        assert page.locator(".steps .step").count() == 5, name
        # "the network's own weight", as it was stored, below the steps that lead to it.
        own = float(steps.rsplit(":", 1)[1].replace("−", "-"))
        assert own == pytest.approx(float(known[1, 5, 3]), abs=8e-3 * size)
        shown = float(page.locator(".steps .big").inner_text().replace("−", "-"))
        assert shown == pytest.approx(own, abs=1e-2 * size), name


@pytest.mark.parametrize(
    "name", ["softmax", "sparsemax", "entmax", "sigmoid", "softmax_one", "hard"]
)
def test_what_if_is_what_the_library_would_have_done(opened: Open, name: str) -> None:
    parts = {"softmax": softmax, "sparsemax": sparsemax, "entmax": Entmax(1.7), "hard": hard}
    parts |= {"sigmoid": sigmoid, "softmax_one": softmax_one}
    each = made(ScaledDot(), "scaled_dot")
    page = opened(View([each], TOKENS).html())
    change = {"normalizer": name, "temperature": 0.5, "alpha": 1.7, "mask": "causal", "window": 4}
    settle(page, {"change": change, "q": 7, "head": "1", "panel": "if"})
    scores = ScaledDot()(each.query, each.key)[0, 1, 7] / 0.5
    known = parts[name](scores, torch.arange(LENGTH) <= 7)
    row = torch.tensor(page.evaluate("document.getElementById('regard').regard.row()"))
    assert (row - known).abs().max() <= 4e-3


@pytest.mark.parametrize(
    "length,max_bytes,kind",
    [
        (40, None, "full"),
        (200, 400_000, "computed"),
        (1100, None, "part"),
    ],
)
def test_every_tier_shows_weights_as_near_as_it_says(
    opened: Open, length: int, max_bytes: int | None, kind: str
) -> None:
    tokens = [f"w{n % 37}" for n in range(length)]
    maps = encoder(tokens, layers=2, heads=6)
    page = opened(View(maps, tokens, storage=Storage(max_bytes)).html())
    layers = page.evaluate(
        "document.getElementById('regard').regard.model.docs[0].layers.map((l) => l.stored)"
    )
    for number, each in enumerate(maps):
        assert layers[number]["weights"]["kind"] == kind
        said = layers[number]["weights"].get("error") or layers[number]["parts"]["error"]
        assert 0 < said < 0.05
        rows = list(range(0, length, max(1, length // 20)))
        known = each.weights(heads=[3], rows=rows)[0, 0]
        read = torch.tensor(weights_of(page, number, 3, rows))
        assert (read - known).abs().max() <= 1.5 * said + 1e-4
    for view in ("lines", "matrix", "text"):
        settle(page, {"view": view, "q": length // 2})
        settle(page, {"q": length - 1})


def test_without_query_and_key_the_rest_of_each_row_is_shown(opened: Open) -> None:
    tokens = [f"w{n % 37}" for n in range(1100)]
    maps = encoder(tokens, layers=1, heads=6, has_parts=False)
    page = opened(View(maps, tokens, storage=Storage(3_000_000)).html(), "#head=4&q=500")
    assert "largest weights of each row" in page.locator(".facts").inner_text()
    row = torch.tensor(page.evaluate("document.getElementById('regard').regard.row()"))
    known = maps[0].weights(heads=[4], rows=[500])[0, 0, 0]
    kept = int((row > 0).sum())
    assert 8 <= kept <= 32
    assert (row[row > 0] - known[row > 0]).abs().max() < 0.005
    rest = page.locator("tr.rest td").nth(1).inner_text()
    assert float(rest) == pytest.approx(1 - float(row.sum()), abs=2e-3)
    settle(page, {"view": "matrix"})
    assert "tile" in page.locator(".note").first.inner_text()


def test_rollout_is_the_product_of_the_layers(opened: Open) -> None:
    tokens = [f"w{n}" for n in range(20)]
    maps = encoder(tokens, layers=3, heads=4)
    product = torch.eye(20)
    for each in maps:
        mixed = 0.5 * each.weights()[0].mean(0) + 0.5 * torch.eye(20)
        product = mixed / mixed.sum(-1, keepdim=True) @ product
    page = opened(View(maps, tokens).html(), "#layer=rollout&q=9")
    row = torch.tensor(page.evaluate("document.getElementById('regard').regard.row()"))
    assert (row - product[9]).abs().max() < 3e-3
    assert math.isclose(float(row.sum()), 1, abs_tol=1e-3)


def test_a_film_reads_the_blocks_of_the_epoch_that_is_looked_at(opened: Open) -> None:
    from regard.view.attention_page import attention_page

    epochs = [encoder(TOKENS, layers=2, heads=3)[n % 2 :] for n in range(3)]
    documents = [View(maps, TOKENS).document() for maps in epochs]
    page = opened(attention_page(documents, kind="film"))
    for number, maps in enumerate(epochs):
        settle(page, {"doc": number, "layer": "0", "head": "1", "q": 4})
        row = torch.tensor(page.evaluate("document.getElementById('regard').regard.row()"))
        assert (row - maps[0].weights()[0, 1, 4]).abs().max() < 0.005


def test_tags_of_heads_are_those_of_the_library(opened: Open) -> None:
    from regard.explain import head_tags

    said = "[CLS] a b c d e f g h [SEP] a b c d e f g h [SEP]".split()
    maps = encoder(said, layers=2, heads=6)
    known = head_tags(torch.stack([each.weights() for each in maps]), said, separators=["[SEP]"])
    page = opened(View(maps, said).html())
    found = page.evaluate(
        """async () => {
          const { regard } = document.getElementById("regard");
          const measures = () => regard.grid.measures.get(regard.model.docs[0]);
          while (!(measures()?.size === 2)) await new Promise((done) => setTimeout(done, 5));
          return [0, 1].map((layer) => measures().get(layer).map((head) => head.tags));
        }"""
    )
    for layer in range(2):
        for head in range(6):
            scores = known.of(layer, head).scores
            for tag, score in scores.items():
                # Codes are rounded, and so may a score be that is at the threshold.
                if abs(score - known.thresholds[tag]) > 0.02:
                    wanted = score > known.thresholds[tag]
                    assert (tag in found[layer][head]) == wanted, (layer, head, tag, score)
    assert any("previous" in tags for layer in found for tags in layer)
