"""`easel check`: what is wrong, in plain words, before members find out."""

from dataclasses import dataclass

from bot.settings import Settings
from bot.workshop import open_library


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: `faults` must be mended, `notes` are only told."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]


async def examine(settings: Settings) -> Report:
    """Look at the token's shape, every server and every template.

    Raises:
        SettingsError: a server's `ca_file` cannot be read.
    """
    faults: list[str] = []
    notes: list[str] = []
    if (shape := settings.token_shape_fault()) is not None:
        faults.append(shape)
    else:
        notes.append("DISCORD_TOKEN: has the right shape; whether it is valid, Discord says when the bot starts")
    async with open_library(settings) as (library, fleet, away):
        for server in fleet.servers.values():
            if server.name in away:
                faults.append(f"server {server.name}: does not answer as a ComfyUI does ({away[server.name]})")
            else:
                notes.append(f"server {server.name}: answers, {len(server.node_list)} node classes")
        states = library.states()
        if settings.default_template and settings.default_template not in library.by_name:
            faults.append(f"DEFAULT_TEMPLATE: there is no {settings.default_template}.json in {settings.templates_dir}")
    for state in states:
        notes += [f"template {state.name}: {doubt}" for doubt in state.doubts]
        faults += [f"template {state.name}: cannot run: {reason}" for reason in state.reasons]
        if state.fault:
            faults.append(f"template {state.name}.json: {state.fault}")
    if not states:
        faults.append(f"templates: there is none in {settings.templates_dir}")
    return Report(tuple(faults), tuple(notes))
