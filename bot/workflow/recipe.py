"""What made a picture, read from the graph that ran: kept with the job, and put into the picture's metadata. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.model.jsontree import JsonObject
from bot.model.request import Request
from bot.workflow.graph import Graph, Place
from bot.workflow.roles import Roles
from bot.workflow.template import Template

METADATA_KEY = "easel"
"""The PNG text chunk that holds the recipe as JSON."""

_VAES = ("vae_name",)
_SKIPS = ("stop_at_clip_layer", "clip_skip")


def recipe(template: Template, request: Request, graph: Graph) -> JsonObject:
    """Return the recipe: prompt, negative, loras, seed, size, steps, cfg, sampler, scheduler, model, vae, clip skip.

    What the workflow does not have is left out.
    """
    made_by = graph_recipe(template.roles, graph)
    found: dict[str, Any] = {
        "template": template.name,
        **made_by,
        "prompt": request.prompt,
        "style": request.style.name if request.style else None,
        "negative": request.negative if request.negative is not None else made_by["negative"],
        "options": dict(request.values),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def graph_recipe(roles: Roles, graph: Graph) -> dict[str, Any]:
    """Return what a graph alone says of itself, with None for what it does not have."""
    live = graph.upstream(roles.outputs)
    graph = Graph({node.id: node for node in graph.nodes.values() if node.id in live})
    size = roles.sizes[0] if roles.sizes else None
    return {
        "prompt": _first(graph, roles.positive),
        "negative": _first(graph, roles.negative),
        "loras": _loras(graph),
        "seed": _first(graph, roles.seeds) if roles.seeds else None,
        "width": graph.value(size.width) if size else None,
        "height": graph.value(size.height) if size else None,
        "count": _first(graph, roles.batches),
        **{name: _first(graph, places) for name, places in roles.settings.items()},
        "models": [graph.value(place) for place in roles.models],
        "vae": _anywhere(graph, _VAES),
        "clip_skip": _anywhere(graph, _SKIPS),
    }


def _first(graph: Graph, places: tuple[Place, ...]) -> Any:
    return graph.value(places[0]) if places else None


def _anywhere(graph: Graph, names: tuple[str, ...]) -> Any:
    return next(
        (node.inputs[name] for node in graph.nodes.values() for name in names
         if name in node.inputs and graph.link(node.inputs[name]) is None), None,
    )  # fmt: skip


def _loras(graph: Graph) -> list[Mapping[str, Any]]:
    found = (node.inputs for node in graph.nodes.values() if isinstance(node.inputs.get("lora_name"), str))
    by_name: dict[str, dict[str, Any]] = {}
    for inputs in found:
        if inputs["lora_name"] not in ("", "None"):
            one = by_name.setdefault(inputs["lora_name"], {"name": inputs["lora_name"], "model": None, "clip": None})
            for part in ("model", "clip"):
                strength = inputs.get(f"strength_{part}")
                one[part] = one[part] if strength is None else strength
    return list(by_name.values())
