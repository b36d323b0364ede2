"""The command line as a person has it: real processes, exit codes, readable lines."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.comfy.client import ComfyClient
from bot.sandbox.comfyui.server import serving as serving_comfyui
from bot.sandbox.comfyui.worker import Pace
from bot.sandbox.discord.server import Discord
from bot.sandbox.discord.server import serving as serving_discord
from bot.workflow.template import load_template
from tests.conftest import FAST, PROJECT, eventually
from tests.person import Person
from tests.workflow.graphs import node, txt2img
from tests.workflow.test_uiformat import drawn

pytestmark = pytest.mark.timeout(120)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def easel(*arguments: str, **variables: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start the program in a process of its own, in the current folder."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def result(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the program to its end: exit code, output, errors."""
    async with easel(*arguments, **variables) as process:
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def test_once_saves_the_picture(tmp_path: Path) -> None:
    """`sandbox --once` prints what the member sees, saves the picture, and exits 0."""
    code, out, err = await result("sandbox", "--once", "/imagine prompt:a red fox", "--save", str(tmp_path / "fox.png"))

    assert code == 0, err
    assert "> a red fox" in out
    assert "Done in" in out
    assert (tmp_path / "fox.png").read_bytes().startswith(b"\x89PNG")
    assert err == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/imagine prompt:x size:huge", "not a size"),
        ("/imagine prompt:x template:upscale", "needs a file"),
        ("/imagine", "required"),
        ("/nothing", "no command here"),
    ],
)
async def test_once_fails_with_the_members_words(line: str, words: str) -> None:
    """Any failure of the one command exits 1 with the words that the member got."""
    code, out, err = await result("sandbox", "--once", line)

    assert code == 1
    assert words in out
    assert "Traceback" not in out + err


async def test_a_missing_comfyui_is_one_line() -> None:
    """`--comfyui` at an address where nobody answers is told in one line."""
    code, _, err = await result("sandbox", "--once", "/help", "--comfyui", "http://127.0.0.1:9")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "no ComfyUI answers" in err


async def test_bad_settings_are_lines_and_exit_code_2() -> None:
    """Each fault is one line on standard error, the code is 2, and no secret is printed."""
    code, out, err = await result("run", DISCORD_TOKEN="sekret", LOG_FORMAT="xml", COMFYUI_SERVERS="[{")
    assert code == 2
    assert len(err.strip().splitlines()) == 2
    assert "LOG_FORMAT" in err
    assert "COMFYUI_SERVERS" in err
    assert "sekret" not in out + err
    code, _, err = await result("run")
    assert (code, err.count("\n")) == (2, 1)
    assert "DISCORD_TOKEN" in err


async def test_check_tells_what_is_wrong(tmp_path: Path) -> None:
    """`check` names servers that do not answer, missing nodes and missing models, and exits 1; else 0."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    good = txt2img()
    good["4"]["inputs"]["ckpt_name"] = "easel-sd15.safetensors"
    (folder / "good.json").write_text(json.dumps(good))
    token = "MTAwMDAwMDAwMDAwMDAwMDAwMQ.GsAnDb.abcdefghijklmnopqrstuvwxyz0"
    async with serving_comfyui(pace=FAST) as (_, url):
        settings = {"DISCORD_TOKEN": token, "TEMPLATES_DIR": str(folder), "COMFYUI_SERVERS": url}
        code, out, _ = await result("check", **settings)
        assert code == 0, out
        assert "in order" in out
        bad = txt2img(**{"10": node("FancyNode", images=["8", 0])})
        bad["9"]["inputs"]["images"] = ["10", 0]
        (folder / "bad.json").write_text(json.dumps(bad))
        (folder / "ui.json").write_text('{"nodes": [], "links": []}')
        settings |= {"DISCORD_TOKEN": "x", "COMFYUI_SERVERS": f"{url},http://127.0.0.1:9", "DEFAULT_TEMPLATE": "none"}
        code, out, _ = await result("check", **settings)
        assert code == 1
        for words in (
            "missing node FancyNode",
            "missing ckpt_name 'm.safetensors'",
            "does not answer",
            "ui.json: there is no workflow in this file",
            "DEFAULT_TEMPLATE",
            "DISCORD_TOKEN",
        ):
            assert words in out
        code, out, _ = await result("check", "--json", **settings)
        report = json.loads(out)
        assert code == 1
        assert not report["ok"]
        assert len(report["faults"]) == 5


async def test_inspect_and_migrate(tmp_path: Path) -> None:
    """`inspect` prints the roles for people and scripts, refuses what is no graph; `migrate` makes the database."""
    (tmp_path / "a.json").write_text(json.dumps(txt2img()))
    code, out, _ = await result("inspect", "a.json", "--json")
    assert code == 0
    assert json.loads(out)["positive"] == [["6", "text"]]
    code, out, _ = await result("inspect", "a.json")
    assert "positive: 6.text" in out
    (tmp_path / "b.json").write_text("nope")
    code, _, err = await result("inspect", "b.json")
    assert code == 1
    assert "not JSON" in err
    code, out, _ = await result("migrate", DATA_DIR=str(tmp_path / "d"))
    assert code == 0
    assert (tmp_path / "d" / "easel.sqlite3").is_file()


@asynccontextmanager
async def black_box(
    discord: Discord, comfyui_url: str, tmp_path: Path, **more: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start `easel run` against stand-ins, by settings alone."""
    settings = {
        "DISCORD_TOKEN": discord.world.token,
        "DISCORD_API_URL": discord.url,
        "COMFYUI_SERVERS": comfyui_url,
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_FORMAT": "json",
        **more,
    }
    async with easel("run", **settings) as process:
        yield process


async def test_run_as_a_black_box(tmp_path: Path) -> None:
    """`easel run` finds the gateway by the API address, serves a command, syncs only once, and stops on SIGTERM."""
    async with serving_comfyui(pace=FAST) as (_, url), serving_discord() as discord:
        for _ in range(2):
            async with black_box(discord, url, tmp_path) as process:
                await eventually(lambda: discord.gateway.connected, "it does not connect", 30)
                process.send_signal(signal.SIGTERM)
                _, err = await asyncio.wait_for(process.communicate(), 15)
                assert process.returncode == 0
                lines = [json.loads(line) for line in err.decode().splitlines()]
                assert discord.world.token not in err.decode()
                assert all("event" in line for line in lines)
        syncs = [call for call in discord.world.calls if call.method == "PUT"]
        assert len(syncs) == 1
        assert discord.world.unknown_routes == []


async def test_a_wrong_token_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    """Discord's refusal of the token ends the program with a readable line that does not hold the token."""
    async with (
        serving_discord() as discord,
        black_box(discord, "http://127.0.0.1:9", tmp_path, DISCORD_TOKEN="wrong.token.value") as process,
    ):
        _, err = await asyncio.wait_for(process.communicate(), 30)
    text = err.decode()
    assert process.returncode == 2
    assert "does not accept this token" in text
    assert "Traceback" not in text
    assert "wrong.token.value" not in text


async def test_discord_comes_up_after_us(tmp_path: Path) -> None:
    """With nobody at the API address the bot waits and connects when Discord is there; a failing gateway likewise."""
    port = free_port()
    async with easel(
        "run",
        DISCORD_TOKEN="x",
        DISCORD_API_URL=f"http://127.0.0.1:{port}",
        COMFYUI_SERVERS="http://127.0.0.1:9",
        DATA_DIR=str(tmp_path),
    ) as process:
        assert process.stderr is not None
        await _line_with(process.stderr, "out_of_reach")
        async with serving_discord(port) as discord:
            discord.world.token = "x"
            discord.gateway.refuse = 2
            await _line_with(process.stderr, "gateway_unreachable")
            await eventually(lambda: discord.gateway.connected, "it did not come", 40)
        assert process.returncode is None


async def _line_with(stream: asyncio.StreamReader, words: str) -> None:
    async with asyncio.timeout(40):
        while line := await stream.readline():
            if words in line.decode():
                return
    raise AssertionError(f"the log never said {words}")


async def test_taken_ports_and_missing_folders_are_lines(tmp_path: Path) -> None:
    """A port in use, and a folder that is not there, are told in a line before anything is done."""
    async with serving_comfyui(pace=FAST) as (_, url):
        port = url.rsplit(":", 1)[1]
        code, _, err = await result("sandbox", "--port", port, "--no-browser")
        assert (code, err.count("\n")) == (2, 1)
        assert "--port 0" in err
    code, out, err = await result("sandbox", "--once", "/help", "--save", str(tmp_path / "no" / "x.png"))
    assert code == 2
    assert "there is no folder" in err
    assert "Traceback" not in out + err
    code, out, _ = await result("sandbox", "--once", "/help", "--save", str(tmp_path / "x.png"))
    assert code == 1
    assert "no picture to save" in out


async def test_each_standin_starts_alone() -> None:
    """Both stand-ins run by themselves with `python -m`."""
    for name in ("comfyui", "discord"):
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"bot.sandbox.{name}",
            "--port",
            str(free_port()),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert re.search(rb"stand-in (ComfyUI|Discord) at http://127", line)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_a_killed_bot_takes_up_its_work(tmp_path: Path) -> None:
    """After kill -9 in mid-run the next process finds the prompt on its server: one run, one picture, one message."""
    async with serving_comfyui(pace=Pace(step_s=0.25)) as (comfy, url), serving_discord() as discord:
        person = Person(discord, "max")
        async with black_box(discord, url, tmp_path) as process:
            await eventually(lambda: discord.gateway.connected, "it does not connect", 30)
            await eventually(lambda: bool(discord.world.commands), "no commands", 30)
            sent = await person.says("imagine", prompt="a red fox")
            await person.until(lambda message: "step" in message.words, sent)
            process.kill()
            await process.wait()
        async with black_box(discord, url, tmp_path):
            await person.picture(sent)
        assert len(comfy.worker.history) == 1
        assert len(discord.world.messages) == 1


async def test_inspect_explains_and_drafts(tmp_path: Path) -> None:
    """`inspect` tells roles, command and options; `--write-manifest` writes what can be read back, and only once."""
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(txt2img()), encoding="utf-8")
    code, out, _ = await result("inspect", str(file))
    assert code == 0
    assert "positive: 6.text" in out
    assert "option: prompt (required, text)" in out
    lines = len(out.splitlines())
    file.write_text(json.dumps(txt2img()).replace('"6"', '"six\\n\\nseven"'), encoding="utf-8")
    code, out, _ = await result("inspect", str(file))
    assert (code, len(out.splitlines())) == (0, lines)
    file.write_text(json.dumps(txt2img()), encoding="utf-8")
    code, out, _ = await result("inspect", str(file), "--write-manifest")
    assert code == 0
    assert load_template(file).options == load_template(file).options
    draft = (tmp_path / "flow.toml").read_text(encoding="utf-8")
    assert "[options.seed]" in draft
    template = load_template(file)
    assert {option.name for option in template.options} >= {"prompt", "negative", "seed", "steps"}
    assert template.manifest.outputs == ("9",)
    code, _, err = await result("inspect", str(file), "--write-manifest")
    assert code == 1
    assert "already" in err


async def test_inspect_with_a_server(tmp_path: Path) -> None:
    """With `--server` the node list decides; names that are none, and servers that are away, are told."""
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(txt2img()), encoding="utf-8")
    async with serving_comfyui(pace=FAST) as (_, url):
        servers = json.dumps([{"name": "one", "url": url}, {"name": "gone", "url": "http://127.0.0.1:9"}])
        code, out, _ = await result("inspect", str(file), "--server", "one", COMFYUI_SERVERS=servers)
        assert code == 0
        assert "sampler (text, 23 choices)" in out
        code, _, err = await result("inspect", str(file), "--server", "two", COMFYUI_SERVERS=servers)
        assert (code, "there is no two, only one, gone" in err) == (2, True)
        code, _, err = await result("inspect", str(file), "--server", "gone", COMFYUI_SERVERS=servers)
        assert (code, "gone does not answer" in err) == (2, True)


async def test_templates_are_listed_made_and_pulled(tmp_path: Path) -> None:
    """`templates new` writes what runs, `pull` imports both formats, `list` tells state and reasons."""
    folder = tmp_path / "flows"
    folder.mkdir()
    async with serving_comfyui(pace=FAST) as (_, url), aiohttp.ClientSession() as session:
        settings = {"TEMPLATES_DIR": str(folder), "COMFYUI_SERVERS": url}
        code, out, _ = await result("templates", "list", **settings)
        assert (code, "no templates" in out) == (0, True)
        checkpoint = ("--checkpoint", "easel-sdxl.safetensors")
        more = ("--vae", "easel-vae.safetensors", "--clip-skip", "2", "--lora", "watercolour.safetensors:0.5")
        code, out, _ = await result("templates", "new", "sdxl", *checkpoint, *more, **settings)
        assert (code, out) == (0, "Wrote sdxl.json.\n")
        code, out, _ = await result("templates", "new", "sdxl", *checkpoint, **settings)
        assert (code, "already" in out) == (1, True)
        code, out, _ = await result("templates", "new", "sd15", "--checkpoint", "nope.ckpt", **settings)
        assert (code, "it has: easel-sd15" in out) == (1, True)
        near = ("--checkpoint", "easel-sd15", "--lora", "watercolor.safetensors:0.5")
        code, out, _ = await result("templates", "new", "sd15", *near, **settings)
        assert code == 1
        assert "has no easel-sd15 in checkpoints; did you mean easel-sd15.safetensors" in out
        assert "has no watercolor.safetensors in loras; did you mean watercolour.safetensors" in out
        code, out, _ = await result("templates", "new", "sd15", *checkpoint, "--name", "Big One", **settings)
        assert (code, "is no name" in out) == (1, True)
        client = ComfyClient(session, url)
        await client.write_user_file("workflows/My flow.json", json.dumps(txt2img()).encode())
        await client.write_user_file("workflows/drawn/one.json", json.dumps(drawn()).encode())
        await client.write_user_file("workflows/broken.json", b"{")
        code, out, _ = await result("templates", "pull", **settings)
        assert code == 1
        assert "✓ My flow.json → my-flow.json" in out
        assert "✓ drawn/one.json → drawn-one.json" in out
        assert "✗ broken.json: this is not JSON" in out
        code, out, _ = await result("templates", "list", **settings)
        assert code == 1
        assert "✓ sdxl /sdxl" in out
        assert "✓ drawn-one /drawn-one" in out
        assert "✗ my-flow" in out
        assert "missing ckpt_name 'm.safetensors'" in out


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("worker",), {}, "a worker needs the PostgreSQL"),
        (("run", "--gateway-only"), {}, "--gateway-only: needs workers"),
        (("run",), {"DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:9/nothing"}, "cannot be opened"),
        (("run",), {"DATABASE_URL": "mysql://me:s3cret@h/x"}, "of a SQLite file or of a PostgreSQL"),
        (
            ("worker", "--server", "nobody"),
            {"DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:9/nothing"},
            "--server: nobody is not in COMFYUI_SERVERS; there are local",
        ),
    ],
)
async def test_what_cannot_be_scaled_is_one_line(
    arguments: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    """A worker without a shared database, for no server, or on one that is away: exit code 2, one line, no password."""
    code, _, errors = await result(*arguments, DISCORD_TOKEN="x.y.z", **variables)
    assert code == 2
    assert words in errors
    assert "s3cret" not in errors
    assert "Traceback" not in errors


async def test_a_second_run_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """While one Easel serves, another one on the same SQLite file ends with exit code 2 and says why."""
    async with (
        serving_comfyui(pace=FAST) as (_, url),
        serving_discord() as discord,
        black_box(discord, url, tmp_path),
    ):
        await eventually(lambda: discord.gateway.connected, "it does not connect", 30)
        code, _, errors = await result(
            "run", DISCORD_TOKEN=discord.world.token, DISCORD_API_URL=discord.url, DATA_DIR=str(tmp_path / "data")
        )
    assert code == 2
    assert "another Easel works on" in errors
