"""`/api/jobs`: the newer view of queue and history (facts §3)."""

import uuid
from typing import Any

from aiohttp import web

from bot.sandbox.comfyui.worker import Item, Worker

_STATES = ("pending", "in_progress", "completed", "failed", "cancelled")


def _error(words: str, **more: Any) -> web.Response:
    return web.json_response({"error": words, **more}, status=400)


class JobsApi:
    """The handlers; they only read, but for the two cancels."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def routes(self) -> list[tuple[str, str, Any]]:
        """Return method, path and handler."""
        return [
            ("GET", "/api/jobs", self.listed),
            ("GET", "/api/jobs/{job}", self.one),
            ("POST", "/api/jobs/cancel", self.cancel_many),
            ("POST", "/api/jobs/{job}/cancel", self.cancel),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """GET /api/jobs."""
        query = request.query
        wanted = [state for state in query.get("status", "").split(",") if state]
        if any(state not in _STATES for state in wanted):
            return _error("Invalid status value")
        if query.get("sort_by", "created_at") not in ("created_at", "execution_duration"):
            return _error("Invalid sort_by")
        if query.get("sort_order", "desc") not in ("asc", "desc"):
            return _error("Invalid sort_order")
        try:
            limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        except ValueError:
            return _error("limit and offset must be integers")
        if limit < 1:
            return _error("limit must be positive")
        jobs = [job for job in self._all() if not wanted or job["status"] in wanted]
        if "workflow_id" in query:
            jobs = [job for job in jobs if job.get("workflow_id") == query["workflow_id"]]
        jobs.sort(key=lambda job: job["create_time"], reverse=query.get("sort_order") != "asc")
        page = jobs[offset : offset + limit]
        more = offset + limit < len(jobs)
        pagination = {"offset": offset, "limit": limit, "total": len(jobs), "has_more": more}
        return web.json_response({"jobs": page, "pagination": pagination})

    async def one(self, request: web.Request) -> web.Response:
        """GET /api/jobs/{id}."""
        job_id = request.match_info["job"]
        job = next((job for job in self._all() if job["id"] == job_id), None)
        if job is None:
            return web.json_response({"error": "Job not found"}, status=404)
        entry = self._worker.history.get(job_id)
        if entry:
            _, _, graph, extra, _ = entry["prompt"]
            job |= {"outputs": entry["outputs"], "execution_status": entry["status"]}
            job["workflow"] = {"prompt": graph, "extra_data": extra}
        return web.json_response(job)

    async def cancel(self, request: web.Request) -> web.Response:
        """POST /api/jobs/{id}/cancel."""
        return web.json_response({"cancelled": self._cancel(request.match_info["job"])})

    async def cancel_many(self, request: web.Request) -> web.Response:
        """POST /api/jobs/cancel."""
        try:
            body = await request.json()
        except ValueError:
            return _error("Invalid JSON")
        ids = body.get("job_ids")
        if not isinstance(ids, list):
            return _error("job_ids must be a list")
        invalid = [job_id for job_id in ids if not _is_uuid(job_id)]
        if invalid:
            return _error("Invalid job ids", invalid_ids=invalid)
        return web.json_response({"cancelled": sum(self._cancel(job_id) for job_id in ids) > 0})

    def _cancel(self, job_id: str) -> bool:
        running = self._worker.running
        if running and running.prompt_id == job_id and not self._worker.interrupt:
            self._worker.interrupt = True
            return True
        known = any(item.prompt_id == job_id for item in self._worker.pending)
        self._worker.delete([job_id])
        return known

    def _all(self) -> list[dict[str, Any]]:
        running = self._worker.running
        jobs = [_waiting(item, "pending") for item in self._worker.pending]
        jobs += [_waiting(running, "in_progress")] if running else []
        return jobs + [_ended(entry) for entry in self._worker.history.values()]


def _is_uuid(value: Any) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def _base(number: float, job_id: str, extra: dict[str, Any], status: str) -> dict[str, Any]:
    job = {"id": job_id, "status": status, "priority": number, "create_time": extra["create_time"]}
    workflow_id = ((extra.get("extra_pnginfo") or {}).get("workflow") or {}).get("id")
    return job | ({"workflow_id": workflow_id} if workflow_id else {})


def _waiting(item: Item, status: str) -> dict[str, Any]:
    return _base(item.number, item.prompt_id, item.extra_data, status) | {"outputs_count": 0}


def _ended(entry: dict[str, Any]) -> dict[str, Any]:
    number, job_id, _, extra, _ = entry["prompt"]
    messages = dict(entry["status"]["messages"])
    status = "completed" if entry["status"]["completed"] else "failed"
    status = "cancelled" if "execution_interrupted" in messages else status
    images = [
        {**image, "nodeId": node, "mediaType": "images"}
        for node, output in entry["outputs"].items()
        for image in output.get("images", [])
    ]
    stamps = [data["timestamp"] for data in messages.values() if "timestamp" in data]
    job = _base(number, job_id, extra, status) | {
        "execution_start_time": stamps[0],
        "execution_end_time": stamps[-1],
        "outputs_count": len(images),
        "previewable_outputs_count": len(images),
    }
    if images:
        job["preview_output"] = images[0]
    if status == "failed":
        job["execution_error"] = messages.get("execution_error")
    return job
