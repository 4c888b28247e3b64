"""What was inserted is plain data: printed, kept, read with suspicion, and done again."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import regard
from regard.vision import Plan
from regard.vision.place import Place
from tests.vision.networks import Bottleneck, ResNet, image, settled

SE = "se(reduction=4)"


@pytest.fixture
def plan() -> Plan:
    model = ResNet()
    regard.insert(model, SE, after="layer*.*.conv2")
    regard.insert(model, "se", before="layer1.0.conv2", name="front", identity_start=True)
    return Plan.of(model)


def test_a_plan_is_kept_and_read_again(plan: Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "blocks.json")
    assert Plan.load(tmp_path / "blocks.json") == plan
    kept = json.loads((tmp_path / "blocks.json").read_text())
    assert kept["places"][0] == {
        "module": "layer1.0.conv2", "where": "after", "name": "se", "block": "se(reduction=4)",
        "channels": 16, "identity_start": False, "norm": "layer1.0.bn2",
    }  # fmt: skip
    assert hash(plan) == hash(Plan.load(tmp_path / "blocks.json"))


def test_a_dry_run_says_what_would_be_done_and_does_not_do_it() -> None:
    model = ResNet()
    keys = list(model.state_dict())
    torch.manual_seed(3)
    plan = regard.insert(model, SE, after=["layer1", "layer1.0.conv1"], dry_run=True)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert drawn == torch.rand(1)
    assert list(model.state_dict()) == keys and not Plan.of(model).places
    assert str(plan).splitlines() == [
        "se(reduction=4) at 2 places",
        "  after layer1.0.conv1  16 channels  layer1.0.conv1.se  in front of the batch norm "
        "layer1.0.bn1",
        "  after layer1.1  16 channels  layer1.1.se",
        "starts as identity: no, the outputs change; identity_start=True fades it in",
        "seen with an image [1, 3, 224, 224] made for it",
    ]
    assert regard.insert(model, SE, after=["layer1", "layer1.0.conv1"]) == plan == Plan.of(model)


def test_a_rebuilt_network_takes_the_plan_and_all_weights_old_or_new(plan: Plan) -> None:
    model, x = settled(ResNet()), image()
    plain, total = model.state_dict(), len(model.state_dict())
    plan.apply(model)
    report = plan.load_weights(model, plain)
    assert str(report).startswith(f"transferred {total} of {total} tensors; ")
    assert report.missing == report.lost == () and len(report.new) == 6 * 4 + 5

    again = settled(ResNet(), seed=5)
    assert not torch.equal(again(x), model(x))
    plan.apply(again)
    report = plan.load_weights(again, model.state_dict())
    assert str(report) == f"transferred {total + 29} of {total + 29} tensors"
    assert torch.equal(again(x), model(x))


def test_weights_that_do_not_fit_are_named(plan: Plan) -> None:
    model = settled(ResNet())
    state = model.state_dict()
    plan.apply(model)
    state["fc.weight"] = torch.zeros(3, 64)
    state["extra"] = torch.zeros(1)
    del state["bn1.weight"]
    report = plan.load_weights(model, state)
    assert report.lost == ("fc.weight", "extra") and report.missing == ("bn1.weight", "fc.weight")
    assert str(report) == (
        f"transferred {len(state) - 2} of {len(state)} tensors; 29 of blocks are new; "
        "not transferred: fc.weight, extra; not in the weights: bn1.weight, fc.weight"
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"module": "layer1.0.conv9"}, "no module 'layer1.0.conv9': did you mean layer1.0.conv"),
        ({"module": ""}, "no module ''"),
        ({"module": "conv1.weight"}, "no module 'conv1.weight'"),
        ({"module": "layer4.0"}, "no module 'layer4.0': did you mean"),
        ({"channels": 32}, "after layer1.1.conv2 there are 16 channels, and the plan has 32"),
        ({"block": "cbma"}, "the block after layer1.1.conv2: there is no block 'cbma'"),
        ({"block": "se(reduction=8, x=2)"}, "the block after layer1.1.conv2: block se"),
        ({"name": "weight"}, "layer1.1.conv2 has 'weight' already"),
        ({"module": "layer1.0.conv2"}, "the plan has 'layer1.0.conv2.se' 2 times"),
    ],
)  # fmt: skip
def test_a_plan_that_does_not_fit_changes_nothing(change: dict, match: str) -> None:
    model = ResNet()
    good = Place(module="layer1.0.conv2", name="se", block=SE, channels=16)
    bad = Place(**{"module": "layer1.1.conv2", "name": "se", "block": SE, "channels": 16, **change})
    keys = list(model.state_dict())
    with pytest.raises(ValueError, match=match) as caught:
        Plan((good, bad)).apply(model)
    assert "\n" not in str(caught.value)
    assert list(model.state_dict()) == keys
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_plan_for_another_network_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match=r"after layer1.0.conv2 there are 4 channels, .* has 16"):
        plan.apply(ResNet(Bottleneck))


def test_the_norm_of_a_plan_has_to_be_there_when_the_network_runs() -> None:
    model = settled(ResNet())
    Plan((Place(module="conv1", name="se", block=SE, channels=16, norm="fc"),)).apply(model)
    with pytest.raises(RuntimeError, match="the batch norm fc, which is gone"):
        model(image())


WHOLE: dict[str, Any] = {
    "module": "conv1", "where": "after", "name": "se", "block": "se", "channels": 16,
    "identity_start": False, "norm": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"channels": True}, "channels is True, not a number from 1 to 1,048,576"),
        ({"channels": 2**31}, "channels is 2147483648, not a number"),
        ({"channels": 0}, "channels is 0"),
        ({"channels": "16"}, "channels is '16'"),
        ({"module": 3}, "module is 3, not a short printable text"),
        ({"module": ""}, "module is '', not"),
        ({"module": "a\x1b[2J"}, "module is 'a.x1b.2J', not a short printable text"),
        ({"module": "m" * 5000}, "not a short printable text"),
        ({"where": "inside"}, "where is 'inside', not after or before"),
        ({"name": "__class__"}, "'__class__' cannot be the name of a block"),
        ({"name": "forward"}, "'forward' cannot be the name of a block"),
        ({"name": "a.b"}, "'a.b' cannot be the name"),
        ({"block": "__import__('os').system('x')"}, "is not a name with arguments"),
        ({"block": "se(" * 500}, "not a short printable text|is not a name with arguments"),
        ({"identity_start": 1}, "identity_start is 1, not true or false"),
        ({"norm": 5}, "norm is 5, not a module's name or null"),
        ({"norm": "bn\x1b[2J"}, "norm is 'bn.x1b.2J', not a module's name"),
        ({"modul": "x"}, "'modul' is no key of a place: did you mean module"),
        ({"channels": ...}, "a place needs channels"),
    ],
)
def test_a_place_is_read_strictly(change: dict[str, Any], match: str, tmp_path: Path) -> None:
    place = {key: value for key, value in (WHOLE | change).items() if value is not ...}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"format": "regard-blocks-1", "places": [place]}))
    with pytest.raises(ValueError, match=f"plan.json is no plan of blocks: .*({match})") as caught:
        Plan.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is no plan of blocks"),
        ("[]", "no format 'regard-blocks-1'"),
        ('{"format": "regard-blocks-2", "places": []}', "no format 'regard-blocks-1'"),
        ('{"format": "regard-blocks-1"}', "a plan needs places"),
        ('{"format": "regard-blocks-1", "places": {}}', "places is {}, not a list"),
        ('{"format": "regard-blocks-1", "places": [3]}', "a place is a table, not 3"),
        ('{"format": "regard-blocks-1", "places": [], "x": 1}', "'x' is no key of a plan"),
        ('{"format": "regard-blocks-1", "places": [], "places": []}', "'places' stands twice"),
        ('{"format": "regard-blocks-1", "places": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "nested too deeply|is no plan"),
        ('{"format": "regard-blocks-1", "places": [' + "1," * 20_000 + "1]}", "at most 10,000"),
    ],
)
def test_a_file_that_is_no_plan_is_named(text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"plan.json is no plan of blocks: .*({match})|{match}"):
        Plan.load(path)


def test_a_plan_that_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Plan.load(tmp_path / "none.json")
    with pytest.raises(ValueError, match="cannot be read"):
        Plan.load(tmp_path)


def test_an_empty_plan_does_nothing() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    assert str(Plan(()).apply(model)) == "nothing at 0 places"
