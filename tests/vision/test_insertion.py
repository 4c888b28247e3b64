"""A block in a network that is there: no key is renamed, and nothing else is touched."""

import copy
import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

import regard
from regard.vision import BLOCKS, Plan, SqueezeExcitation
from tests.vision.networks import (
    IN_IMAGES,
    IN_VIDEO,
    Basic,
    Bottleneck,
    Mobile,
    ResNet,
    Video,
    clip,
    image,
    settled,
)

SE = "se(reduction=4)"


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("kind", [Basic, Bottleneck])
@pytest.mark.parametrize(
    "said",
    [{"after": "stage"}, {"before": "sum"}, {"after": "layer*.*.conv2"}, {"after": "after_conv1"},
     {"before": "layer*.*.conv2"}, {"after": "BatchNorm2d"}],
    ids=str,
)  # fmt: skip
def test_every_key_stays_and_identity_start_changes_no_bit(kind: type, said: dict) -> None:
    model, x = settled(ResNet(kind)), image()
    old, was = copied(model), model(x)
    plan = regard.insert(model, SE, identity_start=True, **said)
    assert torch.equal(model(x), was)
    new = model.state_dict()
    assert [name for name in new if name in old] == list(old)
    assert all(torch.equal(new[name], tensor) for name, tensor in old.items())
    missing, unexpected = model.load_state_dict(old, strict=False)
    assert not unexpected
    assert all(name.startswith(tuple(f"{p.key}." for p in plan.places)) for name in missing)
    assert plan.load_weights(model, old).lost == ()
    assert regard.remove(model) == plan
    assert list(model.state_dict()) == list(old) and torch.equal(model(x), was)


def test_every_block_of_the_table_is_tried_here() -> None:
    assert {each.partition("(")[0] for each in IN_IMAGES + IN_VIDEO} == set(BLOCKS)


@pytest.mark.parametrize(
    ("name", "video"), [(n, False) for n in IN_IMAGES] + [(n, True) for n in IN_VIDEO]
)
def test_every_block_goes_in_comes_out_and_can_begin_as_the_identity(
    name: str, video: bool
) -> None:
    torch.manual_seed(0)
    model, x = (settled(Video()), clip()) if video else (settled(ResNet()), image())
    after = "layer*" if video else "layer*.1"
    was, keys = model(x), list(model.state_dict())
    plan = regard.insert(model, name, after=after, example=x, identity_start=True)
    assert len(plan.places) == 3 and torch.equal(model(x), was)
    model.train()
    model(x).square().mean().backward()
    for place in plan.places:
        block = model.get_submodule(place.key)
        grads = [p.grad for p in block.parameters() if p.grad is not None]
        assert any(grad.abs().sum() > 0 for grad in grads)
        assert all(grad.isfinite().all() for grad in grads)
        assert not place.identity_start or block.gamma.grad != 0
    assert Plan.of(model) == plan
    regard.remove(model)
    assert list(model.state_dict()) == keys

    model.eval()
    was = model(x)
    free = regard.insert(model, name, after=after, example=x)
    starts = all(model.get_submodule(place.key).starts_as_identity for place in free.places)
    assert ("starts as identity: yes" in str(free)) is starts
    assert torch.equal(model(x), was) is starts


def test_it_computes_what_a_network_edited_by_hand_does_gradients_included() -> None:
    class Edited(Basic):
        def forward(self, x: Tensor) -> Tensor:
            shortcut = x if self.downsample is None else self.downsample(x)
            out = self.relu(self.bn1(self.front(self.conv1(x))))
            out = self.bn2(self.conv2(self.before(out)))
            return self.relu(self.end(out) + shortcut)

    torch.manual_seed(0)
    model = settled(Basic(8, 16, 2).double())
    edited = settled(Edited(8, 16, 2).double())
    edited.load_state_dict(model.state_dict())
    x = torch.randn(2, 8, 9, 7, dtype=torch.float64, requires_grad=True)
    regard.insert(model, SE, after="conv1", example=x, name="front")
    regard.insert(model, SE, before="conv2", example=x, name="before")
    regard.insert(model, SE, before="sum", example=x, name="end")
    edited.front, edited.before, edited.end = (
        copy.deepcopy(model.get_submodule(key))
        for key in ("conv1.front", "conv2.before", "bn2.end")
    )
    grads = []
    for each in (model, edited):
        each.train()
        out = each(x)
        (grad,) = torch.autograd.grad(out.square().sum(), x, retain_graph=True)
        out.square().sum().backward()
        grads.append((out, grad, *(p.grad for _, p in sorted(_plain_names(each)))))
    assert len(grads[0]) == len(grads[1]) > 15
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def _plain_names(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters by names that do not say where a block hangs."""
    keys = {"conv1.front.": "front.", "conv2.before.": "before.", "bn2.end.": "end."}
    named = []
    for name, tensor in model.named_parameters():
        for long, short in keys.items():
            name = name.replace(long, short)
        named.append((name, tensor))
    return named


class Busy(nn.Module):
    """A network that changes itself whenever it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", None)
        self.anchors: Any = "none yet"

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.anchors, self.last, self.fresh = x.shape, x, 1
        with torch.no_grad():
            self.conv.weight.data.clamp_(-0.05, 0.05)
        random.random(), np.random.rand(), torch.rand(1)
        return self.drop(self.norm(self.conv(x)))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("example", [None, image()])
def test_looking_changes_nothing(example: Tensor | None) -> None:
    model = Busy()
    model.norm.eval()
    state = copied(model)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = [copy.copy(vars(module)) for module in model.modules()]
    regard.insert(model, SE, after="norm", example=example, dry_run=True)
    assert [vars(module) for module in model.modules()] == before
    assert model.training and not model.norm.training and model.drop.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    drawn = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert drawn == (random.random(), np.random.rand(), torch.rand(1).item())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_looking_changes_nothing_where_the_network_fails() -> None:
    model = Busy()
    model.norm = nn.BatchNorm2d(9)
    before = [copy.copy(vars(module)) for module in model.modules()]
    with pytest.raises(ValueError, match="took none of the images made for it .*give example="):
        regard.insert(model, SE, after="conv")
    assert [vars(module) for module in model.modules()] == before and model.calls == 0


def test_it_can_be_looked_at_in_inference_mode_and_on_meta() -> None:
    model = ResNet()
    with torch.inference_mode():
        plan = regard.insert(model, SE, after="stage")
    model(image()).sum().backward()
    assert model.layer1[1].se.squeeze.weight.grad is not None
    with torch.device("meta"):
        empty = ResNet()
    assert regard.insert(empty, SE, after="stage", dry_run=True) == plan


def test_what_frameworks_hang_on_modules_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    for number, module in enumerate(model):
        module.i, module.f, module.type, module.np = number, -1, "m", 8
    before = [(m.i, m.f, m.type, m.np, type(m)) for m in model]
    regard.insert(model, SE, after="*")
    assert [(m.i, m.f, m.type, m.np, type(m)) for m in model] == before
    assert len(model) == 3


def test_the_block_takes_device_type_and_mode_of_what_is_around_it() -> None:
    model = ResNet().to(torch.bfloat16).eval()
    regard.insert(model, SE, after="layer1.0.relu")
    block = model.layer1[0].relu.se
    assert block.squeeze.weight.dtype == torch.bfloat16 and not block.training
    assert model(image().bfloat16()).dtype == torch.bfloat16
    with torch.device("meta"):
        empty = ResNet()
    regard.insert(empty, SE, after="maxpool")
    assert empty.maxpool.se.squeeze.weight.is_meta


def test_copies_pickles_and_averages_have_blocks_of_their_own(tmp_path: Path) -> None:
    model, x = settled(ResNet()), image()
    plan = regard.insert(model, SE, after=["stage", "layer*.*.conv1"])
    was = model(x)
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for other in (twin, loaded):
        assert torch.equal(other(x), was) and Plan.of(other) == plan
        with torch.no_grad():
            for tensor in other.parameters():
                tensor.add_(0.1)
        assert not torch.equal(other(x), was) and torch.equal(model(x), was)
        regard.remove(other)
        assert not Plan.of(other).places and Plan.of(model) == plan

    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5), use_buffers=True
    )
    assert torch.equal(average(x), was)
    mine, theirs = average.module.state_dict(), model.state_dict()
    assert list(mine) == list(theirs)
    with torch.no_grad():
        model.layer1[1].se.squeeze.weight.add_(1.0)
    average.update_parameters(model)
    average.update_parameters(model)
    assert not torch.equal(average(x), was)


def test_it_trains_in_distributed_data_parallel(tmp_path: Path) -> None:
    model, x = settled(ResNet()).train(), image()
    regard.insert(model, SE, before="sum", identity_start=True)
    alone = copy.deepcopy(model)
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(model)
        for _ in range(2):
            for each in (parallel, alone):
                each.zero_grad()
                each(x).square().sum().backward()
                torch.optim.SGD(each.parameters(), lr=1e-3).step()
        with pytest.raises(
            ValueError, match="insert into it before it is wrapped, or into .module"
        ):
            regard.insert(parallel, SE, after="conv1")
    finally:
        dist.destroy_process_group()
    for (name, one), other in zip(model.named_parameters(), alone.parameters(), strict=True):
        assert one.grad is not None, name
        torch.testing.assert_close(one, other)
    assert model.layer1[0].bn2.se.gamma != 0


def test_it_is_sharded_with_its_blocks_and_a_sharded_one_is_refused(tmp_path: Path) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, x = settled(ResNet()), image()
    regard.insert(model, SE, after=["stage", "layer*.*.conv1"])
    wanted, keys = model(x), list(model.state_dict())
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        for part in (model.layer1, model.layer2, model.layer3, model):
            fully_shard(part, mesh=mesh)
        out = model(x)
        torch.testing.assert_close(out, wanted)
        out.sum().backward()
        assert list(model.state_dict()) == keys
        assert model.layer1[0].conv1.se.squeeze.weight.grad is not None
        with pytest.raises(ValueError, match="sharded already: insert into it before fully_shard"):
            regard.insert(model, SE, after="conv1")
    finally:
        dist.destroy_process_group()


def test_it_acts_under_functional_call_and_in_another_network() -> None:
    model, x = settled(ResNet()), image()
    plan = regard.insert(model, SE, after=["layer1.0.conv1", "layer2.1"])
    was = model(x)
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters() if ".se." in name}
    assert not torch.equal(torch.func.functional_call(model, zeros, (x,)), was)
    assert torch.equal(model(x), was)

    outer = nn.Sequential()
    outer.body = model
    there = Plan.of(outer).places
    assert [place.module for place in there] == [f"body.{p.module}" for p in plan.places]
    assert there[0].norm == "body.layer1.0.bn1"
    assert torch.equal(outer(x), was)
    assert [p.module for p in Plan.of(outer.body.layer1).places] == ["0.conv1"]
    assert Plan.of(outer.body.layer1).places[0].norm == "0.bn1"
    regard.remove(outer, "body.layer2.1")
    assert [place.module for place in Plan.of(model).places] == ["layer1.0.conv1"]


def test_blocks_with_names_of_their_own_act_one_behind_the_other() -> None:
    model, x = settled(ResNet()), image()
    first = regard.insert(model, SE, after="layer1.1")
    with pytest.raises(ValueError, match="layer1.1 has 'se' already; say name= for another"):
        regard.insert(model, "se(reduction=2)", after="layer1.1")
    with pytest.raises(ValueError, match="layer1.1 has 'se' already"):
        regard.insert(model, SE, after="layer1.1", dry_run=True)
    regard.insert(model, "se(reduction=2)", after="layer1.1", name="second")
    seen: list[tuple[nn.Module, Tensor]] = []
    for block in (model.layer1[1].se, model.layer1[1].second):
        block.register_forward_hook(lambda module, args, out: seen.append((args[0], out)))
    model(x)
    assert len(seen) == 2 and seen[0][1] is seen[1][0]
    assert [place.name for place in Plan.of(model).places] == ["se", "second"]
    assert regard.remove(model, name="se") == first
    assert [place.name for place in Plan.of(model).places] == ["second"]
    model(x)


def test_a_block_within_a_block_is_replayed_and_goes_with_it() -> None:
    model, x = settled(ResNet()), image()
    was, keys = model(x), list(model.state_dict())
    regard.insert(model, SE, after="layer1.0")
    regard.insert(model, "eca", after="layer1.0.se")
    regard.insert(model, "eca", after="layer1.0.conv1")
    other = Plan.of(model).apply(settled(again := ResNet())) and again
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))
    assert [p.key for p in regard.remove(model, name="se").places] == [
        "layer1.0.se", "layer1.0.se.eca",
    ]  # fmt: skip
    model(x)
    assert [place.key for place in Plan.of(model).places] == ["layer1.0.conv1.eca"]
    regard.remove(model)
    assert list(model.state_dict()) == keys and torch.equal(model(x), was)


def test_removing_what_is_not_there_says_what_is() -> None:
    model = ResNet()
    assert regard.remove(model).places == ()
    regard.insert(model, SE, after=["layer1.1", "layer2.1"])
    with pytest.raises(ValueError, match=r"no such block to remove: layer1.1.se, layer2.1.se"):
        regard.remove(model, "layer3.1")
    with pytest.raises(ValueError, match="no such block"):
        regard.remove(model, name="eca")
    assert [p.module for p in regard.remove(model, "layer1.*").places] == ["layer1.1"]
    assert [p.module for p in regard.remove(model).places] == ["layer2.1"]


def test_blocks_of_a_part_are_removed_from_the_part() -> None:
    model, x = settled(ResNet()), image()
    was = model(x)
    plan = regard.insert(model, SE, after=["layer1", "layer1.0.bn1", "conv1"])
    assert [p.module for p in regard.remove(model.layer1).places] == ["0.bn1", "1"]
    assert [p.module for p in regard.remove(model.conv1).places] == [""]
    assert torch.equal(model(x), was) and len(plan.places) == 3
    assert regard.remove(model).places == ()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Fixed(nn.Module):
    """A user's own block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def test_a_block_of_ones_own_goes_in_and_is_asked_for_again() -> None:
    model, x = settled(ResNet()), image()
    plan = regard.insert(model, Fixed, after="layer3.1")
    assert plan.places[0].block == plan.places[0].name == "Fixed"
    other = settled(ResNet())
    with pytest.raises(
        ValueError, match="no block .Fixed.: .*One of your own is .* a function in blocks="
    ):
        plan.apply(other)
    plan.apply(other, {"Fixed": Fixed})
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("block", "kind", "match"),
    [
        (SqueezeExcitation(16), TypeError, "give the name of a block"),
        (lambda channels: Fixed(channels), ValueError, "a block of your own needs a name"),
        (type("se", (Fixed,), {}), ValueError, "'se' is another block's name here"),
        (3, TypeError, "give the name of a block"),
        ("seh", ValueError, "there is no block 'seh': did you mean se"),
        ("se(reduction=0)", ValueError, "the block after layer1.1: .*reduction of at least 1"),
        ("se(", ValueError, "is not a name with arguments"),
    ],
)
def test_a_block_that_cannot_be_made_is_refused_before_anything_changes(
    block: Any, kind: type[Exception], match: str
) -> None:
    model = ResNet()
    keys = list(model.state_dict())
    for dry_run in (True, False):
        with pytest.raises(kind, match=match):
            regard.insert(model, block, after="layer1.1", dry_run=dry_run)
    assert list(model.state_dict()) == keys


def test_a_block_of_other_channels_or_that_does_not_run_is_taken_out_again() -> None:
    def Narrow(channels: int) -> nn.Module:
        return SqueezeExcitation(channels // 2)

    def Falls(channels: int) -> nn.Module:
        return nn.Conv2d(channels + 1, channels, 1)

    model, x = settled(ResNet()), image()
    was, keys = model(x), list(model.state_dict())
    with pytest.raises(ValueError, match="Narrow has 8 channels, and the place 16"):
        regard.insert(model, Narrow, after="layer1.1")
    with pytest.raises(ValueError, match="with its blocks the network does not run: .*17"):
        regard.insert(model, Falls, after="layer*.1")
    assert list(model.state_dict()) == keys and torch.equal(model(x), was)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("identity_start", [False, True])
def test_a_block_gives_maps_of_the_shape_that_it_reads(identity_start: bool) -> None:
    def Wide(channels: int) -> nn.Module:
        return nn.Conv2d(channels, channels + 1, 1)

    def Half(channels: int) -> nn.Module:
        return nn.MaxPool2d(2)

    class Pair(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    for made, gives in ((Wide, r"\[2, 17, 16, 16\]"), (Half, r"\[2, 16, 8, 8\]"), (Pair, "tuple")):
        model = settled(ResNet())
        keys = list(model.state_dict())
        said = {"after": "layer1.0", "example": image(), "identity_start": identity_start}
        with pytest.raises(ValueError, match=rf"layer1\.0\..* gives {gives} for \[2, 16, 16, 16\]"):
            regard.insert(model, made, **said)
        assert list(model.state_dict()) == keys


@pytest.mark.parametrize("name", ["", "a.b", "_se", "forward", "2", "training", "weights is"])
def test_a_name_that_no_child_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a block"):
        regard.insert(ResNet(), SE, after="conv1", name=name)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_cannot_be_changed_any_more_says_what_to_do() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval())
    with pytest.raises(ValueError, match="insert into the network that it was made of"):
        regard.insert(scripted, SE, after="0")
    partly = nn.Sequential(nn.Conv2d(3, 3, 3), torch.jit.script(nn.Conv2d(3, 8, 3)))
    with pytest.raises(ValueError, match="1 is a ScriptModule, which nothing can be added to"):
        regard.insert(partly, SE, after="1")
    compiled = torch.compile(ResNet(), backend="eager")
    with pytest.raises(ValueError, match="OptimizedModule .*or into ._orig_mod"):
        regard.insert(compiled, SE, after="conv1")
    with pytest.raises(ValueError, match="wrapped, or into .module"):
        regard.insert(nn.DataParallel(ResNet()), SE, after="conv1")
    with pytest.raises(ValueError, match="lazy parameters; run it once"):
        regard.insert(nn.Sequential(nn.LazyConv2d(8, 3)), SE, after="0")
    with pytest.raises(TypeError, match="blocks go into an nn.Module, got 'dict'"):
        regard.insert({}, SE, after="0")
    model = ResNet()
    regard.insert(model, SE, after="layer1.0.conv1")
    with pytest.raises(AttributeError, match="cannot be scripted: use torch.jit.trace"):
        torch.jit.script(model)


def test_a_module_that_answers_to_every_name_is_looked_at() -> None:
    class Answers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return None

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x)

    assert regard.insert(Answers(), SE, after="conv").places[0].channels == 8


def test_examples_are_tensors_tuples_and_tables() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x: Tensor, scale: Tensor) -> dict[str, Tensor]:
            return {"out": self.conv(x) * scale}

    x, scale = image(), torch.tensor(2.0)
    for example in ((x, scale), {"x": x, "scale": scale}):
        plan = regard.insert(Two(), SE, after="conv", example=example)
        assert plan.places[0].channels == 8 and "an example of [2, 3, 64, 64], []" in str(plan)
    with pytest.raises(ValueError, match="TypeError: .*scale.*; give example="):
        regard.insert(Two(), SE, after="conv")
    with pytest.raises(
        ValueError, match=r"not run with an example of \[1, 5, 9, 9\]: RuntimeError"
    ):
        regard.insert(ResNet(), SE, after="conv1", example=torch.zeros(1, 5, 9, 9))
    with pytest.raises(ValueError, match="no convolution that says what it takes"):
        regard.insert(nn.Sequential(nn.Linear(3, 3)), SE, after="0")


def test_images_of_several_sizes_are_tried_and_the_one_that_went_through_is_named() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))
    plan = regard.insert(model, SE, after="0", dry_run=True)
    assert "seen with an image [1, 1, 32, 32] made for it" in str(plan)
    assert regard.insert(Mobile(), SE, after="blocks.*", dry_run=True).places[4].channels == 24


@dataclass
class Maps:
    """What a network may return."""

    last: Tensor
    count: int


class GivesMaps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2)

    def forward(self, x: Tensor) -> Maps:
        return Maps(self.two(self.one(x)), 1)


def test_maps_in_a_dataclass_end_a_stage() -> None:
    plan = regard.insert(GivesMaps(), SE, after="stage")
    assert [place.module for place in plan.places] == ["one", "two"]


def test_a_network_that_begins_with_a_transposed_convolution_is_shown_its_channels() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2), nn.ReLU(), nn.Conv2d(4, 4, 3))
    plan = regard.insert(model, SE, after="0")
    assert plan.places[0].channels == 4 and "[1, 8, 224, 224]" in str(plan)


def test_an_image_without_a_batch_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    with pytest.raises(
        ValueError, match=r"\[3, 16, 16\] has no batch: 0 is given.*put a 1 in front"
    ):
        regard.insert(model, SE, after="1", example=torch.randn(3, 16, 16))
    sound = nn.Sequential(nn.Conv1d(3, 8, 3), nn.ReLU())
    assert regard.insert(sound, SE, after="1", example=torch.randn(3, 3, 16)).places


def test_an_optimizer_that_was_made_before_is_told(recwarn: pytest.WarningsRecorder) -> None:
    model, other = ResNet(), ResNet()
    kept = [torch.optim.SGD(other.parameters(), lr=0.1)]
    regard.insert(model, SE, after="stage")
    assert not [each for each in recwarn if "optimizer" in str(each.message)]
    kept.append(torch.optim.AdamW(model.parameters()))
    with pytest.warns(UserWarning, match=r"optimizer \(AdamW\) has .*add_param_group") as told:
        regard.insert(model, SE, after="layer1.0.conv1")
    assert len(told) == 1 and len(kept) == 2
    recwarn.clear()
    regard.insert(model, "simam", after="layer1.0.conv2")  # it has nothing to train
    assert not [each for each in recwarn if "optimizer" in str(each.message)]


@pytest.mark.usefixtures("as_users_have_it")
@torch.no_grad()
def test_a_part_that_is_compiled_has_blocks_within() -> None:
    model, x = settled(ResNet()), image()
    was = model(x)
    model.layer1 = torch.compile(model.layer1, backend="eager")
    model(x)
    plan = regard.insert(model, SE, after=["stage", "layer1"])
    assert "layer1._orig_mod.1" in [place.module for place in plan.places]
    assert not torch.allclose(model(x), was)
    regard.remove(model)
    torch.testing.assert_close(model(x), was)


class Childless(nn.Conv2d):
    def add_module(self, name: str, module: nn.Module | None) -> None:
        raise RuntimeError("no children please")


def test_a_module_that_takes_no_child_is_refused_and_nothing_is_changed() -> None:
    model = nn.Sequential(nn.ReLU(), Childless(3, 8, 3))
    with pytest.raises(ValueError, match="1 takes no block as its child: RuntimeError: no child"):
        regard.insert(model, SE, after=["0", "1"])
    assert list(model.state_dict()) == ["1.weight", "1.bias"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    model(image())


class Batched(nn.Module):
    """A detector that is given images of several sizes in a list, and pads them to one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, images: list[Tensor]) -> Tensor:
        sides = [max(each.shape[n] for each in images) for n in (1, 2)]
        batch = images[0].new_zeros(len(images), 3, *sides)
        for place, each in zip(batch, images, strict=True):
            place[:, : each.shape[1], : each.shape[2]].copy_(each)
        return self.body(self.stem(batch))


def test_images_in_a_list_and_frames_of_a_video_are_maps_of_the_network_within() -> None:
    images = [torch.randn(3, 32, 32), torch.randn(3, 40, 24)]
    plan = regard.insert(Batched(), SE, after="stage", example=(images,))
    assert [(p.module, p.channels) for p in plan.places] == [("stem", 8), ("body", 8)]

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 6, 3, 2, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.each(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean((1, 3, 4))

    clip = torch.randn(2, 4, 3, 16, 16)
    plan = regard.insert(Frames(), SE, after="each.*", example=clip)
    assert [(p.module, p.channels) for p in plan.places] == [("each.0", 8), ("each.1", 6)]


def test_it_starts_as_the_identity_after_meta_and_weights_for_meta_are_refused() -> None:
    kept, x = settled(ResNet()), image()
    with torch.device("meta"):
        model = ResNet()
    shown = torch.randn(1, 3, 64, 64, device="meta")
    regard.insert(model, "dual", after="layer2", example=shown)
    plan = regard.insert(model, SE, after="stage", identity_start=True, example=shown)
    with pytest.raises(ValueError, match="on the device meta, where nothing is kept: model.to_em"):
        plan.load_weights(model, kept)
    model.to_empty(device="cpu")
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            nn.init.constant_(parameter, 7.0)
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert not plan.load_weights(model, kept).lost
    assert torch.equal(model.eval()(x), kept(x))
