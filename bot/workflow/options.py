"""What members may set of a template: from its roles, the node list and its manifest, as typed options. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.comfy.models import InputSpec, NodeList
from bot.model.request import COUNT_LIMIT, Value
from bot.workflow.graph import Graph, Place
from bot.workflow.manifest import LISTS, Manifest, ManifestFault, OptionEntry
from bot.workflow.roles import Roles


class Kind(StrEnum):
    """What an option holds."""

    TEXT = "text"
    WHOLE = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    SIZE = "size"
    IMAGE = "image"
    VIDEO = "video"
    SOUND = "audio"


FILES = frozenset({Kind.IMAGE, Kind.VIDEO, Kind.SOUND})
_KINDS = {
    "prompt": Kind.TEXT, "negative": Kind.TEXT, "seed": Kind.WHOLE, "size": Kind.SIZE, "count": Kind.WHOLE,
    "steps": Kind.WHOLE, "cfg": Kind.NUMBER, "sampler": Kind.TEXT, "scheduler": Kind.TEXT, "denoise": Kind.NUMBER,
    "model": Kind.TEXT, "image": Kind.IMAGE, "mask": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.SOUND,
}  # fmt: skip
_CAPS: Mapping[str, tuple[float, float]] = {
    "steps": (1, 150), "cfg": (0, 30), "denoise": (0, 1), "count": (1, COUNT_LIMIT),
}  # fmt: skip
"""What a member may ask for unless the manifest says otherwise: a server takes 10,000 steps, a queue does not."""

_WHOLE_LIMIT = 2**53
_BY_TYPE = {"INT": Kind.WHOLE, "FLOAT": Kind.NUMBER, "BOOLEAN": Kind.SWITCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `role` is one of the manifest's roles, or empty for places that a manifest names."""

    name: str
    kind: Kind
    role: str
    places: tuple[Place, ...]
    description: Mapping[str, str] = field(default_factory=dict[str, str])
    """By language; empty: the catalogue has words for the role."""
    required: bool = False
    default: Value | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def base_role(self) -> str:
        """The role without the number of a second or third of its kind."""
        return self.role.rstrip("0123456789")


def options_of(
    graph: Graph, roles: Roles, manifest: Manifest, node_lists: Sequence[NodeList] = ()
) -> tuple[Option, ...]:
    """Return a template's options, required ones first; `node_lists` are those of the servers it may run on."""
    free = (_without(option, fixed_places(manifest)) for option in _all_options(graph, roles, manifest, node_lists))
    kept = (_possible(option) for option in free if option.places)
    return tuple(sorted(kept, key=lambda option: not option.required))


def _all_options(graph: Graph, roles: Roles, manifest: Manifest, node_lists: Sequence[NodeList] = ()) -> list[Option]:
    traced = {option.name: option for option in _traced(graph, roles, node_lists)}
    by_role = {option.role: option for option in traced.values()}
    chosen: dict[str, Option] = {}
    for name, entry in manifest.options.items():
        base = by_role.get(_role(name, entry) or "")
        if base is not None:
            traced.pop(base.name, None)
        if not entry.hidden and (option := _merged(name, entry, base, graph, node_lists)) is not None:
            chosen[name] = option
    return [*chosen.values(), *(option for name, option in traced.items() if name not in chosen)]


def _possible(option: Option) -> Option:
    """Where a server's range and the usual one exclude each other, the server is asked when the time comes."""
    low, high = option.minimum, option.maximum
    clash = low is not None and high is not None and low > high
    return replace(option, minimum=None, maximum=None) if clash else option


def fixed_places(manifest: Manifest) -> frozenset[Place]:
    """Return the places whose values a manifest has fixed: nothing that a member sets reaches them."""
    return frozenset(Place(node, name) for node, inputs in manifest.fixed.items() for name in inputs)


def _without(option: Option, fixed: frozenset[Place]) -> Option:
    return replace(option, places=tuple(place for place in option.places if place not in fixed))


def _role(name: str, entry: OptionEntry) -> str | None:
    return entry.role or (name if name.rstrip("0123456789") in _KINDS else None)


def _traced(graph: Graph, roles: Roles, node_lists: Sequence[NodeList]) -> Iterator[Option]:
    places: dict[str, tuple[Place, ...]] = {
        "prompt": roles.positive,
        **_numbered("image", roles.images),
        **_numbered("mask", roles.masks),
        **_numbered("video", roles.videos),
        **_numbered("audio", roles.sounds),
        "negative": roles.negative,
        "size": tuple(side for size in roles.sizes for side in (size.width, size.height)),
        "seed": roles.seeds,
        "count": roles.batches,
        **roles.settings,
        "model": roles.models[:1],
    }
    for role, found in places.items():
        if found:
            yield _of_role(role, found, roles, graph, node_lists)


def _numbered(role: str, places: Iterable[Place]) -> dict[str, tuple[Place, ...]]:
    return {role if number == 1 else f"{role}{number}": (place,) for number, place in enumerate(places, 1)}


def _of_role(
    role: str, places: tuple[Place, ...], roles: Roles, graph: Graph, node_lists: Sequence[NodeList]
) -> Option:
    base = role.rstrip("0123456789")
    kind = _KINDS[base]
    low, high, choices = (None, None, None) if kind in FILES else _declared(graph, places[0], node_lists)
    least, most = _CAPS.get(base, (None, None))
    low = low if least is None else max(least, low if low is not None else least)
    high = high if most is None else min(most, high if high is not None else most)
    from_picture = base == "mask" and any(place in roles.images for place in places)
    return Option(
        name=role,
        kind=kind,
        role=role,
        places=places,
        required=base == "prompt" or (kind in FILES and not from_picture and not _has_own_alpha(base, roles)),
        minimum=low if kind in (Kind.WHOLE, Kind.NUMBER) and base != "seed" else None,
        maximum=high if kind in (Kind.WHOLE, Kind.NUMBER) and base != "seed" else None,
        choices=choices if kind is Kind.TEXT and base not in ("prompt", "negative") else None,
    )


def _has_own_alpha(role: str, roles: Roles) -> bool:
    """A mask may be the transparency of the picture that is brought with it."""
    return role == "mask" and bool(roles.images)


def _declared(
    graph: Graph, place: Place, node_lists: Sequence[NodeList]
) -> tuple[float | None, float | None, tuple[str, ...] | None]:
    """Return range and choices of a place: the narrowest range of all servers, the choices of any."""
    specs = [spec for spec in (spec_of(graph, place, known) for known in node_lists) if spec is not None]
    lows = [spec.minimum for spec in specs if spec.minimum is not None]
    highs = [spec.maximum for spec in specs if spec.maximum is not None]
    listed = [name for spec in specs for name in spec.choices or ()]
    has_list = any(spec.choices is not None for spec in specs)
    return (
        max(lows, default=None),
        min(highs, default=None),
        tuple(dict.fromkeys(listed)) if has_list else None,
    )


def spec_of(graph: Graph, place: Place, node_list: NodeList) -> InputSpec | None:
    """Return what a server declares of a place, or None if it does not know it."""
    node = graph.nodes.get(place.node)
    known = node_list.get(node.class_type) if node else None
    return known.inputs.get(place.input) if known else None


def _merged(
    name: str, entry: OptionEntry, base: Option | None, graph: Graph, node_lists: Sequence[NodeList]
) -> Option | None:
    """Return an option of the manifest: what it says over what was traced; None if it is for nothing in the graph."""
    places = tuple(Place(*place) for place in entry.places)
    if base is None and not places:
        return None
    if base is None:
        base = _explicit(name, places, entry, graph, node_lists)
    elif places:
        base = replace(base, places=places)
    choices = base.choices
    if entry.choices is not None:
        choices = tuple(str(choice) for choice in entry.choices)
    elif entry.list is not None:
        choices = listed(entry.list, node_lists) or None
    return replace(
        base,
        name=name,
        description=entry.description or base.description,
        required=base.required if entry.required is None else entry.required,
        default=base.default if entry.default is None else entry.default,
        minimum=base.minimum if entry.min is None else entry.min,
        maximum=base.maximum if entry.max is None else entry.max,
        step=base.step if entry.step is None else entry.step,
        choices=choices,
    )


def _explicit(
    name: str, places: tuple[Place, ...], entry: OptionEntry, graph: Graph, node_lists: Sequence[NodeList]
) -> Option:
    """Return an option for places that a manifest names: its type is said, declared by a server, or the value's."""
    low, high, choices = _declared(graph, places[0], node_lists)
    spec = next((found for known in node_lists if (found := spec_of(graph, places[0], known))), None)
    kind = (
        Kind(entry.type) if entry.type else _BY_TYPE.get(spec.type if spec else "") or _kind_of(graph.value(places[0]))
    )
    role = _role(name, entry) or ""
    kind = _KINDS.get(role.rstrip("0123456789"), kind)
    ranged = kind in (Kind.WHOLE, Kind.NUMBER)
    return Option(
        name=name,
        kind=kind,
        role=role,
        places=places,
        description={"en": f"{graph.nodes[places[0].node].title or places[0].node}: {places[0].input}"[:100]},
        minimum=low if ranged and low is not None and abs(low) < _WHOLE_LIMIT else None,
        maximum=high if ranged and high is not None and abs(high) < _WHOLE_LIMIT else None,
        choices=choices if kind is Kind.TEXT else None,
    )


def _kind_of(value: object) -> Kind:
    if isinstance(value, bool):
        return Kind.SWITCH
    if isinstance(value, int):
        return Kind.WHOLE
    return Kind.NUMBER if isinstance(value, float) else Kind.TEXT


def listed(name: str, node_lists: Sequence[NodeList]) -> tuple[str, ...]:
    """Return what the servers have of one of the manifest's lists."""
    class_type, input_name = LISTS[name]
    specs = [known[class_type].inputs.get(input_name) for known in node_lists if class_type in known]
    return tuple(dict.fromkeys(choice for spec in specs if spec for choice in spec.choices or ()))


def manifest_faults(graph: Graph, roles: Roles, manifest: Manifest) -> list[ManifestFault]:
    """Return what a manifest says of nodes, inputs and roles that this graph does not have."""
    faults: list[ManifestFault] = []
    by_role = {option.role for option in _traced(graph, roles, ())}
    for name, entry in manifest.options.items():
        role = _role(name, entry)
        if not entry.places and role is None:
            reason = 'give it a role, or the places that it fills: places = [["node", "input"]]'
            faults.append(ManifestFault(key=("options", name), reason=reason))
        elif not entry.places and role not in by_role:
            faults.append(ManifestFault(key=("options", name), reason=f"nothing in the workflow has the role {role}"))
        faults += [
            ManifestFault(key=("options", name, "places"), reason=reason)
            for place in entry.places
            if (reason := _missing(graph, *place))
        ]
    for node, inputs in manifest.fixed.items():
        faults += [
            ManifestFault(key=("fixed", node, name), reason=reason)
            for name in inputs
            if (reason := _missing(graph, node, name))
        ]
    for node in manifest.outputs or ():
        if node not in graph.nodes:
            faults.append(ManifestFault(key=("outputs",), reason=f"there is no node {node}"))
    if faults:
        return faults  # options can be made only of places that are there
    return [
        ManifestFault(key=("options", option.name), reason=reason)
        for option in _all_options(graph, roles, manifest)
        if (reason := _senseless(option)) is not None
    ]


def _senseless(option: Option) -> str | None:
    """Return why an option, with all that was traced and said of it, cannot be offered."""
    low, high = option.minimum, option.maximum
    bounds = [bound for bound in (low, high, option.step) if bound is not None]
    if not all(math.isfinite(bound) for bound in bounds):
        return "min, max and step must be ordinary numbers"
    if low is not None and high is not None and low > high:
        return f"min {low:g} is larger than what is allowed at most, {high:g}; say max, too"
    if option.choices is not None and (option.kind in FILES or option.kind in (Kind.SWITCH, Kind.SIZE)):
        return f"an option of type {option.kind} takes no choices and no list"
    if option.base_role == "size" and len(option.places) % 2:
        return "a size needs places in pairs: width, height"
    numeric = option.kind in (Kind.WHOLE, Kind.NUMBER)
    if numeric and any(not _is_number(choice, option.kind) for choice in option.choices or ()):
        return f"its choices must be numbers: it is of type {option.kind}"
    if numeric and option.default is not None and not _is_number(option.default, option.kind):
        return f"its default must be a number: it is of type {option.kind}"
    if (
        numeric
        and isinstance(option.default, int | float)
        and not (low or -math.inf) <= option.default <= (high or math.inf)
    ):
        return "default lies outside min and max"
    return None


def _is_number(value: Value, kind: Kind) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return not isinstance(value, bool) and math.isfinite(number) and (kind is Kind.NUMBER or number == int(number))


def _missing(graph: Graph, node: str, name: str) -> str | None:
    if node not in graph.nodes:
        return f"there is no node {node}"
    if name not in graph.nodes[node].inputs:
        return f"node {node} ({graph.nodes[node].class_type}) has no input {name}"
    return None
