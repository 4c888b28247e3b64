"""T5 is Hugging Face's, in every option that theirs has."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import regard
from regard.errors import CheckpointMismatch
from regard.generation import beam_search, greedy
from regard.layers import Attend
from regard.models.published import load_published
from regard.models.t5 import (
    T5,
    T5Config,
    T5Encoder,
    base,
    large,
    small,
    t5_3b,
    t5_11b,
    v1_1_base,
    v1_1_large,
    v1_1_small,
    v1_1_xl,
    v1_1_xxl,
)
from regard.normalizers import sparsemax
from regard.score_mods import RelativeBias, SoftCap
from regard.scores import Dot
from regard.sequences import Packed, Sequences
from tests.parity.hugging_face import (
    MASK,
    PADDED,
    VOCAB,
    flipped,
    gradients_like_theirs,
    loaded,
    near,
    near_where_real,
    random_network,
    same_after_saving,
    same_gradients,
    transformers,
)

TINY: dict[str, Any] = {
    "vocab_size": VOCAB,
    "d_model": 12,
    "d_kv": 5,
    "d_ff": 17,
    "num_layers": 2,
    "num_heads": 3,
    "decoder_start_token_id": 0,
}
FLIPS: list[dict[str, Any]] = [
    {},
    {"feed_forward_proj": "gated-gelu"},
    {"feed_forward_proj": "gated-gelu_python"},
    {"feed_forward_proj": "gated-silu"},
    {"feed_forward_proj": "gated-relu"},
    {"feed_forward_proj": "gelu"},
    {"feed_forward_proj": "gelu_new"},
    {"feed_forward_proj": "silu"},
    {"relative_attention_num_buckets": 4, "relative_attention_max_distance": 3},
    {"relative_attention_num_buckets": 8},
    {"relative_attention_max_distance": 20},
    {"layer_norm_epsilon": 1e-2},
    {"num_layers": 1},
    {"num_decoder_layers": 1},
    {"num_decoder_layers": 3},
    {"num_heads": 1},
    {"d_kv": 64},
    {"dropout_rate": 0.7},
    {"tie_word_embeddings": False},
    {"initializer_factor": 0.5},
    {"pad_token_id": 3},
]
TARGET = torch.tensor([[0, 5, 9, 11, 2], [0, 8, 8, 1, 0], [0, 4, 5, 7, 22]])
READ = {"input_ids": PADDED.ids, "attention_mask": MASK.long()}
ASKED = {**READ, "decoder_input_ids": TARGET}
LENGTHS = PADDED.counts.tolist()


def config(**changes: Any) -> Any:
    return transformers.T5Config(**{**TINY, **changes})


def conditional(folder: Path, **changes: Any) -> tuple[Any, Any]:
    """Theirs that writes, and ours from its folder."""
    theirs = random_network(transformers.T5ForConditionalGeneration, config(**changes))
    return theirs, loaded(theirs, folder)


def near_layers(found: Any, wanted: Any, what: str) -> None:
    for number, (mine, yours) in enumerate(zip(found, wanted, strict=True)):
        for row, length in enumerate(LENGTHS):
            if "encoder" in what:
                mine_row, yours_row = mine[row, ..., :length, :], yours[row, ..., :length, :]
            else:
                mine_row, yours_row = mine[row], yours[row]
            near(mine_row, yours_row, f"{what} of layer {number}")


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_states_weights_logits_and_gradients_are_theirs(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    theirs, ours = conditional(tmp_path / "theirs", **changes)
    wanted = theirs(**ASKED, output_hidden_states=True, output_attentions=True)
    near_layers(ours.encoder.states(PADDED), wanted.encoder_hidden_states, "encoder states")
    near_layers(ours.encoder.weights(PADDED), wanted.encoder_attentions, "encoder weights")
    near_layers(ours.states(PADDED, TARGET), wanted.decoder_hidden_states, "states")
    near_layers(ours.self_weights(PADDED, TARGET), wanted.decoder_attentions, "weights")
    near_layers(ours.weights(PADDED, TARGET), wanted.cross_attentions, "weights across")
    found = ours(PADDED, TARGET)
    near(found, wanted.logits, "logits")
    near(ours(Packed.of(PADDED), TARGET), found, "logits of packed texts")
    same_gradients(ours, theirs, found, wanted.logits)
    same_after_saving(ours, type(theirs), tmp_path / "ours", ASKED, "logits", wanted.logits)


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_the_encoder_alone_is_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    kind = transformers.T5EncoderModel
    theirs = random_network(kind, config(**changes))
    ours = loaded(theirs, tmp_path / "theirs")
    assert type(ours) is T5Encoder
    wanted = theirs(**READ).last_hidden_state
    found = ours(PADDED)
    near_where_real(found, wanted, "states")
    near(ours(Packed.of(PADDED))[0], found[MASK], "packed")
    same_gradients(ours, theirs, found[MASK], wanted[MASK])
    regard.save(ours, tmp_path / "ours")
    again = kind.from_pretrained(tmp_path / "ours").eval()
    near_where_real(again(**READ).last_hidden_state, wanted, "theirs from our folder")


def test_the_body_alone_writes_with_its_embedding_as_theirs_does(tmp_path: Path) -> None:
    theirs = random_network(transformers.T5Model, config(tie_word_embeddings=False))
    ours = loaded(theirs, tmp_path)
    near(ours.states(PADDED, TARGET)[-1], theirs(**ASKED).last_hidden_state, "states")
    whole = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    near(ours(PADDED, TARGET), whole(**ASKED).logits, "logits")


def own_output(folder: Path, scale: bool, today: bool) -> Any:
    """Theirs of version 1.1, whose output is no embedding, as it is stored today or was before."""
    theirs = random_network(
        transformers.T5ForConditionalGeneration,
        config(tie_word_embeddings=False, feed_forward_proj="gated-gelu"),
    )
    theirs.save_pretrained(folder)
    torch.manual_seed(1)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        tensors | {"lm_head.weight": torch.randn(VOCAB, 12)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    said = {"scale_decoder_outputs": scale, "tie_word_embeddings": today}
    if not today:
        del said["scale_decoder_outputs"]
    path = folder / "config.json"
    entries = {k: v for k, v in json.loads(path.read_text()).items() if k not in (
        "scale_decoder_outputs", "tie_word_embeddings")}  # fmt: skip
    path.write_text(json.dumps(entries | said))
    return transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()


@pytest.mark.parametrize("today", [True, False])
def test_an_output_of_its_own_is_read_and_written(today: bool, tmp_path: Path) -> None:
    theirs = own_output(tmp_path / "theirs", False, today)
    ours = regard.load(tmp_path / "theirs")
    assert not ours.config.tied and not ours.config.scaled
    wanted = theirs(**ASKED).logits
    near(ours(PADDED, TARGET), wanted, "logits")
    same_after_saving(ours, type(theirs), tmp_path / "ours", ASKED, "logits", wanted)


def test_an_output_of_its_own_that_is_scaled_is_what_theirs_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"embed_dim": 12, "num_heads": 3, "head_dim": 5, "ff_dim": 17, "layers": 1}
    ours = T5(T5Config(vocab=VOCAB, tied=False, **sizes)).eval()
    wanted = ours(PADDED, TARGET)
    kind = transformers.T5ForConditionalGeneration
    same_after_saving(ours, kind, tmp_path, ASKED, "logits", wanted)
    near(regard.load(tmp_path)(PADDED, TARGET), wanted, "ours")


def test_an_output_that_is_missing_is_named(tmp_path: Path) -> None:
    own_output(tmp_path, False, today=False)
    path = tmp_path / "model.safetensors"
    save_file({k: t for k, t in load_file(path).items() if k != "lm_head.weight"}, path)
    with pytest.raises(CheckpointMismatch, match="missing: lm_head.weight"):
        regard.load(tmp_path)


OLD = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")


def test_copies_in_old_files_are_dropped_and_stored_once(tmp_path: Path) -> None:
    theirs, ours = conditional(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    unread = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    more = {name: tensors["shared.weight"].clone() for name in OLD}
    save_file(tensors | more | {unread: torch.randn(32, 3)}, path)
    again = regard.load(tmp_path)
    near(again(PADDED, TARGET), theirs(**ASKED).logits, "logits")
    assert again.output.weight is again.encoder.tokens.weight
    regard.save(again, tmp_path / "ours")
    assert load_file(tmp_path / "ours" / "model.safetensors").keys() == tensors.keys()
    del tensors["shared.weight"]
    save_file(tensors | {OLD[1]: more[OLD[1]]}, path)
    near(regard.load(tmp_path)(PADDED, TARGET), ours(PADDED, TARGET), "logits")


@pytest.mark.parametrize("name", OLD)
def test_a_copy_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    conditional(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file(load_file(path) | {name: torch.randn(VOCAB, 12)}, path)
    with pytest.raises(ValueError, match=rf"{name} is not the shared\.weight that .*config\.json"):
        regard.load(tmp_path)


def test_more_layers_than_are_said_are_refused(tmp_path: Path) -> None:
    conditional(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_decoder_layers": 1}))
    with pytest.raises(CheckpointMismatch, match=r"decoder\.block\.1"):
        regard.load(tmp_path)


def test_the_encoder_of_a_whole_one_is_read_alone(tmp_path: Path) -> None:
    _, ours = conditional(tmp_path)
    encoder = load_published(tmp_path, network="t5_encoder")
    assert type(encoder) is T5Encoder
    assert torch.equal(encoder(PADDED), ours.encoder(PADDED))


REFUSED: list[dict[str, Any]] = [
    {"feed_forward_proj": "gated-relu-6"},
    {"feed_forward_proj": "mish"},
    {"is_gated_act": "no"},
    {"is_decoder": True},
]


@pytest.mark.parametrize("words", REFUSED, ids=flipped)
def test_what_is_not_computed_is_refused(words: dict[str, Any], tmp_path: Path) -> None:
    conditional(tmp_path)
    path = tmp_path / "config.json"
    entries = json.loads(path.read_text())
    if "feed_forward_proj" in words:
        del entries["dense_act_fn"], entries["is_gated_act"]
    path.write_text(json.dumps(entries | words))
    with pytest.raises(ValueError, match=r"config\.json: its (feed_forward_proj|is_dec|dense_act)"):
        regard.load(tmp_path)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (4, 3), (8, 128), (32, 20), (16, 99)])
def test_buckets_are_theirs(buckets: int, farthest: int, bidirectional: bool) -> None:
    if farthest <= buckets // (4 if bidirectional else 2):
        pytest.skip("there would be no bucket for longer distances")
    distance = torch.arange(-300, 301)
    attention = transformers.models.t5.modeling_t5.T5Attention
    wanted = attention._relative_position_bucket(distance, bidirectional, buckets, farthest)
    assert torch.equal(RelativeBias(1, buckets, farthest, bidirectional).bucket(distance), wanted)


@pytest.mark.parametrize("chunks", [(3, 2, 2), (1,) * 7])
def test_what_is_written_in_pieces_is_written_at_once(
    chunks: tuple[int, ...], tmp_path: Path
) -> None:
    _, ours = conditional(tmp_path, relative_attention_max_distance=20)
    target = torch.randint(2, VOCAB, (len(PADDED), 7))
    encoded = ours.encode(PADDED)
    state, begun, found = ours.start(encoded, 1), 0, []
    for width in chunks:
        logits, state = ours.continued(encoded, state, target[:, begun : begun + width])
        found.append(logits)
        begun += width
    near(torch.cat(found, 1), ours(PADDED, target), "logits")
    one, many = ours.start(encoded, 1), ours.start(encoded, 2)
    for place in range(7):
        single, one = ours.step(encoded, one, target[:, place])
        pairs, many = ours.step(encoded, many, target[:, place].repeat_interleave(2))
        near(single, ours(PADDED, target)[:, place], f"logits at {place}")
        near(pairs[::2], single, "first beams")
        near(pairs[1::2], single, "second beams")


def test_padding_on_the_left_changes_nothing(tmp_path: Path) -> None:
    theirs, ours = conditional(tmp_path)
    left, real = torch.full_like(PADDED.ids, 3), MASK.flip(1)
    left[real] = PADDED.ids[MASK]
    wanted = theirs(input_ids=left, attention_mask=real.long(), decoder_input_ids=TARGET).logits
    near(ours(Sequences.where(left, real), TARGET), wanted, "logits, padded on the left as theirs")
    near(ours(PADDED, TARGET), wanted, "logits")


def written(row: Tensor) -> list[int]:
    """The tokens that theirs wrote: without the first, and up to the end."""
    tokens = row.tolist()[1:]
    return tokens[: tokens.index(1)] if 1 in tokens else tokens


@pytest.mark.parametrize("seed", range(4))
def test_what_it_writes_is_what_theirs_writes(seed: int, tmp_path: Path) -> None:
    theirs = random_network(transformers.T5ForConditionalGeneration, config(), seed, spread=1.0)
    ours = loaded(theirs, tmp_path)
    wanted = theirs.generate(**READ, max_new_tokens=9, do_sample=False, num_beams=1)
    found = greedy(ours, ours.encode(PADDED), begin=0, end=1, max_length=9)
    assert [list(each.tokens) for each in found] == [written(row) for row in wanted]


def test_a_wide_beam_finds_the_best_of_all_answers(tmp_path: Path) -> None:
    theirs = random_network(
        transformers.T5ForConditionalGeneration, config(vocab_size=5), spread=1.0
    )
    ours, source = loaded(theirs, tmp_path), Sequences.of([[4, 2, 3], [3]])
    answers = [(a, b, c) for a in range(5) for b in range(5) for c in range(5)]
    found = beam_search(
        ours, ours.encode(source), begin=0, end=1, max_length=3, beams=125, length_penalty=0.0
    )
    for row in range(2):
        best: dict[tuple[int, ...], float] = {}
        for answer in answers:
            ends = answer.index(1) + 1 if 1 in answer else 3
            target = torch.tensor([[0, *answer]])
            ids = source.ids[row : row + 1, : source.counts[row]]
            logits = theirs(ids, decoder_input_ids=target).logits[0].detach().log_softmax(-1)
            best[answer[:ends]] = sum(float(logits[n, t]) for n, t in enumerate(answer[:ends]))
        ranked = sorted(best.items(), key=lambda item: -item[1])
        for mine, (tokens, score) in zip(found[row][:10], ranked, strict=False):
            assert abs(mine.log_probability - score) < 1e-4
            assert [*mine.tokens] == [t for t in tokens if t != 1]


def test_other_parts_are_put_in_upon_the_bias(tmp_path: Path) -> None:
    _, ours = conditional(tmp_path)
    same = regard.load(tmp_path, attend=Attend(score=Dot(), score_mod=SoftCap(1e6)))
    near(same(PADDED, TARGET), ours(PADDED, TARGET), "logits under a cap that caps nothing", 1e-4)
    sparse = regard.load(tmp_path, attend=Attend(score=Dot(), normalizer=sparsemax))
    weights = sparse.encoder.weights(PADDED)[0, 0]
    assert (weights == 0).any() and sparse.config.attention.normalizer == "sparsemax"
    regard.save(sparse, tmp_path / "own")
    again = regard.load(tmp_path / "own")
    assert torch.equal(again(PADDED, TARGET), sparse(PADDED, TARGET))


def test_copied_weights_in_half_precision_are_near(tmp_path: Path) -> None:
    theirs, ours = conditional(tmp_path)
    wanted = theirs(**ASKED).logits
    naive = theirs.to(torch.bfloat16)(**ASKED).logits
    off = (ours.to(torch.bfloat16)(PADDED, TARGET) - wanted).abs().max()
    assert off <= 2 * (naive - wanted).abs().max()


@pytest.mark.slow
def test_published_sizes_are_theirs() -> None:
    firsts = [small, base, large, t5_3b, t5_11b]
    seconds = [v1_1_small, v1_1_base, v1_1_large, v1_1_xl, v1_1_xxl]
    millions = {small: 60.5, base: 222.9, large: 737.7, t5_3b: 2851.6, t5_11b: 11307.3,
                v1_1_small: 77.0, v1_1_base: 247.6, v1_1_large: 783.2, v1_1_xl: 2849.8,
                v1_1_xxl: 11135.3}  # fmt: skip
    for named in (*firsts, *seconds):
        with torch.device("meta"):
            model = T5(named())
        count = sum(weight.numel() for weight in model.parameters()) / 1e6
        assert round(count, 1) == millions[named], named.__name__
    assert all(a().embed_dim <= b().embed_dim for a, b in pairwise(firsts))


def test_it_starts_as_theirs_starts() -> None:
    theirs = transformers.T5ForConditionalGeneration(config(d_model=300, d_kv=70, d_ff=250))
    ours = T5(T5Config(vocab=VOCAB, embed_dim=300, num_heads=3, head_dim=70, ff_dim=250, layers=2))
    for weight in ours.parameters():
        weight.grad = weight.detach()
    found = gradients_like_theirs(ours)
    for name, weight in theirs.named_parameters():
        if "relative_attention_bias" not in name:
            torch.testing.assert_close(
                found[name].std(), weight.std(), rtol=0.06, atol=1e-6, msg=name
            )
            torch.testing.assert_close(found[name].mean(), weight.mean(), rtol=0, atol=0.05)


@pytest.mark.usefixtures("as_users_have_it")
def test_a_target_that_is_no_tensor_is_told(tmp_path: Path) -> None:
    ours = T5(T5Config(vocab=11, embed_dim=8, num_heads=2, layers=1)).eval()
    for target in (Sequences.of([[4, 2]]), [[4, 2]]):
        with pytest.raises(TypeError, match=r"must be a tensor \[batch, len\], got "):
            ours(Sequences.of([[3, 1]]), target)  # type: ignore[arg-type]
