"""What each node class does. Values between nodes are small records; only pictures are heavy."""

import asyncio
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from bot.sandbox.comfyui.drawing import Recipe, draw, preview
from bot.sandbox.comfyui.files import Files, temp_prefix
from bot.sandbox.comfyui.nodes import CHECKPOINTS, OBJECT_INFO


@dataclass(frozen=True, slots=True)
class Latent:
    """What a sampler works on: a size in pixels, a batch, and the marks of all that shaped it so far."""

    width: int
    height: int
    batch: int
    marks: tuple[str, ...] = ()
    words: str = ""
    base: tuple[Image.Image, ...] = ()
    """The pictures that it was made of, if it was made of pictures."""
    mask: Image.Image | None = None
    """Where it may change: white."""
    strength: float = 1.0
    """How much it has changed since, 0 to 1."""


class Context(Protocol):
    """What a running node may ask of the worker."""

    files: Files
    graph: dict[str, Any]
    pnginfo: dict[str, Any]
    previews: bool

    async def load(self, model: str) -> None:
        """Take the time that loading this model takes, if it is not the one in memory."""
        ...

    async def tick(self, value: int, maximum: int, picture: bytes | None, mime: str = "image/jpeg") -> None:
        """Tell progress, send a picture, take a step's time, and stop if interrupted."""
        ...


Inputs = dict[str, Any]
Outcome = tuple[tuple[Any, ...], dict[str, Any] | None]
"""A node's outputs by slot, and for output nodes what `executed` tells (None: nothing)."""

Run = Callable[[Context, Inputs], Awaitable[Outcome]]


async def _checkpoint(context: Context, inputs: Inputs) -> Outcome:
    name = inputs["ckpt_name"]
    await context.load(name)
    return ((name,), name, name), None


async def _lora(_context: Context, inputs: Inputs) -> Outcome:
    mark = f"{inputs['lora_name']}:{inputs['strength_model']}"
    return ((*inputs["model"], mark), inputs["clip"]), None


async def _encode(_context: Context, inputs: Inputs) -> Outcome:
    texts = [str(value) for name, value in inputs.items() if name.startswith("text")]
    return ("\n".join(dict.fromkeys(texts)),), None


async def _join_conditioning(_context: Context, inputs: Inputs) -> Outcome:
    return ("\n".join(str(value) for value in inputs.values()),), None


async def _join_strings(_context: Context, inputs: Inputs) -> Outcome:
    return (inputs["string_a"] + inputs["delimiter"] + inputs["string_b"],), None


async def _empty_latent(_context: Context, inputs: Inputs) -> Outcome:
    return (Latent(inputs["width"], inputs["height"], inputs["batch_size"]),), None


async def _latent_upscale(_context: Context, inputs: Inputs) -> Outcome:
    return (replace(inputs["samples"], width=inputs["width"], height=inputs["height"]),), None


async def _ksampler(context: Context, inputs: Inputs) -> Outcome:
    seed = inputs["seed"] if "seed" in inputs else inputs["noise_seed"]
    first, last = inputs.get("start_at_step", 0), min(inputs["steps"], inputs.get("end_at_step", 10000))
    cfg = (inputs["cfg"], inputs["sampler_name"], inputs["scheduler"])
    latent = await _sample(
        context,
        inputs["model"],
        inputs["latent_image"],
        inputs["positive"],
        inputs["negative"],
        seed,
        last - first,
        cfg,
    )
    return (replace(latent, strength=inputs.get("denoise", 1.0)),), None


async def _custom_sampler(context: Context, inputs: Inputs) -> Outcome:
    model, positive, negative = inputs["guider"][:3]
    schedule = inputs["sigmas"]
    latent = await _sample(
        context,
        model,
        inputs["latent_image"],
        positive,
        negative,
        inputs["noise"],
        schedule[0],
        (schedule[1], inputs["sampler"]),
    )
    return (latent, latent), None


async def _sample(
    context: Context,
    model: tuple[str, ...],
    latent: Latent,
    positive: str,
    negative: str,
    seed: int,
    steps: int,
    how: tuple[Any, ...],
) -> Latent:
    await context.load(model[0])
    mark = json.dumps([model, positive, negative, seed, steps, how])
    done = replace(latent, marks=(*latent.marks, mark), words=positive or latent.words)
    recipe = _recipe(done, 0)
    picture = await asyncio.to_thread(draw, recipe) if context.previews else None
    for step in range(1, steps + 1):
        shot = await asyncio.to_thread(preview, picture, recipe, step / steps) if picture else None
        await context.tick(step, steps, shot)
    return done


def _recipe(latent: Latent, index: int) -> Recipe:
    return Recipe("|".join((*latent.marks, str(index))), latent.words, latent.width, latent.height)


async def _decode(_context: Context, inputs: Inputs) -> Outcome:
    latent = inputs["samples"]
    return ([await asyncio.to_thread(_picture, latent, index) for index in range(latent.batch)],), None


def _picture(latent: Latent, index: int) -> Image.Image:
    """Draw what a latent shows: over the picture it came from, and only where its mask lets it."""
    drawn = draw(_recipe(latent, index))
    if not latent.base:
        return drawn
    base = latent.base[index % len(latent.base)].convert("RGB").resize(drawn.size)
    changed = Image.blend(base, drawn, max(0.0, min(1.0, latent.strength)))
    return Image.composite(changed, base, latent.mask.resize(drawn.size)) if latent.mask else changed


async def _vae_encode(_context: Context, inputs: Inputs) -> Outcome:
    pictures: list[Image.Image] = inputs["pixels"]
    first = pictures[0]
    mark = hashlib.sha256(first.tobytes()).hexdigest()
    return (Latent(first.width, first.height, len(pictures), (mark,), base=tuple(pictures)),), None


async def _inpaint_encode(context: Context, inputs: Inputs) -> Outcome:
    (latent,), _ = await _vae_encode(context, inputs)
    return (replace(latent, mask=inputs["mask"]),), None


async def _noise_mask(_context: Context, inputs: Inputs) -> Outcome:
    return (replace(inputs["samples"], mask=inputs["mask"]),), None


async def _inpaint_conditioning(context: Context, inputs: Inputs) -> Outcome:
    (latent,), _ = await _inpaint_encode(context, inputs)
    return (inputs["positive"], inputs["negative"], latent), None


async def _load_mask(context: Context, inputs: Inputs) -> Outcome:
    picture = _opened(context, inputs["image"]).convert("RGBA")
    channel = inputs["channel"]
    mask = picture.getchannel({"alpha": "A", "red": "R", "green": "G", "blue": "B"}[channel])
    return (ImageOps.invert(mask) if channel == "alpha" else mask,), None


async def _to_mask(_context: Context, inputs: Inputs) -> Outcome:
    channel = {"red": 0, "green": 1, "blue": 2, "alpha": 3}[inputs["channel"]]
    return (inputs["image"][0].convert("RGBA").getchannel(channel),), None


async def _invert_mask(_context: Context, inputs: Inputs) -> Outcome:
    return (ImageOps.invert(inputs["mask"]),), None


async def _load_image(context: Context, inputs: Inputs) -> Outcome:
    picture = _opened(context, inputs["image"])
    holes = ImageOps.invert(picture.convert("RGBA").getchannel("A"))  # 1 - alpha, as the real node has it
    return ([picture.convert("RGB")], holes), None


def _opened(context: Context, name: str) -> Image.Image:
    path = context.files.input_path(name)
    if path is None:
        raise FileNotFoundError(name)
    picture = Image.open(path)
    picture.load()
    return picture


async def _empty_image(_context: Context, inputs: Inputs) -> Outcome:
    colour = inputs["color"]
    ink = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    return ([Image.new("RGB", (inputs["width"], inputs["height"]), ink)] * inputs["batch_size"],), None


async def _image_scale(_context: Context, inputs: Inputs) -> Outcome:
    return ([picture.resize((inputs["width"], inputs["height"])) for picture in inputs["image"]],), None


async def _upscale(context: Context, inputs: Inputs) -> Outcome:
    pictures: list[Image.Image] = inputs["image"]
    await context.tick(1, 1, None)
    return (
        [picture.resize((picture.width * 4, picture.height * 4), Image.Resampling.LANCZOS) for picture in pictures],
    ), None


async def _save(context: Context, inputs: Inputs) -> Outcome:
    entries = await asyncio.to_thread(
        context.files.save, inputs["images"], inputs["filename_prefix"], _pnginfo(context), kind="output"
    )
    return (inputs["images"],), {"images": entries}


async def _preview_image(context: Context, inputs: Inputs) -> Outcome:
    entries = await asyncio.to_thread(
        context.files.save, inputs["images"], temp_prefix(), _pnginfo(context), kind="temp"
    )
    return (inputs["images"],), {"images": entries}


async def _save_animation(context: Context, inputs: Inputs) -> Outcome:
    entries = await asyncio.to_thread(
        context.files.save_animation, inputs["images"], inputs["filename_prefix"], inputs["fps"]
    )
    return (inputs["images"],), {"images": entries, "animated": [True]}


async def _preview_any(_context: Context, inputs: Inputs) -> Outcome:
    text = str(inputs["source"])
    return (text,), {"text": [text]}


async def _clip(_context: Context, inputs: Inputs) -> Outcome:
    return (inputs["clip_name"],), None


async def _unet(context: Context, inputs: Inputs) -> Outcome:
    await context.load(inputs["unet_name"])
    return ((inputs["unet_name"],),), None


async def _lora_model(_context: Context, inputs: Inputs) -> Outcome:
    return ((*inputs["model"], f"{inputs['lora_name']}:{inputs['strength_model']}"),), None


async def _save_socket(context: Context, inputs: Inputs) -> Outcome:
    pictures: list[Image.Image] = inputs["images"]
    for index, picture in enumerate(pictures):
        out = io.BytesIO()
        picture.save(out, "PNG", compress_level=1)
        await context.tick(index, len(pictures), out.getvalue(), "image/png")
    return (), None


def _pnginfo(context: Context) -> PngInfo:
    info = PngInfo()
    info.add_text("prompt", json.dumps(context.graph))
    for name, value in context.pnginfo.items():
        info.add_text(name, json.dumps(value))
    return info


def _value(name: str) -> Run:
    async def run(_context: Context, inputs: Inputs) -> Outcome:
        return (inputs[name],), None

    return run


def _values(*names: str) -> Run:
    async def run(_context: Context, inputs: Inputs) -> Outcome:
        return (tuple(inputs.get(name, "") for name in names),), None

    return run


async def _zero_out(_context: Context, _inputs: Inputs) -> Outcome:
    return ("",), None


RUNS: dict[str, Run] = {
    "CheckpointLoaderSimple": _checkpoint,
    "VAELoader": _value("vae_name"),
    "LoraLoader": _lora,
    "LoraLoaderModelOnly": _lora_model,
    "UNETLoader": _unet,
    "CLIPLoader": _clip,
    "CLIPSetLastLayer": _value("clip"),
    "CLIPTextEncode": _encode,
    "CLIPTextEncodeSDXL": _encode,
    "FluxGuidance": _value("conditioning"),
    "ConditioningCombine": _join_conditioning,
    "ConditioningConcat": _join_conditioning,
    "ConditioningZeroOut": _zero_out,
    "PrimitiveString": _value("value"),
    "PrimitiveStringMultiline": _value("value"),
    "StringConcatenate": _join_strings,
    "PrimitiveInt": _value("value"),
    "EmptyLatentImage": _empty_latent,
    "EmptySD3LatentImage": _empty_latent,
    "LatentUpscale": _latent_upscale,
    "KSampler": _ksampler,
    "KSamplerAdvanced": _ksampler,
    "KSamplerSelect": _value("sampler_name"),
    "BasicScheduler": _values("steps", "scheduler", "denoise"),
    "RandomNoise": _value("noise_seed"),
    "BasicGuider": _values("model", "conditioning", "nothing"),
    "CFGGuider": _values("model", "positive", "negative", "cfg"),
    "SamplerCustomAdvanced": _custom_sampler,
    "VAEDecode": _decode,
    "VAEEncode": _vae_encode,
    "VAEEncodeForInpaint": _inpaint_encode,
    "SetLatentNoiseMask": _noise_mask,
    "InpaintModelConditioning": _inpaint_conditioning,
    "LoadImageMask": _load_mask,
    "ImageToMask": _to_mask,
    "InvertMask": _invert_mask,
    "SaveAnimatedWEBP": _save_animation,
    "PreviewAny": _preview_any,
    "LoadImage": _load_image,
    "EmptyImage": _empty_image,
    "ImageBatch": _value("image1"),
    "ImageScale": _image_scale,
    "UpscaleModelLoader": _value("model_name"),
    "ImageUpscaleWithModel": _upscale,
    "SaveImage": _save,
    "PreviewImage": _preview_image,
    "SaveImageWebsocket": _save_socket,
}


def load_seconds(model: str) -> float:
    """Return how long a model takes to load."""
    return CHECKPOINTS.get(model, 0.0)


if missing := OBJECT_INFO.keys() - RUNS.keys():
    raise AssertionError(f"declared, but nothing runs them: {sorted(missing)}")
