"""Settings and audit entries as admins read them. Pure."""

from collections.abc import Sequence
from typing import Any

from bot.model.audit import Link
from bot.model.guild import SETTINGS, GuildSettings, Kind, Setting, shown_value
from bot.model.jsontree import obj
from bot.model.jsontree import text as text_of
from bot.model.words import Word
from bot.replies.catalogue import text
from bot.replies.safe import NOBODY, shown

_VALUE = 200


def setting_line(setting: Setting, value: Any, locale: str) -> str:
    """Return a setting with its value, and what it is for."""
    about = text(f"settings.{setting.key}", locale, choices=", ".join(setting.choices))
    return text("settings.line", locale, name=setting.key, value=value_words(setting, value, locale), about=about)


def setting_lines(settings: GuildSettings, locale: str) -> list[str]:
    """Return all settings with their values, one line each; those that differ from the default in bold."""
    lines: list[str] = []
    for setting in SETTINGS.values():
        value = getattr(settings, setting.key)
        words = text("settings.short", locale, name=setting.key, value=value_words(setting, value, locale))
        lines.append(words if value == setting.default else f"**{words}**")
    return lines


def value_words(setting: Setting, value: Any, locale: str) -> str:
    """Return a value as people read it: channels and roles as what Discord shows for them."""
    match setting.kind:
        case Kind.CHANNEL:
            words = f"<#{value}>" if value else ""
        case Kind.CHANNELS:
            words = ", ".join(f"<#{one}>" for one in sorted(value))
        case Kind.ROLES:
            words = ", ".join(f"<@&{one}>" for one in sorted(value))
        case Kind.ROLE_NUMBERS:
            words = ", ".join(f"<@&{role}>={number:g}" for role, number in sorted(value.items()))
        case _:
            words = shown(shown_value(setting, value), _VALUE)
    return words or text("settings.nothing", locale)


def change_line(setting: Setting, value: str, by_id: int, locale: str) -> str:
    """Return what the log channel shows of a changed setting."""
    return text("log.setting", locale, name=setting.key, value=shown(value, _VALUE) or NOBODY, by=f"<@{by_id}>")


def word_line(word: Word, locale: str) -> str:
    """Return an entry of a word list."""
    return text(
        "words.line", locale, word=shown(word.text, 100), mode=word.mode, reason=shown(word.reason, 60) or NOBODY
    )


def audit_lines(links: Sequence[Link], locale: str) -> list[str]:
    """Return entries of the trail, one line each."""
    return [_audit_line(link, locale) for link in links]


def _audit_line(link: Link, locale: str) -> str:
    actor, target = link.values["actor_id"], link.values["target_id"]
    facts = obj(link.values["facts"])
    about = [shown(text_of(link.values["reason"]), 80)]
    about += [f"{shown(name, 20)}: {shown(str(value), 60)}" for name, value in facts.items() if value]
    return text(
        "audit.line",
        locale,
        number=link.number,
        when=int(link.at),
        act=link.act,
        actor=f"<@{actor}>" if actor else NOBODY,
        target=f"<@{target}>" if target else NOBODY,
        case=f"#{link.case}" if link.case else "",
        about=" · ".join(one for one in about if one),
    )
