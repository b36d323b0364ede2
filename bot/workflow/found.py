"""How a picture from elsewhere says it was made: Easel's recipe, ComfyUI's graph, or what A1111 writes. Pure.

CPU-bound: call in a thread.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from bot.model.jsontree import JsonObject, items, obj
from bot.model.request import PROMPT_LIMIT, SEED_LIMIT, Size, parse_size
from bot.workflow.embedded import EASEL, GRAPH, INFOTEXT, embedded_texts
from bot.workflow.graph import Graph, GraphError, Link, Node, read_graph
from bot.workflow.recipe import graph_recipe
from bot.workflow.roles import trace

Source: TypeAlias = Literal["easel", "comfyui", "a1111"]

BYTES = 30 * 2**20
"""The most that a file may have."""
NAME_LIMIT, LORAS = 200, 20
"""Characters of a name; LoRAs that are told."""
STEPS_LIMIT, CFG_LIMIT = 10_000, 100.0

_NODES, _GLANCE, _LOOKS = 1000, 500, 200_000
"""The most of a stranger's graph: nodes; characters of a text that tell what it is for; looks at inputs, many at the
same, until it is given up. The most tangled of a hundred real ones has 65 nodes and needs 7,000 looks."""
_INFOTEXT = 50_000
"""Characters of A1111's text that are read."""
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that are no text, and halves of such: databases and Discord refuse them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a picture says of itself, as far as Easel can use it: what is out of range or no number is None."""

    source: Source
    prompt: str = ""
    negative: str | None = None
    seed: int | None = None
    """From 0 to `SEED_LIMIT`; ComfyUI's larger ones cannot be asked for."""
    size: Size | None = None
    """In pixels, before any upscaling, as `parse_size` reads it."""
    steps: int | None = None
    cfg: float | None = None
    sampler: str | None = None
    """In the words of its source: `euler_ancestral` or `Euler a`."""
    scheduler: str | None = None
    model: str | None = None
    loras: tuple[str, ...] = ()
    """`name:weight`, or the name alone; also those that tags in the prompt call for."""


def read_metadata(data: bytes) -> Found | None:
    """Return how a PNG, JPEG or WebP says it was made: by the first source with a prompt, or else by the first at all.

    None if it says nothing, is larger than `BYTES`, or is no such picture. Nothing is raised, whatever the bytes are.
    """
    if len(data) > BYTES:
        return None
    found = list(_sources(embedded_texts(data)))
    return next((one for one in found if one.prompt), found[0] if found else None)


def _sources(texts: Mapping[str, str]) -> Iterator[Found]:
    read: tuple[tuple[Source, str, Callable[[str], JsonObject]], ...] = (
        ("easel", EASEL, _of_easel),
        ("comfyui", GRAPH, _of_graph),
        ("a1111", INFOTEXT, _of_infotext),
    )
    for source, name, recipe_in in read:
        said = _found(source, recipe_in(texts.get(name, "")))
        if said != Found(source=source):
            yield said


def _of_easel(text: str) -> JsonObject:
    """Return what `recipe` wrote."""
    try:
        return obj(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _of_graph(text: str) -> JsonObject:
    """Return the recipe of the graph that ran."""
    try:
        graph = read_graph(text)
        return graph_recipe(trace(_tamed(graph)), graph)
    except (GraphError, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class _Tamed(Graph):
    """A stranger's graph: following its links ends with a fault where no workflow would need so many looks."""

    looks: Iterator[int] = field(default_factory=lambda: iter(range(_LOOKS)))

    def link(self, value: object) -> Link | None:
        if next(self.looks, None) is None:
            raise GraphError("it is more tangled than workflows are")
        return Graph.link(self, value)


def _tamed(graph: Graph) -> Graph:
    """Return a graph in which the same roles are found, in bounded time: its texts are short, its links counted."""
    if len(graph.nodes) > _NODES:
        raise GraphError("it is larger than workflows are")
    return _Tamed({node.id: _cut(node) for node in graph.nodes.values()})


def _cut(node: Node) -> Node:
    """Return a node with texts that patterns get through quickly: a blank behind a tag costs them much."""
    inputs = {
        name: re.sub(r">[\s,]+", ">", value[:_GLANCE]) if isinstance(value, str) else value
        for name, value in node.inputs.items()
        if len(name) <= NAME_LIMIT
    }
    return replace(node, class_type=node.class_type[:NAME_LIMIT], inputs=inputs, title=node.title[:NAME_LIMIT])


_LAST_LINE = re.compile(r"^[ \t]*Steps: ?\d", re.MULTILINE)
_NEGATIVE = re.compile(r"^[ \t]*Negative prompt:", re.MULTILINE)
_SETTING = re.compile(r"""([^:,"]{1,60}):[ \t]*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)""")
_TAG = re.compile(r"<lora:([^<>:]{1,200})(?::([^<>:]{0,20}))?", re.IGNORECASE)


def _of_infotext(text: str) -> JsonObject:
    """Return the recipe in A1111's words: prompt, negative prompt, and a last line of settings that Steps begins."""
    text = text[:_INFOTEXT].replace("\r\n", "\n")
    lines = list(_LAST_LINE.finditer(text))
    if not lines:
        return {}
    words, last = text[: lines[-1].start()], text[lines[-1].start() :]
    settings = _settings(last.partition("\n")[0])
    against = _NEGATIVE.search(words)
    prompt = (words[: against.start()] if against else words).strip()
    across, _, down = settings.get("size", "").partition("x")
    return {
        "prompt": prompt,
        "negative": words[against.end() :].strip() if against else None,
        "loras": [{"name": tag[1], "model": tag[2]} for tag in _TAG.finditer(prompt)],
        "seed": settings.get("seed"),
        "width": across,
        "height": down,
        "steps": settings.get("steps"),
        "cfg": settings.get("cfg scale"),
        "sampler": settings.get("sampler"),
        "scheduler": settings.get("schedule type"),
        "models": [settings.get("model")],
    }


def _settings(line: str) -> dict[str, str]:
    """Return the values by name in lower case, the first of each; those in quotes may hold commas."""
    found: dict[str, str] = {}
    for one in _SETTING.finditer(line):
        found.setdefault(one[1].strip().lower(), _unquoted(one[2].strip()))
    return found


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def _found(source: Source, recipe: Mapping[str, Any]) -> Found:
    """Return what is usable of a recipe, whoever wrote it."""
    models = (_name(model) for model in items(recipe.get("models")))
    loras = (_lora(obj(lora)) for lora in items(recipe.get("loras"))[:LORAS])
    cfg = _number(recipe.get("cfg"), 0, CFG_LIMIT)
    return Found(
        source=source,
        prompt=_words(recipe.get("prompt")),
        negative=_words(recipe.get("negative")) or None,
        seed=_whole(recipe.get("seed"), 0, SEED_LIMIT),
        size=_size(recipe.get("width"), recipe.get("height")),
        steps=_whole(recipe.get("steps"), 1, STEPS_LIMIT),
        cfg=None if cfg is None else float(cfg),
        sampler=_name(recipe.get("sampler")),
        scheduler=_name(recipe.get("scheduler")),
        model=next((model for model in models if model), None),
        loras=tuple(dict.fromkeys(lora for lora in loras if lora)),
    )


def _words(value: object) -> str:
    return _ODD.sub("", value[: 2 * PROMPT_LIMIT]).strip()[:PROMPT_LIMIT] if isinstance(value, str) else ""


def _name(value: object) -> str | None:
    return " ".join(_words(value)[:NAME_LIMIT].split()) or None


def _lora(lora: JsonObject) -> str | None:
    name = _name(lora.get("name"))
    plain = re.sub(r"[<>:]", "", name or "").strip()
    weight = _number(lora.get("model"), -100, 100)
    return plain if not plain or weight is None else f"{plain}:{weight:g}"


def _size(width: object, height: object) -> Size | None:
    sides = _whole(width, 1, 99_999), _whole(height, 1, 99_999)
    return None if None in sides else parse_size(f"{sides[0]}x{sides[1]}")


def _whole(value: object, least: int, most: int) -> int | None:
    number = _number(value, least, most)
    return int(number) if number is not None and number == int(number) else None


def _number(value: object, least: float, most: float) -> int | float | None:
    """Return a number, also one that is written as text, if it is within bounds."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if least <= value <= most else None


def _parsed(text: str) -> int | float | None:
    plain = text.strip()
    if re.fullmatch(r"[-+]?[0-9]{1,20}", plain):
        return int(plain)
    return float(plain) if re.fullmatch(r"[-+]?[0-9]{0,10}\.[0-9]{1,20}", plain) else None


__all__ = ["BYTES", "Found", "Source", "read_metadata"]
