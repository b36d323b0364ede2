"""The page in a real browser: live progress, by keyboard, and nothing typed is ever markup."""

import io
import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Page, async_playwright, expect

from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.run import Sandbox, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no Chromium on this machine; CI installs it (package chromium)",
    ),
    pytest.mark.timeout(180),
]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncGenerator[tuple[Page, Sandbox]]:
    async with running(pace=Pace(step_s=0.2)) as sandbox, async_playwright() as playwright:
        assert await sandbox.app.fleet_ready()
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1100, "height": 760})
        complaints: list[str] = []
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        page.on("dialog", lambda _dialog: complaints.append("a script ran"))
        await page.goto(sandbox.discord.url)
        await expect(page.get_by_text("The bot is online.")).to_be_visible()
        yield page, sandbox
        await browser.close()
        assert complaints == []


async def test_from_slash_to_picture_by_keyboard(opened: tuple[Page, Sandbox]) -> None:
    """A command typed by keyboard shows live progress, then the picture with its alt text; scripts stay text."""
    page, _ = opened
    prompt = "a red fox in snow <img src=x onerror=alert(1)> @everyone **b**"
    await expect(page.locator("#composer input")).to_be_focused()
    await page.keyboard.type("/ima")
    await expect(page.get_by_role("option", name="/imagine")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.type(prompt)
    await page.keyboard.press("Enter")

    reply = page.locator(".message").first
    await expect(reply).to_contain_text("step", timeout=20_000)
    await expect(reply.get_by_role("button", name="Cancel")).to_be_visible()
    await expect(reply.locator("img")).to_have_attribute("alt", prompt, timeout=20_000)
    await expect(reply).to_contain_text("Done in", timeout=30_000)
    await expect(reply.get_by_role("button", name="Again")).to_be_visible()
    await expect(reply.locator("blockquote")).to_contain_text("<img src=x onerror=alert(1)>")
    assert await reply.locator("blockquote img, blockquote b, blockquote strong").count() == 0
    await expect(reply.locator("img")).to_have_count(1)
    width = await reply.locator("img").evaluate("image => image.naturalWidth")
    assert width == 512


async def test_people_channels_and_private_words(opened: tuple[Page, Sandbox]) -> None:
    """Only moderators see their channel, private answers reach one person, and a reader of Japanese reads Japanese."""
    page, _ = opened
    await page.keyboard.type("/help")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages").get_by_text("Only you can see this")).to_be_visible()
    await expect(page.get_by_role("button", name="moderators")).to_have_count(0)

    await page.get_by_label("You are").select_option(label="Mina (moderator)")
    await expect(page.get_by_role("button", name="moderators")).to_be_visible()
    await expect(page.locator("#messages").get_by_text("Only you can see this")).to_have_count(0)

    await page.get_by_label("You are").select_option(label="はるか")
    await expect(page.get_by_role("button", name="moderators")).to_have_count(0)
    await page.locator("#composer input").focus()
    await page.keyboard.type("/画像")
    await expect(page.get_by_role("option", name="/画像生成")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.locator("#composer input").fill("hello **there** ||secret||")
    await page.keyboard.press("Enter")
    said = page.locator(".message").last
    await expect(said.locator("strong")).to_have_text("there")
    await said.get_by_role("button", name="Spoiler").click()
    await expect(said.locator(".spoiler")).to_have_attribute("aria-expanded", "true")


async def test_options_choices_and_mistakes(opened: tuple[Page, Sandbox]) -> None:
    """Options come as chips with autocomplete, a wrong value is told, and Backspace takes a chip away."""
    page, sandbox = opened
    await page.keyboard.type("/imagine")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="+ template").click()
    await expect(page.get_by_role("option", name="SDXL")).to_be_visible()
    await page.keyboard.type("sdx")
    await expect(page.locator("#offers [role=option]")).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-option=template]")).to_have_value("SDXL")
    await page.get_by_role("button", name="+ seed").click()
    await page.keyboard.type("many")
    await page.locator("[data-option=prompt]").fill("a boat")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("a number is wanted")
    await page.locator("[data-option=seed]").fill("")
    await page.locator("[data-option=seed]").press("Backspace")
    await expect(page.locator("[data-option=seed]")).to_have_count(0)
    await page.locator("[data-option=prompt]").press("Enter")
    await expect(page.locator(".message").first).to_contain_text("SDXL", timeout=20_000)
    await page.get_by_role("button", name="Cancel").first.click()
    await expect(page.locator(".message").first).to_contain_text("Cancelled", timeout=20_000)
    assert sandbox.discord.world.unknown_routes == []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A photo and a mask as files on the disk."""
    photo, mask = tmp_path / "my photo.jpg", tmp_path / "mask.png"
    Image.new("RGB", (256, 192), (10, 200, 10)).save(photo, "PNG")  # whatever its name says
    black = Image.new("L", (256, 192), 0)
    ImageDraw.Draw(black).rectangle((0, 0, 127, 191), fill=255)
    black.save(mask)
    return {"image": str(photo), "mask": str(mask)}


async def picked(page: Page, command: str, files: dict[str, str]) -> Page:
    """Begin a command on the page, give it words and files, and send it."""
    await page.locator("#composer input").first.focus()
    await page.keyboard.type(f"/{command}")
    await page.keyboard.press("Enter")
    await page.locator("[data-option=prompt]").fill("a red fox in snow")
    for name, path in files.items():
        if await page.locator(f"[data-option={name}]").count() == 0:
            await page.get_by_role("button", name=f"+ {name}", exact=True).click()
        await page.locator(f"[data-option={name}]").set_input_files(path)
    await page.locator("[data-option=prompt]").press("Enter")
    return page


async def test_picture_to_picture_with_a_real_file(opened: tuple[Page, Sandbox], files: dict[str, str]) -> None:
    """A file from the disk, picked on the page, comes back painted anew, in its own size."""
    page, _ = opened
    await picked(page, "img2img", {"image": files["image"]})
    reply = page.locator(".message").last
    await expect(reply).to_contain_text("Done in", timeout=40_000)
    sides = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    assert await reply.locator("img").evaluate(sides) == [256, 192]


async def test_inpaint_with_real_files(opened: tuple[Page, Sandbox], files: dict[str, str]) -> None:
    """Picture and mask from the disk: what is black in the mask stays as it was, what is white does not."""
    page, sandbox = opened
    await picked(page, "inpaint", files)
    reply = page.locator(".message").last
    await expect(reply).to_contain_text("Done in", timeout=40_000)
    source = str(await reply.locator("img").get_attribute("src"))
    (_, data) = sandbox.discord.world.files[source.split("/")[-2]]
    with Image.open(io.BytesIO(data)) as made:
        assert made.convert("RGB").getpixel((200, 96)) == (10, 200, 10)
        assert made.convert("RGB").getpixel((40, 40)) != (10, 200, 10)


async def test_one_command_after_another(opened: tuple[Page, Sandbox], files: dict[str, str]) -> None:
    """A second and a third command with required options can be chosen and sent on the page that sent the first."""
    page, _ = opened
    await picked(page, "imagine", {})
    await expect(page.locator(".message")).to_have_count(1, timeout=20_000)
    await picked(page, "imagine", {})
    await expect(page.locator(".message")).to_have_count(2, timeout=20_000)
    await picked(page, "img2img", {"image": files["image"]})
    await expect(page.locator(".message")).to_have_count(3, timeout=20_000)
    await expect(page.locator(".message").last).to_contain_text("Done in", timeout=60_000)


async def test_subcommands_by_keyboard(opened: tuple[Page, Sandbox]) -> None:
    """The owner finds /server status by typing, and reads it in private; a member is not offered it."""
    page, _ = opened
    await page.keyboard.type("/server")
    await expect(page.get_by_role("option", name="/server status")).to_have_count(0)
    await page.get_by_label("You are").select_option(label="Olive (owner)")
    await expect(page.locator("#composer input")).to_have_value("")  # the composer is hers now
    await page.locator("#composer input").focus()
    await page.keyboard.type("/server sta")
    await expect(page.get_by_role("option", name="/server status")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message").last).to_contain_text("ComfyUI 0.33.0", timeout=20_000)
