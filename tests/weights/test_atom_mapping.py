"""Attention with a right answer: an ALBERT's layer 10, head 5, maps atoms to what they were.

What is expected is what the tests of the package `rxnmapper` 0.4.3 expect of its own network, run
by `transformers`: the mapped reaction, letter by letter, and the confidence. Here the network and
the weights are ours; what makes a mapping of the weights is the package's, and once more the
example's.
"""

import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import regard
from examples import atom_mapping
from regard.models.albert import AlbertMaskedLM
from regard.models.converting import convert
from regard.sequences import Packed, Sequences
from tests.weights.packages import folder_of

pytestmark = pytest.mark.weights

CANONICAL = {
    "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F": (
        "[CH3:1][CH:2]([CH3:3])[SH:4].CN(C)C=O.F[c:5]1[n:6][cH:7][cH:8][cH:9][c:10]1[F:11]."
        "O=C([O-])[O-].[K+].[K+]>>"
        "[CH3:1][CH:2]([CH3:3])[S:4][c:5]1[n:6][cH:7][cH:8][cH:9][c:10]1[F:11]",
        0.9565619900376546,
    ),
    "C1COCCO1.CC(C)(C)OC(=O)CONC(=O)NCc1cccc2ccccc12.Cl>>O=C(O)CONC(=O)NCc1cccc2ccccc12": (
        "C1COCCO1.CC(C)(C)[O:3][C:2](=[O:1])[CH2:4][O:5][NH:6][C:7](=[O:8])[NH:9][CH2:10]"
        "[c:11]1[cH:12][cH:13][cH:14][c:15]2[cH:16][cH:17][cH:18][cH:19][c:20]12.Cl>>"
        "[O:1]=[C:2]([OH:3])[CH2:4][O:5][NH:6][C:7](=[O:8])[NH:9][CH2:10][c:11]1[cH:12][cH:13]"
        "[cH:14][c:15]2[cH:16][cH:17][cH:18][cH:19][c:20]12",
        0.9704424331552834,
    ),
    "C=CCN=C=S.CNCc1ccc(C#N)cc1.NNC(=O)c1cn2c(n1)CCCC2>>"
    "C=CCN1C(C2=CN3CCCCC3=N2)=NN=C1N(C)CC1=CC=C(C#N)C=C1": (
        "S=[C:17]=[N:4][CH2:3][CH:2]=[CH2:1].[NH:18]([CH3:19])[CH2:20][c:21]1[cH:22][cH:23]"
        "[c:24]([C:25]#[N:26])[cH:27][cH:28]1.O=[C:5]([c:6]1[cH:7][n:8]2[c:9]([n:10]1)[CH2:11]"
        "[CH2:12][CH2:13][CH2:14]2)[NH:15][NH2:16]>>[CH2:1]=[CH:2][CH2:3][n:4]1[c:5](-[c:6]2"
        "[cH:7][n:8]3[c:9]([n:10]2)[CH2:11][CH2:12][CH2:13][CH2:14]3)[n:15][n:16][c:17]1[N:18]"
        "([CH3:19])[CH2:20][c:21]1[cH:22][cH:23][c:24]([C:25]#[N:26])[cH:27][cH:28]1",
        0.919023506871605,
    ),
    "CC[O-]~[Na+].BrCC.[Na+]~[H-]>>CCOCC": (
        "Br[CH2:2][CH3:1].[Na+]~[O-:3][CH2:4][CH3:5].[H-]~[Na+]>>[CH3:1][CH2:2][O:3][CH2:4][CH3:5]",
        0.9606074439250337,
    ),
    "CC[O-].[Na+].BrCC.[Na+].[H-]>>CCOCC |f:0.1,3.4|": (
        "Br[CH2:2][CH3:1].[Na+].[O-:3][CH2:4][CH3:5].[H-].[Na+]>>"
        "[CH3:1][CH2:2][O:3][CH2:4][CH3:5] |f:1.2,3.4|",
        0.9606074439250337,
    ),
    "CCOCC.[Na+]~[Br-]>>CC[O-]~[Na+].BrCC": (
        "[CH3:1][CH2:2][O:6][CH2:5][CH3:4].[Br-:3]~[Na+:7]>>"
        "[CH3:1][CH2:2][Br:3].[CH3:4][CH2:5][O-:6]~[Na+:7]",
        0.7312865053856896,
    ),
}
AS_WRITTEN = {
    "C(C)O.BrC(C)>>CCOCC": (
        "[CH2:2]([CH3:1])[OH:3].Br[CH2:4][CH3:5]>>[CH3:1][CH2:2][O:3][CH2:4][CH3:5]",
        0.9754605679009868,
    ),
    "CCO.BrCFC>>CCOCFC": (
        "[CH3:1][CH2:2][OH:3].Br[CH2:4][F:5][CH3:6]>>"
        "[CH3:1][CH2:2][O:3][CH2:4][F:5][CH3:6]",
        0.9730222157275086,
    ),
    "COC(=O)CCBr.O=C[O-]->[K+]>>COC(=O)CCOC(=O)C": (
        "[CH3:1][O:2][C:3](=[O:4])[CH2:5][CH2:6]Br.[O:9]=[CH:8][O-:7]->[K+]>>"
        "[CH3:1][O:2][C:3](=[O:4])[CH2:5][CH2:6][O:7][C:8](=[O:9])[CH3:10]",
        0.9322116305783666,
    ),
    "[1*]C=C.O>>*CCO": (
        "[1*:1][CH:2]=[CH2:3].[OH2:4]>>[*:1][CH2:2][CH2:3][OH:4]",
        0.9988284870307568,
    ),
}  # fmt: skip
CASES = [(text, *wanted, True) for text, wanted in CANONICAL.items()]
CASES += [(text, *wanted, False) for text, wanted in AS_WRITTEN.items()]
every = pytest.mark.parametrize(("text", "mapped", "confidence", "canonical"), CASES)


@pytest.fixture(scope="module")
def folder() -> Path:
    return folder_of("rxnmapper", "models/transformers/albert_heads_8_uspto_all_1310k")


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AlbertMaskedLM:
    made = tmp_path_factory.mktemp("made") / "albert"
    convert(folder, made)
    return regard.load(made)


@pytest.fixture(scope="module")
def vocabulary(folder: Path) -> list[str]:
    return (folder / "vocab.txt").read_text("utf-8").split("\n")


@pytest.fixture(scope="module")
def chemistry(folder: Path) -> Iterator[Any]:
    """The package's modules from attention to a mapping, but not the one that runs its network.

    Its own `__init__` would import that one, which wants older packages than there are.
    """
    for name in ("rdkit", "rxn", "scipy"):
        pytest.importorskip(name)
    with pytest.MonkeyPatch.context() as patch:
        spec = find_spec("rxnmapper")
        assert spec is not None
        package = module_from_spec(spec)
        for name in ("rxnmapper", "rxnmapper.attention", "rxnmapper.smiles_utils"):
            patch.delitem(sys.modules, name, raising=False)
        patch.setitem(sys.modules, "rxnmapper", package)
        from rxn.chemutils import reaction_smiles
        from rxnmapper import attention, smiles_utils

        found = ModuleType("chemistry")
        found.attention, found.smiles, found.reactions = attention, smiles_utils, reaction_smiles
        yield found
        for name in ("rxnmapper.attention", "rxnmapper.smiles_utils"):
            sys.modules.pop(name, None)


def prepared(text: str, canonical: bool, chemistry: Any) -> str:
    """A reaction as the network reads it: canonical if asked for, `~` within a compound."""
    reaction = chemistry.reactions.parse_any_reaction_smiles(text)
    reaction = chemistry.smiles.process_reaction(reaction) if canonical else reaction
    form = chemistry.reactions.ReactionFormat.STANDARD_WITH_TILDE
    return chemistry.reactions.to_reaction_smiles(reaction, reaction_format=form)


def scorer(text: str, model: AlbertMaskedLM, vocabulary: list[str], chemistry: Any) -> Any:
    """The package's way from the weights of attention to a mapping, with ours."""
    tokens = ["[CLS]", *chemistry.smiles.tokenize(text), "[SEP]"]
    number = {token: place for place, token in enumerate(vocabulary)}
    row = [number.get(token, number["[UNK]"]) for token in tokens]
    with torch.no_grad():
        weights = model.weights(Sequences.of([row]))[10, 0, 5]
    return chemistry.attention.AttentionScorer(text, tokens, weights.numpy())


@every
def test_reactions_are_mapped_as_the_package_maps_them(
    text: str, mapped: str, confidence: float, canonical: bool, model: AlbertMaskedLM,
    vocabulary: list[str], chemistry: Any,
) -> None:  # fmt: skip
    read = prepared(text, canonical, chemistry)
    found = scorer(read, model, vocabulary, chemistry).generate_attention_guided_pxr_atom_mapping()
    reaction, _ = chemistry.smiles.generate_atom_mapped_reaction_atoms(
        read, found["pxr_mapping_vector"], canonical=canonical
    )
    form = chemistry.reactions.determine_format(text)
    assert chemistry.reactions.to_reaction_smiles(reaction, reaction_format=form) == mapped
    assert np.isclose(np.prod(found["confidences"]), confidence)


@every
def test_the_example_maps_as_the_package_does(
    text: str, mapped: str, confidence: float, canonical: bool, model: AlbertMaskedLM,
    vocabulary: list[str], chemistry: Any,
) -> None:  # fmt: skip
    text = prepared(text, canonical, chemistry)
    wanted = scorer(text, model, vocabulary, chemistry)
    wanted = wanted.generate_attention_guided_pxr_atom_mapping()
    reaction = atom_mapping.read(text)
    maps = atom_mapping.captured(model, vocabulary, reaction)
    together = atom_mapping.attention(maps, reaction)
    found, sure, _ = atom_mapping.assign(reaction, together)
    assert found == wanted["pxr_mapping_vector"]
    assert np.allclose(sure, wanted["confidences"], rtol=1e-5)
    assert np.isclose(np.prod(sure), confidence)


def test_a_reaction_is_mapped_without_the_package_of_chemistry(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = atom_mapping.main(out=tmp_path / "page.html")
    assert "confidence in all: 0.956562" in capsys.readouterr().out
    assert answer.weights.shape == (11, 23)
    assert "Which atom was which" in (tmp_path / "page.html").read_text("utf-8")


@torch.no_grad()
def test_states_logits_and_attention_are_those_of_transformers(
    model: AlbertMaskedLM, folder: Path, vocabulary: list[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AlbertForMaskedLM.from_pretrained(folder, attn_implementation="eager")
    number = {token: place for place, token in enumerate(vocabulary)}
    rows = [["[CLS]", *atom_mapping.read(text).tokens, "[SEP]"] for text, *_ in CASES[:3]]
    source = Sequences.of([[number[token] for token in row] for row in rows])
    real = source.real
    wanted = theirs.eval()(
        input_ids=source.ids, attention_mask=real.long(),
        output_attentions=True, output_hidden_states=True,
    )  # fmt: skip
    for mine, yours in zip(model.encoder.states(source), wanted.hidden_states, strict=True):
        assert (mine - yours)[real].abs().max() <= 1e-5 * yours[real].abs().max().clamp(min=1)
    off = (model(source) - wanted.logits)[real].abs().max()
    assert off <= 1e-5 * wanted.logits.abs().max()
    assert (model(Packed.of(source))[0] - wanted.logits[real]).abs().max() <= 2e-5 * (
        wanted.logits.abs().max()
    )
    for mine, yours in zip(model.weights(source), wanted.attentions, strict=True):
        for row, length in enumerate(source.counts.tolist()):
            off = (mine - yours)[row, :, :length].abs().max()
            assert off <= 1e-5


@torch.no_grad()
def test_one_head_alone_knows_which_atom_was_which(
    model: AlbertMaskedLM, vocabulary: list[str]
) -> None:
    """Of 95 atoms, before any of the assignment: 88 % in layer 10, head 5; 63 % in the next head.

    The layers share their weights, so that it is the fifth head of them all, from the second on.
    """
    right, count = torch.zeros(12, 8), 0
    number = {token: place for place, token in enumerate(vocabulary)}
    for text, *_ in CASES:
        reaction = atom_mapping.read(text.partition(" ")[0])
        maps = atom_mapping.captured(model, vocabulary, reaction)
        together = atom_mapping.attention(maps, reaction)
        was = torch.tensor(atom_mapping.assign(reaction, together)[0])
        row = ["[CLS]", *reaction.tokens, "[SEP]"]
        ids = Sequences.of([[number.get(token, number["[UNK]"]) for token in row]])
        atoms = torch.tensor(reaction.atoms) + 1
        before, after = atoms[: reaction.reactants], atoms[reaction.reactants :]
        weights = model.weights(ids)[:, 0]
        both = weights[:, :, after][..., before] + weights[:, :, before][..., after].mT
        split = reaction.reactants
        elements = reaction.elements
        alike = torch.tensor([[x == y for y in elements[:split]] for x in elements[split:]])
        found = (both * alike).argmax(-1)
        right += (found == was)[:, :, was >= 0].sum(-1)
        count += int((was >= 0).sum())
    share = right / count
    assert (share[1:].argmax(1) == 5).all()
    assert share[10, 5] > 0.85 and share[10, [0, 1, 2, 3, 4, 6, 7]].max() < 0.7


def test_of_all_heads_of_its_layer_the_one_of_the_page_looks_where_the_answer_is(
    model: AlbertMaskedLM, vocabulary: list[str]
) -> None:
    reaction = atom_mapping.read(atom_mapping.REACTION)
    maps = atom_mapping.captured(model, vocabulary, reaction)
    mapped, _, _ = atom_mapping.assign(reaction, atom_mapping.attention(maps, reaction))
    view = atom_mapping.view(maps, reaction, mapped, "title", "answer")
    right = view.findings.matrices["which was which"]
    assert right.sum() == 2 * len(mapped) and -1 not in mapped
    looked = torch.stack([(each.weights(item=0)[0] * right).sum((1, 2)) for each in view.maps])
    assert looked.shape == (12, 8)
    share = looked[atom_mapping.LAYER] / right.sum()
    best, second = share.topk(2)[0].tolist()
    assert int(share.argmax()) == atom_mapping.HEAD and best > 0.4 and best > 3 * second
    (place,) = view.findings.tags
    assert place == (atom_mapping.LAYER, atom_mapping.HEAD)
