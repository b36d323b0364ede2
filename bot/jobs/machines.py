"""What an owner asks of the servers, by name: status, memory, queue, models, nodes."""

from dataclasses import replace

from bot.comfy.client import ComfyClient
from bot.comfy.errors import ComfyError
from bot.comfy.models import InputSpec, NodeClass
from bot.errors import RequestError
from bot.jobs.fleet import Fleet
from bot.model.machine import DeviceFacts, NodeFacts, ServerStatus
from bot.workflow.build import loras_of
from bot.workflow.matching import near, offered


class Machines:
    """Owner's hands on the fleet. Every method that asks a server raises ComfyError, for a wrong name RequestError."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @property
    def names(self) -> tuple[str, ...]:
        """The servers' names, in the order of the settings."""
        return tuple(self._fleet.servers)

    def client(self, name: str | None) -> ComfyClient:
        """Return the client of a server; without a name, of the first that answers, else of the first."""
        servers = self._fleet.servers
        if name is None:
            return next((one for one in servers.values() if one.up), next(iter(servers.values()))).client
        if name not in servers:
            raise RequestError("refused.unknown_server", server=name, near=", ".join(servers))
        return servers[name].client

    async def status(self, name: str) -> ServerStatus:
        """Return how a server is; one that does not answer is told as such."""
        client, server = self.client(name), self._fleet.servers[name]
        known = ServerStatus(
            name=name,
            up=False,
            slots=server.slots,
            ours=len(server.busy),
            nodes=len(server.node_list),
            checkpoints=len(self._checkpoints(name)),
            loaded=tuple(sorted(server.loaded)),
            wedged=server.wedged,
        )
        try:
            stats, queue = await client.system_stats(), await client.queue()
        except ComfyError:
            return known
        return replace(
            known,
            up=True,
            version=stats.version,
            python=stats.python,
            torch=stats.torch,
            memory_free=stats.memory_free,
            memory_total=stats.memory_total,
            queue_running=len(queue.running),
            queue_waiting=len(queue.pending),
            devices=tuple(
                DeviceFacts(name=one.name, type=one.type, free=one.memory_free, total=one.memory_total)
                for one in stats.devices
            ),
        )

    def _checkpoints(self, name: str | None = None) -> tuple[str, ...]:
        servers = [one for one in self._fleet.servers.values() if name in (None, one.name)]
        loaders = [one.node_list.get("CheckpointLoaderSimple") for one in servers]
        specs = [loader.inputs.get("ckpt_name") for loader in loaders if loader]
        return tuple(dict.fromkeys(choice for spec in specs if spec for choice in spec.choices or ()))

    def offered_nodes(self, typed: str) -> list[str]:
        """Return node classes of all servers that fit what was typed, as last read."""
        names = dict.fromkeys(name for one in self._fleet.servers.values() for name in one.node_list)
        return offered(typed, list(names))

    def offered_checkpoints(self, typed: str) -> list[str]:
        """Return checkpoints of all servers that fit what was typed, as last read."""
        return offered(typed, self._checkpoints())

    def offered_loras(self, typed: str) -> list[str]:
        """Return LoRAs of all servers that fit what was typed, as last read."""
        names = dict.fromkeys(name for one in self._fleet.servers.values() for name in loras_of(one.node_list))
        return offered(typed, list(names))

    async def free(self, name: str | None) -> str:
        """Ask a server to unload its models and drop its caches; return its name."""
        client = self.client(name)
        await client.free()
        server = next(one for one in self._fleet.servers.values() if one.client is client)
        server.loaded = frozenset()
        return server.name

    async def interrupt(self, name: str | None) -> int:
        """Interrupt what runs on a server, each prompt by its id; return how many."""
        client = self.client(name)
        running = (await client.queue()).running
        for prompt_id in running:
            await client.interrupt(prompt_id)
        return len(running)

    async def clear(self, name: str | None) -> int:
        """Take all waiting prompts off a server's own queue; return how many there were."""
        client = self.client(name)
        waiting = len((await client.queue()).pending)
        await client.clear_queue()
        return waiting

    async def node(self, name: str | None, class_type: str) -> NodeFacts:
        """Return a node class of a server."""
        found = await self.client(name).node_class(class_type)
        if found is None:
            names = [one for server in self._fleet.servers.values() for one in server.node_list]
            raise RequestError("refused.unknown_node", name=class_type, near=", ".join(near(class_type, names)) or "—")
        return _facts(found)

    async def models(self, name: str | None, folder: str) -> tuple[str, ...]:
        """Return the files of a model folder."""
        client = self.client(name)
        found = await client.models(folder)
        if found is None:
            raise RequestError("refused.unknown_folder", name=folder, near=", ".join(await client.model_folders()))
        return found

    async def metadata(self, name: str | None, folder: str, file: str) -> dict[str, str]:
        """Return what a model file says of itself."""
        found = await self.client(name).model_metadata(folder, file)
        if not found:
            raise RequestError("refused.no_metadata", name=file)
        return found


def _facts(node: NodeClass) -> NodeFacts:
    inputs = tuple(
        {"name": name, "type": spec.type, "required": "yes" if spec.required else "", "rule": _rule(spec)}
        for name, spec in node.inputs.items()
    )
    return NodeFacts(name=node.name, category=node.category, inputs=inputs, outputs=node.outputs)


def _rule(spec: InputSpec) -> str:
    if spec.choices is not None:
        return f", {len(spec.choices)}: {', '.join(spec.choices[:3])}"
    if spec.minimum is not None and spec.maximum is not None:
        return f", {spec.minimum:g} … {spec.maximum:g}"
    return ""
