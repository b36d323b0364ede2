"""Is a picture fit to be shown? A port, two checks behind it, and the question for whole files. Refuses on doubt."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import aiohttp
from multidict import CIMultiDict

from bot.errors import SettingsError
from bot.moderation.frames import FILE_S, CheckFailed, blurred, pictures, views
from bot.settings import Settings

__all__ = ["CheckFailed", "HttpCheck", "NudeNetCheck", "PictureCheck", "blurred", "make_check", "worst_score"]

JUDGE_S = 10.0
"""Seconds that judging one picture may last."""
_TURN_S = 60.0
"""Seconds that a piece of work waits for its turn before it is given up."""
_AT_ONCE = 2
_ANSWER = 64 * 1024
"""Bytes of a classifier's answer that are read."""

_EXPOSED = frozenset(
    {
        "FEMALE_GENITALIA_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
        "ANUS_EXPOSED",
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
    }
)
_UNSAFE = frozenset({"nsfw", "porn", "hentai", "sexy", "explicit"})
_SAFE = frozenset({"normal", "safe", "sfw"})

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_T = TypeVar("_T")


class PictureCheck(Protocol):
    """Whatever tells how unsafe a picture is."""

    async def score(self, picture: bytes) -> float:
        """Return 0 for harmless to 1 for surely unsafe, for one still picture of any usual format.

        Raises:
            CheckFailed: it could not be judged, or not in time.
        """
        ...


class NudeNetCheck:
    """NudeNet's detector on this machine: the score is its surest box of what is exposed (`_EXPOSED`), or 0.

    `detect` takes a picture's bytes and returns boxes with a `class` and a `score`.
    """

    def __init__(self, detect: Callable[[bytes], list[dict[str, Any]]], *, limit_s: float = JUDGE_S) -> None:
        self._detect = detect
        self._limit_s = limit_s

    @classmethod
    def installed(cls) -> "NudeNetCheck":
        """Load the model, which blocks for a second.

        Raises:
            SettingsError: the extra is not installed.
        """
        try:
            nudenet: Any = import_module("nudenet")
        except ImportError as fault:
            raise SettingsError(["PICTURE_CHECK: nudenet needs the extra: uv sync --extra nudenet"]) from fault
        return cls(nudenet.NudeDetector().detect)

    async def score(self, picture: bytes) -> float:
        """As the port says."""
        return await _in_thread(self._limit_s, self._score, picture)

    def _score(self, picture: bytes) -> float:
        boxes = [box for view in views(picture) for box in self._detect(view)]
        return max((_probability(box["score"]) for box in boxes if box["class"] in _EXPOSED), default=0.0)


class HttpCheck:
    """A classifier of the owner's at an address, by a borrowed session; docs/picture-check.md is the contract."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit_s: float = JUDGE_S,
    ) -> None:
        self._session = session
        self._url = url
        self._headers = CIMultiDict(headers or {})
        self._headers["Content-Type"] = "image/jpeg"
        self._limit_s = limit_s

    async def score(self, picture: bytes) -> float:
        """As the port says."""
        shown = await _in_thread(self._limit_s, views, picture)
        try:
            async with asyncio.timeout(self._limit_s):
                return max([await self._asked(view) for view in shown])
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as fault:
            raise CheckFailed(f"the classifier did not answer as it should: {type(fault).__name__}") from fault

    async def _asked(self, view: bytes) -> float:
        send = self._session.post(self._url, data=view, headers=self._headers, allow_redirects=False)
        async with send as reply:
            if reply.status != 200:
                raise CheckFailed(f"the classifier answered {reply.status}")
            body = bytearray()
            async for part in reply.content.iter_chunked(_ANSWER):
                body += part
                if len(body) > _ANSWER:
                    raise CheckFailed("the classifier answered far too much")
        return _told(json.loads(body))


async def worst_score(check: PictureCheck, name: str, data: bytes) -> float | None:
    """Return the worst score of a file: of a still, or of up to 8 frames of what moves; None if it shows nothing.

    What a file is, its bytes decide; `name` only makes that what is called a picture or video must be readable.

    Raises:
        CheckFailed: it shows something, or is named as if, and could not be judged (for a video also: no ffmpeg).
    """
    shown = await _in_thread(2 * FILE_S, pictures, name, data)
    if shown is None:
        return None
    return max([_probability(await check.score(picture)) for picture in shown])


def make_check(settings: Settings, session: aiohttp.ClientSession) -> PictureCheck | None:
    """Return the check that the settings name, or None; blocks for a second where a model is loaded.

    Raises:
        SettingsError: what it needs is not installed.
    """
    match settings.picture_check:
        case "none":
            return None
        case "nudenet":
            return NudeNetCheck.installed()
        case "http":
            return HttpCheck(session, settings.picture_check_url or "", headers=settings.picture_check_headers)


async def _in_thread(limit_s: float, work: Callable[..., _T], *given: object) -> _T:
    """Return what `work` returns, done in a thread, two at most at a time; whatever breaks in it is a CheckFailed.

    A thread that lasts too long is left behind, and keeps its turn until it ends.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, asyncio.Semaphore(_AT_ONCE))
    try:
        async with asyncio.timeout(_TURN_S):
            await turns.acquire()
    except TimeoutError as fault:
        raise CheckFailed("no turn in time: too much to judge, or a check that hangs") from fault
    running = loop.run_in_executor(None, work, *given)
    running.add_done_callback(lambda ended: (turns.release(), ended.cancelled() or ended.exception()))
    done, _ = await asyncio.wait({running}, timeout=limit_s)
    if not done:
        raise CheckFailed(f"not judged within {limit_s:g} s")
    try:
        return running.result()
    except CheckFailed:
        raise
    except Exception as fault:  # decoders and models break in ways of their own, and each of them means: not judged
        raise CheckFailed(f"a picture that broke its check: {type(fault).__name__}") from fault


def _told(answer: object) -> float:
    """Return the score in a classifier's answer: `{"score": …}`, or labels with scores; raises CheckFailed."""
    if isinstance(answer, dict):
        return _probability(cast("dict[str, Any]", answer).get("score"))
    entries = cast("list[Any]", answer) if isinstance(answer, list) else []
    labelled = [_labelled(entry) for entry in entries]
    unsafe = [score for label, score in labelled if label in _UNSAFE]
    return _worst(unsafe or [1 - score for label, score in labelled if label in _SAFE])


def _labelled(entry: object) -> tuple[str, float]:
    if not isinstance(entry, dict):
        raise CheckFailed("the classifier's list holds something that is no label with a score")
    named = cast("dict[str, Any]", entry)
    return str(named.get("label")).lower(), _probability(named.get("score"))


def _worst(scores: Sequence[float]) -> float:
    if not scores:
        raise CheckFailed("the classifier's answer has no label that is known")
    return max(scores)


def _probability(score: object) -> float:
    """Return a number from 0 to 1; raises CheckFailed for anything else, also NaN, which is nowhere between."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise CheckFailed("a score that is no number from 0 to 1")
    return float(score)
