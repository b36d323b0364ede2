"""All that a member touches, on the page in a real browser, by keyboard alone, in English and in Japanese."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST
from tests.guild import decides
from tests.sandbox.test_page import CHROMIUM, FLAGS
from tests.sandbox.test_page import pytestmark as pytestmark  # noqa: PLC0414 - the same marks hold here

TABS = 150
"""Presses of Tab after which a control is called out of reach."""
WAIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Language:
    """What a member of a language reads: on the page's lists, in their dialog and private answers, on the cards."""

    steps: int
    """How many arrows down the list of people they stand."""
    imagine: str
    gallery: str
    first: str
    """What they ask for, and what they make of it."""
    second: str
    done: str
    vary: str
    remix: str
    upscale: str
    recipe: str
    recipe_words: tuple[str, ...]
    favourite: str
    favoured: str
    liked: str
    delete: str
    empty: str


ENGLISH = Language(
    steps=0, imagine="imagine", gallery="gallery", first="a red fox", second="a blue fox", done="Done in",
    vary="Vary (subtle)", remix="Remix", upscale="Upscale", recipe="Recipe",
    recipe_words=("Recipe", "a blue fox", "Seed", "workflow in ComfyUI's API format"), favourite="Favourite",
    favoured="one of your favourites now", liked="What members like here: 1", delete="Delete",
    empty="Nobody has marked a favourite",
)  # fmt: skip
JAPANESE = Language(
    steps=1, imagine="画像生成", gallery="ギャラリー", first="赤い狐", second="青い狐", done="で完成しました",
    vary="少し変える", remix="リミックス", upscale="拡大", recipe="レシピ",
    recipe_words=("レシピ", "青い狐", "シード", "ComfyUI の API 形式"), favourite="お気に入り",
    favoured="お気に入りに", liked="メンバーのお気に入り", delete="削除",
    empty="まだお気に入りがありません",
)  # fmt: skip


class Hands:
    """Ten fingers on a keyboard, before a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def reach(self, control: Locator, key: str = "Shift+Tab") -> None:
        """Go to a control, by Tab; it must be there, and be the only one."""
        await expect(control).to_have_count(1, timeout=WAIT_MS)
        for _ in range(TABS):
            if await control.evaluate("one => one === document.activeElement"):
                return
            await self.press(key)
        pytest.fail(f"{control} is not to be reached by keyboard")

    async def says(self, command: str, words: str | None = None) -> None:
        """Send a command, with its one required option."""
        await self.reach(self.page.locator("#composer input"), "Tab")
        await self.page.keyboard.type(f"/{command}")
        await expect(self.page.get_by_role("option", name=f"/{command}").first).to_be_visible()
        await self.press("Enter")
        await expect(self.page.locator("#composer .command")).to_have_text(f"/{command}")
        if words is not None:
            await self.page.keyboard.type(words)
        await self.press("Enter")

    async def uses(self, message: Locator, button: str) -> None:
        """Press a button of a message."""
        await self.reach(message.get_by_role("button", name=button, exact=True))
        await self.press("Enter")

    def message(self, number: int) -> Locator:
        """Return a message by its place."""
        return self.page.locator(".message").nth(number)

    async def picture(self, number: int, words: str, done: str) -> Locator:
        """Wait until a message shows one finished picture of these words, also for who cannot see it."""
        message = self.message(number)
        await expect(message).to_contain_text(done, timeout=WAIT_MS)
        await expect(message.locator("blockquote")).to_contain_text(words)
        await expect(message.locator("img")).to_have_attribute("alt", words)
        await expect(message.locator(".only")).to_have_count(0)
        assert await message.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        return message

    async def private(self, number: int, *words: str) -> Locator:
        """Wait until a message that they alone see says something."""
        message = self.message(number)
        for one in words:
            await expect(message).to_contain_text(one, timeout=WAIT_MS)
        await expect(message).to_contain_text("Only you can see this")
        return message


@pytest.fixture
async def opened(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Hands, Sandbox]]:
    """The page, before a member of a language, in a guild that is written to in that language."""
    language: Language = request.getfixturevalue("language")
    async with running(pace=FAST) as sandbox, async_playwright() as playwright:
        assert await sandbox.app.fleet_ready()
        if language is JAPANESE:
            await decides(sandbox, language="ja")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1100, "height": 760})
        complaints: list[str] = []
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        await page.goto(sandbox.discord.url)
        await expect(page.get_by_text("The bot is online.")).to_be_visible()
        hands = Hands(page)
        await hands.reach(page.get_by_label("You are"))
        await hands.press(*["ArrowDown"] * language.steps)
        await expect(page.locator("html")).to_have_attribute("data-locale", ["en-US", "ja"][language.steps])
        yield hands, sandbox
        await browser.close()
        assert complaints == []
        assert sandbox.discord.world.unknown_routes == []


@pytest.mark.parametrize("language", [ENGLISH, JAPANESE], ids=["en", "ja"])
async def test_from_the_first_picture_to_its_deletion(opened: tuple[Hands, Sandbox], language: Language) -> None:
    """Imagine, vary, remix, a restart, upscale, recipe, favourite, gallery, delete: by keys, in one's own language."""
    hands, sandbox = opened
    await hands.says(language.imagine, language.first)
    first = await hands.picture(0, language.first, language.done)
    await hands.uses(first, language.vary)
    await hands.picture(1, language.first, language.done)

    await hands.uses(first, language.remix)
    dialog = hands.page.get_by_role("dialog", name=language.remix)
    await expect(dialog.locator("textarea").first).to_be_focused()
    await expect(dialog.locator("textarea").first).to_have_value(language.first)
    await hands.press("Control+a")
    await hands.page.keyboard.type(language.second)
    await hands.reach(dialog.get_by_role("button", name="Submit"), "Tab")
    await hands.press("Enter")
    second = await hands.picture(2, language.second, language.done)

    async with sandbox.restarted():
        await expect(hands.page.get_by_text("The bot is online.")).to_be_visible()
        assert await sandbox.app.fleet_ready()
        await after(hands, second, language)


async def after(hands: Hands, second: Locator, language: Language) -> None:
    """The second half, with the bot that was started anew."""
    await hands.uses(second, language.upscale)
    await hands.picture(3, language.second, language.done)
    await hands.uses(second, language.recipe)
    told = await hands.private(4, *language.recipe_words)
    await expect(told.get_by_role("link", name=".json")).to_have_attribute(
        "download", re.compile(r"^workflow-\w+\.json$")
    )
    await hands.uses(second, language.favourite)
    await hands.private(5, language.favoured)
    await hands.says(language.gallery)
    shown = await hands.private(6, language.liked, language.second)
    await expect(shown.locator("img")).to_have_attribute("alt", language.second)

    await hands.uses(second, language.delete)
    await expect(hands.page.locator(".message")).to_have_count(6, timeout=WAIT_MS)
    await hands.says(language.gallery)
    gone = await hands.private(6, language.empty)
    await expect(gone.locator("img")).to_have_count(0)
