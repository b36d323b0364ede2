"""Who may ask for what: the one door that every request goes through before it gets a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import structlog

from bot.errors import RequestError
from bot.jobs.fleet import Fleet, Server
from bot.jobs.inputs import check_masks
from bot.jobs.library import Library
from bot.model.guild import GuildSettings
from bot.model.job import Claim
from bot.model.request import Request, Standing
from bot.model.verdict import Ask
from bot.store.uploads import UploadStore
from bot.workflow.build import build, check_names, check_request, loras_of, prompts
from bot.workflow.fitness import graph_problems
from bot.workflow.lens import NEGATIVE, POSITIVE
from bot.workflow.load import cost_of
from bot.workflow.matching import resolve
from bot.workflow.options import Kind
from bot.workflow.prompt import Prompt, unweighted
from bot.workflow.template import Template

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """What roles give their members in the queue, by role id."""

    weights: Mapping[int, float] = field(default_factory=dict[int, float])
    priorities: Mapping[int, int] = field(default_factory=dict[int, int])


class Admission:
    """Knows the templates, and what the servers make of a request."""

    def __init__(
        self,
        library: Library,
        fleet: Fleet,
        uploads: UploadStore,
        default: str | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self._library, self._fleet, self._uploads, self._default = library, fleet, uploads, default
        self._ranks = ranks or Ranks()

    def known(self, name: str) -> Template | None:
        """Return a template by the name of its file, also one that is not offered now."""
        return self._library.by_name.get(name)

    def template(self, name: str | None, preferred: str = "") -> Template:
        """Return the named template, or the default one: the guild's, the owner's, else the first that can run.

        Raises:
            RequestError: there is none of that name, or none at all.
        """
        known = self._library.by_name
        if name is None:
            name = next((one for one in (preferred, self._default) if one in known), None)
        if name is None:
            usable = [one for one in self._library.usable() if all(option.kind == "text" for option in one.required)]
            if not usable:
                raise RequestError("refused.no_template")
            return next((one for one in usable if one.name == "sd15"), usable[0])
        by_title = {template.title.casefold(): template for template in known.values()}
        found = known.get(name) or by_title.get(name.strip().casefold())
        if found is None:
            raise RequestError("refused.unknown_template", template=name)
        return found

    def welcome(self, template: Template, standing: Standing) -> None:
        """Refuse who may not, before anything of theirs is fetched or kept; raises RequestError."""
        check_standing(template, standing)
        if self._fleet.unfit(template):
            raise RequestError("refused.template_unfit", template=template.title)

    async def ask(self, template: Template, request: Request) -> Ask:
        """Return a request as the gate sees it: whatever of it a member can change, as typed and as it will be used.

        Raises:
            RequestError: a file is not kept any more.
        """
        texts = [request.prompt, *(str(value) for value in request.values.values())]
        texts += [str(one.default) for one in template.options
                  if one.kind is Kind.TEXT and one.default and one.name not in request.values]  # fmt: skip
        said, avoided = self._taken_apart(template, request)
        texts += said
        pictures: list[tuple[str, bytes]] = []
        for upload_id in request.files.values():
            upload = await self._uploads.get(upload_id)
            if upload is None:
                raise RequestError("refused.file_gone")
            pictures.append((upload.filename, upload.data))
        negatives = (request.negative, *avoided) if request.negative else ()
        return Ask(template=template.name, texts=tuple(texts), negatives=negatives, pictures=tuple(pictures))

    def _taken_apart(self, template: Template, request: Request) -> tuple[list[str], list[str]]:
        """Return what is left of the prompt and of the negative prompt without their tags.

        With the prompt are the names that tags and choices mean: a tag may mean another file on each server.
        """
        try:
            by_role = prompts(template, request)
            own = prompts(template, replace(request, style=None))  # what a style avoids is its owner's word
        except RequestError:
            return [], []  # it is refused in a moment, for its syntax
        by_role = {POSITIVE: by_role[POSITIVE]} if POSITIVE in by_role else {}
        by_role |= {NEGATIVE: own[NEGATIVE]} if NEGATIVE in own else {}
        left = {role: _readings(prompt) for role, prompt in by_role.items()}
        tags = [lora.name for prompt in by_role.values() for lora in prompt.loras]
        meant = [resolve(tag, loras_of(server.node_list)) for server in self._fleet.servers.values() for tag in tags]
        by_name = {one.name: one for one in template.options}
        meant += [
            resolve(str(value), choices)
            for name, value in request.values.items()
            if name in by_name and (choices := by_name[name].choices) is not None
        ]
        return [*left.get(POSITIVE, ()), *(name for name in meant if name)], left.get(NEGATIVE, [])

    async def admit(self, request: Request, standing: Standing) -> Template:
        """Return the template of a request that can be done.

        Raises:
            RequestError: it cannot, or this member may not.
        """
        template = self.template(request.template)
        self.welcome(template, standing)
        check_request(template, request)
        self._rehearse(template, request)
        await check_masks(template, request, self._uploads)
        return template

    def _rehearse(self, template: Template, request: Request) -> None:
        """Build the graph for the servers that may run it, and look at it as they would, before anybody waits.

        Raises:
            RequestError: no server would take it; the words are those of the first.
        """
        first: RequestError | None = None
        for server in self._fleet.servers.values():
            if server.node_list and self._fleet.can_run(template, server.name):
                fault = rehearsed(template, request, server)
                if fault is None:
                    return
                first = first or fault
        if first is not None:
            raise first

    def can_run(self, request: Request, server: str) -> bool:
        """Tell whether a server can run a request: its template, and what its prompts name."""
        template = self._library.by_name.get(request.template)
        if template is None:
            return True  # gone since; the runner tells
        fits = self._fleet.can_run(template, server)
        if not fits or not (request.values or has_syntax(template, request)):
            return fits
        return rehearsed(template, request, self._fleet.servers[server]) is None

    def unfit_templates(self) -> set[str]:
        """Return the templates that no server can run any more."""
        return {template.name for template in self._library.by_name.values() if self._fleet.unfit(template)}

    def claim(self, template: Template, request: Request, standing: Standing, guild: GuildSettings) -> Claim:
        """Return what a member may ask of the queue with a request: the best that one of their roles gives."""
        given = guild.role_weights or self._ranks.weights
        weights = [given[role] for role in standing.role_ids if role in given]
        classes = [self._ranks.priorities[role] for role in standing.role_ids if role in self._ranks.priorities]
        return Claim(
            weight=max(weights, default=1.0),
            priority=max(classes, default=0),
            cost=cost_of(template, request),
            running_cap=guild.member_running or None,
        )


def _readings(prompt: Prompt) -> list[str]:
    """Return a prompt's texts, and all of them in a row, with and without weights and brackets."""
    texts = [text for part in prompt.parts for text in part]
    whole = " ".join(texts)
    return [*texts, whole, unweighted(whole)]


def check_standing(template: Template, standing: Standing) -> None:
    """Refuse a template that this member may not use, or not here.

    Raises:
        RequestError: it is for certain roles, or for age-restricted channels.
    """
    manifest = template.manifest
    if manifest.age_restricted and not standing.adult_channel:
        raise RequestError("refused.age_restricted", template=template.title)
    if manifest.roles_allowed and not standing.role_ids & set(manifest.roles_allowed):
        raise RequestError("refused.roles_only", template=template.title)


def has_syntax(template: Template, request: Request) -> bool:
    """Tell whether a request's prompts name what one server may have and another not."""
    try:
        return any(prompt.loras or prompt.embeddings for prompt in prompts(template, request).values())
    except RequestError:
        return False  # the template has changed since; the runner tells


def rehearsed(template: Template, request: Request, server: Server) -> RequestError | None:
    """Return why a server would not take a request, or None."""
    files = dict.fromkeys(request.files, "rehearsal.png")
    brought = frozenset(place for option in template.file_options for place in option.places)
    try:
        check_names(prompts(template, request), loras_of(server.node_list), server.embeddings)
        graph = build(template, request, server.node_list, job_id="rehearsal", files=files)
    except RequestError as fault:
        return fault
    if found := graph_problems(graph, server.node_list, brought):
        log.warning("template.unfit", template=template.name, server=server.name, problems=found[:5])
        return RequestError("refused.template_unfit", template=template.title)
    return None
