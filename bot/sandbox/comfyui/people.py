"""`/settings` and `/users` of a single-user server."""

from typing import Any

from aiohttp import web


class People:
    """Settings kept in memory; there is only the one user."""

    def __init__(self) -> None:
        self._settings: dict[str, Any] = {}

    def routes(self) -> list[tuple[str, str, Any]]:
        """Return method, path and handler."""
        return [
            ("GET", "/settings", self.read_all),
            ("POST", "/settings", self.merge),
            ("GET", "/settings/{name}", self.read),
            ("POST", "/settings/{name}", self.write),
            ("GET", "/users", self.users),
            ("POST", "/users", self.add_user),
        ]

    async def read_all(self, _request: web.Request) -> web.Response:
        """GET /settings."""
        return web.json_response(self._settings)

    async def merge(self, request: web.Request) -> web.Response:
        """POST /settings."""
        self._settings = {**self._settings, **await request.json()}
        return web.Response()

    async def read(self, request: web.Request) -> web.Response:
        """GET /settings/{name}; null when unset."""
        return web.json_response(self._settings.get(request.match_info["name"]))

    async def write(self, request: web.Request) -> web.Response:
        """POST /settings/{name}."""
        self._settings[request.match_info["name"]] = await request.json()
        return web.Response()

    async def users(self, _request: web.Request) -> web.Response:
        """GET /users."""
        return web.json_response({"storage": "server", "migrated": True})

    async def add_user(self, request: web.Request) -> web.Response:
        """POST /users; the one there is has every name."""
        body = await request.json()
        body["username"]
        return web.json_response({"error": "Duplicate username."}, status=400)
