"""A language model rewords a prompt; what it says is a stranger's word, and passes the gate like anybody's."""

from dataclasses import replace

from bot.enhancer import Enhancer, EnhancerAway, EnhancerError
from bot.errors import RequestError
from bot.jobs.desk import Desk
from bot.jobs.remix import Remix
from bot.model.request import Asker, Request, Standing, random_seed
from bot.model.verdict import Refuse
from bot.moderation.policy import Gate
from bot.replies.cards import Card, CardMaker
from bot.replies.catalogue import text


class Rewording:
    """Asks the helper, and keeps what it says as a draft until the member has looked at it."""

    def __init__(self, enhancer: Enhancer | None, gate: Gate, desk: Desk, remix: Remix) -> None:
        self._enhancer, self._gate, self._desk, self._remix = enhancer, gate, desk, remix

    @property
    def available(self) -> bool:
        """Whether the owner has set up a helper."""
        return self._enhancer is not None

    async def of_prompt(self, prompt: str, asker: Asker, standing: Standing) -> Card:
        """Return the reworded prompt as a draft for the template that is usual here; raises as `of_request`."""
        template = self._desk.template(None, asker.guild_id)
        request = Request(
            prompt=prompt,
            template=template.name,
            seed=random_seed(),
            member_id=asker.member_id,
            guild_id=asker.guild_id,
            channel_id=asker.channel_id,
            locale=asker.locale,
            guild_locale=asker.guild_locale,
        )
        return await self.of_request(request, standing)

    async def of_request(self, request: Request, standing: Standing, *, private: bool = False) -> Card:
        """Return a request with its prompt reworded, as a draft to be sent or edited.

        `private`: what comes of it is for its member alone.

        Raises:
            RequestError: there is no helper, it does not answer or answers nonsense, or the gate refuses what was
                said on either side.
        """
        template = self._desk.template(request.template)
        await self._desk.welcome(template, request.member_id, request.guild_id, standing)
        better = replace(request, prompt=await self._improved(request))
        draft_id = await self._remix.draft(better)
        locale = request.locale
        cards = CardMaker(request=better, title=template.title_in(locale), locale=locale, private=private)
        return cards.draft(draft_id, text("enhance.done", locale))

    async def _improved(self, request: Request) -> str:
        prompt, guild_id = request.prompt, request.guild_id or 0
        if self._enhancer is None:
            raise RequestError("refused.no_helper")
        if not prompt.strip():
            raise RequestError("refused.empty_prompt")
        await self._pass(prompt, guild_id, request.negative)
        try:
            better = await self._enhancer.improved(prompt)
        except EnhancerAway as fault:
            raise RequestError("refused.helper_away") from fault
        except EnhancerError as fault:
            raise RequestError("refused.helper_fault") from fault
        await self._pass(better, guild_id)
        return better

    async def _pass(self, words: str, guild_id: int, negative: str | None = None) -> None:
        verdict = await self._gate.text(words, guild_id, negative=negative)
        if isinstance(verdict, Refuse):
            raise RequestError(verdict.key, **verdict.facts)
