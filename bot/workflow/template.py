"""Templates: `NAME.json` (API format) and, if wanted, `NAME.toml` (manifest) in one folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.comfy.models import NodeList
from bot.workflow.graph import Graph, GraphError, Place, read_graph
from bot.workflow.manifest import Manifest, is_name, read_manifest, told
from bot.workflow.options import FILES, Kind, Option, fixed_places, options_of, spec_of, taken_kind
from bot.workflow.roles import Roles, SizePlace, trace
from bot.workflow.sense import manifest_faults

_FILE_LIMIT = 8 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A stored workflow, its roles, its manifest and its options; `name` is the file's, without its ending."""

    name: str
    graph: Graph
    roles: Roles
    manifest: Manifest
    options: tuple[Option, ...] = ()

    @property
    def title(self) -> str:
        """What members see, in English."""
        return self.title_in("en")

    def title_in(self, language: str) -> str:
        """What members see, in a language (`ja`) or locale (`en-GB`) if the manifest has it."""
        titles = self.manifest.title
        return (
            titles.get(language)
            or titles.get(language.partition("-")[0])
            or titles.get("en")
            or next(iter(titles.values()), self.name)
        )

    @property
    def command(self) -> str | None:
        """The name of its slash command; None if it has none of its own."""
        if self.manifest.command is False:
            return None
        if isinstance(self.manifest.command, str):
            return self.manifest.command
        made = re.sub(r"[^-_\w]+", "-", self.name.lower()).strip("-")[:32]
        return made if is_name(made) else None

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
    def brought(self) -> frozenset[Place]:
        """The places that every request fills, so that what the file has there does not matter."""
        roles = self.roles
        options = [place for one in self.options if one.required or one.default is not None for place in one.places]
        return frozenset((*roles.seeds, *roles.images, *roles.masks, *roles.videos, *roles.sounds, *options))

    def option(self, role: str) -> Option | None:
        """Return the option of a role."""
        return next((option for option in self.options if option.role == role), None)

    @property
    def required(self) -> tuple[Option, ...]:
        """The options that must be given."""
        return tuple(option for option in self.options if option.required)

    @property
    def takes(self) -> Kind | None:
        """The kind of file that it works on; None if it needs none, or more than one."""
        return taken_kind(self.options)

    @property
    def file_options(self) -> tuple[Option, ...]:
        """The options that take a file."""
        return tuple(option for option in self.options if option.kind in FILES)


RESERVED = frozenset(
    {
        *("imagine", "queue", "cancel", "help", "recipe", "history", "gallery", "stats", "enhance", "quota", "appeal"),
        *("privacy", "mydata", "settings", "words", "mod", "server", "models"),
    }
)
"""Names of Easel's own commands."""

COMMANDS = 80
"""Templates with a command of their own; Discord takes 100 commands, the rest are Easel's."""


def claims(
    templates: Sequence[Template], taken: frozenset[str] = RESERVED
) -> tuple[dict[str, Template], dict[str, str]]:
    """Return templates by command, and by template why one has none. Who is called so by its file comes first."""
    found: dict[str, Template] = {}
    left: dict[str, str] = {}
    for template in sorted(templates, key=lambda one: (one.command != one.name.lower(), one.name)):
        name = template.command
        if name is None:
            continue
        if name in taken or name in found:
            by = f"template {found[name].name}" if name in found else "Easel itself"
            left[template.name] = f'the command /{name} is taken by {by}; set command = "…" in {template.name}.toml'
        elif len(found) >= COMMANDS:
            left[template.name] = f"only {COMMANDS} templates can have a command of their own; /imagine has them all"
        else:
            found[name] = template
    return found, left


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
    return Templates(by_name=found, faults=tuple(faults))


def load_template(path: Path) -> Template:
    """Read one workflow file and the manifest beside it.

    Raises:
        GraphError: the file cannot be read, is no graph, or its manifest is faulty.
    """
    return make_template(path.stem, read_workflow(path), path.with_suffix(".toml"))


def read_workflow(path: Path) -> Graph:
    """Read a workflow file; raises GraphError if it cannot be read or is no graph."""
    try:
        if not path.is_file():
            raise GraphError("it is no file")
        if path.stat().st_size > _FILE_LIMIT:
            raise GraphError("the file is larger than any workflow")
        return read_graph(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise GraphError(f"it cannot be read ({type(fault).__name__})") from None


def make_template(name: str, graph: Graph, manifest_path: Path) -> Template:
    """Return the template of a graph and the manifest at a path; raises GraphError if the manifest is faulty."""
    manifest, source = read_manifest(manifest_path)
    if faults := manifest_faults(graph, trace(graph), manifest):
        raise GraphError(told(manifest_path.name, source, faults))
    return equipped(Template(name=name, graph=_fixed(graph, manifest), roles=Roles(), manifest=manifest), ())


def _fixed(graph: Graph, manifest: Manifest) -> Graph:
    values: dict[Place, Any] = {
        Place(node, name): value for node, inputs in manifest.fixed.items() for name, value in inputs.items()
    }
    return graph.with_values(values)


def equipped(template: Template, node_lists: Sequence[NodeList]) -> Template:
    """Return a template traced anew with what the servers say of its nodes, the first one first."""
    merged: NodeList = {name: known for one in reversed(node_lists) for name, known in one.items()}
    roles = trace(template.graph, merged)
    if template.manifest.outputs is not None:
        live = template.graph.upstream(template.manifest.outputs)
        roles = replace(roles, outputs=template.manifest.outputs, live=roles.live | live)
    options = options_of(template.graph, roles, template.manifest, node_lists)
    return replace(template, roles=_said(roles, template.manifest, options), options=options)


def _said(roles: Roles, manifest: Manifest, options: Sequence[Option]) -> Roles:
    """Return the roles with the places that a manifest names for them, and without those it has fixed."""
    named = {option.role: option.places for option in options if option.name in manifest.options}
    fixed = fixed_places(manifest)
    claimed = {place: option.role for option in options if option.name in manifest.options for place in option.places}

    def free(role: str, traced: tuple[Place, ...]) -> tuple[Place, ...]:
        mine = (place for place in named.get(role, traced) if claimed.get(place, role) == role)
        return tuple(place for place in mine if place not in fixed)

    kept = {side for side, role in claimed.items() if role != "size"} | fixed
    sizes = tuple(one for one in roles.sizes if not {one.width, one.height} & kept)
    if "size" in named:
        sides = list(named["size"])
        sizes = tuple(
            SizePlace(width=width, height=height) for width, height in zip(sides[::2], sides[1::2], strict=False)
        )
    return replace(
        roles,
        positive=free("prompt", roles.positive),
        negative=free("negative", roles.negative),
        seeds=free("seed", roles.seeds),
        batches=free("count", roles.batches),
        sizes=sizes,
    )


def fitting_model(template: Template, place: Place, node_list: NodeList) -> str | None:
    """Return the first model of the server's list that fits the manifest, or None."""
    spec = spec_of(template.graph, place, node_list)
    manifest = template.manifest
    for name in (spec.choices if spec else None) or ():
        low = name.lower()
        fits = not manifest.model_fits or any(part.lower() in low for part in manifest.model_fits)
        if fits and not any(part.lower() in low for part in manifest.model_avoids):
            return name
    return None


def unlisted(value: object, choices: Sequence[str]) -> str | None:
    """Return the value as text if it is not among a list's choices, else None."""
    if not isinstance(value, str | int | float):
        return None
    return None if str(value) in choices else str(value)
