"""Ready workflows for Stable Diffusion 1.5 and SDXL, built from a server's node list with typed helpers."""

from dataclasses import dataclass
from typing import Any

from bot.comfy.models import NodeList
from bot.workflow.builder import GraphBuilder, Made
from bot.workflow.graph import Graph, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What loaders give: a model, a text encoder, a VAE."""

    model: Link
    clip: Link
    vae: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a ready workflow is made of. `clip_skip` 1 is none, 2 leaves out the last layer, and so on."""

    checkpoint: str
    vae: str | None = None
    clip_skip: int = 1
    loras: tuple[tuple[str, float], ...] = ()
    socket: bool = False
    """Whether the picture comes over the socket, so that the server keeps no file."""


class Studio:
    """Typed helpers over a builder; every one adds one node, `custom` one of any class."""

    def __init__(self, node_list: NodeList) -> None:
        self._builder = GraphBuilder(node_list)

    def checkpoint(self, name: str) -> Loaded:
        """Load a checkpoint."""
        made = self._builder.node("CheckpointLoaderSimple", "Checkpoint", ckpt_name=name)
        return Loaded(model=made.out("MODEL"), clip=made.out("CLIP"), vae=made.out("VAE"))

    def vae(self, name: str) -> Link:
        """Load a VAE from a file of its own."""
        return self._builder.node("VAELoader", "VAE", vae_name=name).out("VAE")

    def clip_skip(self, clip: Link, layers: int) -> Link:
        """Stop the text encoder some layers early; 1 is the last layer."""
        made = self._builder.node("CLIPSetLastLayer", "Clip skip", clip=clip, stop_at_clip_layer=-layers)
        return made.out("CLIP")

    def lora(self, model: Link, clip: Link, name: str, strength: float = 1.0) -> tuple[Link, Link]:
        """Put a LoRA on a model and its text encoder."""
        made = self._builder.node(
            "LoraLoader",
            f"LoRA {name}",
            model=model,
            clip=clip,
            lora_name=name,
            strength_model=strength,
            strength_clip=strength,
        )
        return made.out("MODEL"), made.out("CLIP")

    def words(self, clip: Link, text: str, title: str) -> Link:
        """Encode a text for Stable Diffusion."""
        return self._builder.node("CLIPTextEncode", title, clip=clip, text=text).out("CONDITIONING")

    def words_sdxl(self, clip: Link, text: str, title: str, side: int = 1024) -> Link:
        """Encode a text for SDXL, by both of its encoders."""
        sides = {"width": side, "height": side, "target_width": side, "target_height": side, "crop_w": 0, "crop_h": 0}
        made = self._builder.node("CLIPTextEncodeSDXL", title, clip=clip, text_g=text, text_l=text, **sides)
        return made.out("CONDITIONING")

    def empty(self, width: int, height: int, count: int = 1) -> Link:
        """An empty latent, sides in pixels."""
        made = self._builder.node("EmptyLatentImage", "Size", width=width, height=height, batch_size=count)
        return made.out("LATENT")

    def sample(self, model: Link, positive: Link, negative: Link, latent: Link, **how: Any) -> Link:
        """Sample; `how` are KSampler's own inputs: steps, cfg, sampler_name, scheduler, denoise, seed."""
        made = self._builder.node(
            "KSampler", "Sampler", model=model, positive=positive, negative=negative, latent_image=latent, **how
        )
        return made.out("LATENT")

    def decode(self, samples: Link, vae: Link) -> Link:
        """Make pictures of latents."""
        return self._builder.node("VAEDecode", "Decode", samples=samples, vae=vae).out("IMAGE")

    def save(self, images: Link, prefix: str = "easel") -> Made:
        """Save pictures in the server's output folder."""
        return self._builder.node("SaveImage", "Save", images=images, filename_prefix=prefix)

    def send(self, images: Link) -> Made:
        """Send pictures over the socket."""
        return self._builder.node("SaveImageWebsocket", "Send", images=images)

    def custom(self, class_type: str, title: str = "", **inputs: Any) -> Made:
        """Add a node of any class that the server has."""
        return self._builder.node(class_type, title, **inputs)

    def graph(self) -> Graph:
        """Return what was built."""
        return self._builder.graph()


def sd15(node_list: NodeList, wish: Wish) -> Graph:
    """Return text to picture with Stable Diffusion 1.5.

    Raises:
        GraphError: the server lacks a node.
    """
    how = {"seed": 0, "steps": 25, "cfg": 7.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0}
    return _text_to_picture(node_list, wish, 512, how, xl=False)


def sdxl(node_list: NodeList, wish: Wish) -> Graph:
    """Return text to picture with SDXL; raises as `sd15`."""
    how = {"seed": 0, "steps": 30, "cfg": 6.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0}
    return _text_to_picture(node_list, wish, 1024, how, xl=True)


def _text_to_picture(node_list: NodeList, wish: Wish, side: int, how: dict[str, Any], *, xl: bool) -> Graph:
    studio = Studio(node_list)
    loaded = studio.checkpoint(wish.checkpoint)
    vae = studio.vae(wish.vae) if wish.vae else loaded.vae
    model, clip = loaded.model, loaded.clip
    if wish.clip_skip > 1:
        clip = studio.clip_skip(clip, wish.clip_skip)
    for name, strength in wish.loras:
        model, clip = studio.lora(model, clip, name, strength)
    encode = studio.words_sdxl if xl else studio.words
    positive, negative = encode(clip, "a picture", "Prompt"), encode(clip, "", "Negative prompt")
    latent = studio.sample(model, positive, negative, studio.empty(side, side), **how)
    images = studio.decode(latent, vae)
    if wish.socket:
        studio.send(images)
    else:
        studio.save(images)
    return studio.graph()


WORKFLOWS = {"sd15": sd15, "sdxl": sdxl}
"""Ready workflows by name."""
