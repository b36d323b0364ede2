"""What moderators do, on the page in a real browser, by keyboard; the bot is one on the real discord.py."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.sandbox.discord.server import Discord, serving
from tests.conftest import eventually
from tests.person import Person
from tests.sandbox.clerk import Clerk, clerk_at
from tests.sandbox.test_moderation import png
from tests.sandbox.test_page import CHROMIUM, FLAGS
from tests.sandbox.test_page import pytestmark as pytestmark  # noqa: PLC0414 - the same marks hold here


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[Page, Discord, Clerk]]:
    """The page, its stand-in, and a moderating bot."""
    async with serving() as discord, clerk_at(discord, monkeypatch) as clerk, async_playwright() as playwright:
        await eventually(lambda: bool(discord.world.commands), "no commands")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1100, "height": 760})
        complaints: list[str] = []
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        page.on("dialog", lambda _dialog: complaints.append("a script ran"))
        await page.goto(discord.url)
        await expect(page.get_by_text("The bot is online.")).to_be_visible()
        yield page, discord, clerk
        await browser.close()
        assert complaints == []


async def test_a_report_by_keyboard(desk: tuple[Page, Discord, Clerk], tmp_path: Path) -> None:
    """From a message's Apps by keys alone through a dialog of every kind of field to the private answer."""
    page, discord, clerk = desk
    noa = Person(discord, "noa")
    noa.writes("look <img src=x onerror=alert(1)>", noa.brings(png()))
    apps = page.locator(".message").get_by_role("button", name="Apps")
    await apps.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem")).to_have_count(1)
    await expect(page.get_by_role("menuitem", name="Report picture")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#menu")).to_be_hidden()
    await expect(apps).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    dialog = page.get_by_role("dialog", name="Report")
    await expect(dialog.get_by_label("Why")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(apps).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_label("Why")).to_be_focused()
    await page.keyboard.type("blood")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Gore")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Noa")
    proof = tmp_path / "proof.txt"
    proof.write_bytes(b"proof")
    await dialog.get_by_label("Proof").set_input_files(proof)
    await dialog.get_by_label("Why").focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    answer = page.locator(".message.ephemeral")
    await expect(answer).to_contain_text("reported")
    await expect(answer).to_contain_text("Only you can see this")
    assert [clerk.heard[-4], clerk.heard[-3]] == ["blood", ["g"]]
    assert [one.name for one in clerk.heard[-2]] == ["noa"]
    assert [one.filename for one in clerk.heard[-1]] == ["proof.txt"]


async def test_a_moderators_day(desk: tuple[Page, Discord, Clerk]) -> None:
    """A ban with a person from the list, a record from an author's name, a note from its button's dialog."""
    page, discord, clerk = desk
    Person(discord, "max").writes("hello")
    await expect(page.locator(".message .by")).to_have_text("Max")
    await expect(page.locator(".message").get_by_role("button", name="Max")).to_have_count(0)
    await page.get_by_label("You are").select_option(label="Mina (moderator)")
    await expect(page.get_by_role("button", name="review")).to_be_visible()

    await page.locator("#composer input").focus()
    await page.keyboard.type("/mod b")
    await expect(page.get_by_role("option", name="/mod ban")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.locator("[data-option=member]").select_option(label="Max")
    await page.get_by_role("button", name="Send").press("Enter")
    await expect(page.locator(".message").last).to_contain_text("banned max")
    assert clerk.heard[0].name == "max"
    await page.locator("#composer input").fill("/mod ban member:@noa")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message").last).to_contain_text("banned noa")

    await page.locator(".message").first.get_by_role("button", name="Max").press("Enter")
    await page.get_by_role("menuitem", name="Member record").press("Enter")
    card = page.locator(".message").last
    await expect(card).to_contain_text("record of max")
    await expect(card.get_by_role("button", name="Mina")).to_have_attribute("aria-haspopup", "menu")
    await card.get_by_role("button", name="Note").press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("Note")).to_be_focused()
    await page.keyboard.type("be kind")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("record of max: be kind")
    await card.get_by_label("Choose").select_option(label="Olive (owner)")
    await card.get_by_role("button", name="Choose").click()
    await expect(card).to_contain_text("watched")


async def test_places(desk: tuple[Page, Discord, Clerk]) -> None:
    """Channels stand under their guild and threads under their channel; each guild has its own people and words."""
    page, discord, _ = desk
    listed = page.locator("#channels li")
    home = ["Easel's sandbox", "pictures", "foxes", "pictures-18", "foxes-18"]
    await expect(listed).to_have_text([*home, "Neighbours", "garden"])
    await expect(page.get_by_role("button", name="foxes-18")).to_have_class("nsfw thread")
    await page.get_by_role("button", name=re.compile("foxes$")).click()
    await expect(page.locator("#channel-name")).to_have_text("↳ foxes")
    await page.get_by_label("You are").select_option(label="Regent (moderator)")
    await expect(listed).to_have_text(["Neighbours", "garden", "garden-review"])
    await page.locator("#composer input").focus()
    await page.keyboard.type("/mod ban")
    await page.keyboard.press("Enter")
    names = await page.locator("[data-option=member] option").all_text_contents()
    assert names == ["Choose", "Max", "Rival", "Regent (moderator)", "Easel"]
    discord.world.direct_channel(discord.world.person_named("regent"))
    await expect(listed).to_have_text(["Neighbours", "garden", "garden-review", "Direct messages", "direct-regent"])


async def test_a_group_in_a_group_by_keyboard(desk: tuple[Page, Discord, Clerk]) -> None:
    """`/words block add` is found by typing, its option is completed by the bot, and it is sent."""
    page, _, clerk = desk
    await page.keyboard.type("/words")
    await expect(page.get_by_role("option", name="/words block add")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.type("fo")
    await expect(page.get_by_role("option", name="foa")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-option=word]")).to_have_value("fob")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message").last).to_contain_text("added")
    assert clerk.heard[-1] == "fob"
