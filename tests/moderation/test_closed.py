"""The gate refuses on doubt: whatever it asks may break or hang, on every door that asks for it. Over a real SQLite."""

import ast
import asyncio
import inspect
import io
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from PIL import Image

from bot.bot import EaselBot
from bot.model.audit import Act, Entry
from bot.model.guild import DAY_S, SETTINGS, Kind
from bot.model.job import Job, JobState, ReplyAddress
from bot.model.request import Request, Standing
from bot.model.verdict import Allow, Ask, Hold, HoldReason, Refuse
from bot.model.words import Word, WordMode
from bot.moderation import policy
from bot.moderation.bench import Bench, make_bench
from bot.moderation.blocklist import Blocklist
from bot.moderation.policy import Gate, Visitor
from bot.replies.courier import Courier
from bot.store.database import open_database
from bot.store.tables import guild_settings
from bot.store.tables import words as word_table

GUILD, MEMBER = 7, 9
STANDING = Standing(place_ids=frozenset({3}), born_at=0.0, joined_at=0.0)


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "PNG")
    return out.getvalue()


PNG = _png()


def _job() -> Job:
    request = Request(prompt="a fox", template="sd15", seed=7, member_id=MEMBER, guild_id=GUILD, channel_id=3)
    address = ReplyAddress(application_id=1, channel_id=3, message_id=4, token="t", expires_at=0, upload_limit=1)
    return Job(id="a" * 16, request=request, address=address, state=JobState.RUNNING, attempt=0, created_at=0)


class Check:
    """A check of pictures; `says` is what it finds."""

    def __init__(self) -> None:
        self.says = 0.1

    async def score(self, picture: bytes) -> float:
        return self.says if picture else 1.0


ASK = Ask(template="sd15", texts=("a fox",), pictures=(("mine.png", PNG),))
DOORS: Mapping[str, tuple[Callable[[Gate], Awaitable[Any]], Any]] = {
    "enter": (lambda gate: gate.enter(Visitor(member_id=MEMBER, guild_id=GUILD)), Refuse(key="refused.check_failed")),
    "welcome": (lambda gate: gate.welcome(ASK, MEMBER, GUILD, STANDING), Refuse(key="refused.check_failed")),
    "request": (lambda gate: gate.request(ASK, MEMBER, GUILD, STANDING), Refuse(key="refused.check_failed")),
    "text": (lambda gate: gate.text("a fox", GUILD), Refuse(key="refused.check_failed")),
    "tellable": (lambda gate: gate.tellable(["a fox", "a hen"], GUILD), frozenset()),
    "begins": (lambda gate: gate.begins(_job()), Refuse(key="failure.unjudged")),
    "finished": (lambda gate: gate.finished(_job(), [("a.png", PNG)], ["a fox"]), Refuse(key="failure.unjudged")),
    "preview": (lambda gate: gate.preview(_job(), PNG), None),
    "keeps_metadata": (lambda gate: gate.keeps_metadata(_job()), False),
}
"""Every question that others ask the gate, and the answer that it gives when it does not know."""
NO_DOORS = {"texts"}  # asked by those above; on its own by the council, for moderators, who hear that it failed


@dataclass(frozen=True)
class Asked:
    """What the gate asks of others: which doors need it, and in what kind of guild."""

    doors: frozenset[str]
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    word: WordMode | None = None
    score: float = 0.1
    hangs: bool = True
    """Whether it can: what is a sum of a few numbers in memory cannot."""


def asked(*doors: str, **more: Any) -> Asked:
    return Asked(frozenset(doors), **more)


ASKED: Mapping[str, Asked] = {
    "_guilds.settings": asked("enter"),
    "_guilds.policy": asked(*DOORS),
    "_sanctions.block": asked("enter", "welcome", "request", "begins", "finished"),
    "_sanctions.strikes": asked("request", settings={"review": "suspected"}),
    "_sanctions.strike": asked("request", word=WordMode.STRIKE),
    "_audit.add": asked("request", "begins", "finished", word=WordMode.REFUSE),
    "_check.score": asked("request", "finished", "preview"),
    "_pace.allows": asked("enter", hangs=False),
    "worst_score": asked("request", "finished", "preview"),
    "blurred": asked("preview", settings={"previews": "blurred"}),
    "compiled": asked("request", "text", "tellable", "begins", "finished", hangs=False),
    "Blocklist.hits": asked("request", "text", "tellable", "begins", "finished"),
}
"""All that can go wrong in it. `test_the_table_is_whole` reads the gate's source for what is missing here."""


@pytest.fixture(autouse=True)
def _quiet() -> Generator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    """The real moderation over a real file."""
    async with open_database(f"sqlite:///{tmp_path / 'easel.sqlite3'}") as database:
        made = make_bench(database, Courier(EaselBot()), Check(), 90)
        yield made
        await made.notices.close()


def _entry() -> Entry:
    return Entry(guild_id=GUILD, act=Act.SETTING, at=time.time())


async def decide(bench: Bench, **settings: str) -> None:
    for key, value in settings.items():
        await bench.guilds.set(GUILD, key, value, _entry())


async def answers(gate: Gate) -> dict[str, Any]:
    return {name: await ask(gate) for name, (ask, _) in DOORS.items()}


def closed(found: Mapping[str, Any]) -> set[str]:
    return {name for name, answer in found.items() if answer == DOORS[name][1]}


async def test_nothing_is_closed_when_all_is_well(bench: Bench) -> None:
    """With every question answered, an ordinary request passes every door."""
    found = await answers(bench.gate)
    assert found == dict.fromkeys(("enter", "welcome", "request", "text", "begins", "finished"), Allow()) | {
        "preview": PNG, "keeps_metadata": True, "tellable": frozenset({"a fox", "a hen"}),
    }  # fmt: skip


def test_every_door_is_tried() -> None:
    """What others may ask of the gate is in the table of doors, or has a reason not to be."""
    public = {name for name, one in vars(Gate).items() if inspect.iscoroutinefunction(one) and name[0] != "_"}
    assert public == {*DOORS, *NO_DOORS}


def collaborators(source: str) -> set[str]:
    """Return what the gate's methods ask of others: `_store.method` of what it was given, and functions of ours."""
    tree = ast.parse(source)
    imported = {
        name.asname or name.name: f"{one.module}.{name.name}"
        for one in ast.walk(tree)
        if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("bot.")
        for name in one.names
    }
    gate = next(one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and one.name == "Gate")
    found = set[str]()
    for one in ast.walk(gate):
        match one:
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=store), attr=method):
                found.add(f"{store}.{method}")
            case ast.Name(id=name) if name in imported and inspect.isfunction(getattr(policy, name)):
                found.add(name)
            case ast.Name(id="compiled" as name) | ast.Attribute(value=ast.Name(id="blocklist"), attr="hits" as name):
                found.add({"hits": "Blocklist.hits"}.get(name, name))
            case _:
                ...
    return found


def test_the_table_is_whole() -> None:
    """Every method and function that the gate's source asks is in the table, and a new one would be missed."""
    source = inspect.getsource(policy)
    assert collaborators(source) | {"_check.score"} == set(ASKED)
    planted = source.replace("self._sanctions.block(", "self._sanctions.banned(").replace(
        "blurred, picture", "len, b''"
    )
    assert collaborators(planted) ^ collaborators(source) == {"_sanctions.banned", "_sanctions.block", "blurred"}


async def _prepare(bench: Bench, about: Asked) -> None:
    await decide(bench, **about.settings)
    if about.word is not None:
        await bench.guilds.put_words(GUILD, [Word(text="fox", mode=about.word)], [], _entry())
    bench.gate._check.says = about.score  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]


def _plant(gate: Gate, name: str, monkeypatch: pytest.MonkeyPatch, over: threading.Event | None) -> list[str]:
    """Make what the gate asks raise, or hang until something is over; return where each call is written down."""
    calls: list[str] = []

    async def fails(*_: Any) -> Any:
        calls.append(name)
        if over is not None:
            await asyncio.Event().wait()
        raise OSError("gone")

    def fails_at_once(*_: Any) -> Any:
        calls.append(name)
        if over is not None:
            over.wait(10)
        raise OSError("gone")

    at_once = name in ("blurred", "compiled", "Blocklist.hits", "_pace.allows")
    owner, _, method = name.rpartition(".")
    place = {"": policy, "Blocklist": Blocklist}.get(owner) or getattr(gate, owner)
    monkeypatch.setattr(place, method, fails_at_once if at_once else fails)
    return calls


CASES = [(name, hangs) for name, about in ASKED.items() for hangs in (False, True) if about.hangs or not hangs]


@pytest.mark.parametrize(("name", "hangs"), CASES)
async def test_what_fails_closes_its_doors(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, hangs: bool  # noqa: FBT001 - a parameter of a test
) -> None:  # fmt: skip
    """Exactly the doors that need it are closed, whether it raises or is silent; the others go on as they were."""
    about = ASKED[name]
    await _prepare(bench, about)
    before = await answers(bench.gate)
    assert closed(before) == set()
    for limit in ("ENTER_S", "REQUEST_S", "FINISHED_S", "PREVIEW_S"):
        monkeypatch.setattr(policy, limit, 0.05 if hangs else 5.0)
    over = threading.Event()
    calls = _plant(bench.gate, name, monkeypatch, over if hangs else None)
    after = await answers(bench.gate)
    over.set()

    assert calls
    assert closed(after) == about.doors
    assert [after[one] for one in DOORS if one not in about.doors] == [
        before[one] for one in DOORS if one not in about.doors
    ]


TEMPLATES = {Kind.TEMPLATE, Kind.TEMPLATES}
"""Kinds of which every text is a value: at worst the name of a template that is not there, which closes, too."""


async def test_a_setting_that_cannot_be_read_is_no_default(bench: Bench) -> None:
    """Whichever row is broken, nothing is asked for, shown or told here, and admins can come in to mend it."""
    for key in (one.key for one in SETTINGS.values() if one.kind not in TEMPLATES):
        rubbish = guild_settings.insert().values(guild_id=GUILD, key=key, value="rubbish=?")
        await bench.jobs._database.write(lambda one, broken=rubbish: one.execute(broken).rowcount)
        bench.gate._pace = policy._Pace()
        found = await answers(bench.gate)
        unreadable = Refuse(key="refused.setting_unreadable", facts={"names": key})
        assert (found["welcome"], found["request"]) == (unreadable, unreadable)
        assert closed(found) == {"begins", "finished", "preview", "keeps_metadata"}
        assert (found["enter"], found["text"]) == (Allow(), Allow())
        await bench.guilds.set(GUILD, key, None, _entry())
    assert closed(await answers(bench.gate)) == set()


async def test_a_word_that_cannot_be_read_closes_all(bench: Bench) -> None:
    """An entry of a list with a mode that nobody knows is not passed over."""
    row = word_table.insert().values(guild_id=GUILD, text="x", mode="dance", reason="")
    await bench.jobs._database.write(lambda one: one.execute(row).rowcount)
    assert closed(await answers(bench.gate)) == set(DOORS)


ELSEWHERE, NOWHERE = 123456789012345678, frozenset[int]()
UNKNOWN: list[tuple[dict[str, str], Standing, Any]] = [
    ({"account_age": "1d"}, replace(STANDING, born_at=None), Refuse(key="refused.account_unknown")),
    ({"membership_age": "1d"}, replace(STANDING, joined_at=None), Refuse(key="refused.membership_unknown")),
    (
        {"channels": "123456789012345678"},
        replace(STANDING, place_ids=frozenset()),
        Refuse(key="refused.not_in_this_channel"),
    ),
    ({"review": "newcomers"}, replace(STANDING, joined_at=None), Hold(reason=HoldReason.NEWCOMER)),
]


@pytest.mark.parametrize(("settings", "standing", "verdict"), UNKNOWN)
async def test_what_is_not_known_of_a_member_counts_against_them(
    bench: Bench, settings: dict[str, str], standing: Standing, verdict: Any
) -> None:
    """An account or a membership of unknown age is too young, an unknown channel is none of the allowed."""
    await decide(bench, **settings)
    assert await bench.gate.request(ASK, MEMBER, GUILD, standing) == verdict
    known = replace(STANDING, place_ids=frozenset({ELSEWHERE}), joined_at=time.time() - 30 * DAY_S)
    assert await bench.gate.request(ASK, MEMBER, GUILD, known) == Allow()


async def test_no_guild_is_refused(bench: Bench) -> None:
    """What comes from nowhere, such as a direct message, is refused."""
    gate, nowhere = bench.gate, Refuse(key="refused.guild_only")
    assert await gate.enter(Visitor(member_id=MEMBER, guild_id=None, spared=True)) == nowhere
    assert await gate.welcome(ASK, MEMBER, None, STANDING) == nowhere
    assert await gate.request(ASK, MEMBER, None, STANDING) == nowhere
