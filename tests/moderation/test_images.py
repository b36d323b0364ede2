"""What judges a picture: a failure of any kind is one, and never a score."""

import asyncio
import io
import itertools
import math
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image, ImageDraw

from bot.errors import SettingsError
from bot.moderation import images
from bot.moderation.images import CheckFailed, HttpCheck, NudeNetCheck, make_check, worst_score
from bot.settings import load_settings


def plain(colour: tuple[int, ...] = (0, 90, 0), size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour)


def written(image: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.1, True, "0.1", None])
async def test_a_score_is_a_number_from_0_to_1(score: Any) -> None:
    """Whatever a check of anybody's says, what is no number from 0 to 1 is a failure."""

    class Odd:
        async def score(self, picture: bytes) -> float:
            assert picture
            return score

    with pytest.raises(CheckFailed):
        await worst_score(Odd(), "a.png", written(plain()))
    with pytest.raises(CheckFailed):
        await NudeNetCheck(lambda _: [{"class": "ANUS_EXPOSED", "score": score}]).score(written(plain()))


async def test_exposed_parts_count_and_others_do_not() -> None:
    """NudeNet's score is its surest box of what is exposed; faces, and what is covered, are none."""
    boxes: list[dict[str, Any]] = [{"class": name, "score": 0.99} for name in ("FACE_FEMALE", "FEMALE_BREAST_COVERED")]
    check = NudeNetCheck(lambda _: boxes)
    assert await check.score(written(plain())) == 0
    for part in ("FEMALE_GENITALIA", "MALE_GENITALIA", "ANUS", "BUTTOCKS", "FEMALE_BREAST"):
        alone = NudeNetCheck(lambda _, part=part: [*boxes, {"class": f"{part}_EXPOSED", "score": 0.4}])
        assert await alone.score(written(plain())) == 0.4
    boxes += [{"class": "BUTTOCKS_EXPOSED", "score": score} for score in (0.3, 0.7, 0.5)]
    assert await check.score(written(plain())) == 0.7


def until(over: threading.Event) -> Callable[[bytes], list[dict[str, Any]]]:
    """Return a detector that hangs until it is over."""

    def detect(_: bytes) -> list[dict[str, Any]]:
        over.wait(5)
        return []

    return detect


async def test_a_check_that_hangs_or_breaks_is_a_failure() -> None:
    """A judgement that lasts too long, or breaks in any way, raises; its thread keeps its turn until it ends."""
    over = threading.Event()
    hanging = NudeNetCheck(until(over), limit_s=0.05)
    try:
        for _ in range(2):
            with pytest.raises(CheckFailed, match="within"):
                await hanging.score(written(plain()))
        third = asyncio.create_task(NudeNetCheck(lambda _: []).score(written(plain())))
        await asyncio.sleep(0.1)
        assert not third.done()
    finally:
        over.set()
    assert await third == 0
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        await NudeNetCheck(lambda _: [1 // 0]).score(written(plain()))  # pyright: ignore[reportArgumentType]


async def test_no_turn_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the turns never come free, waiting ends in a failure."""
    monkeypatch.setattr(images, "_TURN_S", 0.05)
    over = threading.Event()
    hanging = NudeNetCheck(until(over), limit_s=0.2)
    try:
        outcomes = await asyncio.gather(*(hanging.score(written(plain())) for _ in range(3)), return_exceptions=True)
    finally:
        over.set()
    assert [str(one)[:7] for one in outcomes].count("no turn") == 1


async def test_two_at_once_at_most() -> None:
    """However many ask, two pictures are judged at a time."""
    now, most, lock = 0, 0, threading.Lock()

    def detect(_: bytes) -> list[dict[str, Any]]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return []

    check = NudeNetCheck(detect)
    await asyncio.gather(*(check.score(written(plain())) for _ in range(8)))
    assert most == 2


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Classifier:
    """A real server that answers as a test wants it to."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.got: list[tuple[bytes, str, str | None]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((await request.read(), request.content_type, request.headers.get("Authorization")))
        assert self.answer is not None
        return await self.answer(request)

    def says(self, text: str, status: int = 200, **headers: str) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=text, status=status, headers=headers)

        self.answer = answer


@pytest.fixture
async def classifier() -> AsyncGenerator[tuple[Classifier, HttpCheck]]:
    handler = Classifier()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": "key", "content-type": "text/odd"}
        yield handler, HttpCheck(session, f"http://127.0.0.1:{runner.addresses[0][1]}/s", headers=headers)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 0.25}', 0.25),
        ('{"score": 1, "model": "x"}', 1.0),
        ('[{"label": "nsfw", "score": 0.98}, {"label": "normal", "score": 0.02}]', 0.98),
        ('[{"label": "Sexy", "score": 0.3}, {"label": "porn", "score": 0.6}, {"label": "neutral", "score": 0.1}]', 0.6),
        ('[{"label": "normal", "score": 0.75}]', 0.25),
    ],
)
async def test_answers_that_count(text: str, score: float, classifier: tuple[Classifier, HttpCheck]) -> None:
    """A score counts as it is; of labels the worst unsafe one, or what is missing to a safe one."""
    server, check = classifier
    server.says(text)
    assert await check.score(written(plain(), "BMP")) == score
    (sent, kind, key) = server.got[0]
    assert (kind, key) == ("image/jpeg", "key")
    with Image.open(io.BytesIO(sent)) as opened:
        assert opened.format == "JPEG"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"score": NaN}', 200),
        ('{"score": Infinity}', 200),
        ('{"score": 1.01}', 200),
        ('{"score": -1}', 200),
        ('{"score": true}', 200),
        ('{"score": "0.1"}', 200),
        ('{"scores": 0.1}', 200),
        ("{}", 200),
        ("[]", 200),
        ("0.1", 200),
        ("null", 200),
        ("", 200),
        ("<html>", 200),
        ("[" * 50_000, 200),
        ('[{"label": "cat", "score": 0.1}]', 200),
        ('[{"label": "nsfw", "score": 0.1}, {"label": "porn", "score": NaN}]', 200),
        ('[0.1, {"label": "normal", "score": 1}]', 200),
        ('{"score": 0.1}' + " " * 70_000, 200),
        ('{"score": 0.1}', 500),
        ('{"score": 0.1}', 404),
        ('{"score": 0.1}', 202),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_answers_that_are_none(text: str, status: int, classifier: tuple[Classifier, HttpCheck]) -> None:
    """An answer that is broken, odd, too long or an error is a failure."""
    server, check = classifier
    server.says(text, status)
    with pytest.raises(CheckFailed) as caught:
        await check.score(written(plain()))
    assert "key" not in str(caught.value)


async def test_a_redirect_is_not_followed(classifier: tuple[Classifier, HttpCheck]) -> None:
    """Pictures and headers go to the owner's address only: a redirect is a failure."""
    server, check = classifier
    server.says('{"score": 0.1}', 307, Location="/elsewhere")
    with pytest.raises(CheckFailed, match="307"):
        await check.score(written(plain()))
    assert len(server.got) == 1


async def test_a_slow_answer_is_a_failure(classifier: tuple[Classifier, HttpCheck]) -> None:
    """Who does not answer in time, or drips, has not judged."""
    server, check = classifier

    async def drips(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        for _ in range(100):
            await reply.write(b" ")
            await asyncio.sleep(0.05)
        return reply

    server.answer = drips
    check._limit_s = 0.2
    began = time.monotonic()
    with pytest.raises(CheckFailed):
        await check.score(written(plain()))
    assert time.monotonic() - began < 3


async def test_nobody_there_is_a_failure() -> None:
    """A classifier that is away has not judged."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(CheckFailed):
            await HttpCheck(session, "http://127.0.0.1:9/").score(written(plain()))


async def test_the_settings_choose() -> None:
    """`none` is no check, `http` asks the address; the check shows neither address nor headers."""
    async with aiohttp.ClientSession() as session:
        assert make_check(load_settings(), session) is None
        chosen = load_settings(
            picture_check="http",
            picture_check_url="http://127.0.0.1:9/s?k=SECRET",
            picture_check_headers={"A": "SECRET"},
        )
        check = make_check(chosen, session)
    assert isinstance(check, HttpCheck)
    assert "SECRET" not in repr(check) + repr(chosen)


async def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the choice of nudenet is one line that says what to do."""
    monkeypatch.setitem(sys.modules, "nudenet", None)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SettingsError) as caught:
            make_check(load_settings(picture_check="nudenet"), session)
    assert caught.value.faults == ["PICTURE_CHECK: nudenet needs the extra: uv sync --extra nudenet"]


def figure() -> Image.Image:
    """Draw somebody on a beach: harmless, and skin-coloured."""
    image = plain((120, 170, 220), (512, 512))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 360, 512, 512), fill=(230, 210, 150))
    for box in ((226, 60, 286, 130), (206, 130, 306, 330), (210, 320, 250, 480), (262, 320, 302, 480)):
        draw.ellipse(box, fill=(225, 175, 145))
    return image


def wheel(side: int) -> Image.Image:
    """Draw a wheel of all colours, in which NudeNet 3.4.2 is sure to see buttocks."""
    image = Image.new("HSV", (side, side), (0, 0, 255))
    for x, y in itertools.product(range(side), repeat=2):
        across, down = x - side / 2, y - side / 2
        far = math.hypot(across, down) / side * 2
        if far < 0.95:
            image.putpixel((x, y), (int(math.atan2(down, across) / math.tau % 1 * 255), int(far * 255), 255))
    return image.convert("RGB")


async def test_the_real_model_judges() -> None:
    """NudeNet itself, where it is installed, sees nothing in a drawn figure, and something in a wheel of colours."""
    pytest.importorskip("nudenet", reason="NUDENET IS NOT INSTALLED (uv sync --extra nudenet): ITS MODEL GOES UNTESTED")
    check = NudeNetCheck.installed()
    for picture in (figure(), plain((200, 150, 120, 128), (64, 64))):
        assert await worst_score(check, "a.png", written(picture)) == 0
    assert 0.5 < (await worst_score(check, "a.png", written(wheel(128))) or 0) < 1
