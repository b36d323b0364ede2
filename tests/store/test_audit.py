"""The audit trail: chained, verifiable, prunable, erasable, on both databases."""

import asyncio
import json
import time

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.model.audit import ERASABLE, START, Act, Entry, chained, fault_of
from bot.store.audit import AuditStore, Wanted
from bot.store.database import Database
from bot.store.tables import audit, audit_heads


def entry(number: int, *, guild: int = 1, **more: object) -> Entry:
    fields = {"actor_id": 7, "target_id": 8, "reason": f"why {number}", "facts": {"prompt": f"a fox {number}"}, **more}
    return Entry(guild_id=guild, act=Act.STRIKE, at=1000.0 + number, **fields)  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def trail(database: Database) -> AuditStore:
    store = AuditStore(database)
    for number in range(6):
        await store.add(entry(number))
    await store.add(entry(0, guild=2))
    return store


async def test_a_chain_is_whole_and_each_guild_has_its_own(trail: AuditStore) -> None:
    """Entries are numbered from 1 in their guild, found newest first, and verify."""
    assert await trail.verify(1) == (6, None)
    assert await trail.verify(2) == (1, None)
    assert await trail.verify(3) == (0, None)
    assert [link.number for link in await trail.find(Wanted(guild_id=1), 2)] == [6, 5]
    assert await trail.find(Wanted(guild_id=2, since=2000.0)) == []
    assert await trail.guilds() == [1, 2]


@pytest.mark.parametrize("column", ["reason", "facts", "actor_id", "at", "act", "seals", "digest"])
async def test_a_changed_entry_is_found(trail: AuditStore, database: Database, column: str) -> None:
    """Whatever is changed by hand in an entry, verifying names that entry or the one after it."""
    value = {
        "actor_id": 99,
        "at": 5.0,
        "facts": '{"prompt": "a cat"}',
        "seals": json.dumps(dict.fromkeys(ERASABLE, "0")),
    }
    where = audit.update().where(audit.c.guild_id == 1, audit.c.number == 3)
    await database.write(lambda one: one.execute(where.values({column: value.get(column, "x")})).rowcount)
    assert await trail.verify(1) == (6, 3)


@pytest.mark.parametrize(("gone", "found"), [(1, 1), (3, 3), (6, 6)])
async def test_a_missing_entry_is_found(trail: AuditStore, database: Database, gone: int, found: int) -> None:
    """The first, a middle and the last entry cannot be taken out unseen."""
    where = audit.delete().where(audit.c.guild_id == 1, audit.c.number == gone)
    await database.write(lambda one: one.execute(where).rowcount)
    assert (await trail.verify(1))[1] == found


async def test_a_chain_without_its_head_is_found(trail: AuditStore, database: Database) -> None:
    """Taking the head away does not make a shorter chain look whole."""
    await database.write(lambda one: one.execute(audit_heads.delete()).rowcount)
    assert (await trail.verify(1))[1] == 1


async def test_retention_shortens_the_chain_from_the_front(trail: AuditStore) -> None:
    """What is pruned is gone, the rest verifies from its anchor, and new entries go on."""
    assert await trail.prune(1, 1003.0) == 3
    assert await trail.prune(1, 1003.0) == 0
    assert await trail.verify(1) == (3, None)
    await trail.add(entry(9))
    assert await trail.verify(1) == (4, None)
    assert await trail.prune(1, 5000.0) == 4
    assert await trail.verify(1) == (0, None)
    await trail.add(entry(10))
    assert await trail.verify(1) == (1, None)


async def test_erased_people_leave_a_whole_chain(trail: AuditStore, database: Database) -> None:
    """What was done to a member, and what they asked for, is nowhere any more; others stay; the chain verifies."""
    await trail.add(Entry(guild_id=1, act=Act.ASKED, at=2.0, actor_id=8, facts={"prompt": "a secret"}))
    assert await trail.erase_member(8) == 8
    assert await trail.verify(1) == (7, None)
    links = await trail.find(Wanted(guild_id=1))
    assert {link.values["target_id"] for link in links} == {None}
    assert {link.values["reason"] for link in links[1:]} == {None}
    assert {link.values["actor_id"] for link in links[1:]} == {7}
    assert links[0].values["actor_id"] is None
    rows = await database.read(lambda one: str(one.execute(sa.select(audit)).all()))
    assert "a fox" not in rows
    assert "a secret" not in rows
    assert await trail.export_member(8) == []


async def test_moderators_do_not_erase_what_they_did(trail: AuditStore) -> None:
    """Who struck somebody stays named for it, whatever they erase of themselves."""
    await trail.erase_member(7)
    links = await trail.find(Wanted(guild_id=1))
    assert {(link.values["actor_id"], link.values["reason"] is None) for link in links} == {(7, False)}
    assert await trail.verify(1) == (6, None)


async def test_what_a_member_gets_of_it(trail: AuditStore) -> None:
    """An export tells what was done to a member and not by whom; what they did themselves is theirs."""
    (first, *_) = await trail.export_member(8)
    assert (first["actor_id"], first["target_id"], first["reason"]) == (None, "8", "why 0")
    assert (await trail.export_member(7))[0]["actor_id"] == "7"


async def test_entries_that_come_at_once_are_all_in_the_chain(trail: AuditStore) -> None:
    """Many writers on one guild never take the same number."""
    await asyncio.gather(*(trail.add(entry(number)) for number in range(30)))
    assert await trail.verify(1) == (36, None)


async def test_searching(trail: AuditStore) -> None:
    """Entries are found by person, moderator, case and time, in one guild only."""
    await trail.add(entry(7, actor_id=50, target_id=60, case=4))
    await trail.add(Entry(guild_id=1, act=Act.ASKED, at=time.time(), actor_id=50))
    found = [await trail.find(wanted) for wanted in (
        Wanted(guild_id=1, person_id=60), Wanted(guild_id=1, moderator_id=50), Wanted(guild_id=1, case=4),
        Wanted(guild_id=1, since=5000.0), Wanted(guild_id=2, person_id=60),
    )]  # fmt: skip
    assert [len(links) for links in found] == [1, 1, 1, 1, 0]
    public = found[0][0].public()
    assert (public["target_id"], public["case"]) == ("60", 4)


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 2**63)), min_size=1, max_size=8), st.data())
def test_any_chain_verifies_until_something_is_changed(facts: list[tuple[str, int]], data: st.DataObject) -> None:
    """Every chain of any entries is whole; without any one of its links it is not."""
    links, previous = [], START
    for number, (reason, actor) in enumerate(facts, 1):
        links.append(chained(entry(number, reason=reason, actor_id=actor), number, previous))
        previous = links[-1].digest
    last = (len(links), previous)
    assert fault_of(links, START, 1, last) is None
    gone = data.draw(st.integers(0, len(links) - 1))
    assert fault_of([link for at, link in enumerate(links) if at != gone], START, 1, last) is not None
