"""POST /prompt's checks, with the real server's error objects (facts §4)."""

from collections.abc import Callable
from typing import Any

from bot.sandbox.comfyui.nodes import OBJECT_INFO

Graph = dict[str, Any]
Fault = dict[str, Any]

_LONG_LIST = 20


class Invalid(Exception):
    """The graph is refused; `error` and `node_errors` are the body of the 400."""

    def __init__(self, error: Fault, node_errors: dict[str, Any] | None = None) -> None:
        super().__init__(error["type"])
        self.body = {"error": error, "node_errors": node_errors or {}}


def fault(kind: str, message: str, details: str, extra: dict[str, Any] | None = None) -> Fault:
    """Build an error object."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra or {}}


class Validation:
    """One graph under check. `files` tells whether an input picture exists."""

    def __init__(self, graph: Any, has_file: Callable[[str], bool], info: dict[str, Any] = OBJECT_INFO) -> None:
        self.graph = graph
        self._info = info
        self._has_file = has_file
        self.faults: dict[str, list[Fault]] = {}
        self._verdicts: dict[str, bool] = {}
        self._path: list[str] = []

    def outputs(self, targets: list[str] | None) -> list[str]:
        """Return the output nodes to run.

        Raises:
            Invalid: a node of an unknown class, or no output node.
            TypeError, AttributeError: the graph is no graph; the real server answers that with a 500.
        """
        if not isinstance(self.graph, dict):
            raise TypeError("the prompt is no object")
        chosen: list[str] = []
        for node_id, node in self.graph.items():
            if not isinstance(node, dict):
                raise TypeError("a node is no object")
            name = node.get("class_type")
            if name not in self._info:
                title = node.get("_meta", {}).get("title", name)
                raise Invalid(
                    fault(
                        "missing_node_type",
                        f"Node '{title}' not found. The custom node may not be installed.",
                        f"Node ID '#{node_id}'",
                        {"node_id": node_id, "class_type": name, "node_title": title},
                    )
                )
            if self._info[name]["output_node"] and (targets is None or node_id in targets):
                chosen.append(node_id)
        if not chosen:
            raise Invalid(fault("prompt_no_outputs", "Prompt has no outputs", ""))
        return chosen

    def run(self, targets: list[str] | None) -> tuple[list[str], dict[str, Any]]:
        """Return the valid outputs, and the node errors of the others.

        Raises:
            Invalid: no output is valid.
        """
        chosen = self.outputs(targets)
        node_errors: dict[str, Any] = {}
        good: list[str] = []
        for output in chosen:
            self._verdicts.clear()
            self._path.clear()
            if self._valid(output):
                good.append(output)
                continue
            for node_id, found in self.faults.items():
                class_type = self.graph[node_id]["class_type"]
                entry = {"errors": found, "dependent_outputs": [], "class_type": class_type}
                node_errors.setdefault(node_id, entry)["dependent_outputs"].append(output)
            self.faults = {}
        if not good:
            details = "\n".join(
                f"* {name} {output}: {found['details']}"
                for output in chosen
                if output in node_errors
                for name in [self.graph[output]["class_type"]]
                for found in node_errors[output]["errors"]
            )
            message = "Prompt outputs failed validation"
            raise Invalid(fault("prompt_outputs_failed_validation", message, details), node_errors)
        return good, node_errors

    def _valid(self, node_id: str) -> bool:
        if node_id in self._verdicts:
            return self._verdicts[node_id]
        if node_id in self._path:
            cycle = self._path[self._path.index(node_id) :]
            self._add(node_id, fault("dependency_cycle", "Dependency cycle detected", "", {"cycle_nodes": cycle}))
            return False
        self._path.append(node_id)
        node, found, sources_valid = self.graph[node_id], list[Fault](), True
        declared = self._info[node["class_type"]]["input"]
        for name, spec in declared.get("required", {}).items():
            if name not in node.get("inputs", {}):
                found.append(fault("required_input_missing", "Required input is missing", name, {"input_name": name}))
                continue
            value = node["inputs"][name]
            if isinstance(value, list):
                sources_valid &= self._link(name, spec, value, found)
            else:
                self._value(node, name, spec, value, found)
        self._path.pop()
        for one in found:
            self._add(node_id, one)
        self._verdicts[node_id] = sources_valid and not found and node_id not in self.faults
        return self._verdicts[node_id]

    def _add(self, node_id: str, one: Fault) -> None:
        self.faults.setdefault(node_id, []).append(one)

    def _link(self, name: str, spec: list[Any], value: list[Any], found: list[Fault]) -> bool:
        extra = {"input_name": name, "input_config": spec, "received_value": value}
        if len(value) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            found.append(fault("bad_linked_input", message, name, extra))
            return True
        source, slot = value
        try:
            received = self._info[self.graph[source]["class_type"]]["output"][slot]
        except (KeyError, IndexError) as broken:
            kind = type(broken).__name__
            found.append(
                fault(
                    "exception_during_validation",
                    "Exception when validating node",
                    str(broken),
                    {"exception_type": kind, "traceback": []},
                )
            )
            return True
        if received != spec[0] and spec[0] != "*":
            details = f"{name}, received_type({received}) mismatch input_type({spec[0]})"
            found.append(
                fault(
                    "return_type_mismatch",
                    "Return type mismatch between linked nodes",
                    details,
                    {"input_name": name, "input_config": spec, "received_type": received, "linked_node": value},
                )
            )
            return True
        return self._valid(source)

    def _value(self, node: Graph, name: str, spec: list[Any], value: Any, found: list[Fault]) -> None:
        if isinstance(value, dict) and "__value__" in value:
            value = value["__value__"]
        if node["class_type"] in ("LoadImage", "LoadImageMask") and name == "image":
            if not self._has_file(str(value)):
                details = f"{name} - Invalid image file: {value}"
                found.append(
                    fault(
                        "custom_validation_failed", "Custom validation failed for node", details, {"input_name": name}
                    )
                )
            return
        extra: dict[str, Any] = {"input_name": name, "input_config": spec, "received_value": value}
        try:
            value = _coerced(spec[0], value)
        except (TypeError, ValueError) as wrong:
            message = f"Failed to convert an input value to a {spec[0]} value"
            found.append(
                fault(
                    "invalid_input_type",
                    message,
                    f"{name}, {value}, {wrong}",
                    {**extra, "exception_message": str(wrong)},
                )
            )
            return
        node["inputs"][name] = value
        extra["received_value"] = value
        found.extend(_out_of_range(name, spec, value, extra))
        choices = spec[0] if isinstance(spec[0], list) else spec[1].get("options") if spec[0] == "COMBO" else None
        if choices is not None and value not in choices:
            listed = str(choices) if len(choices) <= _LONG_LIST else f"(list of length {len(choices)})"
            extra["input_config"] = spec if len(choices) <= _LONG_LIST else None
            found.append(fault("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {listed}", extra))


def _coerced(kind: Any, value: Any) -> Any:
    if kind == "INT":
        return int(value)
    if kind == "FLOAT":
        return float(value)
    if kind == "STRING":
        return str(value)
    return value


def _out_of_range(name: str, spec: list[Any], value: Any, extra: dict[str, Any]) -> list[Fault]:
    limits = spec[1] if len(spec) > 1 else {}
    found: list[Fault] = []
    if "min" in limits and value < limits["min"]:
        message = f"Value {value} smaller than min of {limits['min']}"
        found.append(fault("value_smaller_than_min", message, name, extra))
    if "max" in limits and value > limits["max"]:
        message = f"Value {value} bigger than max of {limits['max']}"
        found.append(fault("value_bigger_than_max", message, name, extra))
    return found
