"""Files of the stand-in: the three folders, uploads, `/view`. A name never leads outside its folder."""

import io
import json
import random
import re
import string
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

_NAME_LIMIT = 255
_ANNOTATED = re.compile(r"^(?P<name>.*) \[(?P<kind>input|output|temp)\]$", re.DOTALL)


class Outside(Exception):
    """A path that leaves its folder."""


class Files:
    """The folders output, input and temp below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for kind in ("output", "input", "temp"):
            (root / kind).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (96, 128, 160)).save(root / "input" / "example.png")

    def place(self, kind: str, subfolder: str, name: str) -> Path:
        """Return the path of a file.

        Raises:
            KeyError: no such kind of folder.
            Outside: the path would leave the folder.
        """
        if kind not in ("output", "input", "temp"):
            raise KeyError(kind)
        base = (self._root / kind).resolve()
        path = (base / subfolder / name).resolve()
        if not path.is_relative_to(base):
            raise Outside(name)
        return path

    def annotated(self, name: str, kind: str) -> tuple[str, str]:
        """Split `picture.png [temp]` into name and folder kind."""
        found = _ANNOTATED.match(name)
        return (found["name"], found["kind"]) if found else (name, kind)

    def input_path(self, name: str) -> Path | None:
        """Return where a LoadImage value lies, or None if it is not there or outside."""
        plain, kind = self.annotated(name, "input")
        try:
            path = self.place(kind, "", plain)
        except Outside:
            return None
        return path if path.is_file() else None

    def has_input(self, name: str) -> bool:
        """Tell whether a LoadImage value is there."""
        return self.input_path(name) is not None

    def save(self, pictures: list[Image.Image], prefix: str, pnginfo: Any, *, kind: str) -> list[dict[str, str]]:
        """Write pictures as `prefix_00001_.png` and up; return their entries for the node's output.

        Raises:
            ValueError: the prefix leads outside the output folder; told only when the node runs.
        """
        subfolder, _, name = prefix.rpartition("/")
        try:
            folder = self.place(kind, subfolder, name).parent
        except Outside:
            raise ValueError("**** ERROR: Saving image outside the output folder is not allowed.") from None
        folder.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(re.escape(name) + r"_(\d{5,})_\.png")
        taken = [int(found[1]) for path in folder.iterdir() if (found := pattern.fullmatch(path.name))]
        entries: list[dict[str, str]] = []
        for counter, picture in enumerate(pictures, max(taken, default=0) + 1):
            filename = f"{name}_{counter:05}_.png"
            picture.save(folder / filename, pnginfo=pnginfo, compress_level=1)
            entries.append({"filename": filename, "subfolder": subfolder, "type": kind})
        return entries

    def save_animation(self, pictures: list[Image.Image], prefix: str, fps: float) -> list[dict[str, str]]:
        """Write an animated WebP; return its entry."""
        subfolder, _, name = prefix.rpartition("/")
        folder = self.place("output", subfolder, name).parent
        folder.mkdir(parents=True, exist_ok=True)
        filename = f"{name}_{len(list(folder.iterdir())) + 1:05}_.webp"
        first, *rest = pictures
        first.save(folder / filename, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)
        return [{"filename": filename, "subfolder": subfolder, "type": "output"}]

    async def upload(self, request: web.Request) -> web.Response:
        """POST /upload/image."""
        form = await request.post()
        image = form.get("image")
        kind, subfolder = str(form.get("type") or "input"), str(form.get("subfolder") or "")
        if image is None:
            return web.Response(status=400)
        if not isinstance(image, web.FileField) or len(image.filename) > _NAME_LIMIT:
            raise TypeError("the image is no file")
        try:
            path = self.place(kind, subfolder, image.filename)
            if path.parent != self.place(kind, subfolder, ""):
                return web.Response(status=400)
        except Outside:
            return web.Response(status=400)
        data = image.file.read()
        path.parent.mkdir(parents=True, exist_ok=True)
        if form.get("overwrite") not in ("true", "1"):
            path = _free_name(path, data)
        path.write_bytes(data)
        return web.json_response({"name": path.name, "subfolder": subfolder, "type": kind})

    async def upload_mask(self, request: web.Request) -> web.Response:
        """POST /upload/mask: the original with the mask's alpha."""
        form = await request.post()
        image, reference = form["image"], json.loads(str(form["original_ref"]))
        if not isinstance(image, web.FileField):
            raise TypeError("the image is no file")
        kind, subfolder = str(form.get("type") or "input"), str(form.get("subfolder") or "")
        entry = {"name": image.filename, "subfolder": subfolder, "type": kind}
        original = self.place(reference.get("type", "output"), reference.get("subfolder", ""), reference["filename"])
        if original.is_file():
            base, mask = Image.open(original).convert("RGBA"), Image.open(image.file).convert("RGBA")
            base.putalpha(mask.getchannel("A") if mask.size == base.size else mask.getchannel("R").resize((0, 0)))
            target = self.place(kind, subfolder, image.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            base.save(target, "PNG")
        return web.json_response(entry)

    async def view(self, request: web.Request) -> web.StreamResponse:
        """GET /view."""
        if "filename" not in request.query:
            return web.Response(status=404)
        name, kind = self.annotated(request.query["filename"], request.query.get("type", "output"))
        if not name or name.startswith("/") or ".." in name:
            return web.Response(status=400)
        subfolder = request.query.get("subfolder", "")
        try:
            path = self.place(kind, subfolder, Path(name).name)
        except KeyError:
            return web.Response(status=400)
        except Outside:
            return web.Response(status=403)
        if not path.is_file():
            return web.Response(status=404)
        if "preview" in request.query:
            return _preview(path, request.query["preview"])
        if request.query.get("channel") in ("rgb", "a"):
            return _channel(path, request.query["channel"])
        return _whole(path)


def temp_prefix() -> str:
    """Return the prefix of one PreviewImage node."""
    letters = random.choices(string.ascii_lowercase, k=5)  # noqa: S311 - a name, not a secret
    return f"ComfyUI_temp_{''.join(letters)}"


def _free_name(path: Path, data: bytes) -> Path:
    free, count = path, 1
    while free.exists():
        if free is path and free.read_bytes() == data:
            return free
        if free is not path and free.read_bytes() == data:
            return free
        free = path.with_name(f"{path.stem} ({count}){path.suffix}")
        count += 1
    return free


def _whole(path: Path) -> web.FileResponse:
    types = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".txt": "text/plain"}
    kind = types.get(path.suffix.lower(), "application/octet-stream")
    disposition = f'filename="{path.name}"'
    if kind == "application/octet-stream":
        disposition = f"attachment; {disposition}"
    headers = {"Content-Disposition": disposition, "Content-Type": kind, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)


def _preview(path: Path, wish: str) -> web.Response:
    form, _, quality = wish.partition(";")
    form = form if form in ("webp", "jpeg") else "webp"
    if quality and not 0 <= int(quality) <= 100:
        raise ValueError("quality out of range")
    out = io.BytesIO()
    picture = Image.open(path)
    (picture.convert("RGB") if form == "jpeg" else picture).save(out, form, quality=int(quality or 90))
    return web.Response(body=out.getvalue(), content_type=f"image/{form}")


def _channel(path: Path, channel: str) -> web.Response:
    picture = Image.open(path).convert("RGBA")
    if channel == "rgb":
        picture = picture.convert("RGB")
    else:
        alpha = picture.getchannel("A")
        picture = Image.new("RGBA", picture.size)
        picture.putalpha(alpha)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return web.Response(body=out.getvalue(), content_type="image/png")
