"""discord.py's client and command tree; what goes wrong in any command or button is answered here, once."""

import asyncio
import hashlib
import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import discord
import structlog
from discord import app_commands
from discord.ext import commands
from discord.http import Route
from sqlalchemy.exc import SQLAlchemyError

from bot.answers import NETWORK, UNANSWERED, answer_fault
from bot.errors import RequestError
from bot.filled import Filled, filled_in
from bot.model.case import Decision
from bot.model.verdict import Allow, Refuse
from bot.replies.buttons import ITEMS
from bot.replies.catalogue import CatalogueTranslator
from bot.replies.press import Action, Press
from bot.services import Services, Visitor

log = structlog.get_logger()

# Easel has no use for voice; without this, discord.py warns at every start that its voice libraries are missing.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

Interaction: TypeAlias = "discord.Interaction[EaselBot]"
Pressed: TypeAlias = Callable[[discord.Interaction[Any], Press], Awaitable[None]]
Pick: TypeAlias = Callable[[discord.Interaction[Any], str, int], Awaitable[None]]
"""What choosing a picture does: (interaction, the job's id, which of its files)."""
Turn: TypeAlias = Callable[[discord.Interaction[Any], int], Awaitable[None]]
Decide: TypeAlias = Callable[[discord.Interaction[Any], Decision, int], Awaitable[None]]
Submit: TypeAlias = Callable[[discord.Interaction[Any], str, Filled], Awaitable[None]]
"""What a dialog does: (interaction, the state in its id, what came back)."""
Take: TypeAlias = Callable[[discord.Interaction[Any], str, str], Awaitable[None]]
"""What a button of a draft does: (interaction, `run` or `edit`, the draft's id)."""

HANDLERS_S = 2.0
"""Seconds that a stop waits for commands and clicks that are being answered."""


class EaselTree(app_commands.CommandTree["EaselBot"]):
    """Answers every fault of a command."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let in whom the gate lets in; and its task is ours from now on."""
        self.client.own_task(interaction)
        command = interaction.command
        try:
            return await self.client.admits(interaction, spared=bool(command and command.extras.get("spared")))
        except Exception as fault:  # noqa: BLE001 - discord.py would drop it, and the member would wait for an answer
            if interaction.type is not discord.InteractionType.autocomplete:
                await answer_fault(interaction, fault)
            return False

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """Tell the member what is expected in plain words, and of a bug its number."""
        if isinstance(error, app_commands.CheckFailure):
            return  # whoever checked has answered
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            await answer_fault(interaction, RequestError("refused.command_changed"))
            return
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await answer_fault(interaction, cause)


class EaselBot(commands.Bot):
    """The client. It may be built without a network and without settings."""

    services: Services

    def __init__(self, *, proxy: str | None = None, ready_timeout_s: float = 2.0, **shards: Any) -> None:
        super().__init__(
            **shards,
            command_prefix=(),
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=EaselTree,
            help_command=None,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=ready_timeout_s,
            proxy=proxy,
        )
        self.presses: dict[Action, Pressed] = {}
        self.dialogs: dict[str, Submit] = {}
        self.books: dict[str, Turn] = {}
        self._pick: Pick | None = None
        self._draft: Take | None = None
        self._decide: Decide | None = None
        self._publish: Callable[[], None] = lambda: None
        self.published: tuple[str, ...] = ()
        """Names of the commands that templates have now."""
        self._answering: set[asyncio.Task[Any]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._ended = False
        self._payloads: dict[Any, dict[str, Any]] = {}

    async def setup_hook(self) -> None:
        """Load the cogs and the buttons; nothing here needs the network."""
        if self.extensions:
            return  # a second login after a fault of the network
        await self.tree.set_translator(CatalogueTranslator())
        for name in cast("tuple[str, ...]", importlib.import_module("cogs").EXTENSIONS):
            await self.load_extension(name)
        self.add_dynamic_items(*ITEMS)

    def on_publish(self, publish: Callable[[], None]) -> None:
        """Say how templates become commands; a cog's duty."""
        self._publish = publish

    def publish(self) -> None:
        """Put the commands of the templates that can be used now in place of those before."""
        self._publish()

    def is_owner_of_easel(self, member: discord.abc.User) -> bool:
        """Tell whether somebody may use the owner's commands: by `OWNER_IDS` (people or roles), or as its maker."""
        known = self.services.owner_ids
        roles = {role.id for role in member.roles} if isinstance(member, discord.Member) else set[int]()
        return member.id in known or bool(roles & known) or member.id in self._makers()

    def _makers(self) -> set[int]:
        application = self.application
        if application is None:
            return set()
        team = [member.id for member in application.team.members] if application.team else []
        return {application.owner.id, *team}

    async def tell_owners(self, words: str) -> None:
        """Send the owners a direct message; who cannot be reached finds the same in the log."""
        people = self.services.owner_ids or self._makers()
        for owner_id in people:
            try:
                channel = await self.create_dm(discord.Object(owner_id))
                await channel.send(words[:2000])
            except (discord.HTTPException, *NETWORK) as fault:
                log.info("owner.not_told", owner=owner_id, fault=type(fault).__name__)

    def on_press(self, action: Action, pressed: Pressed) -> None:
        """Say what a button does; a cog's duty."""
        self.presses[action] = pressed

    async def press(self, interaction: discord.Interaction[Any], press: Press) -> None:
        """Do what a button says, and answer its faults."""
        await self._handle(interaction, lambda: self.presses[press.action](interaction, press))

    def on_pick(self, pick: Pick) -> None:
        """Say what choosing a picture does; a cog's duty."""
        self._pick = pick

    async def pick(self, interaction: discord.Interaction[Any], job_id: str, number: int) -> None:
        """Show what was chosen, and answer its faults."""
        if (pick := self._pick) is not None:
            await self._handle(interaction, lambda: pick(interaction, job_id, number))

    def on_turn(self, book: str, turn: Turn) -> None:
        """Say what turning the pages of a list does; a cog's duty."""
        self.books[book] = turn

    async def turn(self, interaction: discord.Interaction[Any], book: str, page: int) -> None:
        """Turn to a page, and answer its faults."""
        await self._handle(interaction, lambda: self.books[book](interaction, page))

    def on_draft(self, take: Take) -> None:
        """Say what the buttons of a draft do; a cog's duty."""
        self._draft = take

    async def draft(self, interaction: discord.Interaction[Any], what: str, draft_id: str) -> None:
        """Send or edit a draft, and answer its faults."""
        if (take := self._draft) is not None:
            await self._handle(interaction, lambda: take(interaction, what, draft_id))

    def on_decide(self, decide: Decide) -> None:
        """Say what the buttons under a case do; a cog's duty."""
        self._decide = decide

    async def decide(self, interaction: discord.Interaction[Any], decision: Decision, number: int) -> None:
        """Do what a button under a case says, and answer its faults."""
        if (decide := self._decide) is not None:
            await self._handle(interaction, lambda: decide(interaction, decision, number))

    def on_dialog(self, name: str, submit: Submit) -> None:
        """Say what a dialog of this name does; a cog's duty. Its id is `easel:NAME:STATE`."""
        self.dialogs[name] = submit

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take dialogs by their id: one that was opened before a restart works after it."""
        data = cast("dict[str, Any]", interaction.data or {})
        match str(data.get("custom_id", "")).split(":"):
            case ["easel", name, state] if (
                interaction.type is discord.InteractionType.modal_submit and name in self.dialogs
            ):
                filled = filled_in(interaction)
                await self._handle(interaction, lambda: self.dialogs[name](interaction, state, filled))
            case _:
                return

    async def _handle(self, interaction: discord.Interaction[Any], work: Callable[[], Awaitable[None]]) -> None:
        """Let a click or a dialog through the gate, do what it says, and answer its faults."""
        self.own_task(interaction)
        try:
            if await self.admits(interaction):
                await work()
        except Exception as fault:  # noqa: BLE001 - this is the edge: whatever it is, the member gets an answer
            await answer_fault(interaction, fault)

    async def admits(self, interaction: discord.Interaction[Any], *, spared: bool = False) -> bool:
        """Ask the gate whether somebody may use Easel here; who may not is told why."""
        bench = self.services.bench
        if interaction.guild_id is not None and interaction.guild_locale is not None:
            bench.guilds.note_locale(interaction.guild_id, interaction.guild_locale.value)
        typing = interaction.type is discord.InteractionType.autocomplete
        visitor = Visitor(
            member_id=interaction.user.id,
            guild_id=interaction.guild_id,
            manager=interaction.permissions.manage_guild,
            spared=spared,
            counted=not typing,
        )
        verdict = await bench.gate.enter(visitor)
        if isinstance(verdict, Allow):
            return True
        if isinstance(verdict, Refuse) and not typing:
            log.info("gate.turned_away", member=interaction.user.id, guild=interaction.guild_id, rule=verdict.key)
            await answer_fault(interaction, RequestError(verdict.key, **verdict.facts))
        return False

    def own_task(self, interaction: discord.Interaction[Any]) -> None:
        """Take charge of the task that discord.py made for a command or a click: a stop waits for it."""
        if (task := asyncio.current_task()) is not None:
            self._answering.add(task)
            task.add_done_callback(lambda done: self._answered(done, interaction))

    def _answered(self, task: asyncio.Task[Any], interaction: discord.Interaction[Any]) -> None:
        """What was answered is owed no more; a handler that was cut off leaves it to the next process."""
        self._answering.discard(task)
        kind = discord.InteractionType.autocomplete
        # (discord.py swallows the cancellation of a dialog's task, which then passes for done)
        owed = task.cancelled() or task.cancelling() or UNANSWERED in interaction.extras
        if not owed and not self._ended and interaction.type is not kind:
            self.own(asyncio.create_task(self._kept(interaction.id), name=f"promise-{interaction.id}"))

    def own(self, task: asyncio.Task[None]) -> None:
        """Take charge of a task that writes down what is owed, or that it is no more: a stop waits for it."""
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _kept(self, interaction_id: int) -> None:
        try:
            await self.services.promises.kept(interaction_id)
        except (SQLAlchemyError, OSError) as fault:
            log.warning("interaction.promise_left", fault=type(fault).__name__)

    async def close(self) -> None:
        """Give what is being answered a moment, end what is left, then close the connection."""
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=HANDLERS_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._writing:
            await asyncio.wait(self._writing, timeout=HANDLERS_S)
        self._ended = True
        await super().close()

    async def payload(self) -> list[dict[str, Any]]:
        """Return the commands as Discord gets them, in order of name, in every language."""
        translator = self.tree.translator
        known = self._payloads
        self._payloads = {}
        for command in sorted(self.tree.get_commands(), key=lambda command: command.name):
            made = known.get(command)
            if made is None:  # asking for 34 locales, word by word, takes its time
                translated = translator and await command.get_translated_payload(self.tree, translator)
                made = translated or command.to_dict(self.tree)
            self._payloads[command] = made
        return list(self._payloads.values())

    async def payload_hash(self) -> str:
        """Return a hash of the commands as Discord gets them."""
        told = [Route.BASE, self.application_id, await self.payload()]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()

    async def hand_over(self) -> None:
        """Put our commands in place of those that Discord has; raises discord.HTTPException if it refuses them."""
        await self.http.bulk_upsert_global_commands(self.application_id or 0, payload=await self.payload())


class ShardedBot(EaselBot, commands.AutoShardedBot):
    """The client of some of the guilds: `shard_ids` out of `shard_count`, or all shards in one process."""


async def only_owner(interaction: discord.Interaction[Any]) -> bool:
    """Let the owner's commands be used by owners; anybody else is told, and the attempt is logged."""
    if cast("EaselBot", interaction.client).is_owner_of_easel(interaction.user):
        return True
    log.warning("owner.refused", member=interaction.user.id, guild=interaction.guild_id)
    await answer_fault(interaction, RequestError("refused.owner_only"))
    return False
