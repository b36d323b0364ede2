"""Can a server run a graph? Node classes, models, inputs and values against its node list, before anybody waits."""

from collections.abc import Iterator

from bot.comfy.models import InputSpec, NodeList
from bot.workflow.graph import Graph, Node, Place, shown
from bot.workflow.template import Template, fitting_model, unlisted


def problems(template: Template, node_list: NodeList) -> tuple[str, ...]:
    """Return what a server lacks to run a template, in an operator's words; empty means that it can."""
    found: list[str] = []
    if not template.roles.outputs:
        found.append("no output node")
    auto = set(template.auto_models)
    classes = {place: template.graph.nodes[place.node].class_type for place in auto}
    found += [
        f"no fitting model for {place.input} of {class_type}"
        for place, class_type in sorted(classes.items())
        if class_type in node_list and fitting_model(template, place, node_list) is None
    ]
    found += graph_problems(template.graph, node_list, template.brought | auto)
    return tuple(dict.fromkeys(found))


def graph_problems(graph: Graph, node_list: NodeList, brought: frozenset[Place] | set[Place]) -> tuple[str, ...]:
    """Return what is wrong with a graph on a server; places that a request fills are not looked at."""
    found: list[str] = []
    ends = [node.id for node in graph.nodes.values() if (known := node_list.get(node.class_type)) and known.output_node]
    run = graph.upstream(ends)
    for node in graph.nodes.values():
        if node.class_type not in node_list:  # the server refuses the whole graph for it, used or not
            found.append(f"missing node {shown(node.class_type)}")
        elif node.id in run:
            found += _node_problems(graph, node, node_list, brought)
    return tuple(dict.fromkeys(found))


def _node_problems(
    graph: Graph, node: Node, node_list: NodeList, brought: frozenset[Place] | set[Place]
) -> Iterator[str]:
    known = node_list[node.class_type]
    for name, spec in known.inputs.items():
        if name not in node.inputs:
            if spec.required and not _is_dynamic(node, name, spec):
                yield f"missing input {name} ({node.class_type})"
            continue
        value = node.inputs[name]
        if Place(node.id, name) in brought:
            continue
        if (link := graph.link(value)) is not None:
            if (clash := _clash(graph, link.node, link.slot, spec, node_list)) is not None:
                yield f"{name} of {node.class_type} is linked to {clash}"
        elif spec.choices is not None and not spec.uploaded:
            if (absent := unlisted(value, spec.choices)) is not None:
                yield f"missing {name} {absent[:80]!r} ({node.class_type})"
        elif (fault := _number_fault(value, spec)) is not None:
            yield f"{name} {fault} ({node.class_type})"


def _is_dynamic(node: Node, name: str, spec: InputSpec) -> bool:
    """Inputs that grow or depend on others stand in a graph as `name.part`."""
    return spec.type.startswith("COMFY_") or any(other.startswith(f"{name}.") for other in node.inputs)


def _clash(graph: Graph, source: str, slot: int, spec: InputSpec, node_list: NodeList) -> str | None:
    known = node_list.get(graph.nodes[source].class_type)
    if known is None:
        return None
    if not 0 <= slot < len(known.outputs):
        return f"output {slot} of {known.name}, which has {len(known.outputs)}"
    given, wanted = set(known.outputs[slot].split(",")), set(spec.type.split(","))
    if given & wanted or {"*", "", "COMBO"} & (given | wanted) or spec.type.startswith("COMFY_"):
        return None
    return f"a {known.outputs[slot]}, and wants a {spec.type}"


def _number_fault(value: object, spec: InputSpec) -> str | None:
    if spec.type not in ("INT", "FLOAT") or isinstance(value, dict):
        return None
    try:
        number = float(value)  # pyright: ignore[reportArgumentType] - what cannot be converted is the point
    except (TypeError, ValueError):
        return f"{str(value)[:80]!r} is no number"
    if spec.minimum is not None and number < spec.minimum:
        return f"{number:g} is below {spec.minimum:g}"
    if spec.maximum is not None and number > spec.maximum:
        return f"{number:g} is above {spec.maximum:g}"
    return None
