"""Templates as slash commands: typed options in Discord's own terms, and what a member gave back as a request."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import discord
import structlog
from discord import app_commands

from bot.answers import Brought, asker_of
from bot.bot import EaselBot, Interaction
from bot.errors import RequestError
from bot.model.job import ReplyAddress
from bot.model.request import PROMPT_LIMIT, SEED_LIMIT, Request, Size, random_seed
from bot.replies.catalogue import localised, localised_with, text, worded
from bot.services import Services, size_names
from bot.workflow.build import SPECIAL
from bot.workflow.matching import offered
from bot.workflow.options import FILES, Kind, Option
from bot.workflow.sizes import size_offers, wanted_size
from bot.workflow.template import Template, claims

log = structlog.get_logger()

OPTIONS, CHOICES, LETTERS = 25, 25, 100
"""What Discord takes: options of a command, choices of an option, characters of a choice or a description."""

TEXT_LETTERS = 300
SIZES = ("512x512", "512x768", "768x512", "1024x1024", "832x1216", "1216x832", "1344x768", "768x1344")
_WHOLE_LIMIT = 2**53

Make = Callable[[Interaction, str, Mapping[str, Any]], Awaitable[None]]
"""What a command does: (interaction, name of the template, values by option)."""

_Choice = app_commands.Choice[str]


def commands_of(templates: Sequence[Template], taken: frozenset[str], make: Make) -> tuple[list[Any], dict[str, str]]:
    """Return the slash commands of templates, and by template what could not be offered as its own command."""
    made: dict[str, Any] = {}
    claimed, left = claims(templates, taken)
    for name, template in claimed.items():
        try:
            made[name] = _command(name, template, make)
        except Exception as fault:
            log.exception("template.unpublished", template=template.name)
            left[template.name] = f"its options cannot be offered ({type(fault).__name__}: {fault})"
        if len(template.options) > OPTIONS:
            left[template.name] = f"it has {len(template.options)} options, Discord shows the first {OPTIONS}"
    return list(made.values()), left


def _command(name: str, template: Template, make: Make) -> Any:
    options = {f"option_{number}": option for number, option in enumerate(template.options[:OPTIONS])}

    async def run(interaction: discord.Interaction[Any], **given: Any) -> None:
        values = {options[key].name: value for key, value in given.items() if value is not None}
        await make(interaction, template.name, values)

    run.__signature__ = _signature(options)  # pyright: ignore[reportFunctionMemberAccess] - discord.py reads it
    described: Any = run
    described = app_commands.rename(**{key: _name(option) for key, option in options.items()})(described)
    described = app_commands.describe(**{key: _description(option) for key, option in options.items()})(described)
    if listed := {key: _choices(option) for key, option in options.items() if _fits(option)}:
        described = app_commands.choices(**listed)(described)
    typed = {key: _completion(template, option) for key, option in options.items() if _is_typed(option)}
    described = app_commands.autocomplete(**typed)(described) if typed else described
    return app_commands.Command(
        name=name,
        description=worded(template.manifest.description, "commands.template.description", title=template.title),
        callback=described,
        nsfw=template.manifest.age_restricted,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )


def _signature(options: Mapping[str, Option]) -> inspect.Signature:
    parameter = inspect.Parameter
    who = parameter("interaction", parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction)
    rest = [
        parameter(
            key,
            parameter.KEYWORD_ONLY,
            annotation=_annotation(option),
            default=parameter.empty if option.required else None,
        )
        for key, option in options.items()
    ]
    return inspect.Signature([who, *rest])


def _annotation(option: Option) -> Any:
    """Return the type that discord.py makes Discord's option of."""
    kind: Any = str
    if option.kind in FILES:
        kind = discord.Attachment
    elif option.kind is Kind.SWITCH:
        kind = bool
    elif option.base_role == "seed":
        kind = app_commands.Range[int, 0, SEED_LIMIT]
    elif option.kind is Kind.WHOLE:
        kind = app_commands.Range[int, _whole(option.minimum, -_WHOLE_LIMIT), _whole(option.maximum, _WHOLE_LIMIT)]
    elif option.kind is Kind.NUMBER:
        low, high = option.minimum, option.maximum
        kind = app_commands.Range[float, -float(_WHOLE_LIMIT) if low is None else float(low),
                                  float(_WHOLE_LIMIT) if high is None else float(high)]  # fmt: skip
    elif option.kind is Kind.TEXT and option.choices is None:
        least = 1 if option.required else 0
        most = PROMPT_LIMIT if option.base_role in ("prompt", "negative") else TEXT_LETTERS
        kind = app_commands.Range[str, least, most]
    return kind if option.required else kind | None


def _whole(value: float | None, default: int) -> int:
    return default if value is None else max(-_WHOLE_LIMIT, min(_WHOLE_LIMIT, int(value)))


def _name(option: Option) -> app_commands.locale_str | str:
    if option.name != option.role:
        return option.name
    return localised_with(f"options.{option.base_role}.name", suffix=option.role.removeprefix(option.base_role))


def _description(option: Option) -> app_commands.locale_str:
    if option.description:
        return worded(option.description, "commands.template.description", title=option.name)
    return localised(f"options.{option.base_role}.description")


def _fits(option: Option) -> bool:
    """Whether a list can be shown as Discord's own choices."""
    choices = option.choices
    return choices is not None and 0 < len(choices) <= CHOICES and all(0 < len(one) <= LETTERS for one in choices)


def _is_typed(option: Option) -> bool:
    return option.kind is Kind.SIZE or (option.choices is not None and not _fits(option) and option.kind is Kind.TEXT)


def _choices(option: Option) -> list[app_commands.Choice[Any]]:
    convert = {Kind.WHOLE: int, Kind.NUMBER: float}.get(option.kind, str)
    return [app_commands.Choice(name=one, value=convert(one)) for one in option.choices or ()]


def _completion(template: Template, option: Option) -> Any:
    async def complete(interaction: discord.Interaction[Any], typed: str) -> list[_Choice]:
        if option.kind is Kind.SIZE:
            return size_choices(typed, template, interaction.locale.value)
        return [app_commands.Choice(name=one[-LETTERS:], value=one[-LETTERS:])
                for one in offered(typed, option.choices or (), CHOICES)]  # fmt: skip

    return complete


def size_choices(typed: str, template: Template | None, locale: str) -> list[_Choice]:
    """Return aspects by name with their sizes, then usual sizes; or the typed one, if it is a size."""
    wanted = typed.strip().casefold()
    named = [(f"{text(f'sizes.{name}', locale)} ({size})", name) for name, size in size_offers(template)]
    plain = [(size, size) for size in SIZES]
    found = [(shown, value) for shown, value in (*named, *plain) if wanted in shown.casefold() or wanted in value]
    if not found and template is not None and (own := wanted_size(typed, template, size_names())):
        found = [(str(own), str(own))]
    return [app_commands.Choice(name=shown, value=value) for shown, value in found[:CHOICES]]


def role_choices(template: Template, role: str, typed: str) -> list[_Choice]:
    """Return what servers have for a role of a template, such as models and samplers, that fits what was typed."""
    option = template.option(role)
    return plain_choices(offered(typed, (option.choices if option is not None else None) or (), CHOICES))


def plain_choices(names: Sequence[str]) -> list[_Choice]:
    """Return names as choices; those that Discord does not take are left out."""
    return [app_commands.Choice(name=one, value=one) for one in names if 0 < len(one) <= LETTERS][:CHOICES]


async def request_of(
    interaction: Interaction, services: Services, template: Template, given: Mapping[str, Any], address: ReplyAddress
) -> Request:
    """Return the request that options make; files are fetched and kept on the way.

    Raises:
        RequestError: a size that is none, a file that is not what was asked for.
    """
    options = {option.name: option for option in template.options}
    fields: dict[str, Any] = {"prompt": "", "seed": random_seed()}
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    defaults: dict[str, Any] = {
        one.name: one.default for one in template.options if one.role in SPECIAL and one.default is not None
    }
    for name, value in {**defaults, **given}.items():
        if name not in options:  # the template has changed since Discord was told
            raise RequestError("refused.no_option", template=template.title, option=name)
        option = options[name]
        match option.role:
            case "prompt" | "negative" | "seed" | "count":
                fields[option.role] = value
            case "size":
                fields["size"] = _size(str(value), template)
            case _ if option.kind in FILES:
                files[name] = await _kept(interaction, services, option, value)
            case _:
                values[name] = value
    who = asdict(replace(asker_of(interaction), channel_id=address.channel_id))
    return Request(template=template.name, values=values, files=files, **who, **fields)


async def _kept(interaction: Interaction, services: Services, option: Option, file: discord.Attachment) -> str:
    brought = Brought(file)
    return (await services.intake.take(interaction.user.id, option.kind, brought.size, brought.read)).id


def by_role(template: Template, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return values by option of values by role, and the roles that this template has no use for."""
    found: dict[str, Any] = {}
    unused: list[str] = []
    for role, value in given.items():
        option = template.option(role)
        if option is None:
            unused.append(role)
        else:
            found[option.name] = value
    return found, tuple(unused)


def _size(typed: str, template: Template) -> Size:
    size = wanted_size(typed, template, size_names())
    if size is None:
        raise RequestError("refused.bad_size", size=typed)
    return size


def publish(bot: EaselBot, make: Make) -> None:
    """Put the commands of the templates that can be used now in place of those before."""
    tree = bot.tree
    for name in bot.published:
        tree.remove_command(name)
    taken = frozenset(command.name for command in tree.get_commands())
    made, bot.services.library.left_out = commands_of(bot.services.library.usable(), taken, make)
    for command in made:
        tree.add_command(command)
    bot.published = tuple(cast("str", command.name) for command in made)
