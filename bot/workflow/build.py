"""A graph is a pure function of (template, request, node list): typed edits on the JSON tree, nothing else."""

from typing import Any

from bot.comfy.models import NodeList
from bot.errors import RequestError
from bot.model.request import Request
from bot.workflow.graph import Graph, Place
from bot.workflow.template import Template, fitting_model

PREFIX_FOLDER = "easel"


def check_request(template: Template, request: Request) -> None:
    """Refuse what this template cannot do, before anybody waits for it.

    Raises:
        RequestError: no place for the words, the negative, the size or the count.
    """
    roles, title = template.roles, template.title
    if not template.takes_words_only:
        raise RequestError("refused.template_needs_more", template=title)
    if request.negative is not None and not roles.negative:
        raise RequestError("refused.no_negative", template=title)
    if request.size is not None and not roles.sizes:
        raise RequestError("refused.no_size", template=title)
    if request.count not in (None, 1) and not roles.batches:
        raise RequestError("refused.no_count", template=title)


def build(template: Template, request: Request, node_list: NodeList, *, job_id: str) -> Graph:
    """Put the request into the template's graph. Words go in as they are: data at a known place, never syntax.

    Raises:
        RequestError: see `check_request`; or no model of the server fits.
    """
    check_request(template, request)
    roles = template.roles
    edits: dict[Place, Any] = dict.fromkeys(roles.positive, request.prompt)
    edits |= {place: _seed(template, place, request.seed, node_list) for place in roles.seeds}
    if request.negative is not None:
        edits |= dict.fromkeys(roles.negative, request.negative)
    if request.size is not None:
        for size in roles.sizes:
            edits |= {size.width: request.size.width, size.height: request.size.height}
    if request.count is not None:
        edits |= dict.fromkeys(roles.batches, request.count)
    for place in template.auto_models:
        edits[place] = _model(template, place, node_list)
    return template.graph.with_values(edits | _prefixes(template, job_id))


def frame_nodes(graph: Graph, outputs: tuple[str, ...]) -> frozenset[str]:
    """Return the output nodes that send their pictures over the socket."""
    return frozenset(node for node in outputs if "websocket" in graph.nodes[node].kind)


def _seed(template: Template, place: Place, seed: int, node_list: NodeList) -> int:
    """Return the seed as a node takes it: some count only to 2^32."""
    known = node_list.get(template.graph.nodes[place.node].class_type)
    spec = known.inputs.get(place.input) if known else None
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
        Place(node, "filename_prefix"): f"{PREFIX_FOLDER}/{job_id}"
        for node in template.roles.outputs
        if "filename_prefix" in graph.nodes[node].inputs
    }
