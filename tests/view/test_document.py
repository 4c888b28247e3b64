"""A document says what was captured, in the form that fits, and refuses what does not belong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.masks import Causal
from regard.view.attention_page import attention_page
from regard.view.attention_view import View, save_film
from regard.view.blocks import Blocks, inflated
from regard.view.captured import CapturedMap
from regard.view.codes import Codes, decode
from regard.view.document import About, Document, Findings
from regard.view.patches import Patches
from regard.view.small_numbers import as_read, balance, rounded
from regard.view.structure import CLOSED, split, stored_bias, stored_mask, stored_spans
from regard.view.tiers import Size, Storage, tiers
from tests.pictures import drawn, encoded
from tests.view.recorded import Recorded, encoder, heads_of

TOKENS = "[CLS] the cat sat on the mat . [SEP]".split()


def weights_in(document: Document, layer: int) -> np.ndarray:
    """The weights of a layer as they stand in the blocks."""
    texts = list(document.blocks)
    stored = document.head["layers"][layer]["weights"]
    heads = len(stored["peaks"])
    codes = np.frombuffer(inflated(texts[stored["block"]]), np.uint8)
    side = round((codes.size / heads) ** 0.5)
    read = Codes(
        codes.reshape(heads, side, side),
        tuple(stored["peaks"]),
        stored["levels"],
        stored["signed"],
        stored["error"],
    )
    return decode(read)


def test_recorded_maps_are_captured_maps() -> None:
    assert isinstance(encoder(TOKENS)[0], CapturedMap)


def test_weights_come_back_within_the_stated_error() -> None:
    maps = encoder(TOKENS, layers=3)
    document = View(maps, TOKENS).document()
    for number, each in enumerate(maps):
        error = document.head["layers"][number]["weights"]["error"]
        known = each.weights()[0].numpy()
        assert 0 < error <= 0.004
        assert np.abs(weights_in(document, number) - known).max() <= error * 1.001


def test_query_and_key_come_back_in_half_precision() -> None:
    each = encoder(TOKENS, layers=1)[0]
    document = View([each], TOKENS).document()
    parts = document.head["layers"][0]["parts"]
    half = np.frombuffer(inflated(list(document.blocks)[parts["query"]["block"]]), np.float16)
    wanted = each.query[0].numpy()
    assert np.abs(half.reshape(wanted.shape) - wanted).max() <= 2**-11 * np.abs(wanted).max()
    assert 0 <= parts["error"] < 0.002


def test_eight_bits_are_as_near_as_a_step() -> None:
    query, key, _ = heads_of(TOKENS, 4)
    q, k = query[0].numpy() * 100, key[0].numpy() / 100
    factors = balance(q, k)
    for vectors in (q * factors, k / factors):
        codes, steps = rounded(vectors)
        assert np.abs(as_read(codes, steps) - vectors).max() <= 0.51 * steps.max() + 1e-6
    exact = q @ k.swapaxes(1, 2)
    read = as_read(*rounded(q * factors)) @ as_read(*rounded(k / factors)).swapaxes(1, 2)
    assert np.abs(read - exact).max() < 0.02 * np.abs(exact).max()


@pytest.mark.parametrize("kind", ["causal", "window", "first keys", "nothing", "spans"])
def test_a_mask_of_one_range_in_each_row_is_stored_as_ranges(kind: str) -> None:
    rows, keys = np.arange(6)[:, None], np.arange(6)[None]
    allowed = {
        "causal": keys <= rows,
        "window": np.abs(keys - rows) <= 1,
        "first keys": np.broadcast_to(keys < 4, (6, 6)),
        "nothing": np.zeros((6, 6), bool),
        "spans": keys <= rows,
    }[kind][None]
    blocks = Blocks()
    stored = stored_mask(allowed, blocks)
    if kind == "spans":
        stored = stored_spans(
            np.stack([0 * rows[:, 0], rows[:, 0] + 1], -1)[None].astype("<i4"), blocks
        )
    assert stored is not None and stored["kind"] == "spans"
    spans = np.frombuffer(inflated(list(blocks)[stored["block"]]), "<i4").reshape(1, 6, 2)
    read = (keys >= spans[0, :, :1]) & (keys < spans[0, :, 1:])
    np.testing.assert_array_equal(read, allowed[0])


def test_a_mask_with_gaps_is_stored_bit_by_bit_and_no_mask_not_at_all() -> None:
    allowed = np.random.default_rng(0).random((2, 5, 13)) > 0.5
    blocks = Blocks()
    stored = stored_mask(allowed, blocks)
    assert stored is not None and stored["kind"] == "bits"
    packed = np.frombuffer(inflated(next(iter(blocks))), np.uint8).reshape(2, 5, 2)
    read = np.unpackbits(packed, axis=-1, bitorder="little")[..., :13].astype(bool)
    np.testing.assert_array_equal(read, allowed)
    assert stored_mask(None, blocks) == stored_mask(~(allowed & False), blocks) == {"kind": "all"}


def test_a_bias_of_the_distance_is_stored_by_distance() -> None:
    places = np.arange(7)
    bias = (0.5 * (places[None] - places[:, None])[None] ** 2).astype(np.float32)
    blocks = Blocks()
    stored = stored_bias(bias, blocks)
    assert stored is not None and stored["kind"] == "distance" and stored["shape"] == [1, 13]
    line = np.frombuffer(inflated(next(iter(blocks))), np.float16).astype(np.float32)
    np.testing.assert_array_equal(line[6 + places[None] - places[:, None]], bias[0])
    other = bias + np.float32(np.random.default_rng(0).random((1, 7, 7)))
    assert (stored_bias(other, blocks) or {})["kind"] == "dense"


def test_what_a_bias_closes_belongs_to_the_mask() -> None:
    bias = np.array([[[0.0, -np.inf, CLOSED * 2]]], np.float32)
    rest, allowed = split(bias, np.array([[[False, True, True]]]))
    assert rest is not None and allowed is not None
    assert rest.tolist() == [[[0.0, 0.0, 0.0]]] and allowed.tolist() == [[[False, False, False]]]
    assert split(None, None) == (None, None)


def test_more_room_never_shows_less() -> None:
    bits = (4.0, 3.0, 2.0, 1.0)
    kinds = {"overview": 0, "computed": 1, "coded": 2}
    for length in (64, 256, 512, 1024, 4096):
        size = Size(length**2 * 12, length, 12, bits, 2 * length * 768, length * 768, True)
        before = -1.0
        for most in (10**5, 10**6, 10**7, 10**8, 10**9):
            plan = tiers([size] * 12, Storage(most))
            shown = sum(kinds[tier.weights] + tier.bits / 100 + tier.kept / 1e4 for tier in plan)
            assert shown >= before
            before = shown


def test_layers_that_are_asked_for_come_first() -> None:
    size = Size(4096**2 * 12, 4096, 12, (8.0,) * 4, 2 * 4096 * 768, 0, True)
    plan = tiers([size] * 12, Storage(30 * 10**6, layers=[7, -1]))
    found = [number for number, tier in enumerate(plan) if tier.weights == "computed"]
    assert {7, 11} <= set(found) and len(found) < 12
    with pytest.raises(ValueError, match="no layer 12.*numbered 0 to 11"):
        tiers([size] * 12, Storage(layers=[12]))


@pytest.mark.parametrize("most", [700_000, 1_000_000, 3_000_000])
def test_a_page_is_not_larger_than_was_asked(most: int) -> None:
    tokens = [f"w{n % 50}" for n in range(300)]
    view = View(encoder(tokens, layers=4), tokens, storage=Storage(most))
    assert len(view.html().encode()) <= most * 1.05


def test_tokens_stand_on_the_sides_that_they_belong_to() -> None:
    source, target = ["a", "b", "c"], ["<s>", "x"]
    q, _, _ = heads_of(target, 2)
    _, k, v = heads_of(source, 2)
    whole = heads_of([*source, *target], 2)
    maps = [
        Recorded(*heads_of(source, 2), name="encoder.0"),
        Recorded(*heads_of(target, 2), name="decoder.0.self"),
        Recorded(q, k, v, name="decoder.0.cross", kind="cross"),
        Recorded(heads_of(target, 2)[0], whole[1], whole[2], name="generated"),
        Recorded(heads_of(["?"], 2)[0], k, v, name="pool", kind="pool"),
    ]
    head = View(maps, source, target).document().head
    sides = [(layer["q"], layer["k"]) for layer in head["layers"]]
    assert sides[:4] == [
        ("tokens", "tokens"),
        ("queries", "queries"),
        ("queries", "tokens"),
        ("queries", "all"),
    ]
    assert head["axes"]["all"]["tokens"] == [*source, *target]
    assert head["axes"][sides[4][0]]["tokens"] == ["query 0"] and sides[4][1] == "tokens"


def test_what_is_wrong_is_said_with_both_numbers_and_the_way_out() -> None:
    maps = encoder(TOKENS)
    with pytest.raises(ValueError, match="9 queries, but there are 8 tokens.*special tokens"):
        View(maps, TOKENS[1:])
    with pytest.raises(ValueError, match="nothing to view.*regard.capture"):
        View([], TOKENS)
    batch = [Recorded(*(t.expand(16, -1, -1, -1) for t in heads_of(TOKENS, 2)))]
    with pytest.raises(ValueError, match="batch of 16: pass item=0 to item=15"):
        View(batch, TOKENS)
    with pytest.raises(ValueError, match="no item 16.*batch of 16"):
        View(batch, TOKENS, item=16)
    assert View(batch, TOKENS, item=-1).item == 15
    with pytest.raises(ValueError, match="effects have shape .2, 5.*2 maps of 6 heads"):
        View(maps, TOKENS, findings=Findings(effects=torch.zeros(2, 5))).html()
    with pytest.raises(ValueError, match="'x' has shape .2, 2.*9 x 9"):
        View(maps, TOKENS, findings=Findings(matrices={"x": torch.zeros(2, 2)})).html()
    with pytest.raises(ValueError, match="no layer 2: 2 maps"):
        View(maps, TOKENS, storage=Storage(layers=[2])).html()
    with pytest.raises(ValueError, match="at least one view"):
        save_film([], "a.html")


def test_another_item_of_a_batch_has_other_weights() -> None:
    one, two = encoder(TOKENS, layers=1)[0], encoder(TOKENS, layers=2)[1]
    pairs = zip((one.query, one.key, one.value), (two.query, two.key, two.value), strict=True)
    batch = Recorded(*(torch.cat(pair) for pair in pairs))
    for item, alone in enumerate((one, two)):
        document = View([batch], TOKENS, item=item).document()
        np.testing.assert_allclose(weights_in(document, 0), alone.weights()[0], atol=0.004)


def test_pictures_are_of_as_many_patches_as_there_are_tokens() -> None:
    png = encoded(drawn((9, 9, 9), (8, 8)))
    assert Patches(png).data(17)["first"] == 1 and Patches(png).data(16)["rows"] == 4
    assert Patches(png, grid=(2, 5)).data(12)["first"] == 2
    with pytest.raises(ValueError, match="9 tokens are no 4 × 4 patches behind any special.*grid="):
        Patches(png, grid=(4, 4)).data(9)
    with pytest.raises(ValueError, match="60 tokens are no 7 × 7 patches"):
        Patches(png).data(60)
    with pytest.raises(ValueError, match="PNG, JPEG"):
        Patches(b"<svg onload=alert(1)>").data(4)


def test_the_page_is_one_file_that_names_no_address(tmp_path: Path) -> None:
    path = View(encoder(TOKENS), TOKENS, about=About(model="<m>")).save(tmp_path / "a.html")
    html = path.read_text("utf-8")
    assert "<m>" not in html and "http://" not in html.replace("http://www.w3.org/", "")
    assert "https://" not in html and list(tmp_path.iterdir()) == [path]
    data = json.loads(re.findall(r'id="regard-data">(.*?)</script>', html, re.DOTALL)[0])
    assert data["format"] == 1 and data["documents"][0]["about"] == {"model": "<m>"}
    blocks = re.findall(r'octet-stream;base91">([^<]*)</script>', html)
    assert len(blocks) == len(View(encoder(TOKENS), TOKENS).document().blocks)


def test_two_documents_stand_in_one_page_with_their_own_blocks() -> None:
    documents = [View(encoder(TOKENS, layers=n), TOKENS).document() for n in (1, 2)]
    html = attention_page(documents, kind="compare")
    data = json.loads(re.findall(r'id="regard-data">(.*?)</script>', html, re.DOTALL)[0])
    assert [each["first_block"] for each in data["documents"]] == [0, len(documents[0].blocks)]


def test_causal_maps_say_so() -> None:
    head = View(encoder(TOKENS, mask=Causal()), TOKENS).document().head
    layer = head["layers"][0]
    assert layer["mechanism"]["mask"] == "Causal()" and layer["parts"]["mask"]["kind"] == "spans"


def test_a_gate_is_of_channels_or_of_the_places_that_have_names() -> None:
    import regard
    from regard.vision import block

    cbam = block("cbam", channels=8).eval()
    with regard.capture(cbam) as maps:
        cbam(torch.randn(1, 8, 3, 3))
    places = [f"{row},{column}" for row in range(3) for column in range(3)]
    head = View(list(maps), places).document().head
    columns = [head["axes"][layer["k"]]["tokens"] for layer in head["layers"]]
    assert columns == [[f"channel {n}" for n in range(8)], places]
    assert all(layer["parts"] is None for layer in head["layers"])
