"""RNNsearch learns to reverse word order; its alignment is the antidiagonal."""

import random
import tempfile
from pathlib import Path

import regard
from regard.tasks.predictor import Answer

# Many words: with few, an annotation could encode its neighbors, and any alignment would do.
WORDS = """alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november
oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu""".split()


def pairs(path: Path, count: int = 6000) -> Path:
    """Write sentences of 4 to 8 words, with their reversals."""
    draw = random.Random(0)
    lines = ["source\ttarget"]
    for _ in range(count):
        words = draw.choices(WORDS, k=draw.randint(4, 8))
        lines.append(f"{' '.join(words)}\t{' '.join(reversed(words))}")
    path.write_text("\n".join(lines) + "\n")
    return path


def main() -> tuple[float, Answer]:
    with tempfile.TemporaryDirectory() as folder:
        run = regard.train(
            pairs(Path(folder) / "pairs.tsv"),
            model="rnnsearch",
            attention="additive",
            tokens={"kind": "words", "size": 50},
            embed_dim=16,
            hidden_dim=32,
            maxout_dim=32,
            attention_dim=32,
            dropout=0.0,
            batch_tokens=600,
            learning_rate=1e-2,
            epochs=5,
            out=Path(folder) / "run",
        )
        answer = run.predict(["hotel oscar tango echo lima"])[0]
        bleu = run.metrics["valid"]["bleu"]
    print(f"BLEU {bleu:.1f} on held-out sentences.\n")
    print(answer)
    return bleu, answer


if __name__ == "__main__":
    main()
