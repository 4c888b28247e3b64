"""Is a training step faster than one written with PyTorch's own layers, and what does a save cost?

Questions: an update of the Transformer against `nn.Transformer` of the same shape on the same
batches, with equal work (dropout wherever PyTorch drops) and as both come by default; the share of
padding in those batches; an update of a small GPT against a plain loop over PyTorch's layers; how
long a checkpoint takes, how large it is, and how long training pauses for it. Correctness comes
before timing: with dropout off and weights copied the losses agree.

    python -m benchmarks.training [--seconds 30] [--pairs FOLDER]

FOLDER holds `train.en` and `train.de`; without it the pairs are drawn, lengths as in captions.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import machine, save, side_by_side
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.feeding.batching import by_tokens, padding_share
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.layers import Attend
from regard.layers.linear_cross_entropy import linear_cross_entropy
from regard.models.transformer import (
    Transformer,
    TransformerConfig,
    TransformerLM,
    TransformerLMConfig,
)
from regard.models.transformer.config import LearnedPositions
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss
from regard.tasks.translate.schema import SCHEMA as TRANSLATE
from regard.training.checkpoint import save_checkpoint
from regard.training.saver import Saver

VOCAB, WIDTH, HEADS, HIDDEN, LAYERS = 8000, 128, 4, 256, 4
DROPOUT, SMOOTHING = 0.1, 0.1


class Coder:
    """The numbers that frame a sentence."""

    pad, begin, end = 0, 2, 3


class Plain(nn.Module):
    """An encoder-decoder as one writes it with `nn.Transformer`, the published defaults."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH)
        self.body = nn.Transformer(
            WIDTH, HEADS, LAYERS, LAYERS, HIDDEN, dropout=dropout, batch_first=True
        )
        # `nn.Transformer` puts a normalization behind each stack, which the paper has not.
        self.body.encoder.norm = self.body.decoder.norm = None
        self.dropout = nn.Dropout(dropout)
        place = torch.arange(256).unsqueeze(1)
        rate = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10000.0) / WIDTH))
        waves = torch.stack([torch.sin(place * rate), torch.cos(place * rate)], -1).flatten(1)
        self.register_buffer("waves", waves)

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens with their places."""
        vectors = self.embedding(tokens) * math.sqrt(WIDTH)
        return self.dropout(vectors + self.waves[: tokens.shape[1]])

    def forward(self, batch: Seq2SeqBatch) -> Tensor:
        """The summed loss of a batch."""
        source, target = batch.source.ids, batch.written
        padded = source == 0
        causal = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        states = self.body(
            self.embed(source),
            self.embed(target),
            tgt_mask=causal,
            src_key_padding_mask=padded,
            memory_key_padding_mask=padded,
            tgt_is_causal=True,
        )
        logits = states @ self.embedding.weight.T
        return F.cross_entropy(
            logits.flatten(0, 1),
            batch.target.ids.flatten(),
            ignore_index=0,
            reduction="sum",
            label_smoothing=SMOOTHING,
        )


class Ours(nn.Module):
    """The same with this library; `everywhere` drops weights and hidden units too."""

    def __init__(self, dropout: float, everywhere: bool) -> None:
        super().__init__()
        config = TransformerConfig(
            source_vocab=VOCAB,
            target_vocab=VOCAB,
            embed_dim=WIDTH,
            num_heads=HEADS,
            ff_dim=HIDDEN,
            layers=LAYERS,
            dropout=dropout,
            ff_dropout=dropout if everywhere else 0.0,
            tied="all",
        )
        self.model = Transformer(config, Attend(dropout=dropout if everywhere else 0.0))

    def forward(self, batch: Seq2SeqBatch) -> Tensor:
        """The summed loss of a batch."""
        return seq2seq_loss(self.model, batch, SMOOTHING)


def copied(theirs: Plain, ours: Ours) -> None:
    """Give ours the weights of theirs."""
    model, body = ours.model, theirs.body
    pairs = [(model.target.tokens.weight, theirs.embedding.weight)]
    for block, layer in zip(model.encoder.blocks, body.encoder.layers, strict=True):
        pairs += _attention(block.attention, layer.self_attn)
        norms = (block.attention_residual.norm, block.feed_forward_residual.norm)
        pairs += _rest(block.feed_forward, layer, norms, (layer.norm1, layer.norm2))
    for block, layer in zip(model.decoder.blocks, body.decoder.layers, strict=True):
        pairs += _attention(block.attention, layer.self_attn)
        pairs += _attention(block.cross_attention, layer.multihead_attn)
        norms = (
            block.attention_residual.norm,
            block.cross_residual.norm,
            block.feed_forward_residual.norm,
        )
        pairs += _rest(block.feed_forward, layer, norms, (layer.norm1, layer.norm2, layer.norm3))
    with torch.no_grad():
        for mine, other in pairs:
            mine.copy_(other)


def _attention(mine: nn.Module, other: nn.MultiheadAttention) -> list[tuple[Tensor, Tensor]]:
    ours = {name: weight for name, weight in mine.named_parameters() if "input" in name}
    weight, bias = other.in_proj_weight, other.in_proj_bias
    found = [(mine.heads.output.weight, other.out_proj.weight)]
    found.append((mine.heads.output.bias, other.out_proj.bias))
    for name, tensor in ours.items():
        source = weight if name.endswith("weight") else bias
        rows = slice(0, WIDTH) if "query" in name else slice(WIDTH, 3 * WIDTH)
        found.append((tensor, source if len(tensor) == 3 * WIDTH else source[rows]))
    return found


def _rest(mine: nn.Module, other: nn.Module, norms: tuple, theirs: tuple) -> list:
    found = [
        (mine.hidden.weight, other.linear1.weight),
        (mine.hidden.bias, other.linear1.bias),
        (mine.output.weight, other.linear2.weight),
        (mine.output.bias, other.linear2.bias),
    ]
    for a, b in zip(norms, theirs, strict=True):
        found += [(a.weight, b.weight), (a.bias, b.bias)]
    return found


def pairs_of(folder: str | None) -> tuple[Ragged, Ragged]:
    """Token numbers of pairs, read or drawn."""
    if folder is None:
        rng = np.random.default_rng(0)
        lengths = np.clip(rng.gamma(9.0, 1.6, (29_000, 2)).astype(int), 3, 60)
        lengths[:, 1] = np.maximum(3, lengths[:, 0] + rng.integers(-3, 4, 29_000))
        sides = [[rng.integers(4, VOCAB, n) for n in lengths[:, side]] for side in (0, 1)]
        return Ragged.of(sides[0]), Ragged.of(sides[1])
    train = read(folder, DataRequest((TRANSLATE,))).splits["train"]
    texts = (list(train["source"]), list(train["target"]))
    tokenizer = Tokenizer.train((text for side in texts for text in side), "bpe", VOCAB)
    return tokenizer.encode(texts[0]), tokenizer.encode(texts[1])


def updates(module: nn.Module, batches: list, counts: list[int]) -> object:
    """A function that makes one update after another."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=True)
    turn = iter(range(10**9))
    module.train()

    def update() -> None:
        at = next(turn) % len(batches)
        optimizer.zero_grad()
        (module(batches[at]) / counts[at]).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()

    return update


def translation(folder: str | None, seconds: float) -> list[dict[str, object]]:
    """Updates of the Transformer against `nn.Transformer`."""
    sources, targets = pairs_of(folder)
    lengths = np.stack([sources.lengths, targets.lengths], 1)
    plan = by_tokens(lengths, 4096, np.random.default_rng(0))
    batches = [Seq2SeqBatch.of(sources.take(r), targets.take(r), Coder()) for r in plan[:40]]
    counts = [batch.num_targets for batch in batches]
    theirs, ours = Plain(0.0), Ours(0.0, True)
    copied(theirs, ours)
    losses = [module(batches[0]).item() for module in (ours, theirs)]
    assert abs(losses[0] - losses[1]) < 1e-4 * losses[1], losses
    rows = []
    for name, everywhere in (("equal work", True), ("as both come", False)):
        torch.manual_seed(0)
        found = side_by_side(
            updates(Ours(DROPOUT, everywhere), batches, counts),
            updates(Plain(DROPOUT), batches, counts),
            seconds,
        )
        tokens = float(np.mean([batch.num_tokens for batch in batches]))
        rows.append(
            {
                "what": f"update of the Transformer, {name}",
                "against": "nn.Transformer",
                **found,
                "tokens_per_second": tokens / found["ours_s"],
                "padding": padding_share(lengths, plan),
            }
        )
    return rows


class PlainGPT(nn.Module):
    """A small GPT as one writes it with PyTorch's layers and SDPA."""

    def __init__(self, vocab: int, block: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab, WIDTH), nn.Embedding(block, WIDTH)
        self.blocks = nn.ModuleList(PlainBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, text: Tensor) -> Tensor:
        """The summed loss of a batch."""
        inputs = text[:, :-1]
        x = self.tokens(inputs) + self.places.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.tokens.weight.T
        return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten(), reduction="sum")


class PlainBlock(nn.Module):
    """Attention and feed-forward, normalized before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden, self.output = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, width // HEADS)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.joined(found.transpose(1, 2).reshape(batch, length, width))
        return x + self.output(F.gelu(self.hidden(self.norm2(x))))


class OurGPT(nn.Module):
    """The same with this library."""

    def __init__(self, vocab: int, block: int) -> None:
        super().__init__()
        config = TransformerLMConfig(
            vocab=vocab,
            embed_dim=WIDTH,
            num_heads=HEADS,
            ff_dim=4 * WIDTH,
            layers=LAYERS,
            dropout=0.0,
            norm="pre",
            activation="gelu",
            positions=LearnedPositions(),
            max_length=block,
            tied="output",
        )
        self.model = TransformerLM(config)

    def forward(self, text: Tensor) -> Tensor:
        """The summed loss of a batch."""
        features = self.model.features(text[:, :-1]).flatten(0, 1)
        return linear_cross_entropy(features, self.model.output.weight, None, text[:, 1:].flatten())


def characters(seconds: float) -> dict[str, object]:
    """Updates of a small GPT against a plain one: 12 blocks of 64 characters."""
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randint(65, (12, 65), generator=generator) for _ in range(8)]
    counts = [12 * 64] * len(batches)
    found = side_by_side(
        updates(OurGPT(65, 64), batches, counts),
        updates(PlainGPT(65, 64), batches, counts),
        seconds,
    )
    what = {"what": "update of a small GPT", "against": "a plain PyTorch loop"}
    return what | found | {"steps_per_second": 1 / found["ours_s"]}


def checkpoints() -> dict[str, object]:
    """What a checkpoint of the Transformer and AdamW's state costs."""
    model = Ours(DROPOUT, False).model
    weights = dict(model.state_dict())
    moments = {
        f"{what}/{name}": torch.randn_like(p)
        for name, p in model.named_parameters()
        for what in ("exp_avg", "exp_avg_sq")
    }
    tensors = {"model": weights, "optimizer": moments}
    with tempfile.TemporaryDirectory() as folder:
        done = [save_checkpoint(Path(folder), step, tensors, {"step": step}) for step in range(5)]
        pauses = []
        with Saver(Path(folder)) as saver:
            for step in range(10, 15):
                saver.save(step, tensors, {"step": step})
                pauses.append(saver.pause)
                time.sleep(1.0)
    return {
        "what": "checkpoint of the Transformer with its optimizer",
        "bytes": done[0].bytes,
        "seconds": float(np.median([each.seconds for each in done])),
        "pause_seconds": float(np.median(pauses[1:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pairs", metavar="FOLDER")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = translation(options.pairs, options.seconds)
    rows.append(characters(options.seconds / 3))
    rows.append(checkpoints())
    for row in rows:
        print({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    print(machine()["date"], save("training", rows, pairs=bool(options.pairs)))


if __name__ == "__main__":
    main()
