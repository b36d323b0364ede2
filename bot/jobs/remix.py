"""Asking for the same with changes: from a job or a draft to the fields of a dialog, and from these to a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.errors import RequestError
from bot.jobs.desk import Desk
from bot.jobs.follow import file_option
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.pictures import Attached, Pictures, check_open
from bot.model.job import Job, JobState
from bot.model.jsontree import JsonObject
from bot.model.request import PROMPT_LIMIT, Asker, Request, Standing
from bot.model.style import Style
from bot.model.verdict import Refuse
from bot.moderation.policy import Gate
from bot.replies.cards import kind_of_name
from bot.replies.catalogue import keys_by_word, text
from bot.store.drafts import DraftStore
from bot.store.jobs import JobStore
from bot.workflow.matching import near, resolve
from bot.workflow.template import Template
from bot.workflow.tweaks import STYLE, TEMPLATE, Names, changed, lines_of, role_named, split

_ROLES = ("seed", "size", "count", "steps", "cfg", "sampler", "scheduler", "denoise", "model", STYLE, TEMPLATE)


def size_names() -> dict[str, str]:
    """Return what aspects are called in every language."""
    return keys_by_word("sizes")


def names_in(locale: str) -> Names:
    """Return what roles are called in a language; they are understood in all."""
    said = {role: text(f"options.{role}.name", locale) for role in _ROLES}
    words = {word: key.removesuffix(".name") for word, key in keys_by_word("options").items() if key.endswith(".name")}
    return Names(shown=said, roles=words, sizes=size_names())


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a dialog begins with."""

    prompt: str
    negative: str
    settings: str
    template: str
    takes_file: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What came back; `template` is empty where the dialog did not ask."""

    prompt: str
    negative: str = ""
    settings: str = ""
    template: str = ""
    files: Sequence[Attached] = ()
    shown: Sequence[Attached] = ()
    """The files of the message under which the dialog was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    request: Request
    recipe: JsonObject
    job: Job | None = None
    number: int = 1
    """Which of the job's files."""
    settings: str | None = None
    """Lines of a draft as they were typed."""


class Remix:
    """Reads and writes dialogs.

    A state says of what: `jJOB` a job's request, with `nNUMBER` one of its files, `dDRAFT` a draft; a `p` ends those of
    private pictures.
    """

    def __init__(
        self,
        desk: Desk,
        library: Library,
        store: JobStore,
        drafts: DraftStore,
        intake: Intake,
        pictures: Pictures,
        gate: Gate,
    ) -> None:
        self._desk, self._library, self._store, self._drafts = desk, library, store, drafts
        self._intake, self._pictures, self._gate = intake, pictures, gate

    async def form(self, state: str, asker: Asker, *, with_template: bool) -> Form:
        """Return what a dialog begins with; `with_template`: the template is a line among the settings.

        Raises:
            RequestError: there is no such job or draft any more, or the list refuses the job's words by now.
        """
        base = await self._base(state, asker)
        if base.job is not None:
            await self._check_tellable(base.request)
        template = self._desk.template(base.request.template)
        names = names_in(asker.locale)
        lines = lines_of(template, base.request, base.recipe, names)
        if with_template and _asked_of_all(TEMPLATE, template):
            lines = {names.shown[TEMPLATE]: template.name, **lines}
        written = "\n".join(f"{name}: {value}" for name, value in lines.items())
        return Form(
            prompt=base.request.prompt[:PROMPT_LIMIT],
            negative=(base.request.negative or "")[:PROMPT_LIMIT],
            settings=written if base.settings is None else base.settings,
            template=template.name,
            takes_file=any(one.takes is not None for one in self._desk.usable(asker.guild_id)),
        )

    async def _check_tellable(self, request: Request) -> None:
        said = "\n".join([request.prompt, *(str(value) for value in request.values.values())])
        verdict = await self._gate.text(said, request.guild_id or 0, negative=request.negative)
        if isinstance(verdict, Refuse):
            raise RequestError(verdict.key, **verdict.facts)

    async def request(self, state: str, typed: Typed, asker: Asker, standing: Standing) -> Request:
        """Return the request that a dialog makes.

        Raises:
            RequestError: a line, a name or a file is not what was asked for, or the asker may not.
        """
        base = await self._base(state, asker)
        names = names_in(asker.locale)
        lines = {role_named(name, names): value for name, value in split(typed.settings).items()}
        before = self._desk.template(base.request.template)
        named = lines.pop(TEMPLATE, "") if _asked_of_all(TEMPLATE, before) else ""
        template = self._desk.template(named or typed.template or base.request.template)
        await self._desk.welcome(template, asker.member_id, asker.guild_id, standing)
        style = base.request.style
        if _asked_of_all(STYLE, template):
            style = self.style(name, asker.locale) if (name := lines.pop(STYLE, "")) else None
        negative: str | None = typed.negative.strip() or None
        if template.name != base.request.template:
            lines = self._still_meant(base, template, lines, asker.locale)
            negative = None if not template.roles.negative and negative == base.request.negative else negative
        made = changed(base.request, template, lines, names)
        files, source = await self._files(base, template, typed, asker)
        return made.asked_by(
            asker, prompt=typed.prompt.strip(), negative=negative, style=style, files=files, source=source
        )

    def _still_meant(self, base: _Base, template: Template, lines: Mapping[str, str], locale: str) -> dict[str, str]:
        """Of what was only prefilled for another template, keep the seed: the new one has values of its own."""
        before = self._library.by_name.get(base.request.template)
        names = names_in(locale)
        shown = lines_of(before, base.request, base.recipe, Names()) if before is not None else {}
        kept = {name: value for name, value in lines.items() if shown.get(name) != value}
        if "seed" in lines and template.option("seed") is not None:
            kept["seed"] = lines["seed"]
        return {role_named(name, names): value for name, value in kept.items()}

    def _style(self, name: str, locale: str) -> Style | None:
        if not name:
            return None
        return self.style(name, locale)

    def style(self, name: str, locale: str) -> Style:
        """Return a style by its name or title; raises RequestError if there is none."""
        styles = self._library.styles
        by_title = {entry.title_in(locale).casefold(): key for key, entry in styles.items()}
        found = by_title.get(name.casefold()) or resolve(name, list(styles))
        if found is None:
            names = near(name, list(styles)) or list(styles)[:5]
            raise RequestError("refused.unknown_style", style=name, near=", ".join(names))
        return styles[found].style

    async def _files(self, base: _Base, template: Template, typed: Typed, asker: Asker) -> tuple[dict[str, str], str]:
        """Return the files of the new request, what was brought, else what it had, else the picture itself; and whose.

        The second is the job whose picture is among them, if there is one.
        """
        known = {option.name: option for option in template.file_options}
        kept = {name: upload for name, upload in base.request.files.items() if name in known}
        source = base.request.source if kept else ""
        if typed.files and template.takes is None:
            raise RequestError("refused.takes_no_file", template=template.title)
        option = file_option(template) if template.takes is not None else None
        if option is None:
            return kept, source
        if typed.files:
            (file, *_) = typed.files
            upload = await self._intake.take(asker.member_id, option.kind, file.size, file.read)
            return {**kept, option.name: upload.id}, ""
        if option.name in kept or not option.required or base.job is None or base.job.state is not JobState.DONE:
            return kept, source
        name, data = await self._pictures.fetch(base.job, base.number, typed.shown)
        if kind_of_name(name) != str(option.kind):
            raise RequestError("refused.needs_file", template=template.title, option=option.name)

        async def read() -> bytes:
            return data

        upload = await self._intake.take(asker.member_id, option.kind, len(data), read)
        return {**kept, option.name: upload.id}, base.job.id

    async def _base(self, state: str, asker: Asker) -> _Base:
        kind, ident, rest = state[:1], state[1:17], state[17:].rstrip("p")
        if kind == "d":
            found = await self._drafts.get(ident, asker.member_id, asker.guild_id or 0)
            if found is None:
                raise RequestError("refused.draft_gone")
            return _Base(request=found[0], recipe={}, settings=found[1])
        job = check_open(await self._store.get(ident) if kind == "j" else None, asker)
        number = int(rest[1:]) if rest[:1] == "n" and rest[1:].isdecimal() else 1
        return _Base(request=job.request, recipe=await self._store.recipe(job.id), job=job, number=number)

    async def keep(self, state: str, typed: Typed, asker: Asker) -> str:
        """Keep what was typed as a draft, whatever was wrong with it; return its id. A file has to be brought again."""
        base = await self._base(state, asker)
        kept = base.request.asked_by(
            asker,
            prompt=typed.prompt.strip()[:PROMPT_LIMIT],
            negative=typed.negative.strip()[:PROMPT_LIMIT] or None,
            template=typed.template if typed.template in self._library.by_name else base.request.template,
        )
        return await self._drafts.add(kept, typed.settings)

    async def draft(self, request: Request) -> str:
        """Keep a request that is to be looked at before it is sent; return its id."""
        return await self._drafts.add(request)

    async def drafted(self, draft_id: str, asker: Asker) -> Request:
        """Return a draft as the asker's request now; raises RequestError if it is gone, or not theirs."""
        base = await self._base(f"d{draft_id}", asker)
        return replace(base.request.asked_by(asker), unused=base.request.unused)


def _asked_of_all(name: str, template: Template) -> bool:
    """Tell whether a line `style` or `template` is Easel's own, and not an option that the template calls so."""
    return all(option.name != name for option in template.options)
