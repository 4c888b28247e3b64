"""Which attentions, heads and rows are kept, and what they are called."""

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from regard.errors import UsageError

X = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))


class Attends(nn.Module):
    """Attends as often as it is told, the n-th time to n fewer keys."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for n in range(self.times):
            x = F.scaled_dot_product_attention(x, x[:, :, n:], x[:, :, n:])
        return x


class Model(nn.Module):
    """An encoder of three layers and a decoder that attends twice in one module, run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(Attends(), Attends(), Attends())
        self.decoder = nn.ModuleDict({"both": Attends(2)})

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder["both"](self.decoder["both"](self.encoder(x)))


ALL = ["encoder.0", "encoder.1", "encoder.2", *["decoder.both"] * 4]


def named(maps: Any) -> list[tuple[str, int]]:
    return [(each.name, each.call) for each in maps]


EVERY = [*[(f"encoder.{n}", 0) for n in range(3)], *[("decoder.both", n) for n in range(4)]]


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        (None, EVERY),
        (0, EVERY[:1]),
        ([2, 0], [EVERY[0], EVERY[2]]),
        (-1, EVERY[-1:]),
        ([-2, 1], [EVERY[1], EVERY[-2]]),
        ("encoder", EVERY[:3]),
        ("encoder.*", EVERY[:3]),
        ("*.both", EVERY[3:]),
        (["encoder.1", -1], [EVERY[1], EVERY[-1]]),
        ([], []),
    ],
    ids=str,
)
@pytest.mark.parametrize("given", [True, False])
def test_layers_by_number_and_by_name(
    layers: Any, kept: list[tuple[str, int]], given: bool
) -> None:
    model = Model()
    with regard.capture(model if given else None, layers=layers) as maps:
        model(X)
        model(X)
    once = [each for each in maps._session.maps if each.step == 0]
    assert named(once) == kept
    assert len(maps) == 2 * len(kept)


def test_calls_have_one_name_and_numbers() -> None:
    model = Model()
    with regard.capture(model) as maps:
        model(X)
    assert maps.names == list(dict.fromkeys(ALL))
    assert maps["encoder.1"] is maps[1]
    assert [each.call for each in maps.calls("decoder.both")] == [0, 1, 2, 3]
    assert [each.shape[3] for each in maps.calls("decoder.both")] == [6, 5, 6, 5]
    assert maps[2:4] == [maps[2], maps[3]] and maps[-1] is maps[6]
    with pytest.raises(UsageError, match=r"called 4 times: maps.calls\('decoder.both'\)"):
        maps["decoder.both"]
    with pytest.raises(UsageError, match="did you mean encoder.1"):
        maps["encoder1"]
    with pytest.raises(IndexError, match="no map 7, 7 were captured"):
        maps[7]


def test_names_are_those_of_the_largest_module_that_ran() -> None:
    model = Model()
    with regard.capture() as maps:
        model.encoder(X)
        assert maps[0].name == "0"
        model(X)
        assert maps[0].name == "encoder.0"
    assert [each.name for each in maps] == ["encoder.0", "encoder.1", "encoder.2", *ALL]


def test_two_models_have_their_classes_in_front() -> None:
    one, other = Model(), nn.Sequential(Attends())
    with regard.capture(layers=[0, -1]) as maps:
        one(X), other(X)
    assert [each.name for each in maps] == ["Model.encoder.0", "Sequential.0"]
    with regard.capture() as maps:
        Attends()(X), Attends()(X)
    assert [each.name for each in maps] == ["Attends", "Attends#2"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("encodr.1", "there is no layer 'encodr.1': did you mean encoder.1"),
        (7, "layers asks for 7, but 7 attentions were seen: count from 0 to 6"),
        (-8, "layers asks for -8"),
        ("decoder.both.x", "there is no layer 'decoder.both.x': did you mean"),
    ],
)
def test_layers_that_do_not_exist_have_near_names(layers: Any, message: str) -> None:
    model = Model()
    with pytest.raises(UsageError, match=re.escape(message)):
        with regard.capture(model, layers=layers) as maps:
            model(X)
        maps[0]
    with regard.capture(layers=layers) as maps:
        model(X)
    with pytest.raises(UsageError, match=re.escape(message)):
        list(maps)


@pytest.mark.parametrize("layers", [1.5, [True], [None]])
def test_layers_are_numbers_or_names(layers: Any) -> None:
    with pytest.raises(TypeError):
        with regard.capture(layers=layers):
            pass


def test_heads_and_rows_are_kept_as_they_are_counted_in_the_call() -> None:
    with regard.capture() as whole:
        F.scaled_dot_product_attention(X, X, X)
    with regard.capture(heads=[3, 1], rows=[-1, 2]) as maps:
        F.scaled_dot_product_attention(X, X, X)
    assert (maps[0].heads, maps[0].rows, maps[0].shape) == ((3, 1), (5, 2), (2, 4, 6, 6))
    wanted = whole[0].weights(heads=[3, 1], rows=[5, 2])
    torch.testing.assert_close(maps[0].weights(), wanted)
    torch.testing.assert_close(maps[0].weights(heads=1, rows=[2, 5]), wanted[:, 1:][:, :, [1, 0]])
    with pytest.raises(UsageError, match=r"rows asks for 3, but the capture kept rows=\[5, 2\]"):
        maps[0].weights(rows=3)
    with pytest.raises(IndexError, match="heads asks for 4, but there are 4"):
        maps[0].weights(heads=4)
    with pytest.raises(IndexError, match="item asks for 2, but attention has a batch of 2"):
        maps[0].weights(item=2)


def test_a_call_without_such_rows_is_left_out() -> None:
    with regard.capture(rows=4) as maps:
        F.scaled_dot_product_attention(X, X, X)
        F.scaled_dot_product_attention(X[:, :, :1], X, X)
    assert [each.shape[2] for each in maps] == [6]
    with regard.capture(rows=40) as maps:
        F.scaled_dot_product_attention(X, X, X)
    with pytest.raises(UsageError, match="1 attentions were seen, but none has what was asked for"):
        maps[0]


def test_where_nothing_is_seen_it_says_what_ran() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    with regard.capture(model) as maps:
        model(X)
    assert len(maps) == 0 and "no attention" in repr(maps)
    with pytest.raises(UsageError, match=r"what ran: Linear \(2\), Sequential \(1\), ReLU \(1\)"):
        list(maps)
    with regard.capture() as maps:
        pass
    with pytest.raises(UsageError, match=r"no module ran.*ops=\[torch.ops.my.attention\]"):
        maps["x"]


def test_a_model_is_a_module() -> None:
    with pytest.raises(TypeError, match="must be an nn.Module, not str"):
        regard.capture("bert")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_bytes"):
        regard.capture(max_bytes=-1)
