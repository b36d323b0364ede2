"""Cards as components v2: within Discord's limits whatever they show, and every button's id can be read back."""

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.package import Attachment, Parcel
from bot.model.job import Failure, FailureCode, Job, JobState, ReplyAddress, Sampling
from bot.model.request import Request
from bot.replies.cards import Card, CardMaker, draft_row
from bot.replies.layout import layout_of
from bot.replies.press import Action, Offer, Press, read_press
from bot.replies.recipe_words import found_card
from bot.replies.shelf_words import ON_A_PAGE, Line, shelf_card
from bot.sandbox.discord.checks import walked
from tests.replies.test_cards import REQUEST

JOB = "ab" * 8
OFFERS = (
    Offer(name="vary", title="Vary"),
    *(Offer(name=f"own-{'x' * 27}{number}", title="T" * 100) for number in range(30)),
    Offer(name="animate", title="A", kind="video"),
)
LONGEST = Request(prompt="*" * 1500, negative="_" * 1500, template="t", seed=1, member_id=1, guild_id=2, channel_id=3)


def maker(request: Request = REQUEST, locale: str = "en-US", *, private: bool = False) -> CardMaker:
    return CardMaker(request=request, title="|" * 100, locale=locale, job_id=JOB, private=private, offers=OFFERS)


def files(count: int, ending: str = "png") -> tuple[Attachment, ...]:
    return tuple(
        Attachment(filename=f"easel-{number}.{ending}", data=b"x", alt="y" * 1024, number=number, thumb=b"t")
        for number in range(1, count + 1)
    )


def within_limits(card: Card) -> list[dict[str, object]]:
    """Check a card against what Discord takes, and return its components."""
    layout = layout_of(card)
    assert layout.has_components_v2()
    parts = list(walked(layout.to_components()))
    ids = [part["custom_id"] for part in parts if "custom_id" in part]
    assert len(parts) <= 40
    assert sum(len(part["content"]) for part in parts if part["type"] == 10) <= 4000
    assert len(ids) == len(set(ids))
    assert all(len(one) <= 100 for one in ids)
    for part in parts:
        if part["type"] == 2:
            assert 1 <= len(part["label"]) <= 80
        if part["type"] == 3:
            assert 1 <= len(part["options"]) <= 25
    assert layout.timeout is None
    assert all(isinstance(one, discord.ui.DynamicItem) for one in layout.walk_children() if one.is_dispatchable())
    return parts


@pytest.mark.parametrize("locale", ["en-US", "ja"])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_the_largest_cards_fit(count: int, locale: str) -> None:
    """With the longest words, ten pictures and thirty follow-ups, every card is within Discord's limits."""
    cards = maker(LONGEST, locale)
    parts = within_limits(cards.done(Parcel(files=files(count), left_out=3), 1e5))
    assert len(next(part for part in parts if part["type"] == 12)["items"]) == count  # pyright: ignore[reportArgumentType]
    within_limits(cards.picked(files(1)[0], 1, "image"))
    within_limits(cards.running(Sampling(node="`" * 99, step=1, steps=2, elapsed_s=9), files(1)[0]))
    within_limits(cards.failed(Failure(code=FailureCode.REJECTED, facts={"node": "*" * 900, "input": "*" * 900})))
    within_limits(cards.held())
    within_limits(cards.draft(JOB, "words"))
    within_limits(Card(tone=cards.held().tone, text="x", rows=(draft_row(JOB, locale, "edit"),)))


def test_a_page_fits() -> None:
    """A full page of the history with the longest words and pages on both sides is within the limits."""
    address = ReplyAddress(application_id=1, channel_id=1, message_id=1, token="t", expires_at=0, upload_limit=1)
    job = Job(id=JOB, request=LONGEST, address=address, state=JobState.DONE, attempt=0, created_at=1.0)
    lines = [Line(job, number, "T" * 100, b"thumb", 99) for number in range(1, ON_A_PAGE + 1)]
    parts = within_limits(shelf_card("history", lines, 3, 99, "en-US"))
    assert sum(part["type"] == 11 for part in parts) == ON_A_PAGE


def test_only_what_fits_a_file_is_offered() -> None:
    """A video has the follow-ups of videos alone; a sound, which none takes, has none."""
    cards = maker()
    video = cards.done(Parcel(files=files(1, "mp4")), 1)
    assert [press.what for press in video.presses if press.action is Action.FOLLOW] == ["animate"]
    sound = cards.done(Parcel(files=files(1, "mp3")), 1)
    assert not [press for press in sound.presses if press.action in (Action.FOLLOW, Action.VARY)]
    assert [part["type"] for part in within_limits(sound) if part["type"] in (12, 13)] == [13]


def test_private_pictures_stay_private() -> None:
    """What is for the member alone has no Favourite and no Report, and its buttons say that it is private."""
    presses = maker(private=True).done(Parcel(files=files(1)), 1).presses
    assert not {Action.FAVOURITE, Action.REPORT} & {press.action for press in presses}
    assert all(press.private for press in presses)


@given(
    st.sampled_from(list(Action)),
    st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.integers(0, 99),
    st.booleans(),
    st.from_regex(r"[-_'\w]{1,32}", fullmatch=True) | st.just(""),
)
def test_a_button_knows_its_own_id(action: Action, job: str, number: int, private: bool, what: str) -> None:  # noqa: FBT001 - a parameter of a property
    """Whatever a button is for is in its id, and read back from it; Discord takes the id."""
    press = Press(action=action, job_id=job, number=number, private=private, what=what)
    assert read_press(press.custom_id) == press
    assert len(press.custom_id) <= 100


def test_buttons_of_before_still_work() -> None:
    """Ids of earlier releases, which end after the job, are understood; foreign ones are not."""
    assert read_press(f"easel:again:{JOB}") == Press(action=Action.AGAIN, job_id=JOB)
    assert read_press(f"easel:again:{JOB}x") is None
    assert read_press(f"easel:dance:{JOB}") is None


def test_a_strangers_recipe_fits() -> None:
    """Whatever a file says of itself, with every letter escaped, what is told of it fits a message."""
    facts = {"models": ["*" * 200] * 9, "loras": ["_" * 200] * 40, "sampler": "`" * 200, "seed": 2**53}
    within_limits(found_card(facts, "@" * 1500, "*" * 1500, "a1111", "ja"))
