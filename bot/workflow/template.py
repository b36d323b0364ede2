"""Templates: `NAME.json` (API format) and, if wanted, `NAME.toml` (manifest) in one folder."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.comfy.models import NodeList
from bot.workflow.graph import Graph, GraphError, Place, read_graph
from bot.workflow.roles import Roles, trace

_FILE_LIMIT = 8 * 2**20


class Manifest(BaseModel):
    """What tracing cannot know. Everything is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    title: str | None = Field(default=None, max_length=80)
    description: str | None = Field(default=None, max_length=200)
    model: Literal["auto"] | None = None
    """`auto`: put in the first fitting model that the server lists."""
    model_fits: tuple[str, ...] = ()
    """Parts of file names, one of which a fitting model has (any case); none given: every model fits."""
    model_avoids: tuple[str, ...] = ()
    """Parts of file names that a fitting model does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A stored workflow, its roles and its manifest; `name` is the file's, without its ending."""

    name: str
    graph: Graph
    roles: Roles
    manifest: Manifest

    @property
    def title(self) -> str:
        """What members see."""
        return self.manifest.title or self.name

    @property
    def auto_models(self) -> tuple[Place, ...]:
        """The places that `model = "auto"` fills: checkpoints, or failing those the file of every loader."""
        if self.manifest.model != "auto":
            return ()
        nodes = self.graph.nodes
        others = (
            Place(node, name)
            for node in sorted(self.roles.live)
            for name, value in nodes[node].inputs.items()
            if "loader" in nodes[node].kind and name.endswith("_name") and isinstance(value, str)
        )
        return self.roles.models or tuple(others)

    @property
    def takes_words_only(self) -> bool:
        """Whether a prompt is all it needs: there is a place for one, and no picture must be brought."""
        return bool(self.roles.positive) and not self.roles.images and not self.roles.masks


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFault:
    """A file that is no template, and why, in an operator's words."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """All templates of a folder by name, in order of name."""

    by_name: Mapping[str, Template]
    faults: tuple[TemplateFault, ...] = ()


def load_templates(folder: Path) -> Templates:
    """Read a folder; a faulty file is told in `faults` and takes nobody else with it."""
    found: dict[str, Template] = {}
    faults: list[TemplateFault] = []
    if not folder.is_dir():
        return Templates(by_name={}, faults=(TemplateFault(file=str(folder), reason="there is no such folder"),))
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = load_template(path)
        except GraphError as fault:
            faults.append(TemplateFault(file=path.name, reason=str(fault)))
        except RecursionError:
            faults.append(TemplateFault(file=path.name, reason="its nodes are chained deeper than Easel can follow"))
    return Templates(by_name=found, faults=tuple(faults))


def load_template(path: Path) -> Template:
    """Read one workflow file and the manifest beside it.

    Raises:
        GraphError: the file cannot be read, is no graph, or its manifest is faulty.
    """
    try:
        if not path.is_file():
            raise GraphError("it is no file")
        if path.stat().st_size > _FILE_LIMIT:
            raise GraphError("the file is larger than any workflow")
        graph = read_graph(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise GraphError(f"it cannot be read ({type(fault).__name__})") from None
    return Template(name=path.stem, graph=graph, roles=trace(graph), manifest=_manifest(path.with_suffix(".toml")))


def _manifest(path: Path) -> Manifest:
    if not path.is_file():
        return Manifest()
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise GraphError(f"{path.name}: {fault}") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise GraphError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def fitting_model(template: Template, place: Place, node_list: NodeList) -> str | None:
    """Return the first model of the server's list that fits the manifest, or None."""
    node = template.graph.nodes[place.node]
    known = node_list.get(node.class_type)
    spec = known.inputs.get(place.input) if known else None
    manifest = template.manifest
    for name in (spec.choices if spec else None) or ():
        low = name.lower()
        fits = not manifest.model_fits or any(part.lower() in low for part in manifest.model_fits)
        if fits and not any(part.lower() in low for part in manifest.model_avoids):
            return name
    return None


def _is_output(class_type: str, node_list: NodeList) -> bool:
    known = node_list.get(class_type)
    return known is not None and known.output_node


def value_missing(value: object, choices: tuple[str, ...]) -> bool:
    """Tell whether a literal is not among a list's choices."""
    return isinstance(value, str) and value not in choices


def problems(template: Template, node_list: NodeList) -> tuple[str, ...]:
    """Return what a server lacks to run a template, in an operator's words; empty means that it can."""
    found: list[str] = []
    roles = template.roles
    auto = set(template.auto_models)
    brought = {*roles.images, *roles.masks}
    graph = template.graph
    run = graph.upstream([one.id for one in graph.nodes.values() if _is_output(one.class_type, node_list)])
    for node in graph.nodes.values():
        known = node_list.get(node.class_type)
        if known is None:  # the server refuses the whole graph for it, used or not
            found.append(f"missing node {node.class_type}")
            continue
        if node.id not in run:
            continue
        for name, value in node.inputs.items():
            place, spec = Place(node.id, name), known.inputs.get(name)
            if place in auto:
                if fitting_model(template, place, node_list) is None:
                    found.append(f"no fitting model for {name} of {node.class_type}")
            elif spec and spec.choices is not None and place not in brought and value_missing(value, spec.choices):
                found.append(f"missing {name} {value!r} ({node.class_type})")
    if not roles.outputs:
        found.append("no output node")
    return tuple(dict.fromkeys(found))
