"""Take the pictures of the cards: `uv run python docs/take_screenshots.py` (needs Chromium and an emoji font).

The real bot and the stand-ins play every state of a card; each is taken as the page shows it, into docs/cards/.
"""

import asyncio
import io
import re
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.checks import walked
from bot.sandbox.discord.world import Interaction, Message
from bot.sandbox.run import Sandbox, running

CARDS = Path(__file__).parent / "cards"
MOST_BYTES = 60_000
WAIT_S, WAIT_MS = 90, 90_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PROMPT, FOLLOWING = "a red fox in snow", "a lighthouse by the sea at dawn"


def _at_rest(message: Message) -> bool:
    return not message.loading and ":cancel:" not in str(message.components)


class Stage:
    """The sandbox, and the page on which its cards are looked at."""

    def __init__(self, sandbox: Sandbox, page: Page) -> None:
        self.sandbox, self.page = sandbox, page
        self._people, self._world = sandbox.discord.people, sandbox.discord.world
        self._reader = ""

    async def says(self, name: str, line: str) -> Interaction:
        """Send a command as somebody, in #pictures."""
        person, channel = self._world.person_named(name), self._world.channel_named("pictures")
        command, options = self._people.read_line(line, person, channel)
        interaction = await self._people.slash(person, channel, command, options)
        await self._people.acknowledged(interaction)
        return interaction

    async def presses(self, name: str, interaction: Interaction, action: str) -> Interaction:
        """Press a button under a reply as somebody."""
        message = self._message(interaction)
        ids = [str(item.get("custom_id")) for item in walked(message.components)]
        custom_id = next(one for one in ids if f":{action}:" in one)
        pressed = await self._people.click(self._world.person_named(name), message, custom_id, [])
        await self._people.acknowledged(pressed)
        return pressed

    async def until(self, interaction: Interaction, fact: Callable[[Message], bool]) -> None:
        """Wait until a reply is so."""
        async with asyncio.timeout(WAIT_S):
            while not fact(self._message(interaction)):  # noqa: ASYNC110 - the stand-in's world is looked at from outside
                await asyncio.sleep(0.05)

    async def shot(
        self, name: str, interaction: Interaction, words: str | re.Pattern[str], *, reader: str, pictures: int = 0
    ) -> None:
        """Take a reply, as a reader sees it, once it says these words and its pictures are there."""
        await self._be(reader)
        item = self.page.locator(f".message[data-id='{self._message(interaction).id}']")
        await expect(item).to_contain_text(words, timeout=WAIT_MS)
        await expect(item.locator("img")).to_have_count(pictures, timeout=WAIT_MS)
        for number in range(pictures):
            await item.locator("img").nth(number).evaluate("image => image.decode()")
        _save(await item.screenshot(animations="disabled"), CARDS / f"{name}.jpg")

    def _message(self, interaction: Interaction) -> Message:
        if interaction.original is None:
            raise LookupError("nothing was answered")
        return self._world.messages[interaction.original]

    async def _be(self, name: str) -> None:
        if name == self._reader:
            return
        person = self._world.person_named(name)
        await self.page.get_by_label("You are").select_option(value=person.id)
        await self.page.wait_for_function("id => sessionStorage.getItem('person') === id", arg=person.id)
        self._reader = name


def _save(taken: bytes, path: Path) -> None:
    """Write a picture as JPEG, as good as its size may be."""
    with Image.open(io.BytesIO(taken)) as picture:
        for quality in range(88, 20, -6):
            packed = io.BytesIO()
            picture.convert("RGB").save(packed, "JPEG", quality=quality, optimize=True, progressive=True)
            if packed.tell() <= MOST_BYTES:
                path.write_bytes(packed.getvalue())
                return
    raise ValueError(f"{path.name} does not fit into {MOST_BYTES} bytes")


@asynccontextmanager
async def opened() -> AsyncGenerator[Stage]:
    """Open the sandbox and its page, as wide as a telephone held sideways."""
    async with running(pace=Pace(step_s=0.25, load=0.2)) as sandbox, async_playwright() as playwright:
        await sandbox.app.fleet_ready()
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = await browser.new_page(
            viewport={"width": 920, "height": 1200}, device_scale_factor=1.25, color_scheme="dark"
        )
        await page.goto(sandbox.discord.url)
        await expect(page.get_by_text("The bot is online.")).to_be_visible()
        yield Stage(sandbox, page)
        await browser.close()


async def _made(stage: Stage) -> None:
    """Waiting behind two others, running, done; and the same with several pictures."""
    before = await stage.says("mina", f"/imagine prompt:{FOLLOWING}")
    await stage.until(before, _at_rest)  # from now on it is known how long one takes
    asked = await stage.says("max", f"/imagine prompt:{PROMPT} style:watercolour")
    await stage.says("mina", f"/imagine prompt:{FOLLOWING} in a storm")
    waiting = await stage.says("haruka", "/画像生成 プロンプト:a white rabbit in a forest")
    await stage.shot("waiting", waiting, "in the queue · ready in", reader="max")
    await stage.shot("running", asked, re.compile(r"[5-8]\d % .* left"), reader="max", pictures=1)
    await stage.until(asked, _at_rest)
    await stage.shot("done", asked, "Done in", reader="max", pictures=1)
    await stage.until(waiting, _at_rest)
    several = await stage.says("max", f"/imagine prompt:{PROMPT} count:4")
    await stage.until(several, _at_rest)
    await stage.shot("several", several, "Done in", reader="max", pictures=4)
    for one in (asked, waiting):
        await stage.presses("max", one, "favourite")


async def _looked_back(stage: Stage) -> None:
    """What members like, and how a picture was made."""
    gallery = await stage.says("max", "/gallery")
    await stage.shot("gallery", gallery, "What members like here", reader="max", pictures=2)
    recipe = await stage.says("max", "/recipe")
    await stage.shot("recipe", recipe, "Recipe", reader="max")


async def _not_made(stage: Stage) -> None:
    """Refused for a word, failed on the machine, held for a moderator."""
    await stage.says("olive", "/words add word:dragon kind:mythology")
    refused = await stage.says("max", "/imagine prompt:a dragon over the city")
    await stage.shot("refused", refused, "kind of rule: mythology", reader="max")
    if stage.sandbox.comfyui is not None:
        stage.sandbox.comfyui.worker.break_next = MemoryError("out of memory")
    failed = await stage.says("max", "/imagine prompt:a green forest at night size:1536x1536")
    await stage.until(failed, _at_rest)
    await stage.shot("failed", failed, "⚠️", reader="max")
    await stage.says("olive", "/settings set setting:review_channel value:#review")
    await stage.says("olive", "/settings set setting:review value:newcomers")
    held = await stage.says("noa", "/imagine prompt:a quiet harbour at sunset")
    await stage.shot("held", held, "waiting for a moderator", reader="noa")


async def _in_japanese(stage: Stage) -> None:
    """A done card of a server whose language is Japanese."""
    await stage.says("olive", "/settings set setting:language value:ja")
    asked = await stage.says("haruka", "/画像生成 プロンプト:雪の中の赤い狐, red fox in snow スタイル:watercolour")
    await stage.until(asked, _at_rest)
    await stage.shot("done.ja", asked, "完成しました", reader="haruka", pictures=1)


async def main() -> None:
    """Play all of it, in one sandbox."""
    CARDS.mkdir(exist_ok=True)
    async with opened() as stage:
        for act in (_made, _looked_back, _not_made, _in_japanese):
            await act(stage)


if __name__ == "__main__":
    asyncio.run(main())
