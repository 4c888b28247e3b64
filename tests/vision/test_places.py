"""Places are found by names, classes, and what one pass of the network shows."""

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.vision.places import matching
from regard.vision.probe import traced
from regard.vision.structure import (
    Ends,
    behind_convolution,
    branch_ends,
    convolutions_of,
    stage_ends,
)
from tests.vision.networks import (
    Basic,
    Bottleneck,
    ChannelsLast,
    Dense,
    Mobile,
    Pyramid,
    ResNet,
    Row,
    Tokens,
    conv,
    image,
    settled,
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
    assert stage_ends(trace) == Ends([("after", n) for n in ("c3", "c4", "laterals.2")])
    both, _, _ = traced(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), image())
    assert stage_ends(both) == Ends([("after", "1")])


class Densely(nn.Module):
    """A stage that ends in a table of modules, and one that a function ends."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.dense = nn.Conv2d(3, 4, 3, 2, 1), Dense()
        self.down = nn.Sequential(nn.Conv2d(16, 8, 1), nn.AvgPool2d(2))
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.down(self.dense(self.stem(x)))))
        return self.fc(x.mean((2, 3)))


def test_a_stage_that_no_block_can_hang_on_has_it_in_front_of_what_follows_or_is_said() -> None:
    model = settled(Densely())
    with torch.no_grad():
        was = model(image())
        plan = regard.insert(model, "se(reduction=2)", after="stage", identity_start=True)
        assert torch.equal(model(image()), was)
    assert [(p.where, p.module) for p in plan.places] == [("before", "down.0")]
    assert "no block at 1 of 2 ends of stages: functions give them, and no modules" in str(plan)

    class Ends(Densely):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.dense(self.stem(x)))
            return self.fc(torch.relu(nn.functional.avg_pool2d(x, 2))[:, :8].mean((2, 3)))

    with pytest.raises(ValueError, match="has 2 ends of stages, but functions give them"):
        regard.insert(Ends(), "se(reduction=2)", after="stage")


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


class Level(nn.Module):
    """A stage of residual blocks, as the encoders of `transformers` list them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Basic(inputs, outputs, stride), Basic(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Nested(nn.Module):
    """A stem, and an encoder that holds all stages: their steps are not the encoder's."""

    def __init__(self, *strides: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), nn.ReLU())
        self.encoder = nn.Sequential(*(Level(8, 8, stride) for stride in strides))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(self.stem(x)).mean((2, 3))


@pytest.mark.parametrize(
    ("strides", "ends"),
    [
        ((1, 2), ["encoder.0", "encoder.1"]),
        ((1, 2, 2), ["encoder.0", "encoder.1", "encoder.2"]),
        ((2, 1), ["stem.1", "encoder.1"]),
        ((2, 2), ["stem.1", "encoder.0", "encoder.1"]),
        ((1, 1, 2), ["encoder.1", "encoder.2"]),
    ],
)
def test_an_encoder_of_few_stages_does_not_hide_them(strides: tuple, ends: list[str]) -> None:
    assert [m for _, m, _ in places(Nested(*strides), after="stage")] == ends


class Reduced(nn.Module):
    """Attention whose keys and values are read from a smaller map, beside tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce, self.query = nn.Conv2d(width, width, 2, 2), nn.Linear(width, width)

    def forward(self, tokens: Tensor, side: int) -> tuple[Tensor, None]:
        x = tokens.mT.reshape(len(tokens), -1, side, side)
        keys = self.reduce(x).flatten(2).mT
        return (self.query(tokens) @ keys.mT).softmax(-1) @ keys, None


class TokenLevel(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.patches, self.attend = nn.Conv2d(inputs, outputs, 2, 2), Reduced(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        side, tokens = x.shape[-1], x.flatten(2).mT
        tokens = tokens + self.attend(tokens, side)[0]
        return tokens.mT.reshape(len(x), -1, side, side)


def test_maps_of_keys_and_values_end_no_stage() -> None:
    model = nn.Sequential(TokenLevel(3, 8), TokenLevel(8, 16), TokenLevel(16, 8))
    assert [m for _, m, _ in places(model, after="stage")] == ["0", "1", "2"]


class Grouped(nn.Module):
    """Two kernels with stride, stacked and weighed: a map with an axis more in between."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(conv(inputs, outputs, n, 2) for n in (3, 5))
        self.score = nn.Conv2d(outputs, 2 * outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.stack([path(x) for path in self.paths], 1)
        scores = self.score(both.sum(1).mean((2, 3), keepdim=True)).unflatten(1, (2, -1))
        return (both * scores.softmax(1)).sum(1)


def test_a_step_in_branches_that_are_stacked_is_one() -> None:
    model = nn.Sequential(conv(3, 8, 3, 2), Basic(8, 8), Grouped(8, 16), Basic(16, 16))
    assert [m for _, m, _ in places(model, after="stage")] == ["1", "3"]


class Positions(nn.Module):
    """A table of positions for a map: of the same places, and not of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 16)

    def forward(self, side: int) -> Tensor:
        return self.table(torch.arange(side * side)).mT.reshape(1, -1, side, side)


class Located(nn.Module):
    """Maps, then tokens and a table of positions, as detectors have them."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.project = nn.Sequential(conv(3, 8, 3, 8), nn.ReLU()), conv(8, 16, 1)
        self.positions, self.mix = Positions(), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(self.backbone(x))
        tokens, side = x.flatten(2).mT, x.shape[-1]
        return self.mix(tokens + self.positions(side).flatten(2).mT)


def test_a_table_of_positions_ends_no_stage_and_hides_none() -> None:
    model = Located()
    plan = regard.insert(model, "se", after="stage", example=image(), dry_run=True)
    assert [place.module for place in plan.places] == ["project"]
    said = "after project the network goes on with [2, 16, 64], no map [batch, channels, *places]"
    assert said in str(plan)
    assert "goes on" not in str(regard.insert(ResNet(), "se", after="stage", dry_run=True))


def test_an_image_that_is_normalized_or_padded_is_no_stage() -> None:
    class Normalized(ResNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(nn.functional.pad((x - 0.5) / 0.2, (1, 1, 1, 1)))

    assert places(Normalized(), after="stage") == places(ResNet(), after="stage")


def test_a_place_in_front_of_one_of_several_readers_is_no_end_of_a_stage() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.act = conv(3, 8, 3, 2), nn.ReLU()
            self.main, self.side = conv(8, 8, 3, 2), conv(8, 8, 1, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.stem(x))
            return self.act(self.main(x)) + self.side(x)

    plan = regard.insert(Branching(), "se", after="stem", dry_run=True)
    assert plan.places[0].module == "stem"
    with pytest.raises(ValueError, match="has 2 ends of stages, but functions give them"):
        regard.insert(Branching(), "se", after="stage")


class Listed(nn.Module):
    """Hands on what came before beside its own: the step reads the first alone."""

    def __init__(self, inputs: int, stride: int) -> None:
        super().__init__()
        self.one = conv(inputs, 8, 3, stride)

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        out = self.one(x[0])
        return [out, out if self.one.stride[0] > 1 else x[1]]


def test_what_a_step_is_handed_and_does_not_read_ends_no_stage() -> None:
    class Lists(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = conv(3, 8)
            self.parts = nn.Sequential(*(Listed(8, stride) for stride in (2, 1, 2, 1)))

        def forward(self, x: Tensor) -> Tensor:
            return self.parts([self.stem(x)])[0]

    found = [m for _, m, _ in places(Lists(), after="stage")]
    assert found == ["stem", "parts.1.one", "parts.3.one"]


def test_stages_of_networks_of_transformers() -> None:
    of = pytest.importorskip("transformers")
    net = {"embedding_size": 8, "layer_type": "basic"}
    two = of.ResNetModel(of.ResNetConfig(hidden_sizes=[8, 16], depths=[1, 2], **net))
    small = of.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16],
        patch_sizes=[7, 3], strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
        decoder_hidden_size=8,
    )  # fmt: skip
    for model, ends in (
        (two, ["embedder.embedder", "encoder.stages.0", "encoder.stages.1"]),
        (of.SegformerModel(small), [".0", ".1"]),
    ):
        found = [m for _, m, _ in places(model.eval(), after="stage")]
        assert len(found) == len(ends)
        assert all(name.endswith(end) for name, end in zip(found, ends, strict=True)), found


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
    assert branch_ends(trace) == Ends([])
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
    assert behind_convolution(trace, 4, convolutions_of(trace)) == Ends([])
    with pytest.raises(ValueError, match="no residual branch of 4 convolutions or more"):
        places(model, after="after_conv4")


def test_a_branch_that_a_function_gives_is_said() -> None:
    class Scaled(nn.Module):
        def __init__(self, at_last: bool) -> None:
            super().__init__()
            self.conv, self.scale = nn.Conv2d(8, 8, 3, 1, 1), nn.Parameter(torch.ones(8, 1, 1))
            self.at_last = at_last

        def forward(self, x: Tensor) -> Tensor:
            return x + (self.conv(x * self.scale) if self.at_last else self.conv(x) * self.scale)

    rows = [nn.Conv2d(3, 8, 1), Scaled(False), Scaled(False)]
    with pytest.raises(ValueError, match="has 2 residual branches, but functions give them"):
        places(nn.Sequential(*rows), before="sum")
    plan = regard.insert(nn.Sequential(*rows, Scaled(True)), "simam", before="sum")
    assert [place.module for place in plan.places] == ["3.conv"]
    assert "no block at 2 of 3 residual branches: functions give them, and no modules" in str(plan)


def test_convolutions_of_a_gate_are_not_counted() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.down = nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 3, 1)
            self.act, self.up, self.scale = nn.ReLU(), nn.Conv2d(3, 12, 1), nn.Hardsigmoid()

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale(self.up(self.act(self.down(self.pool(x)))))

    class Inverted(nn.Module):
        """MobileNet's third version."""

        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(
                nn.Sequential(nn.Conv2d(6, 12, 1), nn.BatchNorm2d(12), nn.ReLU()),
                nn.Sequential(nn.Conv2d(12, 12, 3, 1, 1), nn.BatchNorm2d(12), nn.ReLU()),
                Gate(),
                nn.Sequential(nn.Conv2d(12, 6, 1), nn.BatchNorm2d(6)),
            )

        def forward(self, x: Tensor) -> Tensor:
            return x + self.block(x)

    model = nn.Sequential(nn.Conv2d(3, 6, 3, 2), Inverted(), Inverted())
    for count, inner in ((1, "0.2"), (2, "2"), (3, "3.1")):
        found = places(model, after=f"after_conv{count}")
        assert [name for _, name, _ in found] == [f"1.block.{inner}", f"2.block.{inner}"]
    with pytest.raises(ValueError, match="no residual branch of 4 convolutions"):
        places(model, after="after_conv4")


def test_patterns_and_classes_do_not_mean_what_is_in_blocks_unless_nothing_else() -> None:
    model = ResNet()
    before = len(places(model, after="Conv2d"))
    regard.insert(model, "cbam(reduction=2)", after="layer1.*")
    assert len(places(model, after="Conv2d")) == len(places(model, after=nn.Conv2d)) == before
    assert places(model, after="layer1.0.cbam") == [("after", "layer1.0.cbam", 16)]
    assert [name for _, name, _ in places(model, after="CBAMChannel")] == [
        "layer1.0.cbam.channel", "layer1.1.cbam.channel",
    ]  # fmt: skip
    assert places(model, after="after_conv2") == places(ResNet(), after="after_conv2")
    with pytest.raises(ValueError, match="no residual branch of 3 convolutions"):
        places(model, after="after_conv3")


@pytest.mark.parametrize("pattern", ["[k]*", "[[]k[]][*]", "[[]k]*", "**k**"])
def test_names_with_signs_of_patterns_can_be_named(pattern: str) -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("[k]*", nn.Conv2d(3, 4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return self.get_submodule("[k]*")(x)

    assert places(Table(), after=pattern) == [("after", "[k]*", 4)]


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
        (ResNet, {"after": "ResNet"}, r"itself is the ResNet, .*into nn.Sequential\(model\)"),
        (ResNet, {"after": ResNet}, r"itself is the ResNet, .*into nn.Sequential\(model\)"),
        (ResNet, {"before": "fc"}, r"1 of 1 places .*: fc is given \[2, 64\], no map"),
        (ResNet, {"after": ["fc", "conv1"]}, r"1 of 2 places .*: fc gives \[2, 10\], no map"),
        (ResNet, {}, "either after= or before="),
        (ResNet, {"after": "conv1", "before": "conv1"}, "either after= or before="),
        (ResNet, {"after": []}, "need a pattern, a class, or several"),
        (Pyramid, {"after": "laterals"}, "laterals runs its children in turn"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), Dense()), {"after": "1"}, "1 runs its children"),
        (lambda: nn.Sequential(Pyramid()), {"after": "0"}, "0 gives a list, and no"),
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
    with pytest.raises(TypeError, match="a place is a pattern of names or a class, got 3"):
        places(ResNet(), after=3)


def test_a_module_that_is_never_called_by_itself_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    model[0].spare = nn.Conv2d(8, 8, 3)
    with pytest.raises(ValueError, match=r"0\.spare is not called by itself"):
        places(model, after="0.spare")


def test_what_runs_its_children_in_turn_is_a_row_as_a_sequential_is() -> None:
    model = nn.Sequential(Row(), nn.ReLU()).eval()
    with torch.no_grad():
        was = model(image())
        plan = regard.insert(model, "se(reduction=2)", after="0", identity_start=True)
        assert [place.module for place in plan.places] == ["0.second"]
        assert torch.equal(model(image()), was)
    assert places(nn.Sequential(Row()), before="0") == [("before", "0.first", 3)]
    assert places(nn.Sequential(Row(), nn.MaxPool2d(2)), after="stage")[0][1] == "0.second"

    class Written(Row):
        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

    assert places(nn.Sequential(Written()), after="0") == [("after", "0", 8)]


def test_a_parent_that_runs_its_children_is_found_out_and_the_network_left_alone() -> None:
    class Adding(Row):
        def forward(self, x: Tensor) -> Tensor:
            for child in self.children():
                x = child(x) + 1
            return x

    model = nn.Sequential(Adding(), nn.ReLU()).eval()
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
