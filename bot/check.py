"""`easel check`: what is wrong, in plain words, before members find out."""

from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

from bot.comfy.errors import ComfyError
from bot.comfy.models import NodeList
from bot.jobs.fleet import make_server
from bot.settings import Settings
from bot.workflow.template import Template, load_templates, problems


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: `faults` must be mended, `notes` are only told."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]


async def examine(settings: Settings) -> Report:
    """Look at the token's shape, every server and every template."""
    faults: list[str] = []
    notes: list[str] = []
    if (shape := settings.token_shape_fault()) is not None:
        faults.append(shape)
    else:
        notes.append("DISCORD_TOKEN: has the right shape; whether it is valid, Discord says when the bot starts")
    lists: dict[str, NodeList] = {}
    async with aiohttp.ClientSession() as session:
        for entry in settings.comfyui_servers:
            try:
                lists[entry.name] = await make_server(session, entry).client.node_list()
                notes.append(f"server {entry.name}: answers, {len(lists[entry.name])} node classes")
            except ComfyError as fault:
                faults.append(
                    f"server {entry.name}: does not answer as a ComfyUI does ({fault.facts.get('reason', fault)})"
                )
            except OSError as fault:
                faults.append(f"server {entry.name}: ca_file cannot be read ({fault.strerror})")
    templates = load_templates(settings.templates_dir)
    faults += [f"template {fault.file}: {fault.reason}" for fault in templates.faults]
    if settings.default_template and settings.default_template not in templates.by_name:
        faults.append(f"DEFAULT_TEMPLATE: there is no {settings.default_template}.json in {settings.templates_dir}")
    for template in templates.by_name.values():
        if template.takes_words_only:
            notes += [f"template {template.name}: {doubt}" for doubt in template.roles.ambiguous]
        else:
            notes.append(f"template {template.name}: needs more than words, so /imagine does not offer it")
        if lists:
            faults += _unfit(template, lists)
    if not templates.by_name:
        faults.append(f"templates: there is none in {settings.templates_dir}")
    return Report(tuple(faults), tuple(notes))


def _unfit(template: Template, lists: dict[str, NodeList]) -> Iterator[str]:
    """Name what each server lacks, if no server can run the template."""
    lacking = {name: problems(template, node_list) for name, node_list in lists.items()}
    if all(lacking.values()):
        for name, found in lacking.items():
            yield f"template {template.name}: cannot run on {name}: {'; '.join(found)}"
