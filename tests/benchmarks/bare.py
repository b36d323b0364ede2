"""A bare script that makes the HTTP calls of one picture, and nothing else: what the whole path is compared with.

Reads lines `interaction id, token, graph` as JSON from standard input; needs no bot, queue, store or gateway.
"""

import asyncio
import json
import sys
import uuid
from typing import Any

import aiohttp


async def picture(session: aiohttp.ClientSession, discord: str, application: str, comfyui: str, asked: Any) -> None:
    """Acknowledge, submit, wait, fetch, show."""
    callback = f"{discord}/api/v10/interactions/{asked['id']}/{asked['token']}/callback?with_response=1"
    async with session.post(callback, json={"type": 5}) as reply:
        await reply.read()
    client_id, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
    async with session.ws_connect(f"{comfyui}/ws?clientId={client_id}", max_msg_size=0) as socket:
        await socket.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        await socket.receive()
        extra = {"preview_method": "auto"}  # as Easel asks for: the server's work must be the same
        body = {"prompt": asked["graph"], "prompt_id": prompt_id, "client_id": client_id, "extra_data": extra}
        async with session.post(f"{comfyui}/prompt", json=body) as reply:
            await reply.read()
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                event = json.loads(message.data)
                if event["type"] == "executing" and event["data"]["node"] is None:
                    break
    async with session.get(f"{comfyui}/history/{prompt_id}") as reply:
        outputs = (await reply.json())[prompt_id]["outputs"]
    file = next(image for node in outputs.values() for image in node["images"])
    async with session.get(f"{comfyui}/view", params=file) as reply:
        data = await reply.read()
    form = aiohttp.FormData()
    form.add_field(
        "payload_json", json.dumps({"content": "done", "attachments": [{"id": 0, "filename": "easel-x.png"}]})
    )
    form.add_field("files[0]", data, filename="easel-x.png", content_type="application/octet-stream")
    url = f"{discord}/api/v10/webhooks/{application}/{asked['token']}/messages/@original"
    async with session.patch(url, data=form) as reply:
        await reply.read()


async def main() -> None:
    """Serve lines until there are no more."""
    discord, application, comfyui = sys.argv[1:4]
    async with aiohttp.ClientSession() as session:
        while line := await asyncio.to_thread(sys.stdin.readline):
            await picture(session, discord, application, comfyui, json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
