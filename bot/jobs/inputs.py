"""A request's files: taken in from Discord, kept, and put on the server that runs the job."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.comfy.client import ComfyClient
from bot.comfy.models import Uploaded
from bot.delivery.intake import check_size, clean_media, clean_picture, mask_picture
from bot.errors import RequestError
from bot.model.request import Request
from bot.model.upload import Upload
from bot.store.uploads import UploadStore
from bot.workflow.options import Kind, Option
from bot.workflow.template import Template

SUBFOLDER = "easel"
_AT_ONCE = asyncio.Semaphore(2)


class Intake:
    """Takes files in."""

    def __init__(self, uploads: UploadStore) -> None:
        self._uploads = uploads

    async def take(self, member_id: int, kind: Kind, size: int, read: Callable[[], Awaitable[bytes]]) -> Upload:
        """Fetch a file of a known size, look at it, and keep what is clean.

        Raises:
            RequestError: it is not what was asked for, broken, or too large.
        """
        check_size(size)
        data = await read()
        if kind is not Kind.IMAGE:
            return await self._uploads.add(member_id, clean_media(data, kind), data, transparent=False)
        async with _AT_ONCE:
            picture = await asyncio.to_thread(clean_picture, data)
        return await self._uploads.add(member_id, "png", picture.data, transparent=picture.transparent)


async def check_masks(template: Template, request: Request, uploads: UploadStore) -> None:
    """Refuse a request for a template that needs a mask, when none came and the picture has no transparency.

    Raises:
        RequestError: so; or a file is not kept any more.
    """
    image, mask = template.option("image"), template.option("mask")
    if mask is None or mask.name in request.files or image is None or image.name not in request.files:
        return
    if not (await _kept(uploads, request.files[image.name])).transparent:
        raise RequestError("refused.needs_mask", template=template.title, option=mask.name)


async def place_files(
    client: ComfyClient, template: Template, request: Request, uploads: UploadStore
) -> dict[str, str]:
    """Put a request's files on a server; return what the graph calls them, by option. The same file has one name.

    Raises:
        RequestError: a file is not kept any more.
        ComfyError: the server did not take one.
    """
    placed: dict[str, Uploaded] = {}
    kept = {name: await _kept(uploads, upload_id) for name, upload_id in request.files.items()}
    masks = [option for option in template.file_options if option.base_role == "mask"]
    for option in template.file_options:
        if option not in masks and option.name in kept:
            upload = kept[option.name]
            placed[option.name] = await client.upload_image(upload.data, upload.filename, subfolder=SUBFOLDER)
    for option in masks:
        await _place_mask(client, template, option, kept, placed)
    return {name: uploaded.value for name, uploaded in placed.items()}


async def _place_mask(
    client: ComfyClient, template: Template, mask: Option, kept: dict[str, Upload], placed: dict[str, Uploaded]
) -> None:
    """A mask goes into its own loader, or, where one loader gives both, into the picture's transparency."""
    pictures = [option for option in template.file_options if option.base_role == "image" and option.name in kept]
    shared = next((option for option in pictures if set(option.places) & set(mask.places)), None)
    picture = shared or (pictures[0] if pictures else None)
    like = kept[picture.name] if picture else None
    source = kept.get(mask.name) or (like if like and like.transparent else None)
    if source is None or (shared and mask.name not in kept):
        return  # the picture's own transparency is in the picture already
    made = await asyncio.to_thread(mask_picture, source.data, like.data if like else None)
    filename = f"{source.id}-mask.png"
    if shared is None:
        placed[mask.name] = await client.upload_image(made, filename, subfolder=SUBFOLDER)
        return
    original = placed[shared.name]
    placed[shared.name] = placed[mask.name] = await client.upload_mask(
        made, filename, original=original, subfolder=SUBFOLDER
    )


async def _kept(uploads: UploadStore, upload_id: str) -> Upload:
    found = await uploads.get(upload_id)
    if found is None:
        raise RequestError("refused.file_gone")
    return found
