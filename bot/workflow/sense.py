"""Does a manifest make sense for its workflow? Whatever could not work, or would do nothing, is told. Pure."""

import math
from collections.abc import Iterator

from bot.model.request import parse_size
from bot.workflow.graph import Graph, Place
from bot.workflow.manifest import Manifest, ManifestFault, OptionEntry
from bot.workflow.numbers import LIKE_A_NUMBER
from bot.workflow.options import FILES, Kind, Option, all_options, is_number, role_of, taken_kind, traced_options
from bot.workflow.roles import Roles

_NUMERIC = (Kind.WHOLE, Kind.NUMBER)
_LISTS_OF = {"sampler": ("samplers",), "scheduler": ("schedulers",), "model": ("checkpoints", "diffusion_models")}


def manifest_faults(graph: Graph, roles: Roles, manifest: Manifest) -> list[ManifestFault]:
    """Return what a manifest says that this graph does not have, that cannot be, or that would do nothing."""
    traced = list(traced_options(graph, roles, ()))
    faults = [
        *_unfounded(graph, manifest, traced),
        *(
            ManifestFault(key=("fixed", node, name), reason=reason)
            for node, inputs in manifest.fixed.items()
            for name in inputs
            if (reason := _missing(graph, Place(node, name)))
        ),
        *(
            ManifestFault(key=("outputs",), reason=f"there is no node {node}")
            for node in manifest.outputs or ()
            if node not in graph.nodes
        ),
    ]
    if faults:
        return faults  # options can be made only of places that are there
    options = all_options(graph, roles, manifest)
    return [
        *(
            ManifestFault(key=("options", option.name), reason=reason)
            for option in options
            if (reason := _senseless(option)) is not None
        ),
        *_idle(graph, manifest, options),
        *_twice(manifest, options),
        *_unfollowable(manifest, options),
    ]


def _unfounded(graph: Graph, manifest: Manifest, traced: list[Option]) -> Iterator[ManifestFault]:
    """Yield options that are for nothing that there is."""
    by_role = {option.role for option in traced}
    found = {place for option in traced for place in option.places}
    for name, entry in manifest.options.items():
        role = role_of(name, entry)
        if not entry.places and role is None:
            reason = 'give it a role, or the places that it fills: places = [["node", "input"]]'
            yield ManifestFault(key=("options", name), reason=reason)
        elif not entry.places and role not in by_role:
            yield ManifestFault(key=("options", name), reason=f"nothing in the workflow has the role {role}")
        for place in (Place(*one) for one in entry.places):
            reason = _missing(graph, place) or (None if place in found else _linked(graph, place))
            if reason is not None:
                yield ManifestFault(key=("options", name, "places"), reason=reason)


def _unfollowable(manifest: Manifest, options: list[Option]) -> Iterator[ManifestFault]:
    """A follow-up gets one file and the words of what it follows; whatever else must be given, nobody gives."""
    if not manifest.follow_up:
        return
    if taken_kind(options) is None:
        yield ManifestFault(key=("follow_up",), reason="the workflow does not take exactly one picture, video or sound")
    for option in options:
        if option.required and option.kind not in FILES and option.role != "prompt" and option.default is None:
            reason = f"the option {option.name} must be given; a follow-up cannot: give it a default"
            yield ManifestFault(key=("follow_up",), reason=reason)


def _missing(graph: Graph, place: Place) -> str | None:
    node = graph.nodes.get(place.node)
    if node is None:
        return f"there is no node {place.node}"
    return None if place.input in node.inputs else f"node {node.id} ({node.class_type}) has no input {place.input}"


def _linked(graph: Graph, place: Place) -> str | None:
    link = graph.link(graph.value(place))
    if link is None:
        return None
    source = graph.nodes[link.node]
    return f"{place.input} of node {place.node} is linked to node {source.id} ({source.class_type}); name a place there"


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
    if option.kind in _NUMERIC and any(not is_number(choice, option.kind) for choice in option.choices or ()):
        return f"its choices must be numbers: it is of type {option.kind}"
    return None if option.default is None else _unfit_default(option)


def _unfit_default(option: Option) -> str | None:
    """Return why a default cannot be the value of its option."""
    default, values = option.default, [option.default]
    match option.kind:
        case Kind.TEXT:
            return None if isinstance(default, str) else "its default must be a text, in quotes: it is of type text"
        case Kind.SWITCH:
            return None if isinstance(default, bool) else "its default must be true or false: it is of type switch"
        case Kind.IMAGE | Kind.VIDEO | Kind.SOUND:
            return f"an option of type {option.kind} takes no default"
        case Kind.SIZE:
            size = parse_size(default) if isinstance(default, str) else None
            if size is None:
                return 'its default must be a size, such as "768x512"'
            values = [size.width, size.height]
        case Kind.WHOLE | Kind.NUMBER:
            if isinstance(default, str) or default is None or not is_number(default, option.kind):
                return f"its default must be a number: it is of type {option.kind}"
    if option.base_role == "seed" and isinstance(default, int | float) and default < 0:
        return "a seed is 0 or more; without a default it is another one each time"
    low = -math.inf if option.minimum is None else option.minimum
    high = math.inf if option.maximum is None else option.maximum
    inside = all(low <= value <= high for value in values if isinstance(value, int | float))
    return None if inside else "default lies outside min and max"


def _idle(graph: Graph, manifest: Manifest, options: list[Option]) -> Iterator[ManifestFault]:
    """Yield keys that would do nothing, or what cannot be done."""
    for option in options:
        entry = manifest.options.get(option.name)
        if entry is None:
            continue
        if entry.type is not None and entry.type != option.kind:
            reason = f"an option of role {option.role} is of type {option.kind}; leave type out"
            yield ManifestFault(key=("options", option.name, "type"), reason=reason)
        elif entry.places and (reason := _unlike(graph, option)) is not None:
            yield ManifestFault(key=("options", option.name, "type" if entry.type else "places"), reason=reason)
        if (reason := _unfit_list(entry, option)) is not None:
            yield ManifestFault(key=("options", option.name, "list"), reason=reason)
        ranged = next((key for key in ("min", "max", "step") if getattr(entry, key) is not None), None)
        if ranged is not None and option.kind not in (*_NUMERIC, Kind.SIZE):
            reason = f"an option of type {option.kind} has no min, max or step"
            yield ManifestFault(key=("options", option.name, ranged), reason=reason)


def _unlike(graph: Graph, option: Option) -> str | None:
    """Return why what an option holds cannot stand at its places, going by what stands there."""
    for place in option.places:
        value = graph.value(place)
        match option.kind:
            case Kind.TEXT:
                fits = not isinstance(value, int | float) or option.choices is not None
            case Kind.IMAGE | Kind.VIDEO | Kind.SOUND:
                fits = not isinstance(value, int | float)
            case Kind.SWITCH:
                fits = not isinstance(value, str | float)
            case Kind.WHOLE | Kind.NUMBER | Kind.SIZE:
                fits = not isinstance(value, bool) and (
                    not isinstance(value, str) or not value.strip() or LIKE_A_NUMBER.search(value.strip()) is not None
                )
        if not fits:
            shown = f"{str(value)[:40]!r}" if isinstance(value, str) else str(value).lower()
            return f"{place.input} of node {place.node} holds {shown}, which is no {option.kind}"
    return None


def _unfit_list(entry: OptionEntry, option: Option) -> str | None:
    if entry.list is None:
        return None
    if option.kind is not Kind.TEXT:
        return f"an option of type {option.kind} takes no choices and no list"
    wanted = _LISTS_OF.get(option.base_role)
    return f"role {option.role} takes the list {' or '.join(wanted)}" if wanted and entry.list not in wanted else None


def _twice(manifest: Manifest, options: list[Option]) -> Iterator[ManifestFault]:
    """Yield options that are for what another one is for."""
    roles: dict[str, str] = {}
    places: dict[Place, str] = {}
    for option in options:
        entry = manifest.options.get(option.name)
        if entry is None:
            continue
        if option.role and (other := roles.setdefault(option.role, option.name)) != option.name:
            reason = f"option {other} has the role {option.role} already"
            yield ManifestFault(key=("options", option.name, *(("role",) if entry.role else ())), reason=reason)
            continue
        shared = [place for place in option.places if places.setdefault(place, option.name) != option.name]
        if shared:
            reason = f"option {places[shared[0]]} fills {shared[0].input} of node {shared[0].node} already"
            yield ManifestFault(key=("options", option.name, *(("places",) if entry.places else ())), reason=reason)
