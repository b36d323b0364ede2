"""The page's furniture by keyboard alone, with a hand-held bot: where the focus is, what is sent, what is told."""

import io
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from bot.sandbox.discord.server import serving
from bot.sandbox.discord.world import Interaction, Message
from tests.conftest import eventually
from tests.sandbox.test_checks import TEXT, V2, row, select
from tests.sandbox.test_discord import Bot, button
from tests.sandbox.test_page import CHROMIUM, FLAGS
from tests.sandbox.test_page import pytestmark as pytestmark  # noqa: PLC0414 - the same marks hold here

JA = {"name_localizations": {"ja": "描く"}, "description_localizations": {"ja": "絵を描く"}}
WHAT = {"name_localizations": {"ja": "題"}, "description_localizations": {"ja": "何を"}}
COMMANDS = [
    {
        "name": "draw",
        "description": "Draw",
        **JA,
        "options": [
            {"name": "what", "description": "What", "type": 3, "required": True, "autocomplete": True, **WHAT},
        ],
    },
    {"name": "Remix this", "type": 3, "name_localizations": {"ja": "これをリミックス"}},
]
LONG = "a very long prompt " * 20


class Desk(Bot):
    """A hand-held bot, and the page before which a person sits."""

    page: Page
    _answered: int = 0

    async def post(self, components: list[Any], *files: str, content: str | None = None) -> Message:
        """Post a layout, or words with rows, with small pictures of these names."""
        return await self._send("POST", f"/channels/{self.channel.id}/messages", components, files, content)

    async def edit(self, message: Message, components: list[Any], *files: str) -> None:
        """Change a layout."""
        await self._send("PATCH", f"/channels/{self.channel.id}/messages/{message.id}", components, files, None)

    async def _send(
        self, method: str, path: str, components: list[Any], files: tuple[str, ...], content: str | None
    ) -> Message:
        body: dict[str, Any] = {"components": components, "flags": 0 if content else V2}
        body |= {"content": content} if content else {}
        body |= {"attachments": [{"id": at} for at in range(len(files))]} if files or method == "POST" else {}
        form = aiohttp.FormData()
        form.add_field("payload_json", json.dumps(body), content_type="application/json")
        for at, name in enumerate(files):
            form.add_field(f"files[{at}]", _picture() if name.endswith("png") else b"{}", filename=name)
        headers = {"Authorization": f"Bot {self.world.token}"}
        async with self.http.request(method, f"{self.discord.url}/api/v10{path}", data=form, headers=headers) as reply:
            assert reply.status == 200, await reply.text()
            return self.world.messages[(await reply.json())["id"]]

    async def heard(self) -> Interaction:
        """Wait for the next interaction."""
        self._answered += 1
        await eventually(lambda: len(self.world.interactions) >= self._answered, "nothing was sent")
        assert len(self.world.interactions) == self._answered, "more was sent than one thing"
        return list(self.world.interactions.values())[-1]

    async def keys(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            await self.page.keyboard.press(key)

    def button(self, name: str) -> Any:
        """Return the button of a name."""
        return self.page.locator("#messages").get_by_role("button", name=name, exact=True)


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(out, "PNG")
    return out.getvalue()


def words(text: str) -> dict[str, Any]:
    return {"type": 10, "content": text}


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    """The page in a browser."""
    async with (
        serving(enforce_limits=False) as discord,
        aiohttp.ClientSession() as http,
        async_playwright() as playwright,
    ):
        made = Desk(discord, http)
        await made.call("PUT", f"/applications/{made.world.application_id}/commands", COMMANDS)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        made.page = await browser.new_page(viewport={"width": 1100, "height": 760})
        complaints: list[str] = []
        made.page.on("pageerror", lambda fault: complaints.append(str(fault)))
        made.page.on("filechooser", lambda _chooser: None)  # from now on none opens on the screen
        await made.page.goto(discord.url)
        await expect(made.page.locator("#composer input")).to_be_focused()
        yield made
        await browser.close()
        assert complaints == []


async def test_a_list_is_chosen_from_by_enter(desk: Desk) -> None:
    """Arrows only look at the choices; Enter, or the button beside the list, sends one."""
    options = [{"label": f"Picture {n}", "value": str(n)} for n in (1, 2, 3)]
    await desk.post([row(select(options, placeholder="Choose a picture"))])
    await desk.keys("Shift+Tab")
    await expect(desk.button("Choose")).to_be_focused()
    await desk.keys("Shift+Tab", "ArrowDown", "ArrowDown")
    await expect(desk.page.get_by_label("Choose a picture")).to_have_value("2")
    assert desk.world.interactions == {}
    await desk.keys("Enter")
    sent = await desk.heard()
    assert sent.payload["values"] == ["2"]
    await desk.ack(sent, 6)
    await desk.keys("ArrowDown", "Tab", "Enter")
    sent = await desk.heard()
    assert sent.payload["values"] == ["3"]
    await desk.ack(sent, 6)


async def test_what_is_being_chosen_outlives_an_edit(desk: Desk) -> None:
    """A message that changes while somebody chooses from its list keeps the focus and the choice."""
    rows = [row(select([{"label": f"Picture {n}", "value": str(n)} for n in (1, 2, 3)]))]
    message = await desk.post([words("one"), *rows])
    await desk.keys("Shift+Tab", "Shift+Tab", "ArrowDown", "ArrowDown")
    await desk.edit(message, [words("two"), *rows])
    await expect(desk.page.locator(".message")).to_contain_text("two")
    await expect(desk.page.get_by_label("Choose")).to_be_focused()
    await expect(desk.page.get_by_label("Choose")).to_have_value("2")


async def test_progress_neither_takes_the_focus_nor_floods(desk: Desk) -> None:
    """Edits leave the focus on Cancel and are not read aloud; the last one is, and no other button is under the key."""
    cancel, news = row(button(label="Cancel", custom_id="cancel")), desk.page.locator("#news p")
    message = await desk.post([words("step 1 of 9"), cancel])
    await expect(news).to_have_count(1)
    await desk.keys("Shift+Tab")
    await expect(desk.button("Cancel")).to_be_focused()
    for step in range(2, 6):
        await desk.edit(message, [words(f"step {step} of 9"), cancel])
        await expect(desk.page.locator(".message")).to_contain_text(f"step {step}")
    await expect(desk.button("Cancel")).to_be_focused()
    await expect(news).to_have_count(1)
    assert "step 1" in await news.inner_text()
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "description": "a red fox"}]}
    again = row(button(label="Again", custom_id="again"))
    await desk.edit(message, [words("Done in 3 s"), gallery, again], "a.png")
    await expect(news).to_have_count(2)
    await expect(news.last).to_contain_text("Done in 3 s")
    await expect(news.last).to_contain_text("a red fox")
    await expect(desk.page.locator(".message")).to_be_focused()
    await desk.keys("Enter")
    assert desk.world.interactions == {}


async def test_typing_goes_on_while_things_change(desk: Desk) -> None:
    """What is being typed stays, with the focus, while messages come and change and channels appear."""
    await desk.page.keyboard.type("a half")
    message = await desk.post([words("one")])
    await desk.edit(message, [words("two")])
    desk.world.direct_channel(desk.max)
    await expect(desk.page.locator("#channels")).to_contain_text("direct-max")
    await desk.page.keyboard.type(" word")
    await expect(desk.page.locator("#composer input")).to_have_value("a half word")
    await expect(desk.page.locator("#composer input")).to_be_focused()


async def test_a_page_is_turned_with_the_focus_on_its_button(desk: Desk) -> None:
    """The button keeps the focus though its id is another on each page, also where there is no further page."""

    def page(number: int) -> list[Any]:
        newer = button(label="Newer", custom_id=f"page:{max(0, number - 1)}", disabled=number == 0)
        older = button(label="Older", custom_id=f"page:{number + 1}", disabled=number == 2)
        return [words(f"Page {number + 1} of 3"), row(newer, older)]

    message = await desk.post(page(0))
    await desk.keys("Shift+Tab")
    for number in (1, 2):
        await expect(desk.button("Older")).to_be_focused()
        await desk.keys("Enter")
        sent = await desk.heard()
        assert sent.payload["custom_id"] == f"page:{number}"
        await desk.ack(sent, 7, {"components": page(number), "flags": V2})
        await expect(desk.page.locator(".message")).to_contain_text(f"Page {number + 1}")
    await expect(desk.button("Older")).to_be_focused()
    await expect(desk.button("Older")).to_be_disabled()
    await desk.keys("Enter", "Shift+Tab")
    await expect(desk.button("Newer")).to_be_focused()
    assert len(desk.world.interactions) == 2
    await desk.call("DELETE", f"/channels/{desk.channel.id}/messages/{message.id}")
    await expect(desk.page.locator("#composer input")).to_be_focused()


async def test_pictures_and_files_by_keyboard(desk: Desk) -> None:
    """Alt texts, a veil lifted by Enter that stays lifted, the large view and back, a small picture, and a file."""
    box = {
        "type": 17,
        "components": [
            {
                "type": 12,
                "items": [
                    {"media": {"url": "attachment://a.png"}, "description": "one"},
                    {"media": {"url": "attachment://SPOILER_b.png"}, "description": "two", "spoiler": True},
                ],
            },
            {
                "type": 9,
                "components": [TEXT],
                "accessory": {"type": 11, "media": {"url": "attachment://c.png"}, "description": "three"},
            },
            {"type": 13, "file": {"url": "attachment://w.json"}},
        ],
    }
    message = await desk.post([box], "a.png", "SPOILER_b.png", "c.png", "w.json")
    pictures = desk.page.locator(".message img")
    assert [await one.get_attribute("alt") for one in await pictures.all()] == ["one", "two", "three"]
    await desk.keys("Shift+Tab")
    file = desk.page.get_by_role("link", name="w.json (1 kB)")
    await expect(file).to_be_focused()
    await expect(file).to_have_attribute("download", "w.json")
    await desk.keys("Shift+Tab")
    await expect(desk.button("three")).to_be_focused()
    await desk.keys("Shift+Tab")
    veiled = desk.page.locator(".veiled")
    await expect(veiled).to_be_focused()
    await expect(desk.button("two")).to_have_count(0)
    await desk.keys("Enter")
    await expect(veiled).to_have_count(0)
    await expect(desk.button("two")).to_be_focused()
    assert "two" not in await desk.page.locator("#news").inner_text()
    await desk.keys("Enter")
    await expect(desk.page.get_by_role("dialog").get_by_alt_text("two")).to_be_visible()
    await desk.edit(message, [box])
    await desk.edit(message, [{**box, "accent_color": 255}])
    await expect(desk.page.locator(".embed")).to_have_css("border-left-color", "rgb(0, 0, 255)")
    await desk.keys("Escape")
    await expect(desk.page.get_by_role("dialog")).to_have_count(0)
    await expect(desk.button("two")).to_be_focused()
    await expect(veiled).to_have_count(0)


async def test_a_dialog_by_keyboard(desk: Desk, tmp_path: Path) -> None:
    """Prefilled paragraphs, a list with a default, a file, a tick; the focus comes back though its message changed."""

    def field(name: str, **more: Any) -> dict[str, Any]:
        return {"type": 18, "label": name, "component": {"custom_id": name.lower(), "required": False, **more}}

    options = [{"label": "SD", "value": "sd"}, {"label": "SDXL", "value": "xl", "default": True}]
    rows = [
        field("Prompt", type=4, style=2, value="a red fox\nin snow"),
        field("Template", type=3, options=options),
        field("File", type=19, min_values=0),
        field("Enhance", type=23),
    ]
    buttons = row(button(label="Remix", custom_id="remix"))
    message = await desk.post([words("one"), buttons])
    await desk.keys("Shift+Tab", "Enter")
    asked = await desk.heard()
    await desk.ack(asked, 9, {"custom_id": "m", "title": "Remix", "components": rows})
    dialog = desk.page.get_by_role("dialog", name="Remix")
    await expect(dialog.get_by_label("Prompt")).to_be_focused()
    await expect(dialog.get_by_label("Prompt")).to_have_value("a red fox\nin snow")
    await expect(dialog.get_by_label("Template")).to_have_value("xl")
    await desk.edit(message, [words("two"), buttons])
    await desk.keys("Control+End", "Enter")
    await desk.page.keyboard.type("at night")
    await desk.keys("Tab", "Tab")
    (tmp_path / "mine.png").write_bytes(_picture())
    async with desk.page.expect_file_chooser() as chooser:
        await desk.keys("Enter")
    await (await chooser.value).set_files(tmp_path / "mine.png")
    await desk.keys("Tab", "Space", "Tab", "Enter")
    sent = await desk.heard()
    given = [one["component"] for one in sent.payload["components"]]
    assert given[0]["value"] == "a red fox\nin snow\nat night"
    assert (given[1]["values"], given[3]["value"]) == (["xl"], True)
    assert [one["filename"] for one in sent.payload["resolved"]["attachments"].values()] == ["mine.png"]
    await desk.ack(sent, 6)
    await expect(dialog).to_have_count(0)
    await expect(desk.button("Remix")).to_be_focused()


@pytest.mark.parametrize(("steps", "command", "option"), [(0, "draw", "what"), (1, "描く", "題")])
async def test_a_long_prompt_is_taken_from_the_offers(desk: Desk, steps: int, command: str, option: str) -> None:
    """Names are the person's own; arrow and Enter take what is offered: its name is shown, its value is sent."""
    await desk.page.get_by_label("You are").focus()
    await desk.keys(*["ArrowDown"] * steps)
    await expect(desk.page.get_by_label("You are").locator("option:checked")).to_have_text(["Max", "はるか"][steps])
    await expect(desk.page.locator("html")).to_have_attribute("data-locale", ["en-US", "ja"][steps])
    await expect(desk.page.get_by_label("You are")).to_be_focused()
    await desk.page.locator("#composer input").focus()
    await desk.page.keyboard.type(f"/{command[0]}")
    await expect(desk.page.get_by_role("option", name=f"/{command}")).to_be_visible()
    await desk.keys("Enter")
    entry = desk.page.get_by_label(option)
    await expect(entry).to_be_focused()
    shown = f"{LONG[:99]}…"
    await desk.ack(
        await desk.heard(), 8, {"choices": [{"name": "short", "value": "s"}, {"name": shown, "value": "recent:1"}]}
    )
    await expect(entry).to_have_attribute("aria-expanded", "true")
    await desk.keys("ArrowDown", "ArrowDown")
    await expect(desk.page.get_by_role("option", name=shown)).to_have_attribute("aria-selected", "true")
    await desk.keys("Enter")
    await expect(entry).to_have_value(shown)
    await expect(entry).to_have_attribute("aria-expanded", "false")
    await desk.keys("Enter")
    sent = await desk.heard()
    assert sent.payload["options"] == [{"name": "what", "type": 3, "value": "recent:1"}]
    await desk.ack(sent, 4, {"content": "ok"})
    await expect(desk.page.locator("#composer input")).to_be_focused()


async def test_a_menu_by_keyboard_in_japanese(desk: Desk) -> None:
    """Apps opens by Enter with names in the person's language; though the message changes, Escape leads back to it."""
    message = await desk.post([words("one")])
    await desk.page.get_by_label("You are").focus()
    await desk.keys("ArrowDown")
    await expect(desk.page.locator("html")).to_have_attribute("data-locale", "ja")
    apps = desk.button("Apps")
    await desk.page.locator("#composer input").focus()
    await desk.keys("Shift+Tab", "Enter")
    item = desk.page.get_by_role("menuitem", name="これをリミックス")
    await expect(item).to_be_focused()
    await desk.edit(message, [words("two")])
    await expect(desk.page.locator(".message")).to_contain_text("two")
    await expect(item).to_be_focused()
    await desk.keys("Escape")
    await expect(apps).to_be_focused()
    await desk.keys("Enter", "Enter")
    sent = await desk.heard()
    assert (sent.payload["target_id"], sent.person.name) == (message.id, "haruka")
    await desk.ack(sent, 4, {"content": "ok", "flags": 64})
    await expect(apps.first).to_be_focused()
