"""Building graphs by class and name: outputs are found by type or name in the node list, never by a remembered slot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.comfy.models import NodeClass, NodeList
from bot.workflow.graph import Graph, GraphError, Link, Node


@dataclass(frozen=True, slots=True)
class Made:
    """A node that was added; what it gives is asked for by type or name."""

    id: str
    kind: NodeClass

    def out(self, wanted: str) -> Link:
        """Return the link to an output, by its type (`MODEL`), else by its name.

        Raises:
            GraphError: the node has no such output.
        """
        slot = self.kind.slot(wanted)
        if slot is None:
            raise GraphError(f"{self.kind.name} has no output {wanted}, only {', '.join(self.kind.outputs) or 'none'}")
        return Link(self.id, slot)


class GraphBuilder:
    """Adds nodes to a graph, new or given. The same calls give the same graph: ids are counted, nothing is drawn."""

    def __init__(self, node_list: NodeList, graph: Graph | None = None, *, prefix: str = "") -> None:
        self._node_list = node_list
        self._nodes: dict[str, Node] = dict(graph.nodes) if graph else {}
        self._prefix, self._count = prefix, 0

    def node(self, class_type: str, /, title: str = "", **inputs: Any) -> Made:
        """Add a node of any class; inputs left out get the server's default.

        Raises:
            GraphError: the server has no such class, or it has no such input, or a required one is missing.
        """
        known = self.known(class_type)
        for name in inputs:
            if name not in known.inputs:
                raise GraphError(f"{class_type} has no input {name}, only {', '.join(known.inputs) or 'none'}")
        values: dict[str, Any] = {}
        for name, spec in known.inputs.items():
            if name in inputs:
                values[name] = inputs[name]
            elif spec.default is not None:
                values[name] = spec.default
            elif spec.choices and spec.required:
                values[name] = spec.choices[0]
            elif spec.required:
                raise GraphError(f"{class_type} needs its input {name}")
        return self._added(known, values, title)

    def copy(self, node_id: str, edits: Mapping[str, Any]) -> str:
        """Add a copy of a node with some inputs changed; return its id."""
        source = self._nodes[node_id]
        made = Node(self._new_id(), source.class_type, {**source.inputs, **_plain(edits)}, source.title)
        self._nodes[made.id] = made
        return made.id

    def change(self, node_id: str, edits: Mapping[str, Any]) -> None:
        """Change inputs of a node."""
        source = self._nodes[node_id]
        self._nodes[node_id] = Node(source.id, source.class_type, {**source.inputs, **_plain(edits)}, source.title)

    def rewire(self, old: Link, new: Link, users: Iterable[str]) -> None:
        """Let nodes take one output where they took another."""
        for user in list(users):
            node = self._nodes[user]
            edits = {name: new for name, value in node.inputs.items() if value in ([*old], old)}
            if edits:
                self.change(user, edits)

    def known(self, class_type: str) -> NodeClass:
        """Return a class of the node list.

        Raises:
            GraphError: the server does not have it.
        """
        found = self._node_list.get(class_type)
        if found is None:
            raise GraphError(f"the server has no node {class_type}")
        return found

    def graph(self) -> Graph:
        """Return the graph as it is now."""
        return Graph(dict(self._nodes))

    def _added(self, known: NodeClass, values: Mapping[str, Any], title: str) -> Made:
        made = Node(self._new_id(), known.name, _plain(values), title)
        self._nodes[made.id] = made
        return Made(made.id, known)

    def _new_id(self) -> str:
        while True:
            self._count += 1
            if (new := f"{self._prefix}{self._count}") not in self._nodes:
                return new


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Links as JSON has them."""
    return {name: [*value] if isinstance(value, Link) else value for name, value in inputs.items()}
