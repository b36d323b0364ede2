"""Components as a message keeps them: numbered, complete, with its own files where `attachment://` named them."""

from typing import Any

from bot.sandbox.discord.layouts import Fault, Json

_SELECTS = (3, 5, 6, 7, 8)
_SCHEME = "attachment://"


class Missing(Exception):
    """A component names a file that the message does not have."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.fault: Fault = (("components",), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", url)


def completed(components: list[Json], attachments: list[Json]) -> list[Json]:
    """Give every component the id and the defaults that Discord gives it.

    Raises:
        Missing: a file is named that the message does not have.
    """
    files = {attachment["filename"]: attachment for attachment in attachments}
    count = 0

    def walk(item: Json) -> Json:
        nonlocal count
        count += 1
        whole = {**item, "id": item.get("id") or count, **_defaults(item, files)}
        if "components" in item:
            whole["components"] = [walk(inside) for inside in item["components"]]
        if item.get("accessory"):
            whole["accessory"] = walk(item["accessory"])
        return whole

    return [walk(item) for item in components]


def _defaults(item: Json, files: dict[str, Json]) -> Json:
    match item["type"]:
        case 2 if item.get("label") is None:
            return {"label": ""}
        case kind if kind in _SELECTS:
            return {"min_values": item.get("min_values", 1), "max_values": item.get("max_values", 1)}
        case 11:
            return _shown(item, files)
        case 12:
            return {"items": [_shown(one, files) for one in item["items"]]}
        case 13:
            media, kept = _media(item["file"], files)
            return {"file": media, "name": kept.get("filename"), "size": kept.get("size"), "spoiler": _veiled(item)}
        case 14:
            return {"divider": item.get("divider", True), "spacing": item.get("spacing", 1)}
        case 17:
            return {"accent_color": item.get("accent_color"), "spoiler": _veiled(item)}
        case _:
            return {}


def _veiled(item: Json) -> bool:
    return bool(item.get("spoiler"))


def _shown(item: Json, files: dict[str, Json]) -> Json:
    media, _ = _media(item["media"], files)
    return {"media": media, "description": item.get("description"), "spoiler": _veiled(item)}


def _media(media: Json, files: dict[str, Json]) -> tuple[Json, Json]:
    """Return a piece of media with its address, and the attachment that it is, if it is one."""
    url: str = media["url"]
    kept: Json = {}
    if url.startswith(_SCHEME):
        if (name := url.removeprefix(_SCHEME)) not in files:
            raise Missing(url)
        kept = files[name]
    else:
        kept = next((one for one in files.values() if one["url"] == url), {})
    sizes: dict[str, Any] = {key: kept[key] for key in ("width", "height", "content_type") if key in kept}
    own = {"attachment_id": kept["id"]} if kept else {}
    url = kept.get("url", url)
    return {"id": kept.get("id", "1"), "url": url, "proxy_url": url, **sizes, **own}, kept
