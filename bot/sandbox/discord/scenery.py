"""What the sandbox begins with: two guilds, their people and their channels."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.sandbox.discord.guilds import Channel, Guild
from bot.sandbox.discord.people import EVERYTHING, MEMBER, MODERATOR, Json, Permission, Person, Standing
from bot.sandbox.discord.records import stamp

NewId = Callable[[float | None], str]
"""Makes an id that says it was made at that time, in seconds since 1970; None for now."""

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """The beginning."""

    home: Guild
    neighbours: Guild
    bot: Person
    people: tuple[Person, ...]
    channels: tuple[Channel, ...]


def scenery(now: float, new_id: NewId) -> Scenery:
    """Return two guilds with people; everybody but Noa has been there for more than a year."""
    founded, joined = now - 1000 * DAY_S, stamp(now - 400 * DAY_S)
    home, neighbours = _guild("Easel's sandbox", founded, new_id), _guild("Neighbours", founded, new_id)

    def person(name: str, display: str, what: Permission = MEMBER, role: str | None = None, **more: str) -> Person:
        place, locale = more.get("home", home.id), more.get("locale", "en-US")
        return Person(new_id(now - 900 * DAY_S), name, display, locale, what, role, joined, place)

    bot = person("easel", "Easel", MEMBER | Permission.MANAGE_GUILD)
    bot.bot = True
    max_, olive = person("max", "Max"), person("olive", "Olive (owner)", EVERYTHING, home.owner_role, locale="en-GB")
    max_.elsewhere[neighbours.id] = Standing(MEMBER, None, joined)
    noa = person("noa", "Noa (newcomer)")
    noa.id, noa.joined = new_id(now - 3600), stamp(now - 300)
    there = neighbours.id
    regent = person("regent", "Regent (moderator)", EVERYTHING, neighbours.owner_role, home=there)
    home.owner, neighbours.owner = olive.id, regent.id
    people = (
        max_,
        person("haruka", "はるか", locale="ja"),
        person("mina", "Mina (moderator)", MODERATOR, home.mod_role),
        olive,
        noa,
        person("rival", "Rival", home=there),
        regent,
    )
    return Scenery(
        home=home,
        neighbours=neighbours,
        bot=bot,
        people=people,
        channels=(*_home_channels(home, founded, new_id), *_neighbours_channels(neighbours, founded, new_id)),
    )


def _guild(name: str, founded: float, new_id: NewId) -> Guild:
    return Guild(new_id(founded), name, "", *(new_id(founded) for _ in range(3)))


def _home_channels(guild: Guild, founded: float, new_id: NewId) -> Iterable[Channel]:
    def channel(name: str, topic: str, *, nsfw: bool = False, private: bool = False) -> Channel:
        return Channel(new_id(founded), name, topic, guild, nsfw, moderators_only=private)

    def thread(name: str, parent: Channel) -> Channel:
        return Channel(new_id(founded), name, f"A thread of #{parent.name}.", guild, parent=parent)

    pictures = channel("pictures", "Write /imagine and see what comes.")
    restricted = channel("pictures-18", "Age-restricted.", nsfw=True)
    moderators = channel("moderators", "Only moderators see this.", private=True)
    moderators.bot_sees = False
    return (
        pictures,
        thread("foxes", pictures),
        restricted,
        thread("foxes-18", restricted),
        channel("review", "Moderators and the bot see this.", private=True),
        channel("reports", "Moderators and the bot see this, too.", private=True),
        moderators,
    )


def _neighbours_channels(guild: Guild, founded: float, new_id: NewId) -> Iterable[Channel]:
    garden = Channel(new_id(founded), "garden", "Another server: nothing of the first is to be seen here.", guild)
    review = Channel(new_id(founded), "garden-review", "Its moderators and the bot see this.", guild)
    review.moderators_only = True
    return garden, review


def automod_rules(guild: Guild, new_id: NewId) -> list[Json]:
    """Return a rule of the guild's own words, and one of Discord's lists."""
    common: Json = {
        "guild_id": guild.id,
        "creator_id": guild.owner,
        "event_type": 1,
        "actions": [{"type": 1, "metadata": {}}],
        "enabled": True,
        "exempt_roles": [],
        "exempt_channels": [],
    }
    words = {"keyword_filter": ["badword", "*wildcard*"], "regex_patterns": [], "allow_list": ["wildcards welcome"]}
    presets = {"presets": [1, 2], "allow_list": []}
    return [
        {"id": new_id(None), "name": "Our words", "trigger_type": 1, "trigger_metadata": words, **common},
        {"id": new_id(None), "name": "Discord's lists", "trigger_type": 4, "trigger_metadata": presets, **common},
    ]
