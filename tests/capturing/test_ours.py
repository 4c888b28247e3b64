"""Every network and block of this library under capture: nothing changes, everything is seen."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends import _tap
from regard.errors import UsageError
from regard.layers import Attend, AttentionPool
from regard.masks import Causal, Padding
from regard.normalizers import Entmax
from regard.score_mods import ALiBi
from regard.scores import Additive
from tests.tables.blocks import EXAMPLES, Example
from tests.tables.models import ROWS, Row


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Value and output of each call of the operator that somebody listens to."""
    from regard.capturing import switches

    found: list[tuple[Tensor, Tensor]] = []
    heard = switches.heard

    def noted(run: Any, query: Any, key: Any, value: Any, parts: Any, backend: Any) -> Any:
        output = heard(run, query, key, value, parts, backend)
        groups = query.shape[1] // max(1, value.shape[1])
        found.append((value.repeat_interleave(groups, 1), output))
        return output

    monkeypatch.setattr(switches, "heard", noted)
    yield found


def flat(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, (list, tuple)):
        return [tensor for each in output for tensor in flat(each)]
    return (
        [tensor for each in vars(output).values() for tensor in flat(each)]
        if hasattr(output, "__dict__")
        else []
    )


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_weights_of_every_network_make_its_outputs(
    row: Row, outputs: list[tuple[Tensor, Tensor]]
) -> None:
    model = row.made()
    torch.manual_seed(2)
    plain = flat(model(*row.batch))
    torch.manual_seed(2)
    with regard.capture(model) as maps:
        seen = flat(model(*row.batch))
    assert plain and all(torch.equal(a, b) for a, b in zip(plain, seen, strict=True))
    told = [each for each in maps._session.maps if each.kind != "gate"]
    assert len(told) >= len(outputs)
    names = dict(model.named_modules())
    recomputed = [each for each in told if each.provenance.startswith("recomputed")]
    for each, (value, output) in zip(recomputed, outputs, strict=True):
        assert each.name in names or each.name == type(model).__name__
        if "sample" in each.mechanism["normalizer"] or "gumbel" in each.mechanism["normalizer"]:
            continue  # drawn anew
        weights = each.weights()
        assert weights.shape == each.shape and weights.dtype == torch.float64
        torch.testing.assert_close(weights @ value, output, atol=1e-9, rtol=1e-9)


def ours(example: Example) -> Any:
    return pytest.param(example, id=example.spelled)


@pytest.mark.parametrize("example", [ours(each) for each in EXAMPLES])
@pytest.mark.parametrize("training", [False, True])
def test_every_block_shows_what_it_attends_to(example: Example, training: bool) -> None:
    block, x = example.make().train(training), example.maps()
    model = nn.Sequential(nn.Identity(), block)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    torch.manual_seed(2)
    plain = model(x)
    after = {name: each.clone() for name, each in model.state_dict().items()}
    model.load_state_dict(before)
    torch.manual_seed(2)
    with regard.capture(model) as maps:
        seen = model(x)
    assert torch.equal(plain, seen)
    assert all(torch.equal(each, after[name]) for name, each in model.state_dict().items())
    assert maps and all(each.name.startswith("1") for each in maps)
    for each in maps:
        weights = each.weights()
        assert weights.shape == each.shape and weights.shape[0] % 3 == 0
        assert weights.isfinite().all()


def test_a_gate_is_what_the_block_says() -> None:
    block = regard.vision.SqueezeExcitation(8, reduction=2)
    x = torch.randn(2, 8, 5, 4)
    with regard.capture(block) as maps:
        block(x)
    assert maps[0].kind == "gate" and maps[0].shape == (2, 1, 1, 8)
    assert torch.equal(maps[0].weights().reshape(2, 8, 1, 1), block.weights(x))


def test_the_mechanism_is_spelled_as_parts_are() -> None:
    x = torch.randn(2, 4, 5, 8)
    with regard.capture() as maps:
        regard.attention(
            x, x, x, normalizer=Entmax(1.3), score_mod=ALiBi(4),
            mask=Causal() & Padding(torch.tensor([5, 2])),
        )  # fmt: skip
    assert maps[0].mechanism == {
        "score": "scaled_dot",
        "normalizer": "entmax(1.3)",
        "mask": "causal & padding",
        "score_mod": "alibi(4)",
    }


def test_the_parts_of_additive_attention_hold_what_its_score_needs() -> None:
    score = Additive(8, 8, 6)
    query, key, value = torch.randn(2, 1, 3, 8), torch.randn(2, 1, 5, 8), torch.randn(2, 1, 5, 4)
    with regard.capture() as maps:
        regard.attention(query, key, value, score=score, mask=Padding(torch.tensor([5, 2])))
    parts = maps[0].parts(item=1)
    assert parts is not None and parts.allowed is not None
    assert (parts.score, parts.normalizer) == ("additive", "softmax")
    assert parts.parameters.keys() == dict(score.named_parameters()).keys()
    assert parts.allowed.expand(1, 3, 5)[0, 0].tolist() == [True, True, False, False, False]
    assert torch.equal(parts.query, query[1])


def test_a_pool_is_named_as_the_module_that_pools() -> None:
    model = nn.ModuleDict({"words": AttentionPool(4), "attend": Attend()})
    x = torch.randn(2, 3, 4)
    with regard.capture(model) as maps:
        model["words"](x)
        model["attend"](x[:, None], x[:, None], x[:, None])
    assert [(each.name, each.kind) for each in maps] == [("words", "pool"), ("attend", "self")]


def test_partial_attention_is_shown_among_its_own_keys() -> None:
    x = torch.randn(1, 2, 6, 4)
    with regard.capture() as maps:
        regard.attention_partial(x, x[:, :, :2], x[:, :, :2], q_offset=0)
    torch.testing.assert_close(
        maps[0].weights(), regard.attention_weights(x, x[:, :, :2], q_offset=0)
    )
    assert "these keys alone" in maps[0].provenance


def test_a_recurrent_decoder_is_joined_step_by_step() -> None:
    row = next(each for each in ROWS.values() if each.name == "rnnsearch")
    model = row.made()
    source, target = row.batch
    with regard.capture(model) as maps:
        model(source, target)
    [joined] = maps.stitched()
    assert joined.name == "attend" and joined.shape == (3, 1, target.shape[1], source.ids.shape[1])
    for step, each in enumerate(maps):
        assert (each.call, each.step) == (step, 0)
        assert torch.equal(joined.weights(rows=step), each.weights())
    assert torch.equal(joined.weights(rows=[2, 0], item=1), joined.weights()[1:2, :, [2, 0]])


def test_sequences_that_end_leave_the_batch() -> None:
    x = torch.randn(3, 1, 4, 4)
    with regard.capture() as maps:
        regard.attention(x[:, :, :1], x, x)
        regard.attention(x[[0, 2], :, 1:2], x[[0, 2]], x[[0, 2]])
    with pytest.raises(UsageError, match=r"\[3, 1\] and \[2, 1\].*-1 where it had ended"):
        maps.stitched()
    where = torch.tensor([[0, 0], [1, -1], [2, 1]])
    [joined] = maps.stitched(where)
    wanted = regard.attention_weights(x[:, :, :2], x, q_offset=0)
    wanted[1, :, 1] = 0
    torch.testing.assert_close(joined.weights(), wanted)


def test_nobody_listens_outside() -> None:
    assert _tap.listener is None
