"""What is offered while members type, and what they are told: from memory, in their language, for them alone."""

import json
from pathlib import Path

from bot.sandbox.discord.checks import walked
from bot.sandbox.run import Sandbox, running
from tests.conftest import FAST, eventually
from tests.e2e.test_touch import made
from tests.guild import decides
from tests.person import Person, at_rest, custom_ids


async def names(person: Person, option: str, typed: str, command: str = "imagine") -> list[str]:
    return [one["name"] for one in await person.types(command, option, typed)]


async def test_own_prompts_are_offered_again(sandbox: Sandbox, max_: Person) -> None:
    """The last prompts of this member come back while they type, however long, after a restart too; nobody else's."""
    long = "a very long fox " * 40
    await made(max_, prompt="a short fox", size="64x64")
    await made(max_, prompt=long, size="64x64")
    await made(Person(sandbox, "haruka"), prompt="a cat of haruka", size="64x64")
    async with sandbox.restarted():
        assert await sandbox.app.fleet_ready()
        offered = await max_.types("imagine", "prompt", "FOX")
        assert [one["name"][:11] for one in offered] == ["a very long", "a short fox"]
        assert await max_.types("imagine", "prompt", "cat") == []
        again = await made(max_, prompt=offered[0]["value"], size="64x64")
        assert long.strip()[:200] in again.words
        assert [one["name"][:11] for one in await max_.types("imagine", "prompt", "")] == ["a very long", "a short fox"]


async def test_names_of_things_are_offered(sandbox: Sandbox, max_: Person) -> None:
    """Styles, sizes by name, LoRAs, models and samplers are offered by any part of them, in the member's language."""
    haruka = Person(sandbox, "haruka")
    assert await names(max_, "style", "film") == ["Film still"]
    assert await names(haruka, "style", "水彩") == ["水彩画"]
    assert "portrait (448x640)" in await names(max_, "size", "port")
    assert "縦長 (448x640)" in await names(haruka, "size", "縦長")
    assert await names(max_, "size", "3:2") == ["640x448"]
    assert "euler" in await names(max_, "sampler", "eul")
    assert any("sd15" in one for one in await names(max_, "model", "sd15"))
    assert await names(max_, "lora", "")
    assert await names(max_, "template", "picture to") == ["Picture to picture"]


async def test_a_style_is_put_round_the_words(sandbox: Sandbox, max_: Person) -> None:
    """The server gets the whole prompt, the card shows the member's own words and the style; Again keeps it."""
    first = await made(max_, prompt="a red fox", style="watercolour", size="wide")
    assert "> a red fox" in first.words
    assert "style watercolour" in first.words
    assert "704x384" in first.words
    await max_.picture(await max_.presses(first, "again"))
    assert sandbox.comfyui is not None
    for entry in sandbox.comfyui.worker.history.values():
        graph = json.dumps(entry["prompt"][2])
        assert "a red fox" in graph
        assert "watercolour" in graph
    wrong = await max_.until(at_rest, await max_.says("imagine", prompt="x", style="watercolor"))
    assert "watercolour" in wrong.words


async def test_help_is_what_this_member_may_use(sandbox: Sandbox, max_: Person) -> None:
    """Members, moderators and owners are told different commands, each in their own language, with examples."""
    told = (await max_.until(at_rest, await max_.says("help"))).words
    assert "/imagine prompt: a red fox" in told
    assert "**/history**" in told
    assert "Remix this" in told
    assert "/mod ban" not in told
    assert "/server" not in told
    mina = Person(sandbox, "mina")
    moderators = (await mina.until(at_rest, await mina.says("help"))).words
    assert "/mod ban" in moderators
    assert "/server status" not in moderators
    haruka = Person(sandbox, "haruka")
    japanese = (await haruka.until(at_rest, await haruka.says("help"))).words
    assert "**/履歴**" in japanese
    assert "これをリミックス" in japanese


async def test_statistics_are_words_and_a_picture(sandbox: Sandbox, max_: Person) -> None:
    """/stats tells the guild's numbers in private, with a chart that has alt text."""
    await made(max_, size="64x64")
    told = await max_.until(at_rest, await max_.says("stats"))
    assert told.only_for == max_.person.id
    assert "1" in told.words
    (gallery,) = [one for one in walked(told.components) if one["type"] == 12]
    assert gallery["items"][0]["description"]


async def test_public_replies_are_in_the_guilds_language(sandbox: Sandbox, max_: Person) -> None:
    """What everybody reads follows the guild's setting; what one alone reads follows their own language."""
    await decides(sandbox, language="ja")
    first = await made(max_)
    assert "完成" in first.words
    assert "Recipe" in (await max_.until(at_rest, await max_.presses(first, "recipe"))).words
    assert "Done in" in (await made(max_, private="true")).words


async def test_private_results_stay_private(sandbox: Sandbox, max_: Person) -> None:
    """What comes of a private picture is private; it is in its member's history, and in no gallery."""
    first = await made(max_, private="true")
    assert first.only_for == max_.person.id
    assert not any("favourite" in one or "report" in one for one in custom_ids(first))
    for action in ("again", "subtle", "upscale"):
        assert (await max_.picture(await max_.presses(first, action))).only_for == max_.person.id
    asked = await max_.presses(first, "remix")
    assert (await max_.picture(await max_.fills(asked, {"prompt": "x", "settings": ""}))).only_for == max_.person.id
    shown = await max_.until(at_rest, await max_.says("history"))
    assert len([one for one in walked(shown.components) if one["type"] == 11]) == 5


async def test_owners_add_follow_ups_of_their_own(tmp_path: Path) -> None:
    """A workflow with `follow_up` and a picture is a button under every result, called as its owner says."""
    shipped = Path(__file__).parents[2] / "templates"
    for name in ("sd15.json", "sd15.toml"):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    (tmp_path / "small.json").write_bytes((shipped / "upscale.json").read_bytes())
    (tmp_path / "small.toml").write_text(
        'model = "auto"\ntitle = {en = "Half as large", ja = "半分"}\nfollow_up = ["halve"]\n'
    )
    async with running(pace=FAST, templates_dir=tmp_path) as sandbox:
        assert await sandbox.app.fleet_ready()
        max_ = Person(sandbox, "max")
        first = await made(max_)
        labels = [one["label"] for one in walked(first.components) if one["type"] == 2]
        assert labels[:3] == ["Again", "Half as large", "Remix"]
        assert "Half as large" in (await max_.picture(await max_.presses(first, "halve"))).words
        (tmp_path / "small.json").unlink()
        await eventually(lambda: "small" not in sandbox.app.library.by_name, "the template stays")
        gone = await max_.until(at_rest, await max_.presses(first, "halve"))
        assert "No workflow here does that" in gone.words


async def test_private_remix_refused_then_edited_is_private(sandbox: Sandbox, max_: Person) -> None:
    """What was wrong in the dialog of a private picture, and is edited, still makes a private one."""
    first = await made(max_, prompt="a secret fox", private="true")
    assert first.only_for
    asked = await max_.presses(first, "remix")
    sent = await max_.fills(asked, {"prompt": "a secret fox", "settings": "sede: 5"})
    refused = await max_.until(lambda one: "sede" in one.words, sent)
    assert refused.only_for
    (edit,) = [one for one in custom_ids(refused) if ":edit:" in one]
    again = await max_.presses(refused, edit)
    second = await max_.picture(await max_.fills(again, {"prompt": "a secret fox", "settings": ""}))
    assert second.only_for == max_.person.id


async def test_private_remix_enhanced_is_private(sandbox: Sandbox, max_: Person) -> None:
    """What the helper rewords for a private picture makes a private one."""
    first = await made(max_, prompt="a secret fox", private="true")
    asked = await max_.presses(first, "remix")
    draft = await max_.until(at_rest, await max_.fills(asked, {"prompt": "a mill", "settings": "", "enhance": True}))
    second = await max_.picture(await max_.presses(draft, "run"))
    assert second.only_for == max_.person.id
