"""Take the README's pictures of the sandbox: `uv run python docs/take_screenshots.py` (needs Chromium)."""

import asyncio
import shutil
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import running

DOCS = Path(__file__).parent


async def _shot(page: Page, name: str) -> None:
    await page.screenshot(path=DOCS / f"{name}.jpg", type="jpeg", quality=72)


async def _imagine(page: Page, prompt: str) -> None:
    await page.locator("#composer input").focus()
    await page.keyboard.type("/imagine")
    await page.keyboard.press("Enter")
    await page.keyboard.type(prompt)


async def main() -> None:
    """Play one request and take three pictures: the entry, the progress, the result."""
    async with running(pace=Pace(step_s=0.25, load=0.3)) as sandbox, async_playwright() as playwright:
        await sandbox.app.fleet_ready()
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(viewport={"width": 960, "height": 640}, color_scheme="dark")
        await page.goto(sandbox.discord.url)
        await expect(page.get_by_text("The bot is online.")).to_be_visible()
        await _imagine(page, "a red fox in snow")
        await page.get_by_role("button", name="+ template").click()
        await expect(page.get_by_role("option", name="SDXL")).to_be_visible()
        await _shot(page, "entry")
        await page.keyboard.press("Escape")
        await page.locator("[data-option=prompt]").press("Enter")
        await expect(page.locator(".message img")).to_be_visible(timeout=20_000)
        await expect(page.locator(".message").first).to_contain_text("left", timeout=20_000)
        await _shot(page, "progress")
        await expect(page.locator(".message").first).to_contain_text("Done in", timeout=60_000)
        await page.locator(".message img").evaluate("image => image.decode()")
        await _shot(page, "done")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
