"""Pages of finished pictures as cards: words, a small picture beside each, a list to choose one of, pages to turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.delivery.package import Attachment
from bot.model.job import Job
from bot.replies.cards import Card, Entry, Tone
from bot.replies.catalogue import text
from bot.replies.press import Choice, Picker, Row, Turn
from bot.replies.safe import alt_text, shown

ON_A_PAGE = 5
_PROMPT, _LABEL = 160, 90


@dataclass(frozen=True, slots=True)
class Line:
    """One picture of a page, as it is shown; `title` is its template's."""

    job: Job
    number: int
    title: str
    thumb: bytes | None = field(default=None, repr=False)
    likes: int = 0


def shelf_card(book: str, lines: list[Line], page: int, total: int, locale: str) -> Card:
    """Return a page of `history` or `gallery`; pages count from 0."""
    if not lines:
        return Card(tone=Tone.PLAIN, text=text(f"{book}.empty", locale))
    pages = max(1, -(-total // ON_A_PAGE))
    first = page * ON_A_PAGE + 1
    entries = tuple(_entry(line, first + at, locale) for at, line in enumerate(lines))
    choices = tuple(
        Choice(job_id=line.job.id, number=line.number, label=_label(line, first + at)) for at, line in enumerate(lines)
    )
    rows: list[Row] = [Picker(choices=choices, label=text("card.choose", locale))]
    if pages > 1:
        rows.append(_turns(book, page, pages, locale))
    return Card(
        tone=Tone.PLAIN,
        text=text(f"{book}.head", locale, total=total),
        note=text("shelf.page", locale, page=page + 1, pages=pages),
        entries=entries,
        files=tuple(entry.thumbnail for entry in entries if entry.thumbnail is not None),
        rows=tuple(rows),
    )


def _turns(book: str, page: int, pages: int, locale: str) -> Row:
    return (
        Turn(book=book, page=max(0, page - 1), label=text("shelf.newer", locale), enabled=page > 0),
        Turn(book=book, page=page + 1, label=text("shelf.older", locale), enabled=page + 1 < pages),
    )


def _entry(line: Line, place: int, locale: str) -> Entry:
    request = line.job.request
    words = shown(request.prompt, _PROMPT) or text("shelf.no_words", locale)
    facts: Mapping[str, object] = {
        "template": shown(line.title, 40),
        "seed": request.seed,
        "when": int(line.job.created_at),
    }
    about = [text("shelf.about", locale, **facts)]
    if line.likes:
        about.append(text("shelf.likes", locale, count=line.likes))
    return Entry(text=f"**{place}.** {words}\n-# {' · '.join(about)}", thumbnail=_thumbnail(line))


def _thumbnail(line: Line) -> Attachment | None:
    if line.thumb is None:
        return None
    alt = alt_text(line.job.request.prompt or line.title)
    name = f"{line.job.id[:8]}-{line.number}.webp"
    return Attachment(filename=name, data=line.thumb, alt=alt, spoiler=line.job.spoiler, small=True)


def _label(line: Line, place: int) -> str:
    return f"{place}. {line.job.request.prompt or line.title}"[:_LABEL]
