"""Fuzzers of what reads settings: `--set`, TOML, spelled parts."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from regard._spelling import parse
from regard.cli.words import assignment
from regard.errors import UsageError
from regard.parts import ROLES, Dims, part
from regard.run.merging import settings_for
from regard.run.request import Request
from regard.run.run import asked
from regard.vision import Plan, block
from tests.cli.small import put
from tests.fuzz.fuzzing import PIECES, fuzz
from tests.hostile.laws import sentence

SPELLED = (
    b"entmax(1.3)", b"gumbel_softmax(0.5)", b"causal & sliding_window(3)",
    b"chain(soft_cap(30.0), alibi)", b"mlp(hidden_dims=(80, 40), variant=paper)", b"block(2)",
    b"relative_bias(num_buckets=8, max_distance=20)", b"learned_entmax(alpha=1.2)", b"top_k(4)",
    b"additive(hidden_dim=8)", b"softmax(0.5)", b"prefix(3)", b"location(num_keys=5)",
)  # fmt: skip
SET = (
    b"learning_rate=1e-3", b"pooling=hard(estimator=gumbel)", b"dropout=.5",
    b"tokens={kind='bpe', size=300}", b"normalizer=entmax(1.3)", b"optimizer=adamw",
    b"attention=additive", b"minutes=2", b"model.dropout=0.1", b"tokens.size=300", b"steps=3",
    b"tokens=bpe(size=300)", b"data.encoding=latin-1", b"sentences=true", b"longest=20",
)  # fmt: skip
TOML = (
    b'[data]\npath = "x.csv"\nencoding = "utf-8"\n\n[task]\nname = "classify"\nlongest = 20\n'
    b'tokens = {kind = "bpe", size = 300}\n\n[model]\nname = "lstm"\nembed_dim = 8\n'
    b'pooling = {kind = "hard", estimator = "gumbel"}\n\n[train]\nsteps = 3\nseed = 1\n'
    b"learning_rate = 1e-3\n",
    b"[train]\nepochs = 2\n[model]\nname = 'cnn'\nwidths = [2, 3]\npooling = 'attention'\n",
)
NAMES = (b"entmax", b"alibi", b"tokens", b"model.", b"train.", b"kind", b"none", b"lambda", b"&")
DIMS = Dims(query_dim=4, key_dim=4, hidden_dim=4, num_heads=2, num_keys=5)


def as_text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def test_changed_spellings() -> None:
    def read(content: bytes) -> None:
        text = as_text(content)
        assert parse(str(found := parse(text))) == found
        for role in ROLES:
            if found.name in ROLES[role]:
                part(role, text, DIMS)

    fuzz("spellings", SPELLED, read, PIECES + NAMES)


def test_changed_assignments(tmp_path: Path) -> None:
    data = put(tmp_path, "labels.csv")

    def read(content: bytes) -> None:
        key, value = assignment(as_text(content))
        given = {"data": str(data), "task": "classify", key: value}
        if key not in ("task.name", "model.name", "data", "path", "data.path", "task", "model"):
            settings_for(_request(given), tmp_path / "cache")

    fuzz("assignments", SET, read, PIECES + NAMES)


def _request(given: dict[str, object]) -> Request:
    model = {} if "pooling" not in str(given) else {"model": "lstm"}
    return asked(None, "auto", None, {**given, **model})


def test_changed_toml(tmp_path: Path) -> None:
    path, data = tmp_path / "x.toml", str(put(tmp_path, "labels.csv"))

    def read(content: bytes) -> None:
        path.write_bytes(content)
        request = asked(None, "auto", path, {"data": data})
        settings_for(request, tmp_path / "cache")

    fuzz("toml", TOML, read, PIECES + NAMES)


@given(st.text(max_size=60))
def test_any_text_is_spelled_or_refused(text: str) -> None:
    if sentence(lambda: parse(text)) is None:
        assert parse(str(parse(text))) == parse(text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_assigned_or_refused(key: str, value: str) -> None:
    try:
        assignment(f"{key}={value}")
    except UsageError as error:
        assert sentence(lambda: assignment(f"{key}={value}")) == str(error)


PLANS = (
    b'{"format": "regard-blocks-1", "places": [{"module": "layer1.0.conv2", "where": "after", '
    b'"name": "se", "block": "se(reduction=8)", "channels": 16, "identity_start": false, '
    b'"norm": "layer1.0.bn2"}, {"module": "1", "where": "before", "name": "front", "block": '
    b'"cbam(reduction=4, variant=paper)", "channels": 8, "identity_start": true, "norm": null}]}',
    b'{"format": "regard-blocks-1", "places": []}',
)


def test_changed_plans_of_blocks() -> None:
    def read(content: bytes) -> None:
        plan = Plan.of_json(content)
        assert Plan.of_json(plan.json()) == plan and str(plan)
        for place in plan.places:
            if place.channels < 64 and "(" not in place.block:
                made = block(place.block, place.channels)
                assert made.channels == place.channels

    fuzz("plans", PLANS, read, PIECES + NAMES)
