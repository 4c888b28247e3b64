"""Atom mapping from the attention of an ALBERT trained on a million reactions.

It was trained only on masked language modeling of reactions in SMILES notation. In its layer 10,
head 5, counted from 0, each atom of the product attends to the reactant atom it came from, and vice
versa (Schwaller, Hoover, Reymond, Strobelt & Laino. Extraction of organic chemistry grammar from
unsupervised learning of chemical reactions. 2021).

    pip install --no-deps rxnmapper==0.4.3
    python examples/atom_mapping.py
    python examples/atom_mapping.py "CCO.BrCC>>CCOCC"

Two pages are written: the atom mapping, and the attention of all layers and heads, in which head 5
of layer 10 can be compared with the answer.
"""

import math
import re
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import regard
from regard.capturing.maps import Maps
from regard.models.converting import convert
from regard.sequences import Sequences
from regard.tasks.predictor import Answer
from regard.view.attention_view import View
from regard.view.document import About, Findings
from regard.view.page import page

REACTION = "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F"
LAYER, HEAD = 10, 5
NEIGHBORS = 90.0
"""How much more likely neighbors of mapped atoms are to be mapped to neighbors."""
TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOSPFIbcnosp]|>>|%\d\d|[\d().=#+\-\\/:~@?>*$]")
ELEMENT = re.compile(r"\[?\d*([A-Z][a-z]?|[a-z]+|\*)")


@dataclass(frozen=True)
class Reaction:
    """A reaction as tokens, with its atoms and bonds.

    Args:
        atoms: the positions of the atoms among the tokens.
        elements: the element of each.
        bonded: which atoms are bonded to each other.
        reactants: the number of atoms before the arrow.
    """

    tokens: list[str]
    atoms: list[int]
    elements: list[str]
    bonded: Tensor
    reactants: int


def read(text: str) -> Reaction:
    """Parse SMILES: `(` is a branch, a digit closes a ring, `.` and `>>` start another molecule."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != text or tokens.count(">>") != 1:
        raise ValueError(f"{text} is no reaction in SMILES, such as {REACTION}")
    atoms, bonds, branches = [], [], []
    rings: dict[str, int] = {}
    last, reactants = None, 0
    for place, token in enumerate(tokens):
        if token[0].isalpha() or token[0] == "[" or token == "*":
            atoms.append(place)
            if last is not None:
                bonds.append((last, len(atoms) - 1))
            last = len(atoms) - 1
        elif token == "(":
            branches.append(last)
        elif token == ")":
            last = branches.pop()
        elif token[-1].isdigit():
            if token in rings:
                bonds.append((rings.pop(token), last))
            else:
                rings[token] = last
        elif token in (".", ">>"):
            last = None
            reactants = len(atoms) if token == ">>" else reactants
    bonded = torch.zeros(len(atoms), len(atoms), dtype=torch.bool)
    for one, other in bonds:
        bonded[one, other] = bonded[other, one] = True
    elements = [ELEMENT.match(tokens[place])[1].capitalize() for place in atoms]
    return Reaction(tokens, atoms, elements, bonded, reactants)


def framed(reaction: Reaction) -> list[str]:
    """The tokens with the network's special tokens."""
    return ["[CLS]", *reaction.tokens, "[SEP]"]


def captured(model: Any, vocabulary: list[str], reaction: Reaction) -> Maps:
    """The attention of all layers while the network reads the reaction."""
    number = {token: place for place, token in enumerate(vocabulary)}
    source = Sequences.of([[number.get(token, number["[UNK]"]) for token in framed(reaction)]])
    with torch.no_grad(), regard.capture(model) as maps:
        model(source)
    return maps


def attention(maps: Maps, reaction: Reaction) -> Tensor:
    """The summed attention of each product atom and each reactant atom to each other."""
    weights = maps[LAYER].weights(heads=[HEAD], item=0)[0, 0]
    atoms = torch.tensor(reaction.atoms) + 1
    before, after = atoms[: reaction.reactants], atoms[reaction.reactants :]
    return weights[after][:, before] + weights[before][:, after].mT


def assign(reaction: Reaction, together: Tensor) -> tuple[list[int], list[float], Tensor]:
    """The reactant atom of each product atom (-1: none), and its confidence.

    The most confident pair is mapped first. Then pairs of its neighbors become more likely, its
    atoms are removed, and the search repeats. The matrix of the first step is also returned.
    """
    split = reaction.reactants
    before, after = reaction.elements[:split], reaction.elements[split:]
    alike = torch.tensor([[one == other for other in before] for one in after])
    scores, factor = together.double() * alike, torch.ones(alike.shape, dtype=torch.float64)
    mapped, sure = [-1] * len(after), [1.0] * len(after)
    first = None
    for _ in after:
        share = scores * factor
        share = share / share.sum(1, keepdim=True).where(share.sum(1, keepdim=True) > 0, 1.0)
        first = share if first is None else first
        atom = int(share.amax(1).argmax())
        was = int(share[atom].argmax())
        if share[atom, was] < 1e-8:
            break
        mapped[atom], sure[atom] = was, float(share[atom, was])
        near = reaction.bonded[split + atom, split:, None] & reaction.bonded[was, None, :split]
        factor = factor.where(~near, factor * NEIGHBORS)
        factor[atom], factor[:, was] = 0.0, 0.0
    return mapped, sure, first


def view(maps: Maps, reaction: Reaction, mapped: list[int], title: str, answer: str) -> View:
    """All heads, with the atom-mapping head tagged, next to the resulting mapping."""
    right = torch.zeros(len(framed(reaction)), len(framed(reaction)))
    for atom, was in zip(reaction.atoms[reaction.reactants :], mapped, strict=True):
        if was >= 0:
            right[atom + 1, reaction.atoms[was] + 1] = right[reaction.atoms[was] + 1, atom + 1] = 1
    findings = Findings({(LAYER, HEAD): ("atom mapping",)}, matrices={"which was which": right})
    about = About(title=title, model="rxnmapper (albert)", answer=answer)
    return maps.view(framed(reaction), about=about, findings=findings)


def folder_of_weights() -> Path:
    """The folder of the package's network."""
    found = find_spec("rxnmapper")
    if found is None or not found.submodule_search_locations:
        sys.exit("the weights are in a package: pip install --no-deps rxnmapper==0.4.3")
    models = Path(found.submodule_search_locations[0]) / "models" / "transformers"
    return models / "albert_heads_8_uspto_all_1310k"


def main(text: str = REACTION, out: Path = Path("runs/atom_mapping.html")) -> Answer:
    folder = folder_of_weights()
    with tempfile.TemporaryDirectory() as made:
        convert(folder, Path(made) / "albert")
        model = regard.load(Path(made) / "albert")
    vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")
    reaction = read(text)
    maps = captured(model, vocabulary, reaction)
    mapped, sure, first = assign(reaction, attention(maps, reaction))
    names = [f"{reaction.tokens[place]} {n}" for n, place in enumerate(reaction.atoms)]
    inputs, outputs = names[: reaction.reactants], names[reaction.reactants :]
    for output, was, confidence in zip(outputs, mapped, sure, strict=True):
        print(f"{output:>8}  was  {inputs[was] if was >= 0 else '-':8} {confidence:.4f}")
    confidence = math.prod(sure)
    print(f"confidence in all: {confidence:.6f}")
    pairs = zip(outputs, mapped, strict=True)
    said = ", ".join(f"{o} was {inputs[was]}" for o, was in pairs if was >= 0)
    answer = Answer(
        text, ((said, math.log(confidence)),), tuple(inputs), tuple(outputs), first.float()
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(text, f"<h1>Which atom was which</h1>{answer._repr_html_()}"), "utf-8")
    print(f"wrote {out}")
    attended = out.with_name("atom_attention.html")
    view(maps, reaction, mapped, text, said).save(attended)
    atom = reaction.atoms[reaction.reactants] + 1
    print(f"wrote {attended}: open it at #layer={LAYER}&head={HEAD}&q={atom}")
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:2])
