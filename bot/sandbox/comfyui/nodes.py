"""The node classes that the stand-in knows, as `/object_info` declares them."""

import copy
from collections.abc import Iterable
from typing import Any

CHECKPOINTS = {
    "easel-sd15.safetensors": 1.2,
    "easel-sdxl.safetensors": 2.5,
    "easel-flux1-fp8.safetensors": 4.0,
}
"""Checkpoint names and the seconds each takes to load."""

MODELS: dict[str, list[str]] = {
    "checkpoints": list(CHECKPOINTS),
    "loras": ["ink/brush.safetensors", "watercolour.safetensors"],
    "vae": ["easel-vae.safetensors"],
    "embeddings": ["easel-negative.safetensors"],
    "upscale_models": ["4x-easel.pth"],
    "controlnet": [],
    "diffusion_models": ["easel-flux1-unet.safetensors"],
    "text_encoders": ["easel-clip.safetensors"],
    "clip_vision": [],
    "configs": [],
    "style_models": [],
    "unet_gguf": [],
}

METADATA: dict[tuple[str, str], dict[str, str]] = {
    ("checkpoints", f"easel-{kind}.safetensors"): {
        "format": "pt",
        "modelspec.title": f"Easel's pencil, {kind} shape",
        "modelspec.architecture": architecture,
        "modelspec.resolution": side,
        "modelspec.license": "MIT",
    }
    for kind, architecture, side in (
        ("sd15", "stable-diffusion-v1", "512x512"),
        ("sdxl", "stable-diffusion-xl-v1-base", "1024x1024"),
    )
}
"""What checkpoints say of themselves, by folder and file."""

SAMPLERS = [
    *("euler", "euler_ancestral", "heun", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive"),
    *("dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "ddpm"),
    *("lcm", "ipndm", "deis", "res_multistep", "gradient_estimation", "er_sde", "ddim", "uni_pc"),
]
SCHEDULERS = ["simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal"]

_SEED_MAX = 2**64 - 1

Spec = list[Any]


def whole(default: int = 0, low: int = 0, high: int = 10000, **more: Any) -> Spec:
    """Declare an INT."""
    return ["INT", {"default": default, "min": low, "max": high, **more}]


def real(default: float = 0.0, low: float = 0.0, high: float = 100.0, **more: Any) -> Spec:
    """Declare a FLOAT."""
    return ["FLOAT", {"default": default, "min": low, "max": high, **more}]


def words(*, multiline: bool = True) -> Spec:
    """Declare a STRING."""
    return ["STRING", {"multiline": multiline, "dynamicPrompts": multiline}]


def one_of(values: list[str]) -> Spec:
    """Declare a list in the older style: the values stand in place of the type."""
    return [values, {"tooltip": "One of the list."}]


def combo(values: list[str]) -> Spec:
    """Declare a list in the newer style."""
    return ["COMBO", {"multiselect": False, "options": values}]


def link(kind: str) -> Spec:
    """Declare an input that only a link can fill."""
    return [kind, {}]


SEED = whole(0, 0, _SEED_MAX, control_after_generate=True)
SIDE = whole(512, 16, 16384, step=8)
BATCH = whole(1, 1, 4096)

_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
_SAMPLING = {"sampler_name": one_of(SAMPLERS), "scheduler": one_of(SCHEDULERS)}
_LATENT_SIDES = {"width": SIDE, "height": SIDE, "batch_size": BATCH}

_TABLE: dict[str, tuple[dict[str, Spec], list[str]]] = {
    "CheckpointLoaderSimple": ({"ckpt_name": one_of(MODELS["checkpoints"])}, ["MODEL", "CLIP", "VAE"]),
    "VAELoader": ({"vae_name": one_of(MODELS["vae"])}, ["VAE"]),
    "UNETLoader": (
        {"unet_name": one_of(MODELS["diffusion_models"]), "weight_dtype": one_of(["default", "fp8_e4m3fn"])},
        ["MODEL"],
    ),
    "CLIPLoader": (
        {"clip_name": one_of(MODELS["text_encoders"]), "type": one_of(["stable_diffusion", "sd3", "flux"])},
        ["CLIP"],
    ),
    "LoraLoaderModelOnly": (
        {"model": link("MODEL"), "lora_name": one_of(MODELS["loras"]), "strength_model": real(1.0, -100.0)},
        ["MODEL"],
    ),
    "LoraLoader": (
        {
            "model": link("MODEL"),
            "clip": link("CLIP"),
            "lora_name": one_of(MODELS["loras"]),
            "strength_model": real(1.0, -100.0),
            "strength_clip": real(1.0, -100.0),
        },
        ["MODEL", "CLIP"],
    ),
    "CLIPSetLastLayer": ({"clip": link("CLIP"), "stop_at_clip_layer": whole(-1, -24, -1)}, ["CLIP"]),
    "CLIPTextEncode": ({"text": words(), "clip": link("CLIP")}, ["CONDITIONING"]),
    "CLIPTextEncodeSDXL": (
        {
            "clip": link("CLIP"),
            **{name: whole(1024, 0, 16384) for name in ("width", "height")},
            **{name: whole(0, 0, 16384) for name in ("crop_w", "crop_h")},
            **{name: whole(1024, 0, 16384) for name in ("target_width", "target_height")},
            "text_g": words(),
            "text_l": words(),
        },
        ["CONDITIONING"],
    ),
    "FluxGuidance": ({"conditioning": link("CONDITIONING"), "guidance": real(3.5, step=0.1)}, ["CONDITIONING"]),
    "ConditioningCombine": (
        {"conditioning_1": link("CONDITIONING"), "conditioning_2": link("CONDITIONING")},
        ["CONDITIONING"],
    ),
    "ConditioningConcat": (
        {"conditioning_to": link("CONDITIONING"), "conditioning_from": link("CONDITIONING")},
        ["CONDITIONING"],
    ),
    "ConditioningZeroOut": ({"conditioning": link("CONDITIONING")}, ["CONDITIONING"]),
    "PrimitiveString": ({"value": words(multiline=False)}, ["STRING"]),
    "PrimitiveStringMultiline": ({"value": words()}, ["STRING"]),
    "StringConcatenate": (
        {"string_a": words(), "string_b": words(), "delimiter": words(multiline=False)},
        ["STRING"],
    ),
    "PrimitiveInt": ({"value": whole(0, -(2**63), 2**63 - 1, control_after_generate=True)}, ["INT"]),
    "EmptyLatentImage": (_LATENT_SIDES, ["LATENT"]),
    "EmptySD3LatentImage": (_LATENT_SIDES, ["LATENT"]),
    "LatentUpscale": (
        {
            "samples": link("LATENT"),
            "upscale_method": combo(["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]),
            "width": whole(512, 0, 16384, step=8),
            "height": whole(512, 0, 16384, step=8),
            "crop": combo(["disabled", "center"]),
        },
        ["LATENT"],
    ),
    "KSampler": (
        {
            "model": link("MODEL"),
            "seed": SEED,
            "steps": whole(20, 1),
            "cfg": real(8.0, step=0.1, round=0.01),
            **_SAMPLING,
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "latent_image": link("LATENT"),
            "denoise": real(1.0, 0.0, 1.0, step=0.01),
        },
        ["LATENT"],
    ),
    "KSamplerAdvanced": (
        {
            "model": link("MODEL"),
            "add_noise": one_of(["enable", "disable"]),
            "noise_seed": SEED,
            "steps": whole(20, 1),
            "cfg": real(8.0, step=0.1, round=0.01),
            **_SAMPLING,
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "latent_image": link("LATENT"),
            "start_at_step": whole(0),
            "end_at_step": whole(10000),
            "return_with_leftover_noise": one_of(["disable", "enable"]),
        },
        ["LATENT"],
    ),
    "KSamplerSelect": ({"sampler_name": combo(SAMPLERS)}, ["SAMPLER"]),
    "BasicScheduler": (
        {
            "model": link("MODEL"),
            "scheduler": combo(SCHEDULERS),
            "steps": whole(20, 1),
            "denoise": real(1.0, 0.0, 1.0, step=0.01),
        },
        ["SIGMAS"],
    ),
    "RandomNoise": ({"noise_seed": SEED}, ["NOISE"]),
    "BasicGuider": ({"model": link("MODEL"), "conditioning": link("CONDITIONING")}, ["GUIDER"]),
    "CFGGuider": (
        {
            "model": link("MODEL"),
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "cfg": real(8.0, step=0.1, round=0.01),
        },
        ["GUIDER"],
    ),
    "SamplerCustomAdvanced": (
        {
            "noise": link("NOISE"),
            "guider": link("GUIDER"),
            "sampler": link("SAMPLER"),
            "sigmas": link("SIGMAS"),
            "latent_image": link("LATENT"),
        },
        ["LATENT", "LATENT"],
    ),
    "VAEDecode": ({"samples": link("LATENT"), "vae": link("VAE")}, ["IMAGE"]),
    "VAEEncode": ({"pixels": link("IMAGE"), "vae": link("VAE")}, ["LATENT"]),
    "VAEEncodeForInpaint": (
        {"pixels": link("IMAGE"), "vae": link("VAE"), "mask": link("MASK"), "grow_mask_by": whole(6, 0, 64)},
        ["LATENT"],
    ),
    "SetLatentNoiseMask": ({"samples": link("LATENT"), "mask": link("MASK")}, ["LATENT"]),
    "InpaintModelConditioning": (
        {
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "vae": link("VAE"),
            "pixels": link("IMAGE"),
            "mask": link("MASK"),
            "noise_mask": ["BOOLEAN", {"default": True}],
        },
        ["CONDITIONING", "CONDITIONING", "LATENT"],
    ),
    "LoadImage": ({"image": [["example.png"], {"image_upload": True}]}, ["IMAGE", "MASK"]),
    "LoadImageMask": (
        {
            "image": [["example.png"], {"image_upload": True}],
            "channel": one_of(["alpha", "red", "green", "blue"]),
        },
        ["MASK"],
    ),
    "ImageToMask": ({"image": link("IMAGE"), "channel": one_of(["red", "green", "blue", "alpha"])}, ["MASK"]),
    "InvertMask": ({"mask": link("MASK")}, ["MASK"]),
    "EmptyImage": (
        {
            "width": whole(512, 1, 16384),
            "height": whole(512, 1, 16384),
            "batch_size": BATCH,
            "color": whole(0, 0, 0xFFFFFF, display="color"),
        },
        ["IMAGE"],
    ),
    "ImageBatch": ({"image1": link("IMAGE"), "image2": link("IMAGE")}, ["IMAGE"]),
    "ImageScale": (
        {
            "image": link("IMAGE"),
            "upscale_method": one_of(["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]),
            "width": whole(512, 0, 16384),
            "height": whole(512, 0, 16384),
            "crop": one_of(["disabled", "center"]),
        },
        ["IMAGE"],
    ),
    "UpscaleModelLoader": ({"model_name": combo(MODELS["upscale_models"])}, ["UPSCALE_MODEL"]),
    "ImageUpscaleWithModel": ({"upscale_model": link("UPSCALE_MODEL"), "image": link("IMAGE")}, ["IMAGE"]),
    "SaveImage": (
        {"images": link("IMAGE"), "filename_prefix": ["STRING", {"default": "ComfyUI", "multiline": False}]},
        ["IMAGE"],
    ),
    "PreviewImage": ({"images": link("IMAGE")}, ["IMAGE"]),
    "SaveAnimatedWEBP": (
        {
            "images": link("IMAGE"),
            "filename_prefix": ["STRING", {"default": "ComfyUI", "multiline": False}],
            "fps": real(6.0, 0.01, 1000.0),
            "lossless": ["BOOLEAN", {"default": True}],
            "quality": whole(80, 0, 100),
            "method": one_of(["default", "fastest", "slowest"]),
        },
        ["IMAGE"],
    ),
    "PreviewAny": ({"source": ["*", {}]}, ["STRING"]),
    "SaveImageWebsocket": ({"images": link("IMAGE")}, []),
}
_OUTPUT_NODES = frozenset({"SaveImage", "PreviewImage", "SaveImageWebsocket", "SaveAnimatedWEBP", "PreviewAny"})
_WITH_HIDDEN = frozenset({"SaveImage", "PreviewImage"})


def _declare(name: str, required: dict[str, Spec], outputs: list[str]) -> dict[str, Any]:
    inputs: dict[str, dict[str, Any]] = {"required": required}
    if name in _WITH_HIDDEN:
        inputs["hidden"] = dict(_HIDDEN)
    return {
        "input": inputs,
        "input_order": {part: list(names) for part, names in inputs.items()},
        "is_input_list": False,
        "output": outputs,
        "output_is_list": [False] * len(outputs),
        "output_name": list(outputs),
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": "nodes",
        "category": "easel",
        "output_node": name in _OUTPUT_NODES,
        "has_intermediate_output": False,
        "search_aliases": [],
    }


OBJECT_INFO: dict[str, dict[str, Any]] = {name: _declare(name, *row) for name, row in _TABLE.items()}
"""What GET /object_info answers."""

Wanted = Iterable[tuple[str, str, str]]
"""Model files by (class, input, name)."""


def with_models(wanted: Wanted) -> dict[str, dict[str, Any]]:
    """Return the declarations with more model files in their lists: in the sandbox every model is at hand."""
    info = OBJECT_INFO
    for class_type, name, value in wanted:
        spec = info.get(class_type, {}).get("input", {}).get("required", {}).get(name)
        if spec is None or not name.endswith("_name") or not isinstance(spec[0], list) or value in spec[0]:
            continue
        info = copy.deepcopy(info) if info is OBJECT_INFO else info
        info[class_type]["input"]["required"][name][0].append(value)
    return info
