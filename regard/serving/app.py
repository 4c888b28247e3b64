"""The page, its script and the questions that it asks: five addresses, and no file of anybody."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from regard._printable import printable
from regard.errors import UsageError
from regard.serving.answering import Answering
from regard.serving.gate import MB, Gate, Limits
from regard.serving.question import question_of
from regard.serving.worker import Busy, Event, Job, Worker
from regard.view.attention_page import built
from regard.view.patches import MOST_BYTES

ASK, PICTURE = "/api/ask", "/api/picture"
LIMITS = Limits(bodies={PICTURE: MOST_BYTES * 4 // 3 + MB})
"""A picture may have 8 MB, which are 11 MB of text."""
SOON = 1.0
"""Seconds after which a page is told that it has to wait."""
STATUS = {"found": 200, "problem": 400, "failure": 500}

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>regard serve</title>
<style>body { margin: 0; }</style>
</head>
<body>
<div id="regard" data-live></div>
<noscript>This page draws with a script of its own, which is switched off here.</noscript>
<script src="/attention.js"></script>
</body>
</html>
"""


def application(
    answering: Answering, hosts: frozenset[str], token: str, limits: Limits = LIMITS
) -> Gate:
    """All that is served, behind the gate.

    Args:
        hosts: the names with ports under which it may be asked.
        token: what each question must know.
    """
    worker = Worker()

    async def page(_: Request) -> Response:
        return Response(PAGE, media_type="text/html")

    async def script(_: Request) -> Response:
        return Response(built("attention.js"), media_type="text/javascript")

    async def about(_: Request) -> Response:
        return JSONResponse(answering.about())

    async def ask(request: Request) -> Response:
        try:
            given = _json(await request.body())
            question = question_of(given, answering.network.of_pictures)
            job = worker.submit(lambda progress: _text(answering.answer(question, progress)))
        except UsageError as error:
            return _error(400, printable(str(error)))
        except Busy:
            many = f"{worker.at_once} questions are being answered already: ask again later"
            return _error(429, many)
        try:
            event = await asyncio.wait_for(job.events.get(), SOON)
        except TimeoutError:
            event = Event("progress", [0, 0])
        if event.kind in ("problem", "failure"):
            return _error(STATUS[event.kind], event.value)
        return StreamingResponse(_lines(event, job), media_type="application/x-ndjson")

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/attention.js", script, methods=["GET"]),
        Route("/api/about", about, methods=["POST"]),
        Route(ASK, ask, methods=["POST"]),
        Route(PICTURE, ask, methods=["POST"]),
    ]
    return Gate(Starlette(routes=routes), hosts, token, limits)


async def _lines(event: Event, job: Job) -> AsyncIterator[str]:
    """Each event as a line of JSON, the last one the answer or what is wrong."""
    while event.kind == "progress":
        yield json.dumps({"progress": event.value}) + "\n"
        try:
            event = await asyncio.wait_for(job.events.get(), SOON)
        except TimeoutError:
            event = Event("progress", event.value)
    yield event.value if event.kind == "found" else json.dumps({"error": event.value})


def _text(found: dict[str, Any]) -> str:
    """An answer as JSON, written where it was computed."""
    return json.dumps(found, allow_nan=False)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UsageError("the question is not written in JSON") from None


def _error(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
