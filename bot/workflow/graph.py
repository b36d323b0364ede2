"""A graph is a value: node id → class and inputs. Edits return a new graph; text is never templated into JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from bot.errors import EaselError
from bot.model.jsontree import JsonObject, is_list, is_object, obj, text

_WRAPPERS = ("prompt", "workflow", "input", "workflow_json", "workflowApiJSON", "workflows", "tests", "output")
_WRAP_DEPTH = 6


class GraphError(EaselError):
    """A file is not a graph that can run. Fact: reason, in an operator's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, reason=reason)


class UiFormat(GraphError):
    """A workflow in the editor's own format; `tree` is what the converter takes."""

    def __init__(self, tree: JsonObject) -> None:
        super().__init__("this is the editor's own format; in ComfyUI choose Workflow → Export (API)")
        self.tree = tree


class Place(NamedTuple):
    """One input of one node."""

    node: str
    input: str


class Link(NamedTuple):
    """An input's value that is another node's output."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node; `inputs` hold literals and links as the file has them."""

    id: str
    class_type: str
    inputs: Mapping[str, Any]
    title: str

    @property
    def kind(self) -> str:
        """The class name in lower case, for rules that go by parts of names."""
        return self.class_type.lower()


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id, in the file's order."""

    nodes: Mapping[str, Node]

    def link(self, value: object) -> Link | None:
        """Return the link that an input's value is, or None for a literal."""
        if is_list(value) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
            return Link(value[0], value[1]) if value[0] in self.nodes else None
        return None

    def links(self, node: Node) -> Iterator[tuple[str, Link]]:
        """Yield the linked inputs of a node."""
        for name, value in node.inputs.items():
            if (link := self.link(value)) is not None:
                yield name, link

    def value(self, place: Place) -> Any:
        """Return what stands at a place, or None."""
        node = self.nodes.get(place.node)
        return node.inputs.get(place.input) if node else None

    def upstream(self, starts: Iterator[str] | list[str] | tuple[str, ...]) -> frozenset[str]:
        """Return the given nodes and all that they depend on."""
        seen: set[str] = set()
        todo = list(starts)
        while todo:
            node_id = todo.pop()
            if node_id not in seen and node_id in self.nodes:
                seen.add(node_id)
                todo.extend(link.node for _, link in self.links(self.nodes[node_id]))
        return frozenset(seen)

    def with_values(self, edits: Mapping[Place, Any]) -> "Graph":
        """Return a copy with values put at places.

        Raises:
            GraphError: a place is not in the graph; an edit never adds nodes.
        """
        nodes = dict(self.nodes)
        for place, value in edits.items():
            node = nodes.get(place.node)
            if node is None:
                raise GraphError(f"there is no node {place.node}")
            nodes[place.node] = Node(node.id, node.class_type, {**node.inputs, place.input: value}, node.title)
        return Graph(nodes)

    def to_api(self) -> JsonObject:
        """Return the JSON tree that POST /prompt takes."""
        return {
            node.id: {
                "class_type": node.class_type,
                "inputs": dict(node.inputs),
                **({"_meta": {"title": node.title}} if node.title else {}),
            }
            for node in self.nodes.values()
        }


def read_graph(source: str) -> Graph:
    """Read an API-format workflow, also one wrapped in another tool's envelope.

    Raises:
        GraphError: not JSON, the UI format, a node without a class, a link that leads nowhere, or no graph at all.
    """
    try:
        tree: object = json.loads(source.removeprefix("\ufeff"))
    except ValueError as fault:
        hint = "; placeholders must stand inside quotes" if "{{" in source or "__" in source else ""
        raise GraphError(f"this is not JSON ({fault}){hint}") from None
    except RecursionError:
        raise GraphError("this is nested too deeply to be a workflow") from None
    return parse_graph(tree)


def parse_graph(tree: object) -> Graph:
    """Return the graph in a parsed JSON tree; see `read_graph`."""
    found = _unwrapped(tree, _WRAP_DEPTH)
    if found is None:
        if (drawn := _ui_tree(tree)) is not None:
            raise UiFormat(drawn)
        raise GraphError("there is no workflow in this file: nodes with class_type and inputs were expected")
    linked = _linked(found)
    nodes = {
        node_id: _node(node_id, entry) for node_id, entry in found.items() if _is_node_like(node_id, entry, linked)
    }
    graph = Graph(nodes)
    for node in nodes.values():
        _refuse_dangling(graph, node)
    return graph


def shown(name: str) -> str:
    """Return a name of a file's for a message: on one line, and not too long."""
    return " ".join(name.split())[:80]


def _is_node_like(node_id: str, entry: object, linked: frozenset[str]) -> bool:
    """Tell a node, also one that lost its class, from a remark: that has a name, and no links."""
    if not is_object(entry) or "class_type" in entry:
        return is_object(entry)
    inputs = entry.get("inputs")
    if not is_object(inputs) or node_id.startswith(("_", "#", "/")):
        return False
    return node_id.isdecimal() or node_id in linked or any(_looks_linked(value) for value in inputs.values())


def _looks_linked(value: object) -> TypeGuard[list[Any]]:
    return is_list(value) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def _linked(tree: JsonObject) -> frozenset[str]:
    """Return the ids that links lead to."""
    nodes = (obj(obj(entry).get("inputs")) for entry in tree.values())
    return frozenset(value[0] for inputs in nodes for value in inputs.values() if _looks_linked(value))


def _node(node_id: str, entry: JsonObject) -> Node:
    if not text(entry.get("class_type")):
        missing = "a custom node was missing when the file was exported"
        raise GraphError(f"node {shown(node_id)} has no class_type: {missing}")
    return Node(node_id, entry["class_type"], obj(entry.get("inputs")), text(obj(entry.get("_meta")).get("title")))


def _refuse_dangling(graph: Graph, node: Node) -> None:
    for name, value in node.inputs.items():
        if _looks_linked(value) and value[0] not in graph.nodes:
            source = f"node {shown(value[0])}, which is not in the file"
            raise GraphError(f"input {shown(name)} of node {shown(node.id)} is linked to {source}")


def _ui_tree(tree: object) -> JsonObject | None:
    """Return the workflow in the editor's format that is in a file, if there is one."""
    if is_list(tree):
        return next((found for part in tree if (found := _ui_tree(part))), None)
    if not is_object(tree):
        return None
    if is_list(tree.get("nodes")):
        return tree
    return next((found for key in _WRAPPERS if (found := _ui_tree(tree.get(key)))), None)


def _unwrapped(tree: object, depth: int) -> JsonObject | None:
    """Find the first object whose values are nodes, looking into the envelopes that other tools use."""
    if depth == 0:
        return None
    if isinstance(tree, str) and tree.lstrip().startswith("{"):
        try:
            return _unwrapped(json.loads(tree), depth - 1)
        except (ValueError, RecursionError):
            return None
    if is_list(tree):
        return next((found for part in tree if (found := _unwrapped(part, depth - 1))), None)
    if not is_object(tree):
        return None
    if any(is_object(entry) and "class_type" in entry for entry in tree.values()):
        return tree
    return next((found for key in _WRAPPERS if key in tree and (found := _unwrapped(tree[key], depth - 1))), None)


__all__ = ["Graph", "GraphError", "Link", "Node", "Place", "UiFormat", "parse_graph", "read_graph", "shown"]
