"""What members may set of a template: from its roles, the node list and its manifest, as typed options. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.comfy.models import InputSpec, NodeList
from bot.model.request import COUNT_LIMIT, Value
from bot.workflow.graph import Graph, Place
from bot.workflow.manifest import LISTS, Manifest, OptionEntry
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
    free = (_without(option, fixed_places(manifest)) for option in all_options(graph, roles, manifest, node_lists))
    kept = (_possible(option) for option in free if option.places)
    return tuple(sorted(kept, key=lambda option: not option.required))


def all_options(graph: Graph, roles: Roles, manifest: Manifest, node_lists: Sequence[NodeList] = ()) -> list[Option]:
    """Return the options of a manifest, then those that were traced besides; what the manifest names is its own."""
    traced = {option.name: option for option in traced_options(graph, roles, node_lists)}
    by_role = {option.role: option for option in traced.values()}
    chosen: dict[str, Option] = {}
    for name, entry in manifest.options.items():
        base = by_role.get(role_of(name, entry) or "")
        if base is not None:
            traced.pop(base.name, None)
        if not entry.hidden and (option := _merged(name, entry, base, graph, node_lists)) is not None:
            chosen[name] = option
    named = frozenset(place for option in chosen.values() for place in option.places)
    return [*chosen.values(), *(_without(option, named) for name, option in traced.items() if name not in chosen)]


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


def role_of(name: str, entry: OptionEntry) -> str | None:
    """Return the role that an option says, or has by its name."""
    return entry.role or (name if name.rstrip("0123456789") in _KINDS else None)


def traced_options(graph: Graph, roles: Roles, node_lists: Sequence[NodeList]) -> Iterator[Option]:
    """Yield what a workflow offers without a manifest."""
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
        default=base.default if entry.default is None else as_kind(entry.default, base.kind, choices),
        minimum=base.minimum if entry.min is None else entry.min,
        maximum=base.maximum if entry.max is None else entry.max,
        step=base.step if entry.step is None else entry.step,
        choices=choices,
    )


def as_kind(value: Value, kind: Kind, choices: Sequence[str] | None) -> Value:
    """Return a manifest's value as an option of a kind holds it: numbers may stand in quotes, choices without."""
    if kind is Kind.TEXT and choices is not None and str(value) in choices:
        return str(value)
    if kind in (Kind.WHOLE, Kind.NUMBER) and isinstance(value, str) and is_number(value, kind):
        return int(float(value)) if kind is Kind.WHOLE else float(value)
    return value


def is_number(value: Value, kind: Kind) -> bool:
    """Tell whether a value can be that of an option of a numeric kind."""
    try:
        number = float(value)
    except ValueError:
        return False
    return not isinstance(value, bool) and math.isfinite(number) and (kind is Kind.NUMBER or number == int(number))


def _explicit(
    name: str, places: tuple[Place, ...], entry: OptionEntry, graph: Graph, node_lists: Sequence[NodeList]
) -> Option:
    """Return an option for places that a manifest names: its type is said, declared by a server, or the value's."""
    low, high, choices = _declared(graph, places[0], node_lists)
    spec = next((found for known in node_lists if (found := spec_of(graph, places[0], known))), None)
    kind = (
        Kind(entry.type) if entry.type else _BY_TYPE.get(spec.type if spec else "") or _kind_of(graph.value(places[0]))
    )
    role = role_of(name, entry) or ""
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


def taken_kind(options: Iterable[Option]) -> Kind | None:
    """Return the kind of the one file that makes a template go, masks apart; None if it takes none, or needs more."""
    files = [option for option in options if option.kind in FILES and option.base_role != "mask"]
    needed = [option for option in files if option.required] or files[:1]
    return needed[0].kind if len(needed) == 1 else None
