"""How a job's pictures were made: what is kept of it, and the workflow as a file where owner and guild allow that."""

import json

from bot.comfy.models import NodeList
from bot.delivery.package import Attachment
from bot.errors import RequestError
from bot.jobs.library import Library
from bot.model.job import Job
from bot.model.jsontree import JsonObject
from bot.store.guilds import GuildStore
from bot.store.jobs import JobStore
from bot.workflow.build import build


class Recipes:
    """Tells how."""

    def __init__(self, library: Library, store: JobStore, guilds: GuildStore) -> None:
        self._library, self._store, self._guilds = library, store, guilds

    async def of(self, job: Job) -> JsonObject:
        """Return what is kept of how a job's pictures were made; empty if it never began."""
        return await self._store.recipe(job.id)

    def title(self, job: Job, locale: str) -> str:
        """Return what the template is called."""
        template = self._library.by_name.get(job.request.template)
        return template.title_in(locale) if template is not None else job.request.template

    async def workflow(self, job: Job) -> Attachment | None:
        """Return the workflow that runs a job, in ComfyUI's API format; None where that may not, or cannot, be told."""
        template = self._library.by_name.get(job.request.template)
        settings = await self._guilds.settings(job.request.guild_id or 0)
        if template is None or not template.manifest.metadata or not (settings.metadata and settings.workflows):
            return None
        try:
            graph = build(template, job.request, self._node_list(job), job_id=job.id, files=dict(job.request.files))
        except RequestError:
            return None  # the template has changed since, so that it would be another workflow
        data = json.dumps(graph.to_api(), ensure_ascii=False, indent=1).encode()
        return Attachment(filename=f"workflow-{job.id[:8]}.json", data=data, alt="")

    def _node_list(self, job: Job) -> NodeList:
        """Return the nodes of the server that ran it, else of any."""
        servers = self._library.fleet.servers
        ran = servers.get(job.server or "")
        if ran is not None and ran.node_list:
            return ran.node_list
        empty: NodeList = {}
        return next((one.node_list for one in servers.values() if one.node_list), empty)
