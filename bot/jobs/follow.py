"""Going on from what was made: again, varied, upscaled, or whatever else a template serves as a follow-up."""

from collections.abc import Sequence

from bot.errors import RequestError
from bot.jobs.desk import Desk
from bot.jobs.inputs import Intake
from bot.jobs.library import Library
from bot.jobs.pictures import Attached, Pictures, check_there
from bot.model.job import Job
from bot.model.jsontree import items
from bot.model.jsontree import text as text_of
from bot.model.request import Asker, Request, Standing, Value, random_seed
from bot.replies.cards import kind_of_name
from bot.replies.catalogue import has, text
from bot.replies.press import STRONG, VARY
from bot.store.jobs import JobStore
from bot.workflow.matching import resolve
from bot.workflow.options import Option
from bot.workflow.template import Template

SUBTLE_DENOISE, STRONG_DENOISE = 0.4, 0.7
"""How much of a picture is painted anew; a template's own bounds win."""


class Follow:
    """Makes requests of finished jobs; `Desk.submit` takes them in."""

    def __init__(self, desk: Desk, library: Library, store: JobStore, intake: Intake, pictures: Pictures) -> None:
        self._desk, self._library, self._store = desk, library, store
        self._intake, self._pictures = intake, pictures

    async def on(
        self,
        job: Job,
        number: int,
        what: str,
        how: str,
        asker: Asker,
        standing: Standing,
        shown: Sequence[Attached] = (),
    ) -> Request:
        """Return the request that goes on with one file of a job: `what` is the follow-up, `how` to vary.

        Raises:
            RequestError: the file is gone, nothing serves the follow-up here, or the asker may not.
        """
        check_there(job, asker)
        results = await self._store.results(job.id)
        kind = kind_of_name(results[number - 1].filename) if 1 <= number <= len(results) else ""
        template = await self._serving(what, kind, asker, standing)
        _, data = await self._pictures.fetch(job, number, shown)

        async def read() -> bytes:
            return data

        option = file_option(template)
        upload = await self._intake.take(asker.member_id, option.kind, len(data), read)
        values = await self._values(template, job, how) if what == VARY else await self._model(template, job)
        return job.request.asked_by(
            asker,
            template=template.name,
            negative=job.request.negative if template.roles.negative else None,
            seed=random_seed(),
            size=None,
            count=None,
            values=values,
            files={option.name: upload.id},
            source=job.id,
        )

    async def _serving(self, what: str, kind: str, asker: Asker, standing: Standing) -> Template:
        """Return the first template that serves a follow-up here, and that the asker may use."""
        here = {template.name for template in self._desk.usable(asker.guild_id)}
        key = f"follow.{what}"
        refusal = RequestError("refused.no_follow_up", follow_up=text(key, asker.locale) if has(key) else what)
        for template in self._library.serving(what):
            if template.name not in here or str(template.takes) != kind:
                continue
            try:
                await self._desk.welcome(template, asker.member_id, asker.guild_id, standing)
            except RequestError as refused:
                refusal = refused
            else:
                return template
        raise refusal

    async def _values(self, template: Template, job: Job, how: str) -> dict[str, Value]:
        values = await self._model(template, job)
        denoise = template.option("denoise")
        if denoise is not None:
            wanted = STRONG_DENOISE if how == STRONG else SUBTLE_DENOISE
            low = denoise.minimum if denoise.minimum is not None else wanted
            high = denoise.maximum if denoise.maximum is not None else wanted
            values[denoise.name] = min(max(wanted, low), high)
        return values

    async def _model(self, template: Template, job: Job) -> dict[str, Value]:
        """Return the model that made the picture, if the template can be told to use it."""
        option = template.option("model")
        used = items((await self._store.recipe(job.id)).get("models"))
        if option is None or not used or (name := resolve(text_of(used[0]), option.choices or ())) is None:
            return {}
        return {option.name: name}


def again(request: Request, asker: Asker) -> Request:
    """Return the same request with a new seed."""
    return request.asked_by(asker, seed=random_seed(), unused=request.unused)


def file_option(template: Template) -> Option:
    """Return the option for the one file that a template works on."""
    needed = [option for option in template.file_options if option.base_role != "mask"]
    return next((option for option in needed if option.required), needed[0])
