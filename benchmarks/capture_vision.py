"""Networks of timm, torchvision and diffusers under capture, where these libraries install.

The reference is their own eager code, read without a capture: what goes into a dropout of weights
(timm), what `nn.MultiheadAttention` returns when it is asked (torchvision), what the processor that
materializes weights computes (diffusers).
"""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard

CLOSE = 1e-5
TIMM = (
    "vit_tiny_patch16_224 deit_tiny_patch16_224 deit3_small_patch16_224 beit_base_patch16_224 "
    "beitv2_base_patch16_224 cait_xxs24_224 eva02_tiny_patch14_224 vit_tiny_r_s16_p8_224 "
    "swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 swinv2_cr_tiny_224 xcit_nano_12_p16_224 "
    "levit_128s convit_tiny crossvit_9_240 tnt_s_legacy_patch16_224 pvt_v2_b0 twins_svt_small "
    "twins_pcpvt_small volo_d1_224 mvitv2_tiny maxvit_rmlp_pico_rw_256 coatnet_nano_rw_224 "
    "visformer_tiny nest_tiny gcvit_xxtiny davit_tiny edgenext_xx_small mobilevit_xxs "
    "efficientformer_l1 tiny_vit_5m_224 hiera_tiny_224 vit_so150m_patch16_reg4_gap_256 "
    "samvit_base_patch16_224 naflexvit_base_patch16_gap "
    "poolformerv2_s12 botnet26t_256 halonet26t lambda_resnet26t sebotnet33ts_256"
).split()
TORCHVISION = "vit_b_16 swin_t swin_v2_t maxvit_t".split()


def vision_rows() -> list[dict[str, Any]]:
    """One row for each network, none for a library that cannot be imported."""
    rows = []
    try:
        with _torchvision():
            import timm
            import torchvision
    except Exception as error:
        rows.append(
            {"architecture": "timm, torchvision", "state": "not built", "why": str(error)[:200]}
        )
    else:
        rows += [_row(f"timm {name}", _timm, timm, name) for name in TIMM]
        rows += [
            _row(f"torchvision {name}", _of_torchvision, torchvision, name) for name in TORCHVISION
        ]
    rows.append(_row("diffusers UNet2DConditionModel", _unet))
    return rows


def _row(name: str, look: Any, *args: Any) -> dict[str, Any]:
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {"architecture": name, **look(*args)}
    except Exception as error:
        return {
            "architecture": name,
            "state": "not run",
            "why": f"{type(error).__name__}: {error}"[:200],
        }


@contextmanager
def _torchvision() -> Iterator[None]:
    """Where its compiled operators do not load, declare them: no network here calls one."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for _ in range(40):
        try:
            import_module("torchvision")
            break
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            for name in [n for n in sys.modules if n.split(".")[0] in ("torchvision", "timm")]:
                del sys.modules[name]
    yield


def _compared(
    model: nn.Module, call: Any, wanted: list[Tensor], reference: str, exact: bool = False
) -> dict[str, Any]:
    plain = call()
    with regard.capture(model) as maps:
        seen = call()
    row: dict[str, Any] = {
        "maps": len(maps), "bit_equal": torch.equal(plain, seen), "reference": reference,
        "of_eager": len(wanted),
    }  # fmt: skip
    if not wanted:
        return {**row, "state": "no reference" if len(maps) else "nothing captured"}
    left, worst, found = list(maps._session.maps), 0.0, 0
    for weights in wanted:
        offs = [
            (float((each.weights().reshape(weights.shape) - weights).abs().max()), place)
            for place, each in enumerate(left)
            if each.weights().numel() == weights.numel()
        ]
        off, place = min(offs, default=(float("inf"), -1))
        if off <= CLOSE:
            left.pop(place)
            worst, found = max(worst, off), found + 1
    good = found == len(wanted) and row["bit_equal"]
    return {
        **row,
        "found": found,
        "worst": worst,
        "state": "equal" if good else "different",
        **(
            {}
            if good
            else {"why": f"{len(wanted) - found} of {len(wanted)} are not among the maps"}
        ),
    }


def _timm(timm: Any, name: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    for each in model.parameters():
        if each.ndim > 1:
            nn.init.normal_(each, std=0.05)
    size = timm.data.resolve_model_data_config(model)["input_size"]
    image = torch.randn(1, *size)
    dropped: list[Tensor] = []
    fused = [each for each in model.modules() if getattr(each, "fused_attn", False)]
    for each in fused:
        each.fused_attn = False
    handles = [
        each.register_forward_pre_hook(lambda _, args: dropped.append(args[0].clone()))
        for label, each in model.named_modules()
        if label.endswith(("attn_drop", "attn_dropout"))
    ]
    model(image)
    for handle in handles:
        handle.remove()
    for each in fused:
        each.fused_attn = True
    return _compared(model, lambda: model(image), dropped, "what goes into the dropout of weights")


def _of_torchvision(torchvision: Any, name: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None).eval()
    image = torch.randn(1, 3, 224, 224)
    wanted: list[Tensor] = []
    softmax = F.softmax

    def noted(*args: Any, **kwargs: Any) -> Tensor:
        wanted.append(softmax(*args, **kwargs))
        return wanted[-1]

    def asked(module: Any, args: Any, output: Any) -> None:
        wanted.append(
            nn.MultiheadAttention.forward(module, *args[:3], average_attn_weights=False)[1]
        )

    handles = [
        each.register_forward_hook(asked)
        for each in model.modules()
        if isinstance(each, nn.MultiheadAttention)
    ]
    F.softmax = noted  # type: ignore[assignment]
    try:
        model(image)
    finally:
        F.softmax = softmax
        for handle in handles:
            handle.remove()
    return _compared(
        model, lambda: model(image), wanted, "its softmaxes, or the weights it returns"
    )


def _unet() -> dict[str, Any]:
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

    torch.manual_seed(0)
    model = UNet2DConditionModel(
        sample_size=16, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=24,
        attention_head_dim=4,
    ).eval()  # fmt: skip
    noise, text = torch.randn(2, 4, 16, 16), torch.randn(2, 7, 24)
    wanted: list[Tensor] = []

    class Noted(AttnProcessor):
        """The processor that materializes weights, and keeps them."""

        def __call__(self, attn: Any, *args: Any, **kwargs: Any) -> Any:
            scores = attn.get_attention_scores
            attn.get_attention_scores = lambda *x: wanted.append(scores(*x)) or wanted[-1]
            try:
                return super().__call__(attn, *args, **kwargs)
            finally:
                del attn.get_attention_scores

    model.set_attn_processor(Noted())
    model(noise, 3, text)
    model.set_attn_processor(AttnProcessor2_0())
    return _compared(
        model, lambda: model(noise, 3, text).sample, wanted, "the processor that has weights"
    )
