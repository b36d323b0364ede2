"""The editor's own format → a graph, by comfy-cli's converter: an optional extra, since its licence is the GPL."""

import importlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

from bot.model.jsontree import JsonObject
from bot.workflow.graph import Graph, GraphError, parse_graph, shown

EXTRA = "ui-workflows"
ADVICE = (
    "this is the editor's own format; in ComfyUI open the workflow, choose Workflow → Export (API) and put that file "
    f"here, or let Easel convert it: uv sync --extra {EXTRA}"
)


def converter() -> Callable[[JsonObject, JsonObject], JsonObject] | None:
    """Return comfy-cli's converter (workflow, node list) → API format, or None where it is not installed."""
    try:
        module = importlib.import_module("comfy_cli.workflow_to_api")
    except ImportError:
        return None
    logging.getLogger("comfy_cli").propagate = False  # what matters of its remarks is in what it makes, or in errors
    logging.getLogger("comfy_cli").setLevel(logging.CRITICAL)
    return cast("Callable[[JsonObject, JsonObject], JsonObject]", module.convert_ui_to_api)


def converted(tree: JsonObject, object_info: Mapping[str, Any]) -> Graph:
    """Return the graph of a workflow in the editor's format, with a server's node list as the server gave it.

    Raises:
        GraphError: the extra is missing, or the converter or the result is at fault.
    """
    convert = converter()
    if convert is None:
        raise GraphError(ADVICE)
    try:
        made = convert(tree, dict(object_info))
    except RecursionError:
        raise GraphError("this is nested too deeply to be a workflow") from None
    except Exception as fault:
        raise GraphError(
            f"the editor's format could not be converted ({type(fault).__name__}: {str(fault)[:200]})"
        ) from fault
    graph = parse_graph(made)
    if unknown := sorted({node.class_type for node in graph.nodes.values()} - object_info.keys()):
        listed = ", ".join(map(shown, unknown[:8])) + (" …" if len(unknown) > 8 else "")
        raise GraphError(f"the server lacks nodes of it, so their settings cannot be read: {listed}")
    return graph
