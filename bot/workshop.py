"""What an owner does with templates at the command line: look at them with the servers' eyes, import, make, explain."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import tomlkit

from bot.comfy.errors import ComfyError
from bot.errors import SettingsError
from bot.jobs.fleet import Fleet, Server, make_server
from bot.jobs.library import Library
from bot.settings import Settings
from bot.workflow.graph import Graph, GraphError, UiFormat, read_graph
from bot.workflow.manifest import is_name
from bot.workflow.matching import near
from bot.workflow.ready import WORKFLOWS, Wish
from bot.workflow.template import Template, equipped, make_template
from bot.workflow.uiformat import converted

Say = Callable[[str], None]
HINT = 'put the missing file on the server, or write model = "auto" in the manifest to take what fits'


@asynccontextmanager
async def open_fleet(settings: Settings) -> AsyncGenerator[tuple[Fleet, dict[str, str]]]:
    """Ask every server once; yield the fleet, and the reasons of those that did not answer.

    Raises:
        SettingsError: a server's `ca_file` cannot be read.
    """
    away: dict[str, str] = {}
    async with aiohttp.ClientSession() as session:
        try:
            fleet = Fleet([make_server(session, server) for server in settings.comfyui_servers])
        except OSError as fault:
            raise SettingsError([f"COMFYUI_SERVERS: a ca_file cannot be read ({fault.strerror})"]) from fault
        for server in fleet.servers.values():
            try:
                server.node_list = await server.client.node_list()
                server.embeddings = await server.client.embeddings()
                server.up = True
            except ComfyError as fault:
                away[server.name] = fault.facts.get("reason", str(fault))
        yield fleet, away


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncGenerator[tuple[Library, Fleet, dict[str, str]]]:
    """Read the templates with what the servers say; see `open_fleet`."""
    async with open_fleet(settings) as (fleet, away):
        library = Library(settings.templates_dir, fleet)
        library.load()
        await library.convert()
        yield library, fleet, away


async def listing(settings: Settings, say: Say) -> bool:
    """Say the state of every template; True if all are offered."""
    async with open_library(settings) as (library, _, away):
        states = library.states()
        for name, reason in away.items():
            say(f"server {name} does not answer ({reason}); what it could run is not known")
        for state in states:
            say(f"{'✓' if state.offered else '✗'} {state.name}" + (f" /{state.command}" if state.command else ""))
            hint = HINT if any("missing " in reason and "_name '" in reason for reason in state.reasons) else None
            for reason in (*state.reasons, *(one for one in (hint, state.fault, state.note) if one)):
                say("\n".join(f"    {line}" for line in reason.splitlines()))
        if not states:
            say(f"There are no templates in {settings.templates_dir}.")
        return all(state.offered and not state.fault for state in states)


async def pull(settings: Settings, say: Say, *, server_name: str | None, overwrite: bool) -> bool:
    """Import the workflows that people saved on a server; True if every one came in."""
    async with open_fleet(settings) as (fleet, _):
        server = _chosen(fleet, server_name)
        try:
            files = [one for one in await server.client.user_files("workflows") if one.path.endswith(".json")]
            if not files:
                say(f"{server.name} has no saved workflows.")
            good = True
            for file in files:
                data = await server.client.read_user_file(f"workflows/{file.path}")
                good &= await _imported(server, file.path, data, settings.templates_dir, say, overwrite=overwrite)
        except ComfyError as fault:
            say(f"{server.name} does not answer as a ComfyUI does ({fault.facts.get('reason', fault)})")
            return False
        return good


def _chosen(fleet: Fleet, name: str | None) -> Server:
    found = fleet.servers.get(name) if name else next((one for one in fleet.servers.values() if one.up), None)
    if found is not None:
        return found
    known = ", ".join(fleet.servers)
    raise SettingsError(
        [f"--server: there is no {name}, only {known}" if name else f"COMFYUI_SERVERS: no server answers ({known})"]
    )


async def _imported(server: Server, path: str, data: bytes | None, folder: Path, say: Say, *, overwrite: bool) -> bool:
    name = re.sub(r"[^-_\w]+", "-", path.removesuffix(".json")).strip("-").lower()
    target = folder / f"{name}.json"
    if target.exists() and not overwrite:
        say(f"  {path}: {target.name} is there already; --overwrite replaces it")
        return True
    try:
        graph = await read_any(server, (data or b"").decode("utf-8"))
    except (GraphError, UnicodeDecodeError) as fault:
        say(f"✗ {path}: {fault}")
        return False
    write_graph(target, graph)
    kept = f" ({name}.toml stays as it is)" if target.with_suffix(".toml").exists() else ""
    say(f"✓ {path} → {target.name}{kept}")
    return True


async def read_any(server: Server | None, source: str) -> Graph:
    """Read a workflow in either format; the editor's needs a server and the extra.

    Raises:
        GraphError: see `read_graph` and `converted`.
    """
    try:
        return read_graph(source)
    except UiFormat as drawn:
        if server is None:
            raise
        return converted(drawn.tree, await server.client.object_info())


def write_graph(path: Path, graph: Graph) -> None:
    """Write a graph as API-format JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(graph.to_api(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


async def make(settings: Settings, say: Say, kind: str, name: str, wish: Wish, *, overwrite: bool) -> bool:
    """Write a ready workflow with the nodes and models of a server; True if it was written."""
    if not is_name(name):
        say(f"--name: {name!r} is no name: 1 to 32 letters, digits, - or _, in lower case")
        return False
    path = settings.templates_dir / f"{name}.json"
    if path.exists() and not overwrite:
        say(f"{path.name} is there already; --overwrite replaces it, --name makes another")
        return False
    async with open_fleet(settings) as (fleet, _):
        server = _chosen(fleet, None)
        if not await _has_files(server, wish, say):
            return False
        try:
            graph = WORKFLOWS[kind](server.node_list, wish)
        except GraphError as fault:
            say(f"{server.name}: {fault}")
            return False
    write_graph(path, graph)
    if overwrite or not path.with_suffix(".toml").exists():
        path.with_suffix(".toml").write_text(tomlkit.dumps({"title": name}), encoding="utf-8")
    say(f"Wrote {path.name}.")
    return True


async def _has_files(server: Server, wish: Wish, say: Say) -> bool:
    """Tell whether a server has the files that are wished for; say which it has not, and what is like it."""
    wanted = [("checkpoints", wish.checkpoint), ("vae", wish.vae), *(("loras", file) for file, _ in wish.loras)]
    missing = False
    for folder, file in wanted:
        try:
            known = await server.client.models(folder)
        except ComfyError as fault:
            say(f"{server.name} does not answer as a ComfyUI does ({fault.facts.get('reason', fault)})")
            return False
        if file and known is not None and file not in known:
            missing = True
            alike = near(file, known)
            hint = f"did you mean {' or '.join(alike)}?" if alike else f"it has: {', '.join(known) or 'none'}"
            say(f"{server.name} has no {file} in {folder}; {hint}")
    return not missing


async def looked_at(settings: Settings, file: Path, server_name: str) -> Template:
    """Read one workflow file with the node list of a server, in either format.

    Raises:
        GraphError: it is no workflow. ComfyError: the server does not answer. SettingsError: there is no such server.
    """
    async with open_fleet(settings) as (fleet, away):
        server = _chosen(fleet, server_name)
        if server.name in away:
            raise SettingsError([f"--server: {server.name} does not answer ({away[server.name]})"])
        graph = await read_any(server, await asyncio.to_thread(file.read_text, encoding="utf-8"))
        return equipped(make_template(file.stem, graph, file.with_suffix(".toml")), [server.node_list])
