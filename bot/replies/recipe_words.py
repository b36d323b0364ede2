"""How a picture was made, as a card: of ours from its record, of others from what the file says. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.delivery.package import Attachment
from bot.model.job import Job
from bot.model.jsontree import JsonObject, items, obj
from bot.replies.cards import Card, Tone
from bot.replies.catalogue import has, text
from bot.replies.lines import within
from bot.replies.safe import shown
from bot.replies.times import duration

_PROMPT, _VALUE = 1200, 120
_LETTERS = 3700
"""Characters of a recipe: Discord takes 4000 in all texts of a message."""
_PLAIN = ("style", "seed", "steps", "cfg", "sampler", "scheduler", "denoise", "count", "clip_skip", "vae")


def recipe_card(
    job: Job, recipe: JsonObject, title: str, locale: str, *, files: tuple[Attachment, ...] = (), moderator: bool
) -> Card:
    """Return the card of one of our own; where it ran is for moderators alone."""
    facts: dict[str, Any] = {**recipe}
    request = job.request
    facts.setdefault("seed", request.seed)
    if request.style is not None:
        facts.setdefault("style", request.style.name)
    lines = [*_lines(request.prompt, request.negative or recipe.get("negative"), facts, locale)]
    options = {name: value for name, value in obj(recipe.get("options")).items() if not has(f"options.{name}.name")}
    lines += [f"**{shown(name, 40)}**: {shown(str(value), _VALUE)}" for name, value in options.items()]
    if job.run_s is not None:
        lines.append(_fact("took", duration(job.run_s, locale), locale))
    if moderator and job.server:
        lines.append(_fact("server", shown(job.server, 40), locale))
    head = text("recipe.head", locale, template=shown(title, 80))
    note = text("recipe.workflow", locale) if files else ""
    return Card(tone=Tone.PLAIN, text="\n".join([head, within(lines, locale, _LETTERS)]), note=note, files=files)


def found_card(facts: Mapping[str, Any], prompt: str, negative: str | None, source: str, locale: str) -> Card:
    """Return the card of a picture that is none of ours, by what it says of itself."""
    lines = [*_lines(prompt, negative, facts, locale)]
    head = text("recipe.found", locale, source=text(f"recipe.source_{source}", locale))
    return Card(tone=Tone.PLAIN, text="\n".join([head, within(lines, locale, _LETTERS)]))


def _lines(prompt: str, negative: Any, facts: Mapping[str, Any], locale: str) -> Iterator[str]:
    if prompt:
        yield text("card.prompt", locale, prompt=shown(prompt, _PROMPT))
    if negative:
        yield text("card.negative", locale, negative=shown(str(negative), _PROMPT // 2))
    if facts.get("width") and facts.get("height"):
        yield _fact("size", f"{facts['width']}x{facts['height']}", locale)
    for name in _PLAIN:
        if (value := facts.get(name)) is not None:
            yield _fact(name, shown(_number(value), _VALUE), locale)
    models = [str(one) for one in items(facts.get("models"))]
    if models:
        yield _fact("model", ", ".join(shown(one, _VALUE) for one in models[:4]), locale)
    loras = [_lora(one) for one in items(facts.get("loras"))]
    if loras:
        yield _fact("loras", ", ".join(loras[:8]), locale)


def _lora(one: Any) -> str:
    if isinstance(one, str):
        return shown(one, _VALUE)
    strength = obj(one).get("model")
    weight = f" ({_number(strength)})" if strength is not None else ""
    return f"{shown(str(obj(one).get('name')), _VALUE)}{weight}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fact(name: str, value: str, locale: str) -> str:
    return text("recipe.fact", locale, name=text(f"recipe.{name}", locale), value=value)
