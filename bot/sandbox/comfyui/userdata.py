"""`/userdata` and `/v2/userdata`: files of the editor's user, in a folder of their own; paths never lead outside."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web


class UserData:
    """Files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._root.mkdir(parents=True, exist_ok=True)

    def routes(self) -> list[tuple[str, str, Any]]:
        """Return method, path and handler; a file's path is one segment, its slashes percent-encoded."""
        return [
            ("GET", "/userdata", self.listed),
            ("GET", "/v2/userdata", self.listed_v2),
            ("GET", "/userdata/{file}", self.read),
            ("POST", "/userdata/{file}", self.write),
            ("DELETE", "/userdata/{file}", self.delete),
            ("POST", "/userdata/{file}/move/{dest}", self.move),
        ]

    def _path(self, name: str) -> Path | None:
        path = (self._root / unquote(name)).resolve()
        return path if path.is_relative_to(self._root) else None

    async def listed(self, request: web.Request) -> web.Response:
        """GET /userdata?dir=."""
        folder = request.query.get("dir", "")
        if not folder:
            return web.Response(status=400, text="Directory not provided")
        base = self._path(folder)
        if base is None:
            return web.Response(status=403, text="Invalid directory")
        if not base.is_dir():
            return web.Response(status=404, text="Directory not found")
        deep = request.query.get("recurse", "").lower() == "true"
        files = sorted(one for one in (base.rglob("*") if deep else base.glob("*")) if one.is_file())
        if request.query.get("full_info", "").lower() == "true":
            return web.json_response([_info(one, base) for one in files])
        names = [one.relative_to(base).as_posix() for one in files]
        if request.query.get("split", "").lower() == "true":
            return web.json_response([[name, *name.split("/")] for name in names])
        return web.json_response(names)

    async def listed_v2(self, request: web.Request) -> web.Response:
        """GET /v2/userdata?path=."""
        base = self._path(request.query.get("path", ""))
        if base is None:
            return web.Response(status=400, text="Invalid path requested")
        if not base.is_dir():
            return web.Response(status=404, text="Requested path not found")
        entries = sorted(base.rglob("*"), key=lambda one: (one.is_file(), one.name))
        return web.json_response([_entry(one, self._root) for one in entries])

    async def read(self, request: web.Request) -> web.StreamResponse:
        """GET /userdata/{file}."""
        path = self._path(request.match_info["file"])
        if path is None:
            return web.Response(status=403)
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    async def write(self, request: web.Request) -> web.Response:
        """POST /userdata/{file}."""
        path = self._path(request.match_info["file"])
        if path is None:
            return web.Response(status=403)
        if request.query.get("overwrite") == "false" and path.exists():
            return web.Response(status=409, text="File already exists")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await request.read())
        return self._told(request, path)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE /userdata/{file}."""
        path = self._path(request.match_info["file"])
        if path is None:
            return web.Response(status=403)
        if not path.is_file():
            return web.Response(status=404)
        path.unlink()
        return web.Response(status=204)

    async def move(self, request: web.Request) -> web.Response:
        """POST /userdata/{file}/move/{dest}."""
        source, target = self._path(request.match_info["file"]), self._path(request.match_info["dest"])
        if source is None or target is None:
            return web.Response(status=403)
        if not source.is_file():
            return web.Response(status=404)
        if request.query.get("overwrite") == "false" and target.exists():
            return web.Response(status=409, text="File already exists")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
        return self._told(request, target)

    def _told(self, request: web.Request, path: Path) -> web.Response:
        full = request.query.get("full_info", "").lower() == "true"
        return web.json_response(_info(path, self._root) if full else path.relative_to(self._root).as_posix())


def _info(path: Path, base: Path) -> dict[str, Any]:
    stat = path.stat()
    times = {"modified": int(stat.st_mtime * 1000), "created": int(stat.st_ctime * 1000)}
    return {"path": path.relative_to(base).as_posix(), "size": stat.st_size, **times}


def _entry(path: Path, root: Path) -> dict[str, Any]:
    made: dict[str, Any] = {"name": path.name, "path": path.relative_to(root).as_posix()}
    if path.is_dir():
        return {**made, "type": "directory"}
    return {**made, "type": "file", "size": path.stat().st_size, "modified": path.stat().st_mtime}
