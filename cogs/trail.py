"""What `/mod audit` does with what it finds: show, export, verify."""

import json
from collections.abc import Awaitable, Callable, Mapping

from bot.answers import answer, answer_files
from bot.bot import Interaction
from bot.replies.catalogue import text
from bot.replies.guild_words import audit_lines
from bot.replies.lines import within
from bot.services import Attachment, Bench, Wanted

_SHOWN = 15
_EXPORTED = 8_000_000
"""Bytes of one file; the newest entries come first, and what does not fit is told."""


async def _show(interaction: Interaction, bench: Bench, wanted: Wanted) -> None:
    locale = interaction.locale.value
    lines = audit_lines(await bench.audit.find(wanted, _SHOWN), locale)
    await answer(interaction, within(lines, locale) if lines else text("audit.nothing", locale))


async def _export(interaction: Interaction, bench: Bench, wanted: Wanted) -> None:
    links = await bench.audit.find(wanted)
    lines: list[str] = []
    size = 0
    for link in links:
        line = json.dumps(link.public(), ensure_ascii=True, sort_keys=True)
        size += len(line) + 1
        if size > _EXPORTED:
            break
        lines.append(line)
    await bench.audit.note_export(wanted.guild_id, interaction.user.id)
    data = "\n".join(reversed(lines)).encode()
    file = Attachment(filename="audit.jsonl", data=data, alt="")
    words = text("audit.exported", interaction.locale.value, count=len(lines), left=len(links) - len(lines))
    await answer_files(interaction, words, [file] if data else [])


async def _verify(interaction: Interaction, bench: Bench, wanted: Wanted) -> None:
    count, fault = await bench.audit.verify(wanted.guild_id)
    key = "audit.whole" if fault is None else "audit.broken"
    await answer(interaction, text(key, interaction.locale.value, count=count, number=fault))


TRAIL: Mapping[str, Callable[[Interaction, Bench, Wanted], Awaitable[None]]] = {
    "show": _show,
    "export": _export,
    "verify": _verify,
}
