"""The table of settings: what admins type is read, checked, and shown so that it can be read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import RequestError
from bot.model.guild import (
    DAY_S,
    SETTINGS,
    GuildSettings,
    Kind,
    Measure,
    Rung,
    read_span,
    read_value,
    shown_span,
    shown_value,
)
from bot.replies.catalogue import CATALOGUES

NAMED = {
    "channel": {"pictures": 100000000000000001, "review": 100000000000000002},
    "role": {"artists": 200000000000000001},
    "template": {"sd15": "sd15", "flux": "flux"},
}


@pytest.mark.parametrize("key", SETTINGS)
def test_every_default_is_read_back_as_it_is_shown(key: str) -> None:
    """What is stored of a setting means the same when it is read, for every row of the table."""
    setting = SETTINGS[key]
    assert read_value(setting, shown_value(setting, setting.default)) == setting.default
    assert getattr(GuildSettings(), key) == setting.default


def test_every_setting_has_words() -> None:
    """Both catalogues say what every setting is for, and how every kind of value is written."""
    for words in CATALOGUES.values():
        assert {f"settings.{key}" for key in SETTINGS} <= set(words)
        assert {f"refused.setting_{kind}" for kind in Kind} <= set(words)


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("channels", "#pictures, <#100000000000000002>", frozenset({100000000000000001, 100000000000000002})),
        ("channels", "none", frozenset()),
        ("review_channel", "Review", 100000000000000002),
        ("moderator_roles", "@artists", frozenset({200000000000000001})),
        ("role_quotas", "artists=50, <@&200000000000000001>=60", {200000000000000001: 60.0}),
        ("templates", "SD15, flux", frozenset({"sd15", "flux"})),
        ("newcomer_age", "2w", 14 * DAY_S),
        ("picture_block", "0.75", 0.75),
        ("check_negative", "OFF", False),
        ("review", "All", "all"),
        ("ladder", "3=timeout:12h,1=warn, 5=ban", (
            Rung(1, Measure.WARN), Rung(3, Measure.TIMEOUT, DAY_S / 2), Rung(5, Measure.BAN),
        )),
    ],
)  # fmt: skip
def test_values_as_people_type_them(key: str, typed: str, value: object) -> None:
    """Mentions, ids, names, units and capitals are understood."""
    assert read_value(SETTINGS[key], typed, NAMED) == value


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("channels", "#elsewhere"),
        ("channels", "<#999999999999999999>"),
        ("channels", ", ".join(["#pictures"] * 60)),
        ("review_channel", "@artists"),
        ("moderator_roles", "#pictures"),
        ("role_quotas", "artists"),
        ("role_quotas", "artists=lots"),
        ("role_weights", "artists=0"),
        ("templates", "nope"),
        ("newcomer_age", "a while"),
        ("newcomer_age", "99999w"),
        ("quota_window", "0"),
        ("picture_block", "1.5"),
        ("picture_block", "nan"),
        ("member_waiting", "1.5"),
        ("member_waiting", "-1"),
        ("check_negative", "perhaps"),
        ("review", "sometimes"),
        ("ladder", "1=warn, 1=ban"),
        ("ladder", "3=timeout"),
        ("ladder", "3=hug"),
        ("ladder", "0=ban"),
        ("ladder", "3=ban:soon"),
    ],
)
def test_wrong_values_are_refused_in_words(key: str, typed: str) -> None:
    """A value that is not of its kind, out of bounds or of another guild is refused, with a key that has words."""
    with pytest.raises(RequestError) as refused:
        read_value(SETTINGS[key], typed, NAMED)
    assert refused.value.key in CATALOGUES["en"]


@given(st.sampled_from([60.0, 3600.0, DAY_S, 7 * DAY_S]), st.integers(1, 500))
def test_spans_are_read_back(unit: float, count: int) -> None:
    """Every span that is shown is read as the same number of seconds."""
    assert read_span(shown_span(unit * count)) == unit * count


def test_the_ladder_is_climbed() -> None:
    """So many strikes lead to the highest rung that was reached; below the first, to nothing."""
    settings = GuildSettings(ladder=(Rung(2, Measure.WARN), Rung(4, Measure.BAN)))
    assert [settings.rung(count) and settings.rung(count).measure for count in range(1, 6)] == [  # pyright: ignore[reportOptionalMemberAccess]
        None, Measure.WARN, Measure.WARN, Measure.BAN, Measure.BAN,
    ]  # fmt: skip


def test_the_best_role_counts() -> None:
    """A member's quota is the best of their roles', else everybody's; none at all is no limit."""
    settings = GuildSettings(member_quota=5, role_quotas={1: 10.0, 2: 20.0})
    assert settings.quota_of(frozenset({1, 2})) == 20
    assert settings.quota_of(frozenset()) == 5
    assert GuildSettings().quota_of(frozenset()) is None
