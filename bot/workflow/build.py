"""A graph is a pure function of (template, request, node list): typed edits on the JSON tree, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.comfy.models import NodeList
from bot.errors import RequestError
from bot.model.request import Request, Size, Value
from bot.workflow.graph import Graph, Place
from bot.workflow.lens import NEGATIVE, POSITIVE
from bot.workflow.manifest import LISTS
from bot.workflow.matching import near, resolve
from bot.workflow.options import Kind, Option, spec_of
from bot.workflow.prompt import Prompt, PromptFault, parse_prompt, plain_prompt
from bot.workflow.rewrite import rewrite
from bot.workflow.template import Template, fitting_model

PREFIX_FOLDER = "easel"
SPECIAL = frozenset({"prompt", "negative", "seed", "size", "count"})
"""Roles that have a field of their own in a request."""


def check_request(template: Template, request: Request) -> None:
    """Refuse what this template cannot do, before anybody waits for it.

    Raises:
        RequestError: no place for the negative, the size or the count; a file is missing; an option is unknown,
            out of range or not of its list; the prompt's syntax is wrong.
    """
    title = template.title
    if (asked := template.option("prompt")) is not None and asked.required and not request.prompt.strip():
        raise RequestError("refused.empty_prompt")
    if request.negative is not None and not template.roles.negative:
        raise RequestError("refused.no_negative", template=title)
    if request.size is not None and not template.roles.sizes:
        raise RequestError("refused.no_size", template=title)
    if request.count not in (None, 1) and not template.roles.batches:
        raise RequestError("refused.no_count", template=title)
    for option in template.file_options:
        if option.required and option.name not in request.files:
            raise RequestError("refused.needs_file", template=title, option=option.name)
    _check_values(template, request)
    prompts(template, request)


def _check_values(template: Template, request: Request) -> None:
    by_name = {option.name: option for option in template.options}
    for name in (*request.values, *request.files):
        if name not in by_name:
            raise RequestError("refused.no_option", template=template.title, option=name)
    for name, value in request.values.items():
        checked_value(by_name[name], value)
    if request.count is not None and (count := template.option("count")) is not None:
        checked_value(count, request.count)
    if request.size is not None and (size := template.option("size")) is not None:
        for side in (request.size.width, request.size.height):
            _within(size, side)


def checked_value(option: Option, value: Value) -> Value:
    """Return an option's value as the graph takes it.

    Raises:
        RequestError: it is out of range, or not of the list.
    """
    if option.choices is not None:
        found = resolve(str(value), option.choices)
        if found is None:
            names = ", ".join(near(str(value), option.choices)) or ", ".join(option.choices[:3])
            raise RequestError("refused.unknown_choice", option=option.name, value=value, near=names)
        return {Kind.WHOLE: int, Kind.NUMBER: float}.get(option.kind, str)(found)
    if option.kind in (Kind.WHOLE, Kind.NUMBER):
        if isinstance(value, bool | str) or (option.kind is Kind.WHOLE and value != int(value)):
            raise _out_of_range(option)
        _within(option, value)
        return _stepped(option, value)
    return value


def _within(option: Option, value: float) -> None:
    low, high = option.minimum, option.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise _out_of_range(option)


def _out_of_range(option: Option) -> RequestError:
    low = "-∞" if option.minimum is None else f"{option.minimum:g}"
    high = "∞" if option.maximum is None else f"{option.maximum:g}"
    return RequestError("refused.out_of_range", option=option.name, low=low, high=high)


def _stepped(option: Option, value: float) -> int | float:
    """Return the nearest value that the manifest's step allows."""
    if not option.step:
        return value
    start = option.minimum or 0
    nearest = round(start + round((value - start) / option.step) * option.step, 6)
    return int(nearest) if option.kind is Kind.WHOLE else nearest


def prompts(template: Template, request: Request) -> dict[str, Prompt]:
    """Return the request's prompts by role, in its style, taken apart.

    Raises:
        RequestError: their syntax is wrong.
    """
    texts: dict[str, str] = {}
    style, negative = request.style, request.negative
    asked = template.option("prompt")
    if asked is not None and (asked.required or request.prompt.strip()):
        texts[POSITIVE] = style.applied(request.prompt) if style else request.prompt  # else the file's own words stay
    if style is not None and template.roles.negative:
        negative = style.negated(negative)
    if negative is not None:
        texts[NEGATIVE] = negative
    try:
        parse = parse_prompt if template.manifest.prompt_syntax else plain_prompt
        return {role: parse(text) for role, text in texts.items()}
    except PromptFault as fault:
        raise RequestError(fault.key, **fault.facts) from fault


def check_names(found: Mapping[str, Prompt], loras: Sequence[str], embeddings: Sequence[str] | None) -> None:
    """Refuse names of LoRAs and embeddings that no server has; None: the embeddings are not known.

    Raises:
        RequestError: with near matches.
    """
    for prompt in found.values():
        for lora in prompt.loras:
            if resolve(lora.name, loras) is None:
                raise _unknown("refused.unknown_lora", lora.name, loras)
        for name in prompt.embeddings:
            if embeddings is not None and resolve(name, embeddings) is None:
                raise _unknown("refused.unknown_embedding", name, embeddings)


def _unknown(key: str, name: str, names: Sequence[str]) -> RequestError:
    alike = near(name, names)
    return RequestError(f"{key}_near" if alike else key, name=name, near=", ".join(alike))


def loras_of(node_list: NodeList) -> tuple[str, ...]:
    """Return the LoRA files that a server has."""
    class_type, name = LISTS["loras"]
    known = node_list.get(class_type)
    return (known.inputs[name].choices or ()) if known and name in known.inputs else ()


def build(
    template: Template, request: Request, node_list: NodeList, *, job_id: str, files: Mapping[str, str] | None = None
) -> Graph:
    """Put the request into the template's graph. Words go in as they are: data at a known place, never syntax of ours.

    `files` are the uploads by option, as the server named them.

    Raises:
        RequestError: see `check_request`; or no model of the server fits, or it lacks a LoRA.
    """
    check_request(template, request)
    said = prompts(template, request)
    edits: dict[Place, Any] = {}
    for option in template.options:
        if option.role not in SPECIAL and (value := request.values.get(option.name, option.default)) is not None:
            edits |= dict.fromkeys(option.places, checked_value(option, value))
        if files and option.name in files:
            edits |= dict.fromkeys(option.places, files[option.name])
    for role, prompt in said.items():
        places = template.roles.positive if role == POSITIVE else template.roles.negative
        edits |= dict.fromkeys(places, prompt.first)
    edits |= _numbers(template, request, node_list)
    chosen = template.option("model")
    for place in template.auto_models:
        if chosen is None or chosen.name not in request.values or place not in chosen.places:
            edits[place] = _model(template, place, node_list)
    graph = template.graph.with_values(edits | _prefixes(template, job_id))
    return rewrite(graph, template.roles, _named(said, loras_of(node_list)), node_list, template.title)


def _numbers(template: Template, request: Request, node_list: NodeList) -> dict[Place, Any]:
    roles = template.roles
    edits: dict[Place, Any] = {place: _seed(template, place, request.seed, node_list) for place in roles.seeds}
    if request.size is not None:
        edits |= _sizes(template, request.size)
    if request.count is not None:
        edits |= dict.fromkeys(roles.batches, request.count)
    return edits


def _sizes(template: Template, wanted: Size) -> dict[Place, int]:
    """Put the size at the first place, and at later ones in proportion: a second pass at twice the size stays one."""
    edits: dict[Place, int] = {}
    first = template.roles.sizes[0]
    for size in template.roles.sizes:
        for place, origin, side in (
            (size.width, first.width, wanted.width),
            (size.height, first.height, wanted.height),
        ):
            was, base = template.graph.value(place), template.graph.value(origin)
            numbers = isinstance(was, int | float) and isinstance(base, int | float) and base
            edits[place] = max(8, round(side * was / base / 8) * 8) if numbers and was != base else side
    return edits


def _named(said: Mapping[str, Prompt], loras: Sequence[str]) -> dict[str, Prompt]:
    """Return the prompts with their LoRAs called as the server calls them."""
    check_names(said, loras, None)
    return {
        role: replace(
            prompt, loras=tuple(replace(lora, name=resolve(lora.name, loras) or lora.name) for lora in prompt.loras)
        )
        for role, prompt in said.items()
    }


def frame_nodes(graph: Graph, outputs: tuple[str, ...]) -> frozenset[str]:
    """Return the output nodes that send their pictures over the socket."""
    return frozenset(node for node in outputs if "websocket" in graph.nodes[node].kind)


def _seed(template: Template, place: Place, seed: int, node_list: NodeList) -> int:
    """Return the seed as a node takes it: some count only to 2^32."""
    spec = spec_of(template.graph, place, node_list)
    if spec is None or spec.maximum is None or seed <= spec.maximum:
        return seed
    return seed % (int(spec.maximum) + 1)


def _model(template: Template, place: Place, node_list: NodeList) -> str:
    name = fitting_model(template, place, node_list)
    if name is None:
        raise RequestError("refused.no_model", template=template.title)
    return name


def _prefixes(template: Template, job_id: str) -> dict[Place, str]:
    """Give every saved file a name of this job's own: counters and caches of others never meet it (facts G13)."""
    graph = template.graph
    return {
        Place(node, name): f"{PREFIX_FOLDER}/{job_id}"
        for node in template.roles.outputs
        for name in ("filename_prefix", "save_prefix")
        if name in graph.nodes[node].inputs
    }
