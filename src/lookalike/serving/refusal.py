"""An answer that is given in place of the app's, in the one shape of all errors (RFC 9457).

In: why a request is refused. Out: problem+json, sent. Never: tells more of the house than whoever refuses wrote down.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from lookalike.serving.meters import Meters

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

AGAIN: Final = 1  # seconds after which a refused client may well find a place
BODY: Final = "http.response.body"
CLOSE: Final = (b"connection", b"close")
AND: Final = {  # what an answer of that status must tell besides
    HTTPStatus.UNAUTHORIZED: [(b"www-authenticate", b"Bearer")],
    HTTPStatus.TOO_MANY_REQUESTS: [(b"retry-after", str(AGAIN).encode())],
    HTTPStatus.SERVICE_UNAVAILABLE: [(b"retry-after", str(AGAIN).encode())],
}


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that is given in place of the app's. unread: the body was not taken, or not all of it."""

    def __init__(self, status: HTTPStatus, reason: str, detail: str, *, unread: bool = False) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.unread = status, reason, detail, unread


class Gone(Exception):  # noqa: N818
    """The client hung up: there is nobody to answer."""


def problem(status: int, detail: str, request: str, **more: Any) -> bytes:
    """An error as every one of ours looks."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps({**said, "request": request, **more}).encode()


def headed(status: HTTPStatus, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a problem."""
    length = str(len(body)).encode()
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", length),
        (b"cache-control", b"no-store"),
        *AND.get(status, ()),
    ]


async def refuse(refusal: Refusal, scope: Scope, send: Send, meters: Meters) -> None:
    """Answer so, and count it."""
    meters.refused(refusal.reason)
    body = problem(refusal.status, refusal.detail, request_id(scope))
    closing = [CLOSE] if refusal.unread and sends(scope) else []
    headers = [*headed(refusal.status, body), *closing]
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": BODY, "body": body, "more_body": False})


def request_id(scope: Scope) -> str:
    """What this request is called in the log, in its answer's header, and in the answer where that is an error."""
    return str(scope["state"]["request"])


def header(scope: Scope, wanted: bytes) -> bytes | None:
    """What a request says under a name."""
    return next((value for name, value in scope["headers"] if name == wanted), None)


def sends(scope: Scope) -> bool:
    """Whether a body follows a request's headers."""
    return header(scope, b"transfer-encoding") is not None or (header(scope, b"content-length") or b"0") != b"0"


def is_last(message: Message) -> bool:
    """Whether an answer ends with this."""
    return message["type"] == BODY and not message.get("more_body", False)
