"""Graphs written for the tests, of the shapes that are met in the wild."""

from typing import Any

Tree = dict[str, Any]


def node(class_type: str, title: str = "", **inputs: Any) -> Tree:
    made: Tree = {"class_type": class_type, "inputs": inputs}
    return made | ({"_meta": {"title": title}} if title else {})


def txt2img(**more: Tree) -> Tree:
    """Seven nodes: checkpoint, two encoders, latent, sampler, decode, save."""
    return {
        "4": node("CheckpointLoaderSimple", ckpt_name="m.safetensors"),
        "6": node("CLIPTextEncode", text="a cat", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="bad", clip=["4", 1]),
        "5": node("EmptyLatentImage", width=512, height=640, batch_size=1),
        "3": sampler(model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="x"),
        **more,
    }


def sampler(class_type: str = "KSampler", **inputs: Any) -> Tree:
    base: Tree = {"seed": 1, "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    return node(class_type, **{**base, **inputs})
