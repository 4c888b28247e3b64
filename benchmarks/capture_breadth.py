"""How many architectures does `regard.capture` show as they are? Tiny random ones, all of them.

Every architecture of `transformers` that a tiny configuration can be made for runs once as its
authors' eager code, which returns its weights, and once on its usual kernels under capture. All
weights that eager returns must be among those captured, to 1e-5, and the outputs under capture must
be those without it, to the bit. What fails stands by name, with the reason.

    python -m benchmarks.capture_breadth                      # everything, some minutes
    python -m benchmarks.capture_breadth --only bert,t5 --show
    python -m benchmarks.capture_breadth --again              # what was not equal, after a change
"""

import argparse
import contextlib
import gc
import importlib.metadata
import importlib.util
import itertools
import os
import re
import signal
import time
import traceback
import warnings
from typing import Any

import torch
from torch import Tensor, nn

import regard
from benchmarks.capture_models import build, inputs_of
from benchmarks.capture_vision import vision_rows
from benchmarks.measure import rows_of, save

CLOSE = 1e-5
SECONDS = 90


def attentions_of(output: Any) -> list[tuple[str, Tensor]]:
    """The weights that an output holds, with their names."""
    found: list[tuple[str, Tensor]] = []

    def walk(name: str, value: Any, inside: bool) -> None:
        if isinstance(value, Tensor):
            if inside and value.ndim == 4 and value.is_floating_point():
                found.append((name, value))
        elif isinstance(value, dict) or hasattr(value, "items"):
            for key, each in value.items():
                walk(f"{name}.{key}" if name else str(key), each, inside or "attention" in str(key))
        elif isinstance(value, (list, tuple)):
            for number, each in enumerate(value):
                walk(f"{name}[{number}]", each, inside)

    walk("", output, False)
    return found


def tensors(output: Any) -> list[Tensor]:
    """All tensors of an output, in order."""
    if isinstance(output, Tensor):
        return [output]
    if hasattr(output, "items"):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [tensor for each in output for tensor in tensors(each)]
    return []


def equal(one: Any, other: Any) -> bool:
    """Whether two outputs are the same to the bit."""
    pairs = list(itertools.zip_longest(tensors(one), tensors(other)))
    return bool(pairs) and all(
        a is not None and b is not None and a.shape == b.shape
        and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in pairs
    )  # fmt: skip


def apart(one: Any, other: Any) -> float:
    """How far two outputs are from each other, in the first tensor of both."""
    a, b = next(iter(tensors(one)), None), next(iter(tensors(other)), None)
    if a is None or b is None or a.shape != b.shape or not a.is_floating_point():
        return 0.0
    return float((a - b).abs().nan_to_num(nan=float("inf")).max())


def compare(maps: Any, wanted: list[tuple[str, Tensor]]) -> tuple[int, float, list[str]]:
    """How many of the weights are among the maps, the largest difference, and what is missing."""
    left, worst, missing = list(maps), 0.0, []
    for name, weights in wanted:
        best, place = float("inf"), None
        for number, each in enumerate(left):
            shape = tuple(each.shape)
            if shape != tuple(weights.shape):
                continue
            off = float((each.weights().double() - weights.double()).abs().max())
            if off < best:
                best, place = off, number
        if bool(weights.isnan().any()):
            missing.append(f"{name} {[*weights.shape]} is NaN in eager")
        elif place is None:
            missing.append(f"{name} {[*weights.shape]} is not among the shapes captured")
        elif not best <= CLOSE:
            missing.append(f"{name} {[*weights.shape]} differs by {best:.2g}")
        else:
            worst = max(worst, best)
            left.pop(place)
    return len(wanted) - len(missing), worst, missing


def look(model_type: str) -> dict[str, Any]:
    """One row of the result."""
    row: dict[str, Any] = {"architecture": model_type}
    try:
        model, config = build(model_type)
    except Exception as error:
        return {**row, "state": "not built", "why": _short(error)}
    row["class"] = type(model).__name__
    usual = getattr(model.config, "_attn_implementation", None)
    row["kernel"] = usual
    wanted, given, why = None, None, ""
    for guess in inputs_of(model, config):
        try:
            with torch.no_grad():
                _implementation(model, "eager")
                torch.manual_seed(1)
                eager = model(**guess, output_attentions=True)
        except TypeError as error:
            try:
                with torch.no_grad():
                    torch.manual_seed(1)
                    eager = model(**guess)
            except Exception:
                why = why or _short(error)
                continue
        except Exception as error:
            why = why or _short(error)
            continue
        wanted, given = attentions_of(eager), guess
        break
    if given is None:
        return {**row, "state": "not run", "why": why}
    assert wanted is not None
    try:
        _implementation(model, usual)
        with torch.no_grad():
            torch.manual_seed(1)
            plain = model(**given)
            torch.manual_seed(1)
            with regard.capture(model) as maps:
                seen = model(**given)
        row["maps"] = len(maps)
        row["bit_equal"] = equal(plain, seen)
        row["reference"] = "output_attentions"
        if not wanted and len(maps):
            wanted = written(model, given, usual)
            row["reference"] = "the softmaxes of the eager code"
        if not wanted:
            state = "no reference" if len(maps) else "nothing captured"
            return {**row, "state": state, "why": "eager returns no weights"}
        found, worst, missing = compare(maps if len(maps) else [], wanted)
        if missing and row["reference"] == "output_attentions":
            wanted = eager_of_its_own(model, model_type, given)  # some cannot change it afterwards
            found, worst, missing = compare(maps if len(maps) else [], wanted)
        row |= {"of_eager": len(wanted), "found": found, "worst": worst}
        good = found == len(wanted) and row["bit_equal"]
        row["state"] = "equal" if good else "different"
        if not good:
            row["why"] = "; ".join(missing[:3]) or "outputs differ"
            off = apart(eager, plain)
            if off > 1e-3:
                row["why"] += (
                    f"; without any capture eager's own output is {off:.2g} from this one's"
                )
    except Exception as error:
        row |= {"state": "error", "why": _short(error)}
        if os.environ.get("SHOW"):
            traceback.print_exc()
    return row


def written(model: nn.Module, given: dict[str, Any], usual: str | None) -> list[tuple[str, Tensor]]:
    """The softmaxes that the eager code computes; none where that is what runs anyway."""
    if usual == "eager":
        return []
    _implementation(model, "eager")
    with torch.no_grad(), regard.capture(model) as maps:
        torch.manual_seed(1)
        model(**given)
    _implementation(model, usual)
    own = "as the module computed them"
    return [(each.name, each.weights()) for each in maps._session.maps if each.provenance == own]


def eager_of_its_own(
    model: nn.Module, model_type: str, given: dict[str, Any]
) -> list[tuple[str, Tensor]]:
    """What a model says that was built for eager code, with the same parameters."""
    from transformers import AutoModel

    _, config = build(model_type)
    config._attn_implementation = "eager"
    eager = AutoModel.from_config(config, attn_implementation="eager").eval()
    eager.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.manual_seed(1)
        return attentions_of(eager(**given, output_attentions=True))


def _implementation(model: nn.Module, name: str | None) -> None:
    if name is not None and hasattr(model, "set_attn_implementation"):
        with contextlib.suppress(ValueError):  # a part of it has no such code, and stays as it is
            model.set_attn_implementation(name)


def _short(error: BaseException) -> str:
    said = re.sub(r"/\S*/site-packages/", "", " ".join(str(error).split()))
    return f"{type(error).__name__}: {said[:200]}"


def transformer_rows() -> list[dict[str, Any]]:
    """`nn.Transformer*` in every flag, against the weights that `nn.MultiheadAttention` returns."""
    rows = []
    for norm_first, batch_first, bias, padded, training in itertools.product(
        (False, True), repeat=5
    ):
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(
            16, 4, 32, dropout=0.0, norm_first=norm_first, batch_first=batch_first, bias=bias
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encoder = nn.TransformerEncoder(layer, 2).train(training)
            x = torch.randn(3, 6, 16) if batch_first else torch.randn(6, 3, 16)
            mask = torch.arange(6) >= torch.tensor([6, 4, 3])[:, None] if padded else None
            flags = f"norm_first={norm_first} batch_first={batch_first} bias={bias}"
            name = f"nn.TransformerEncoder {flags} padded={padded} training={training}"
            with torch.set_grad_enabled(training):
                plain = encoder(x, src_key_padding_mask=mask)
                with regard.capture(encoder) as maps:
                    seen = encoder(x, src_key_padding_mask=mask)
            wanted = _asked(encoder, x, mask)
        real = torch.ones(3, 6, dtype=torch.bool) if mask is None else ~mask
        off = max(
            float(((each.weights() - want) * real[:, None, :, None]).abs().max())
            for each, want in zip(maps, wanted, strict=True)
        )
        same = torch.equal(plain, seen)
        state = "equal" if off <= CLOSE and same else "different"
        rows.append(
            {"architecture": name, "state": state, "maps": len(maps), "worst": off,
             "bit_equal": same}
        )  # fmt: skip
    return rows


def _asked(encoder: Any, x: Tensor, mask: Tensor | None) -> list[Tensor]:
    """What each layer's attention says when it is asked for weights."""
    found = []
    with (
        torch.no_grad(),
        torch.backends.mha.set_fastpath_enabled(False) if False else torch.no_grad(),
    ):
        before = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            for layer in encoder.layers:
                inner = layer.norm1(x) if layer.norm_first else x
                found.append(
                    layer.self_attn(
                        inner, inner, inner, key_padding_mask=mask, average_attn_weights=False
                    )[1]
                )
                x = layer(x, src_key_padding_mask=mask)
        finally:
            torch.backends.mha.set_fastpath_enabled(before)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--again", action="store_true", help="those of the saved rows that were not equal, anew"
    )
    parser.add_argument("--show", action="store_true", help="print every row, save nothing")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    transformers.logging.set_verbosity_error()
    names = args.only.split(",") if args.only else sorted(MODEL_MAPPING_NAMES)
    started = time.time()
    # First, because it makes torchvision importable, which `transformers` then takes.
    rows = [] if args.only and not args.again else vision_rows()
    if args.again:
        saved = rows_of("capture_breadth")
        vision = {row["architecture"] for row in rows}
        rows += [
            row
            for row in saved
            if row["architecture"] not in vision
            and (row["state"] == "equal" or row["architecture"] not in names)
        ]
        names = [name for name in names if all(row["architecture"] != name for row in rows)]
    for name in names:
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(SECONDS)
        try:
            row = look(name)
        except TimeoutError:
            row = {"architecture": name, "state": "not run", "why": f"more than {SECONDS} s"}
        finally:
            signal.alarm(0)
        gc.collect()
        rows.append(row)
        if args.show or row["state"] in ("different", "error", "nothing captured"):
            print({k: v for k, v in row.items() if k not in ("class",)}, flush=True)
    if not args.only and not args.again:
        rows += transformer_rows()
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    print(counts, f"{time.time() - started:.0f} s")
    if not args.show:
        versions = {
            name: importlib.metadata.version(name)
            for name in ("transformers", "timm", "torchvision", "diffusers")
            if importlib.util.find_spec(name)
        }
        print(save("capture_breadth", rows, counts=counts, versions=versions))


def _too_long(*_: Any) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
