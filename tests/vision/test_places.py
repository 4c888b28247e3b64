"""Places are found by names, classes, and what one pass of the network shows."""

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.vision.places import matching
from regard.vision.probe import traced
from regard.vision.structure import behind_convolution, branch_ends, convolutions_of, stage_ends
from tests.vision.networks import (
    Bottleneck,
    ChannelsLast,
    Dense,
    Mobile,
    Pyramid,
    ResNet,
    Row,
    Tokens,
    image,
)


def places(model: nn.Module, **said: object) -> list[tuple[str, str, int]]:
    plan = regard.insert(model, "se(reduction=2)", dry_run=True, example=image(), **said)
    return [(place.where, place.module, place.channels) for place in plan.places]


STAGES = [("layer1.1", 16), ("layer2.1", 32), ("layer3.1", 64)]


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        ("layer*.*.conv2", ["layer1.0.conv2", "layer1.1.conv2", "layer2.0.conv2",
                            "layer2.1.conv2", "layer3.0.conv2", "layer3.1.conv2"]),
        ("layer[12].0.bn?", ["layer1.0.bn1", "layer1.0.bn2", "layer2.0.bn1", "layer2.0.bn2"]),
        ("**.bn2", ["layer1.0.bn2", "layer1.1.bn2", "layer2.0.bn2", "layer2.1.bn2",
                    "layer3.0.bn2", "layer3.1.bn2"]),
        ("MaxPool2d", ["maxpool"]),
        (nn.MaxPool2d, ["maxpool"]),
        (["maxpool", "layer1.0", "maxpool"], ["maxpool", "layer1.0"]),
        ("layer1", ["layer1.1"]),
        ("layer2.0.downsample", ["layer2.0.downsample.1"]),
    ],
)  # fmt: skip
def test_a_pattern_or_a_class_names_modules(after: object, wanted: list[str]) -> None:
    assert [module for _, module, _ in places(ResNet(), after=after)] == wanted


def test_stars_do_not_cross_dots_and_two_stars_do() -> None:
    model = ResNet()
    assert matching(model, "*") == [name for name, _ in model.named_children()]
    assert matching(model, "layer1.*") == ["layer1.0", "layer1.1"]
    assert len(matching(model, "layer1**")) == 1 + 2 + 2 * 5


def test_a_stage_ends_where_the_resolution_changes() -> None:
    assert places(ResNet(), after="stage") == [
        ("after", "relu", 16), *(("after", name, width) for name, width in STAGES)
    ]  # fmt: skip
    assert [m for _, m, _ in places(ResNet(Bottleneck), after="stage")][1:] == [
        name for name, _ in STAGES
    ]


def test_gates_padding_and_lists_do_not_hide_the_stages() -> None:
    assert [m for _, m, _ in places(Mobile(), after="stage")] == [
        "blocks.0",
        "blocks.2",
        "blocks.4",
    ]


def test_maps_that_are_returned_end_stages() -> None:
    trace, _, _ = traced(Pyramid(), image())
    assert stage_ends(trace) == [("after", name) for name in ("c3", "c4", "laterals.2")]
    both, _, _ = traced(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), image())
    assert stage_ends(both) == [("after", "1")]


def test_what_an_activation_of_many_places_gives_ends_a_stage_in_front_of_what_follows() -> None:
    class Only(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 6, 5)
            self.pad, self.act, self.pool = nn.ZeroPad2d(2), nn.ReLU6(), nn.AdaptiveAvgPool2d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(self.act(self.two(self.pad(self.act(self.one(x))))))

    model = Only()
    plan = regard.insert(model, "se", after="stage", example=image(7), dry_run=True)
    assert [(p.where, p.module, p.channels) for p in plan.places] == [("before", "pool", 6)]


def test_tokens_are_no_maps() -> None:
    assert [m for _, m, _ in places(Tokens(), after="stage")] == ["patches"]
    with pytest.raises(ValueError, match=r"last gives \[2, 64, 16\], no map"):
        places(Tokens(), after="last")


def test_what_stands_channels_last_is_no_map_until_it_is_turned_back() -> None:
    assert places(ChannelsLast(), before="sum") == [("after", "path", 16)]
    with pytest.raises(ValueError, match=r"norm gives \[2, 16, 16, 16\], no map"):
        places(ChannelsLast(), after="norm")


@pytest.mark.parametrize(("kind", "norm"), [(None, "bn2"), (Bottleneck, "bn3")])
def test_a_residual_sum_is_of_the_branch_not_of_the_shortcut(kind: type | None, norm: str) -> None:
    model = ResNet(kind) if kind else ResNet()
    found = [module for _, module, _ in places(model, before="sum")]
    assert found == [f"layer{n}.{m}.{norm}" for n in (1, 2, 3) for m in (0, 1)]


def test_a_branch_ends_before_its_dropout_or_what_else_changes_nothing() -> None:
    assert [m for _, m, _ in places(Mobile(), before="sum")] == [
        "blocks.0.bn2", "blocks.2.bn2", "blocks.4.bn2"
    ]  # fmt: skip


def test_sums_of_a_pyramid_are_not_residual() -> None:
    trace, _, _ = traced(Pyramid(), image())
    assert branch_ends(trace) == []
    with pytest.raises(ValueError, match="no residual sum of a branch that one pass shows"):
        places(Pyramid(), before="sum")


class Adds(nn.Module):
    """A sum written in another way, around a convolution in a row."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.way = nn.Conv2d(3, 4, 3, 1, 1), way
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        branch = self.branch(x)
        if self.way == "+":
            return x + branch
        if self.way == "+=":
            branch += x
            return branch
        if self.way == "add_":
            return branch.add_(x)
        if self.way == "alpha":
            return torch.add(x, branch, alpha=0.5)
        return torch.add(x, branch)


@pytest.mark.parametrize("way", ["+", "+=", "add", "add_", "alpha"])
def test_every_way_of_adding_is_seen(way: str) -> None:
    assert places(Adds(way), before="sum") == [("after", "branch.2", 4)]
    assert places(Adds(way), after="after_conv1") == [("after", "branch.1", 4)]


def test_mmdetections_positions_are_behind_norm_and_activation() -> None:
    model = ResNet(Bottleneck)
    blocks = [f"layer{n}.{m}" for n in (1, 2, 3) for m in (0, 1)]
    # The one ReLU of a block is called three times, so that what follows it takes the block.
    for count, follower in ((1, "conv2"), (2, "conv3")):
        found = places(model, after=f"after_conv{count}")
        assert [(where, m) for where, m, _ in found] == [
            ("before", f"{b}.{follower}") for b in blocks
        ]
    assert places(model, after="after_conv3") == places(model, before="sum")
    trace, _, _ = traced(model, image())
    assert behind_convolution(trace, 4, convolutions_of(trace)) == []
    with pytest.raises(ValueError, match="no residual branch of 4 convolutions or more"):
        places(model, after="after_conv4")


def test_maps_of_one_and_three_dimensions_have_places_too() -> None:
    line = nn.Sequential(nn.Conv1d(2, 6, 3), nn.BatchNorm1d(6), nn.MaxPool1d(2))
    assert regard.insert(line, "se", after="*", dry_run=True).places[0].channels == 6
    room = nn.Sequential(nn.Conv3d(1, 6, 3), nn.ReLU())
    assert regard.insert(room, "se", after="1").places[0].channels == 6
    assert room(torch.randn(1, 1, 5, 6, 7)).shape == (1, 6, 3, 4, 5)


def test_a_module_called_several_times_acts_in_each_call_and_it_is_said() -> None:
    model = Pyramid().eval()
    plan = regard.insert(model, "se(reduction=2)", after="head", example=image())
    assert "head is called 3 times: its block acts in each call" in str(plan)
    counts = []
    model.head.se.register_forward_pre_hook(lambda module, args: counts.append(args[0].shape[2]))
    model(image())
    assert counts == [16, 8, 4]


def test_channels_that_differ_between_calls_are_refused() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.b(self.act(self.a(x))))

    with pytest.raises(ValueError, match="act is called 2 times with 4 and 5 channels"):
        places(Shared(), after="act")


def test_a_shared_module_is_one_place_by_whatever_name() -> None:
    model = nn.Sequential()
    model.first = nn.Conv2d(3, 3, 3)
    model.second = model.first
    for name in ("first", "second", "Conv2d"):
        assert [m for _, m, _ in places(model, after=name)] == ["first"]


@pytest.mark.parametrize(
    ("model", "said", "match"),
    [
        (ResNet, {"after": "layer1.*.con2"}, r"no module matches 'layer1.\*.con2': did you mean"),
        (ResNet, {"after": "Conv2D"}, "did you mean Conv2d"),
        (ResNet, {"after": nn.Conv1d}, "no module of the class Conv1d"),
        (ResNet, {"before": "fc"}, r"1 of 1 places .*: fc is given \[2, 64\], no map"),
        (ResNet, {"after": ["fc", "conv1"]}, r"1 of 2 places .*: fc gives \[2, 10\], no map"),
        (ResNet, {}, "either after= or before="),
        (ResNet, {"after": "conv1", "before": "conv1"}, "either after= or before="),
        (ResNet, {"after": []}, "need a pattern, a class, or several"),
        (Pyramid, {"after": "laterals"}, "laterals runs its children in turn"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), Dense()), {"after": "1"}, "1 runs its children"),
        (lambda: nn.Sequential(Pyramid()), {"after": "0"}, "0 gives a list or table"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused_in_a_sentence(
    model: type[nn.Module], said: dict, match: str
) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        places(model(), **said)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("as_users_have_it")
def test_what_is_no_place_at_all_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a place is a pattern of names or a class, got 3"):
        places(ResNet(), after=[3])


def test_a_module_that_is_never_called_by_itself_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    model[0].spare = nn.Conv2d(8, 8, 3)
    with pytest.raises(ValueError, match=r"0\.spare is not called by itself"):
        places(model, after="0.spare")


def test_a_parent_that_runs_its_children_is_found_out_and_the_network_left_alone() -> None:
    model = nn.Sequential(Row(), nn.ReLU()).eval()
    before, keys = model(image()), list(model.state_dict())
    with pytest.raises(ValueError, match="0 runs its children in turn"):
        regard.insert(model, "se(reduction=2)", after="0", example=image())
    assert list(model.state_dict()) == keys and torch.equal(model(image()), before)


def test_a_word_that_is_a_modules_name_is_asked_about() -> None:
    model = nn.Sequential()
    model.stage = nn.Conv2d(3, 8, 3)
    with pytest.raises(ValueError, match=r"write '\[s\]tage' for the module"):
        places(model, after="stage")
    assert places(model, after="[s]tage") == [("after", "stage", 8)]
