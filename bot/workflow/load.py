"""What a request takes of a server, before its graph is built: cost, and the model files it loads. Pure."""

from bot.model.request import Request
from bot.workflow.graph import Place
from bot.workflow.options import Option
from bot.workflow.template import Template

LEAST, MOST = 0.05, 1000.0


def cost_of(template: Template, request: Request) -> float:
    """Return the manifest's cost, times size, steps and count as they stand to the workflow's own."""
    cost = template.manifest.cost * _size(template, request) * _steps(template, request)
    own_count = _number(template, template.roles.batches[0]) if template.roles.batches else None
    if request.count is not None and own_count:
        cost *= request.count / own_count
    return min(MOST, max(LEAST, cost))


def models_of(template: Template, request: Request) -> frozenset[str]:
    """Return the model files that a request loads: the workflow's own, but for those that the member chose."""
    chosen = {
        place: str(request.values[option.name])
        for option in template.options
        if option.base_role == "model" and option.name in request.values
        for place in option.places
    }
    names = (chosen.get(place, template.graph.value(place)) for place in template.roles.models)
    return frozenset(name for name in names if isinstance(name, str))


def _size(template: Template, request: Request) -> float:
    if request.size is None or not template.roles.sizes:
        return 1.0
    own = template.roles.sizes[0]
    width, height = _number(template, own.width), _number(template, own.height)
    return request.size.width * request.size.height / (width * height) if width and height else 1.0


def _steps(template: Template, request: Request) -> float:
    option: Option | None = template.option("steps")
    if option is None or not option.places:
        return 1.0
    own = _number(template, option.places[0])
    wanted = request.values.get(option.name, option.default)
    return float(wanted) / own if own and isinstance(wanted, int | float) else 1.0


def _number(template: Template, place: Place | None) -> float | None:
    value = template.graph.value(place) if place is not None else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
