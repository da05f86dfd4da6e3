"""The HTTP of the search box: thin routes from a request to an answer, and what OpenAPI says of them.

In: a counter, the rules, meters, and what fetches an address, if that is allowed. Out: a FastAPI app, to be put behind
`guard.guarded`, which holds the keys and the limits. Never: answers out of two releases, decodes in the event loop, builds a
path of what a request says, or answers an error in another shape than a Problem.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, Final, TypeVar

import anyio
from anyio import to_thread
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from lookalike.serving import answers, asked, forms
from lookalike.serving.answers import Fetch, Laps
from lookalike.serving.box import Box, of_product
from lookalike.serving.forms import ProblemError, Question, shown
from lookalike.serving.guard import Rules
from lookalike.serving.meters import Meters
from lookalike.serving.refusal import AGAIN, problem
from lookalike.serving.taken import taken, whole
from lookalike.serving.watch import Counter, NotReady

Answer = TypeVar("Answer")
Make = Callable[[Box, Question, bytes, Laps], Answer]

PROBLEM: Final = "application/problem+json"
FOREVER: Final = "max-age=31536000, immutable"
LARGEST: Final = 2**63 - 1  # an id of a picture
KINDS: Final = {  # of the page's files
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FETCHES: Final = 8  # addresses that are fetched at a time
FIRST: Final = "index.html"
TAGS: Final = {
    "search": "Which products look alike, and whose they are.",
    "catalog": "What there is.",
    "server": "Which release answers, and how it fares.",
    "admin": "Another release on the counter. Needs the admin's key.",
    "older": "As the older systems were asked.",
}
WHY: Final = {
    304: "As you have it.",
    400: "The body or its headers cannot be read.",
    401: "The key is missing or wrong.",
    404: "There is no such thing in this release.",
    408: "The body did not arrive in time.",
    409: "It was refused; the release before stays on the counter.",
    413: "The body, or the picture in it, is too large.",
    415: "The body, or the picture in it, is of a kind that is not taken.",
    422: "The question cannot be asked so, or the picture cannot be used.",
    429: "Too many at once; ask again after Retry-After seconds.",
    503: "No release is on the counter yet, or no answer was found in time.",
}
AFTER: Final = {"Retry-After": str(AGAIN)}
ALWAYS: Final = (400, 408, 413, 429)  # of the guard, for whatever comes with a body
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Search": {
        "like a product": {"product": forms.PRODUCT, "k": 3},
        "by color, of one brand": {"product": forms.PRODUCT, "color_weight": 0.8, "brand": [forms.BRAND]},
        "towards one and away from another": {"liked": [forms.PRODUCT], "disliked": [forms.OTHER]},
        "the dial turned": {"query": forms.QUERY, "color_weight": 1, "order": "worst", "k": 3},
    },
    "Branded": {"of a product": {"product": forms.PRODUCT}, "of what was seen": {"query": forms.QUERY}},
}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What all routes share."""

    counter: Counter
    rules: Rules
    meters: Meters
    fetch: Fetch | None
    working: anyio.CapacityLimiter
    fetching: threading.Semaphore

    @property
    def box(self) -> Box | None:
        """What is on the counter, if something is."""
        try:
            return self.counter.box
        except NotReady:
            return None

    def refused(self, *, why: bool) -> forms.Passed | None:
        """The release that is meant and yet not on the counter; why: in the words of what failed, which tell of the house."""
        told = self.counter.refused
        if told is None:
            return None
        return forms.Passed(release=told.name, why=told.words if why else f"{told.told}; the server's log tells why")

    def version(self) -> forms.Version:
        """What is on the counter. Who has the key may know what ails another release."""
        is_keyed = bool(self.rules.key)
        return answers.version(
            self.counter.box,
            refused=self.refused(why=is_keyed),
            image_urls=self.fetch is not None,
            key_needed=is_keyed,
        )

    async def worked(self, work: Callable[[], Answer]) -> Answer:
        """Work away from the event loop, so much at a time. A thread is waited for even where nobody waits for its answer:
        what it holds in memory is bounded by how many there are.
        """
        return await to_thread.run_sync(work, limiter=self.working)

    async def fetched(self, url: str) -> bytes:
        """The bytes of an address. Fetching is waiting, so it takes nothing from those who work."""
        if not self.fetching.acquire(blocking=False):
            raise ProblemError(
                429, "as many addresses are being fetched as may be; ask again, or send the picture as a file"
            )
        try:
            return await to_thread.run_sync(answers.fetched, self.fetch, url)
        finally:
            self.fetching.release()

    async def answered(
        self, request: Request, kind: type[Question], make: Make[Question, Answer], *, json_too: bool = True
    ) -> Answer:
        """Read a body and answer its question, out of the release that is on the counter now."""
        box, said = self.counter.box, request.headers.get("content-type", "")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise ProblemError(415, "the body comes packed (Content-Encoding); send it as it is")
        body = await whole(request.stream(), most=self.rules.body_bytes)

        def begun() -> tuple[Question, Laps, Answer | None]:
            question, file = self._taken(kind, said, body, json_too)
            laps = Laps(self.meters.took)
            return question, laps, None if _url(question) else make(box, question, file, laps)

        question, laps, answer = await self.worked(begun)
        if answer is not None:
            return answer
        picture = await self.fetched(_url(question))
        return await self.worked(lambda: make(box, question, picture, laps))

    def _taken(self, kind: type[Question], content_type: str, body: bytes, json_too: bool) -> tuple[Question, bytes]:
        told = taken(content_type, body, json_too=json_too)
        if told.file is not None:
            self.meters.uploaded(len(told.file))
        question = forms.asked(kind, told.fields, file=told.file is not None, form=told.form)
        return question, told.file or b""


def _url(question: Question) -> str:
    """The address that a question is about, if it is about one."""
    return getattr(question, "url", None) or ""


def app(counter: Counter, rules: Rules, meters: Meters, fetch: Fetch | None = None) -> FastAPI:
    """The app. fetch: the bytes of an address, or None where none is fetched."""
    desk = Desk(
        counter=counter,
        rules=rules,
        meters=meters,
        fetch=fetch,
        working=anyio.CapacityLimiter(rules.at_once),
        fetching=threading.Semaphore(min(FETCHES, (rules.at_once + rules.waiting + 1) // 2)),  # or they take all places
    )
    made = FastAPI(
        title="lookalike",
        summary="Fashion products that look alike, by shape and by color.",
        docs_url=None,  # its pages load scripts from strangers
        redoc_url=None,
        redirect_slashes=False,
    )
    routes = [_search_routes, _catalog_routes, _server_routes, _older_routes, _page_routes]
    for add in [*routes, _admin_routes] if rules.admin_key else routes:
        add(made, desk)
    _tell_problems(made)
    described = lru_cache(maxsize=1)(lambda _label: _openapi(made, None if rules.key else desk.box))
    made.openapi = lambda: described(desk.box and desk.box.label)  # type: ignore[method-assign]  # as FastAPI's manual has it
    return made


# Routes


def _search_routes(made: FastAPI, desk: Desk) -> None:
    told = _told(desk, "search", 401, 404, *ALWAYS, 415, 422, 503)

    @made.post("/v1/search", operation_id="search", summary="Search", **_asking(told, forms.Search))
    async def search(request: Request) -> forms.Listing:
        """Products that look like a picture, a product or several, the most alike first."""
        return await desk.answered(request, forms.Search, answers.searched)

    @made.post("/v1/brand", operation_id="brand", summary="Name the brand", **_asking(told, forms.Branded))
    async def brand(request: Request) -> forms.Named:
        """The brand that a product most probably is of, by its look-alikes; or that it is of none that is known."""
        return await desk.answered(request, forms.Branded, answers.brand)


def _catalog_routes(made: FastAPI, desk: Desk) -> None:
    told = _told(desk, "catalog", 401, 404, *ALWAYS, 422, 503)
    key = Path(
        description="Id of a product; it may hold `/` and `:`.", min_length=1, max_length=1000, examples=[forms.PRODUCT]
    )

    @_got(made, "/v1/products/{id:path}/similar", operation_id="similar", summary="More like this", **told)
    async def similar(
        id: Annotated[str, key],  # noqa: A002 - the path's own word
        question: Annotated[forms.Similar, Query()],
    ) -> forms.Listing:
        """Products that look like one of the catalog, itself left out."""
        box = desk.counter.box
        return await desk.worked(lambda: answers.similar(box, id, question, Laps(desk.meters.took)))

    @_got(made, "/v1/products/{id:path}", operation_id="product", summary="A product", **told)
    def product(id: Annotated[str, key]) -> forms.Shown:  # noqa: A002
        """What is known of a product, and its pictures."""
        return answers.product(desk.counter.box, id)

    @_got(made, "/v1/facets", operation_id="facets", summary="What there is to choose from", **told)
    async def facets(question: Annotated[forms.Faceted, Query()]) -> forms.Facets:
        """Values to filter by, with as many products as each would leave; of each name its own filter is not counted."""
        box = desk.counter.box
        return await desk.worked(lambda: answers.facets(box, question))

    _picture_route(made, desk)


def _picture_route(made: FastAPI, desk: Desk) -> None:
    told = _told(desk, "catalog", 401, 404, *ALWAYS, 422, 503)
    told["responses"] |= {
        200: {"description": "A JPEG.", "content": {"image/jpeg": {}}},
        304: {"description": WHY[304]},
    }

    @_got(made, "/v1/pictures/{picture}.jpg", operation_id="picture", summary="A small picture", **told)
    def picture(
        request: Request,
        picture: Annotated[int, Path(description="Its id.", ge=0, le=LARGEST, examples=[forms.PICTURE])],
        release: Annotated[
            str,
            Query(
                description="The release that named it: what it answers then never changes, and may be kept for ever.",
                max_length=300,
                examples=[forms.RELEASE],
            ),
        ] = "",
    ) -> Response:
        """A picture as a hit shows it: of the release that is on the counter, or was before it."""
        box = desk.counter.box
        of = release or box.label
        small = desk.counter.thumbnails.get(of)
        if small is None:
            raise ProblemError(404, f"{shown(of)} is not on the counter any more; ask for what you look at anew")
        caching = f"{'private' if desk.rules.key else 'public'}, {FOREVER}" if release else "no-store"
        return _kept(request, answers.thumbnail(small, picture, of), "image/jpeg", caching)


def _server_routes(made: FastAPI, desk: Desk) -> None:
    told = _told(desk, "server", *ALWAYS, 503)

    @_got(made, "/v1/version", operation_id="version", summary="Version", **_told(desk, "server", 401, *ALWAYS, 503))
    def version() -> forms.Version:
        """Which release answers, and what this server offers."""
        return desk.version()

    @_got(made, "/healthz", operation_id="alive", summary="Alive", **told)
    async def alive() -> forms.Health:
        """This process answers."""
        return forms.Health()

    @_got(made, "/readyz", operation_id="ready", summary="Ready", **told)
    async def ready() -> forms.Ready:
        """A release is on the counter, so questions are answered."""
        return forms.Ready(release=desk.counter.box.label, refused=desk.refused(why=False))

    metrics = _told(desk, "server", *ALWAYS, 503)
    metrics["responses"] |= {200: {"description": "Prometheus' text.", "content": {"text/plain": {}}}}

    @_got(made, "/metrics", operation_id="metrics", summary="Metrics", **metrics)
    def measured() -> Response:
        """What was counted and timed, as Prometheus reads it."""
        body, kind = desk.meters.text()
        return Response(body, media_type=kind)


def _admin_routes(made: FastAPI, desk: Desk) -> None:
    told = _told(desk, "admin", 401, 404, *ALWAYS, 409, 503)

    def moved(refused: str | None) -> forms.Version:
        if refused is not None:
            raise ProblemError(409, refused)
        return desk.version()

    @made.post("/v1/admin/reload", operation_id="reload", summary="Reload", **told)
    def reload() -> forms.Version:
        """Open the release that is meant, whether or not it was opened or refused before."""
        return moved(desk.counter.reload())

    @made.post("/v1/admin/rollback", operation_id="rollback", summary="Roll back", **told)
    def rollback() -> forms.Version:
        """Move the pointer to the release before, and open that."""
        return moved(desk.counter.rollback())


def _older_routes(made: FastAPI, desk: Desk) -> None:
    told = _asking(_told(desk, "older", 401, *ALWAYS, 415, 422, 503), forms.Uploaded)

    @_got(made, "/healthcheck", operation_id="healthcheck", summary="Alive", **_told(desk, "older", *ALWAYS, 503))
    async def healthcheck() -> forms.Health:
        """As `/healthz`."""
        return forms.Health()

    @made.post("/predict/image", operation_id="predict", summary="Ids of look-alikes", **told)
    async def predict(
        request: Request,
        num_results: Annotated[int, Query(description="How many to answer.", ge=1, le=forms.MOST_HITS)] = 10,
    ) -> list[list[str]]:
        """Ids of the products that look like a picture, the most alike first: those of `/v1/search`, one list for one picture."""

        def make(box: Box, _: forms.Uploaded, picture: bytes, laps: Laps) -> list[list[str]]:
            return answers.neighbours(box, picture, num_results, laps)

        return await desk.answered(request, forms.Uploaded, make, json_too=False)


def _page_routes(made: FastAPI, desk: Desk) -> None:  # noqa: ARG001 - as all the others are added
    """The page's files, by name: what has no route cannot be asked for."""
    for file in (resources.files("lookalike.serving") / "page").iterdir():
        kind = KINDS.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            _page_route(made, "/" if file.name == FIRST else f"/{file.name}", file.read_bytes(), kind)


def _page_route(made: FastAPI, path: str, data: bytes, kind: str) -> None:
    @_got(made, path, include_in_schema=False)
    async def page(request: Request) -> Response:
        """A file of the page; asked for anew each time, and sent where it changed."""
        return _kept(request, data, kind, "no-cache")


def _got(made: FastAPI, path: str, **told: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A route for GET, and one for HEAD that OpenAPI does not tell of: there it would be a second operation of one id."""

    def add(answer: Callable[..., Any]) -> Callable[..., Any]:
        hidden = {name: value for name, value in told.items() if name not in {"operation_id", "include_in_schema"}}
        made.get(path, **told)(answer)
        made.head(path, include_in_schema=False, **hidden)(answer)
        return answer

    return add


def _kept(request: Request, data: bytes, kind: str, caching: str) -> Response:
    """Bytes that a browser may have already."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=kind)


# Errors


def _tell_problems(made: FastAPI) -> None:
    """Every error is a Problem."""
    made.add_exception_handler(ProblemError, _of_problem)
    made.add_exception_handler(RequestValidationError, _of_validation)
    made.add_exception_handler(NotReady, _of_not_ready)
    made.add_exception_handler(HTTPException, _of_http)
    made.add_exception_handler(Exception, _of_failure)


def _of_problem(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, ProblemError)  # noqa: S101 - what it was registered for
    errors: dict[str, Any] = {"errors": [one.model_dump() for one in wrong.faults]} if wrong.faults else {}
    return _problem(request, wrong.status, wrong.detail, AFTER if wrong.status == 429 else None, **errors)


def _of_validation(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, RequestValidationError)  # noqa: S101
    return _of_problem(request, forms.refused(wrong.errors(), known=_known(request)))


def _known(request: Request) -> Sequence[str]:
    """The fields of the questions that an address asks."""
    return [*(forms.Similar if request.url.path.endswith("/similar") else forms.Faceted).model_fields]


def _of_not_ready(request: Request, wrong: Exception) -> Response:
    return _problem(request, 503, str(wrong), AFTER)


def _of_http(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException)  # noqa: S101
    where = f"{request.method} {shown(request.url.path)}"
    words = {404: f"{where}: there is nothing here; /openapi.json tells what there is"}
    words[405] = f"{where}: this is not taken here; the header Allow tells what is"
    return _problem(request, wrong.status_code, words.get(wrong.status_code, str(wrong.detail)), wrong.headers)


def _of_failure(request: Request, _: Exception) -> Response:
    return _problem(request, 500, f"the server failed at this request; its log tells why, under {_id(request)}")


def _problem(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    body = problem(status, detail, _id(request), **more)
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, PROBLEM)


def _id(request: Request) -> str:
    """As the guard named it; a name of its own where there is no guard."""
    state = request.scope.setdefault("state", {})
    return str(state.setdefault("request", secrets.token_hex(8)))


# OpenAPI


def _told(desk: Desk, tag: str, *statuses: int) -> dict[str, Any]:
    """What a route tells of itself: its tag, the problems it answers with, and whether it wants a key."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    told: dict[str, Any] = {"tags": [tag]}
    told["responses"] = {status: {"description": WHY[status], "content": content} for status in sorted(statuses)}
    keyed = tag == "admin" or (desk.rules.key and 401 in statuses)
    return told | {"openapi_extra": {"security": [{"key": []}, {"bearer": []}]}} if keyed else told


def _asking(told: Mapping[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """... and which question its body asks."""
    name = kind.__name__
    examples = {words: {"value": value} for words, value in EXAMPLES.get(name, {}).items()}
    json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, "examples": examples}}
    form = {"multipart/form-data": {"schema": {"$ref": f"#/components/schemas/{name}Form"}}}
    body = {"required": True, "content": json | form if examples else form}
    return {**told, "openapi_extra": {**told.get("openapi_extra", {}), "requestBody": body}}


def _openapi(made: FastAPI, box: Box | None) -> dict[str, Any]:
    """What the API is. Its examples are of the release that is on the counter, so that they run."""
    told = get_openapi(
        title=made.title,
        version=made.version,
        summary=made.summary,
        routes=made.routes,
        tags=[{"name": name, "description": words} for name, words in TAGS.items()],
    )
    parts = told["components"]
    parts["schemas"] |= _schemas()
    parts["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    filled: dict[str, Any] = told if box is None else _put(told, _stand_ins(box))
    return filled


def _schemas() -> dict[str, Any]:
    """Of what FastAPI does not see: bodies and problems."""
    ref = "#/components/schemas/{model}"
    _, told = models_json_schema(
        [(forms.Search, "validation"), (forms.Branded, "validation"), (forms.Problem, "serialization")],
        ref_template=ref,
    )
    whole = {f"{kind.__name__}Form": forms.form_schema(kind) for kind in (forms.Search, forms.Branded, forms.Uploaded)}
    return {**told["$defs"], **whole}


def _stand_ins(box: Box) -> dict[Any, Any]:
    """What a release puts in the place of the examples' stand-ins."""
    goods = box.goods
    key = goods.keys[0]
    seen = of_product(box, key)
    known: dict[Any, Any] = {
        forms.PRODUCT: key,
        forms.OTHER: goods.keys[-1],
        forms.RELEASE: box.label,
        forms.PICTURE: int(goods.ids[0]),
        str(forms.PICTURE): str(int(goods.ids[0])),
    }
    known |= {forms.BRAND: goods.values["brand"][0]} if goods.values["brand"] else {}
    return known | ({forms.QUERY: asked.told(seen, box.label)} if seen else {})


def _put(value: Any, stand_ins: Mapping[Any, Any]) -> Any:
    """The same, with each stand-in replaced."""
    if isinstance(value, dict):
        return {_put(name, stand_ins): _put(of, stand_ins) for name, of in value.items()}
    if isinstance(value, list):
        return [_put(one, stand_ins) for one in value]
    if isinstance(value, str):
        for name in stand_ins:
            value = value.replace(name, stand_ins[name]) if isinstance(name, str) else value
        return value
    return stand_ins.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value
