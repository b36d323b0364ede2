"""Moderation played on the page by hand: as owner, newcomer, moderator and member, in a real browser."""

import re

from playwright.async_api import Page, expect

from bot.sandbox.run import Sandbox
from tests.sandbox.test_page import opened
from tests.sandbox.test_page import pytestmark as pytestmark  # noqa: PLC0414 - the same marks hold here

__all__ = ["opened"]
OWNER, MODERATOR, NEWCOMER, MEMBER = "Olive (owner)", "Mina (moderator)", "Noa (newcomer)", "Max"


async def be(page: Page, name: str, channel: str = "pictures") -> None:
    """Become somebody, in a channel."""
    await page.get_by_label("You are").select_option(label=name)
    await page.get_by_role("button", name=re.compile(rf"^\W*{channel}$")).click()


async def write(page: Page, line: str) -> None:
    """Write a whole line and send it."""
    entry = page.locator("#composer input").first
    await entry.fill(line)
    await entry.press("Enter")


async def press(page: Page, message: str, button: str) -> None:
    """Press a button under the last message that says something, by keyboard."""
    found = page.locator(".message", has_text=message).last.get_by_role("button", name=button, exact=True)
    await found.focus()
    await page.keyboard.press("Enter")


async def test_all_of_moderation_by_hand(opened: tuple[Page, Sandbox]) -> None:
    """Settings, a held picture, a report, a strike, an appeal and the trail, each by whom it is for."""
    page, _ = opened
    await be(page, OWNER)
    for line in ("review_channel value:#review", "report_channel value:#reports", "review value:newcomers"):
        await write(page, f"/settings set setting:{line}")
        await expect(page.locator(".message").last).to_contain_text(line.split()[0], timeout=10_000)
    await write(page, "/words add word:dragon kind:mythology")
    await expect(page.locator("#messages").get_by_text("On the list")).to_be_visible()

    await be(page, NEWCOMER)
    await write(page, "/imagine prompt:a dr@g0n")
    await expect(page.locator(".message").last).to_contain_text("kind of rule: mythology", timeout=10_000)
    await write(page, "/imagine prompt:a quiet harbour")
    await expect(page.locator(".message").last).to_contain_text("waiting for a moderator", timeout=30_000)
    await expect(page.get_by_role("button", name="review", exact=True)).to_have_count(0)

    await be(page, MODERATOR, "review")
    await expect(page.locator(".message").last).to_contain_text("a quiet harbour")
    await expect(page.locator(".message").last.locator(".veiled")).to_have_count(1)
    await press(page, "a quiet harbour", "Approve")
    await expect(page.locator(".message", has_text="held picture").first).to_contain_text("Let through", timeout=10_000)

    await be(page, MEMBER)
    shown = page.locator(".message", has_text="a quiet harbour").last
    await expect(shown.locator("img")).to_have_count(1, timeout=10_000)
    await press(page, "a quiet harbour", "Report")
    dialog = page.get_by_role("dialog", name="Report picture")
    await expect(dialog.locator("textarea, input").first).to_be_focused()
    await page.keyboard.type("too quiet")
    await dialog.get_by_role("button", name="Submit").click()
    await expect(page.locator("#messages").get_by_text("The moderators will look at it")).to_be_visible(timeout=10_000)

    await be(page, MODERATOR, "reports")
    await expect(page.locator(".message").last).to_contain_text("too quiet")
    await press(page, "too quiet", "Remove and strike")
    await expect(page.locator(".message").first).to_contain_text("Removed", timeout=10_000)

    await be(page, NEWCOMER)
    await expect(page.locator("#messages").get_by_text("took this picture away")).to_be_visible(timeout=10_000)
    await write(page, "/appeal text:it was a good harbour")
    await expect(page.locator(".message").last).to_contain_text("case 3", timeout=10_000)

    await be(page, MODERATOR, "reports")
    await press(page, "it was a good harbour", "Lift everything")
    await write(page, "/mod record member:noa")
    await expect(page.locator("#messages").get_by_text("strikes in force: 0")).to_be_visible(timeout=10_000)
    await write(page, "/mod audit what:verify")
    await expect(page.locator("#messages").get_by_text("The chain is whole")).to_be_visible(timeout=10_000)
