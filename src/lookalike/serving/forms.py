"""Questions and answers as they go over the wire, each with its bounds, its words and an example.

In: JSON, or the fields of a form. Out: checked questions; answers ready to be sent; `ProblemError` where one cannot be asked so.
Never: knows a release, or takes a field that nobody knows: a misspelt filter would silently be none.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lookalike.serving.asked import LONGEST
from lookalike.serving.goods import LONGEST as LONGEST_VALUE
from lookalike.serving.goods import Filters

MOST_HITS: Final = 100
MOST_NAMES: Final = 50  # of one list in a question
LEAST_SIDE: Final = 0.01  # of a picture's, that a crop leaves
SHOWN: Final = 80  # signs of a value in a message
FAULTS: Final = 20  # told at once

# Stand-ins of the examples: where a release is on the counter, its own things are put in their place, so that they run.
PRODUCT: Final = "shop.example:pump-37"
OTHER: Final = "shop.example:boot-12"
BRAND: Final = "Example Brand"
QUERY: Final = "3q2-7w-of-an-earlier-answer"
RELEASE: Final = "boots/0123456789ab"
PICTURE: Final = 1234567890

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_VALUE)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
ONE_CURRENCY: Final = "Where the products have prices in several currencies, `currency` must name one."
Key = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
Corners = Annotated[list[Share], Field(min_length=4, max_length=4)]


def _truth(said: Any, info: ValidationInfo) -> Any:
    """A text says a truth by `true` or `false`, where pydantic would take a dozen words; JSON has its own."""
    is_text = (info.context or {}).get("form", True)
    told = {"true": True, "false": False}.get(said) if is_text and isinstance(said, str) else said
    if not isinstance(told, bool):
        raise PydanticCustomError("truth", "Input should be true or false")
    return told


# What a question may say of one thing; a list that wants it names it.
Url = Annotated[
    str | None,
    Field(
        description="Address of a picture (https or http). Taken only where this server was told to fetch addresses.",
        examples=["https://pictures.example/boot.jpg"],
        min_length=1,
        max_length=8000,
    ),
]
Product = Annotated[
    str | None,
    Field(description="Id of a product: its look-alikes, itself left out.", min_length=1, max_length=1000),
    Field(examples=[PRODUCT]),
]
Query = Annotated[
    str | None,
    Field(
        description="`query` of an earlier answer: the same picture asked again with another dial, filter or order, "
        "without sending it again. Good for the release that gave it.",
        examples=[QUERY],
        min_length=1,
        max_length=LONGEST,
    ),
]
Liked = Annotated[
    list[Key],
    Field(description="Ids of products to look like; they are left out.", examples=[[PRODUCT]], max_length=MOST_NAMES),
]
Disliked = Annotated[
    list[Key],
    Field(
        description="Ids of products to look away from, beside `liked`; they are left out.",
        examples=[[OTHER]],
        max_length=MOST_NAMES,
    ),
]
Crop = Annotated[
    Corners | None,
    Field(
        description="The part of the picture to look at, [left, top, right, bottom] in shares of its sides from its upper "
        "left corner; with `file` or `url` only. In a form it is one field: `0.1,0.1,0.9,0.9`.",
        examples=[[0.1, 0.1, 0.9, 0.9]],
    ),
]
K = Annotated[int, Field(description="How many to answer.", examples=[24], ge=1, le=MOST_HITS)]
Cursor = Annotated[
    str | None,
    Field(
        description="`next` of an earlier answer to the same question: what follows there.",
        min_length=1,
        max_length=1000,
    ),
]
Brands = Annotated[Names, Field(description="Only these brands.", examples=[[BRAND]])]
Categories = Annotated[Names, Field(description="Only these categories.")]
Colors = Annotated[Names, Field(description="Only these color names.")]
Styles = Annotated[Names, Field(description="Only these styles.")]
Shops = Annotated[Names, Field(description="Only these shops.")]
Currencies = Annotated[Names, Field(description="Only products with prices in these currencies.", examples=[["EUR"]])]
PriceMin = Annotated[
    float | None,
    Field(
        description="Only products that cost so much or more. " + ONE_CURRENCY, examples=[0], ge=0, allow_inf_nan=False
    ),
]
PriceMax = Annotated[
    float | None,
    Field(
        description="Only products that cost so much or less. " + ONE_CURRENCY,
        examples=[100_000],
        ge=0,
        allow_inf_nan=False,
    ),
]
RatingMin = Annotated[
    float | None, Field(description="Only products rated so or better.", examples=[0], ge=0, le=5, allow_inf_nan=False)
]
InStock = Annotated[
    bool,
    Field(description="Only products that are known to be in stock.", examples=[False]),
    BeforeValidator(_truth),
]
Weight = Annotated[
    float | None,
    Field(
        description="The dial from shape (0) to color (1). Not given: the release's own.",
        examples=[0.3],
        ge=0,
        le=1,
        allow_inf_nan=False,
    ),
]
Order = Annotated[Literal["best", "worst"], Field(description="The most alike first, or the least.", examples=["best"])]
MinScore = Annotated[
    float | None,
    Field(description="Only hits with this score or more.", examples=[-1], ge=-1, le=1, allow_inf_nan=False),
]
Group = Annotated[
    Literal["product", "style", "brand"],
    Field(description="One hit of each product, of each style or of each brand.", examples=["product"]),
]

FILE: Final = "file"  # the field that a picture comes in
SOURCES: Final = (FILE, "url", "product", "query", "liked")


# Errors


class Fault(BaseModel):
    """One thing that is wrong with a question."""

    where: str = Field(description="The field.", examples=["k"])
    what: str = Field(
        description="What is wrong with it.", examples=["Input should be less than or equal to 100 (you gave 400)"]
    )


class Problem(BaseModel):
    """What went wrong, in the one shape of all errors (RFC 9457)."""

    type: str = Field("about:blank", description="Nothing more is told of a kind than its status.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The status of the answer.", examples=[422])
    detail: str = Field(description="What, where, the value given and the mend.", examples=["no product 'shoe-9'"])
    request: str = Field(
        description="This request's id, by which the server's log knows it too.", examples=["5f0c9a1e2b7d4c38"]
    )
    errors: list[Fault] | None = Field(None, description="Each fault of a question, where it has some.")


class ProblemError(Exception):
    """A request that is answered with a problem. Whoever asked can mend it; detail: the sentence that says how."""

    def __init__(self, status: int, detail: str, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, faults


# Questions


def _strict(sources: Sequence[str] = ()) -> ConfigDict:
    """No unknown field; `sources`: exactly one of these must be given, as the schema says too."""
    alone: list[JsonValue] = [
        {"required": [name], "properties": {name: _given(name)}} for name in sources if name != FILE
    ]
    return ConfigDict(extra="forbid", json_schema_extra={"oneOf": alone} if alone else None)


def _given(name: str) -> JsonValue:
    return {"type": "array", "minItems": 1} if name == "liked" else {"type": "string"}


class Search(BaseModel):
    """Which products look like this? Exactly one of `file` (in a form), `url`, `product`, `query` or `liked` says what."""

    model_config = _strict(SOURCES)

    url: Url = None
    product: Product = None
    query: Query = None
    liked: Liked = []
    disliked: Disliked = []
    crop: Crop = None
    k: K = 24
    cursor: Cursor = None
    brand: Brands = []
    category: Categories = []
    color: Colors = []
    style: Styles = []
    shop: Shops = []
    currency: Currencies = []
    price_min: PriceMin = None
    price_max: PriceMax = None
    rating_min: RatingMin = None
    in_stock: InStock = False
    color_weight: Weight = None
    order: Order = "best"
    min_score: MinScore = None
    group_by: Group = "product"

    @model_validator(mode="after")
    def _can_be_asked(self, info: ValidationInfo) -> "Search":
        _refuse_sources(self, SOURCES, info)
        _refuse_crop(self.crop, info, self.url)
        if self.disliked and not self.liked:
            raise PydanticCustomError(
                "disliked", "`disliked` goes beside `liked`; give at least one product to look like"
            )
        if both := sorted({*self.liked} & {*self.disliked}):
            raise PydanticCustomError("taste", "{both} is liked and disliked; give it once", {"both": both[0]})
        _refuse_prices(self.price_min, self.price_max)
        return self


class Similar(BaseModel):
    """How a list of look-alikes of one product is wanted."""

    model_config = _strict()

    k: K = 24
    cursor: Cursor = None
    brand: Brands = []
    category: Categories = []
    color: Colors = []
    style: Styles = []
    shop: Shops = []
    currency: Currencies = []
    price_min: PriceMin = None
    price_max: PriceMax = None
    rating_min: RatingMin = None
    in_stock: InStock = False
    color_weight: Weight = None
    order: Order = "best"
    min_score: MinScore = None
    group_by: Group = "product"

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Similar":
        _refuse_prices(self.price_min, self.price_max)
        return self


class Faceted(BaseModel):
    """Which part of the catalog is counted."""

    model_config = _strict()

    brand: Brands = []
    category: Categories = []
    color: Colors = []
    style: Styles = []
    shop: Shops = []
    currency: Currencies = []
    price_min: PriceMin = None
    price_max: PriceMax = None
    rating_min: RatingMin = None
    in_stock: InStock = False

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Faceted":
        _refuse_prices(self.price_min, self.price_max)
        return self


class Branded(BaseModel):
    """Which brand is this? Exactly one of `file` (in a form), `url`, `product` or `query` says what is meant."""

    model_config = _strict(SOURCES[:-1])

    url: Url = None
    product: Product = None
    query: Query = None
    crop: Crop = None

    @model_validator(mode="after")
    def _can_be_asked(self, info: ValidationInfo) -> "Branded":
        _refuse_sources(self, SOURCES[:-1], info)
        _refuse_crop(self.crop, info, self.url)
        return self


class Uploaded(BaseModel):
    """A picture and nothing else."""

    model_config = _strict((FILE,))

    @model_validator(mode="after")
    def _can_be_asked(self, info: ValidationInfo) -> "Uploaded":
        _refuse_sources(self, SOURCES[:1], info)
        return self


Question = TypeVar("Question", Search, Branded, Uploaded)
Filtering = Search | Similar | Faceted


def asked(kind: type[Question], fields: Mapping[str, Any], *, file: bool, form: bool) -> Question:
    """A question out of a body's fields. file: one came with them. form: they are texts, in lists; else JSON's own types."""
    said = of_form(kind, fields) if form else fields
    try:
        return kind.model_validate(said, strict=not form, context={"file": file, "form": form})
    except ValidationError as wrong:
        raise refused(wrong.errors(), known=kind.model_fields) from None


def of_form(kind: type[BaseModel], fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A form's texts as a question has them: a list where it takes one, `l,t,r,b` for a crop, one text elsewhere."""
    twice = [name for name, texts in fields.items() if len(texts) > 1 and not _is_list(kind, name)]
    if twice:
        raise ProblemError(422, f"the fields {', '.join(map(shown, twice))} were given more than once; give each once")
    said: dict[str, Any] = {name: list(texts) if _is_list(kind, name) else texts[0] for name, texts in fields.items()}
    return said | {"crop": said["crop"].split(",")} if "crop" in said else said


def _is_list(kind: type[BaseModel], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and isinstance(field.default, list)


def form_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """How a question looks as a form: with a file, without null, and the crop as one text."""
    told = kind.model_json_schema()
    fields = {name: _of_a_text(field) for name, field in told["properties"].items()}
    if "crop" in fields:
        fields["crop"] |= {"type": "string", "examples": ["0.1,0.1,0.9,0.9"], "pattern": r"^[0-9.]+(,[0-9.]+){3}$"}
        del fields["crop"]["items"], fields["crop"]["minItems"], fields["crop"]["maxItems"]
    file = {"type": "string", "format": "binary", "description": "A JPEG, PNG, WEBP or GIF picture."}
    alone = [{"required": [FILE]}, *({"required": one["required"]} for one in told.get("oneOf", []))]
    return told | {"title": f"{kind.__name__}Form", "properties": {FILE: file, **fields}, "oneOf": alone}


def _of_a_text(field: dict[str, Any]) -> dict[str, Any]:
    """A field that is left out rather than null."""
    told = {
        name: value for name, value in field.items() if name != "anyOf" and not (name == "default" and value is None)
    }
    return told | next((one for one in field.get("anyOf", []) if one.get("type") != "null"), {})


def filters(question: Filtering) -> Filters:
    """What a question wants to see of a catalog."""
    return Filters(
        values={
            name: tuple(getattr(question, name)) for name in ("brand", "category", "color", "style", "shop", "currency")
        },
        price=(question.price_min, question.price_max),
        rating=question.rating_min,
        in_stock=question.in_stock,
    )


def refused(errors: Sequence[Mapping[str, Any]], known: Sequence[str] | Mapping[str, Any] = ()) -> ProblemError:
    """Everything that is wrong with a question, at once. errors: as pydantic tells them; known: the fields there are."""
    faults = [_fault(one, list(known)) for one in errors[:FAULTS]]
    lines = "; ".join(f"{one.where}: {one.what}" if one.where else one.what for one in faults)
    return ProblemError(422, f"this cannot be asked: {lines}", faults=faults)


def shown(value: Any) -> str:
    """A value in a message: in plain signs, and not longer than one can read."""
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def _fault(error: Mapping[str, Any], known: Sequence[str]) -> Fault:
    where = ".".join(str(step) for step in error["loc"] if step not in ("query", "path", "body"))
    where = ascii(where)[1:-1][:SHOWN]
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where, known, n=1)
        return Fault(where=where, what="there is no such field" + (f"; did you mean {near[0]}?" if near else ""))
    given = "" if error["type"] == "missing" or not error["loc"] else f" (you gave {shown(error['input'])})"
    return Fault(where=where, what=f"{error['msg']}{given}")


def _refuse_sources(question: BaseModel, sources: Sequence[str], info: ValidationInfo) -> None:
    there = {FILE: bool((info.context or {}).get("file"))}
    given = [name for name in sources if there.get(name) or getattr(question, name, None)]
    if len(given) != 1:
        raise PydanticCustomError(
            "one_source",
            "{ask}; you gave {given}",
            {"ask": _ask(sources), "given": " and ".join(given) or "none of them"},
        )


def _ask(sources: Sequence[str]) -> str:
    if len(sources) == 1:
        return "send the picture as multipart/form-data, in the field `file`"
    return f"give exactly one of {', '.join(sources[:-1])} or {sources[-1]} (a file by multipart/form-data)"


def _refuse_crop(crop: Sequence[float] | None, info: ValidationInfo, url: str | None) -> None:
    if crop is None:
        return
    if not ((info.context or {}).get("file") or url):
        raise PydanticCustomError("crop", "`crop` cuts a picture; give it beside `file` or `url` only")
    left, top, right, bottom = crop
    if min(right - left, bottom - top) < LEAST_SIDE:
        raise PydanticCustomError(
            "crop",
            "crop is {crop}, which leaves next to nothing; give [left, top, right, bottom], each side {least} or more",
            {"crop": str(list(crop)), "least": f"{LEAST_SIDE:g}"},
        )


def _refuse_prices(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise PydanticCustomError(
            "prices",
            "price_min {low} is above price_max {high}; no price is both",
            {"low": f"{low:g}", "high": f"{high:g}"},
        )


# Answers


class Facts(BaseModel):
    """What is known of a product; null is what its shop does not say."""

    id: str = Field(description="By which this product is asked for.", examples=[PRODUCT])
    name: str | None = Field(None, examples=["Suede pump"])
    brand: str | None = Field(None, examples=[BRAND])
    category: str | None = Field(None, examples=["pumps"])
    color: str | None = Field(None, description="The color's name, as the shop says it.", examples=["dark red"])
    style: str | None = Field(None, description="All colorways of one model have the same.", examples=["pump"])
    shop: str | None = Field(None, examples=["shop.example"])
    price: float | None = Field(None, examples=[89.95])
    currency: str | None = Field(None, description="ISO 4217.", examples=["EUR"])
    rating: float | None = Field(None, description="Of 5.", examples=[4.5])
    in_stock: bool | None = Field(None, examples=[True])
    url: str | None = Field(None, description="Where to buy it: http or https.", examples=["https://shop.example/pump"])


class Parts(BaseModel):
    """The two parts of a score, before they are weighed: each the cosine of two vectors."""

    shape: float = Field(examples=[0.81])
    color: float = Field(examples=[0.93])


class Hit(BaseModel):
    """A product that was found, by its most alike picture."""

    score: float = Field(description="(1 - color_weight) shape + color_weight color; of 1.", examples=[0.846])
    parts: Parts
    picture: str = Field(
        description="Where its small picture is.", examples=[f"/v1/pictures/{PICTURE}.jpg?release={RELEASE}"]
    )
    view: str = Field(description="Which of its views that is; empty where it has no name.", examples=["side"])
    id: str = Field(description="By which this product is asked for.", examples=[PRODUCT])
    name: str | None = Field(None, examples=["Suede pump"])
    brand: str | None = Field(None, examples=[BRAND])
    category: str | None = Field(None, examples=["pumps"])
    color: str | None = Field(None, examples=["dark red"])
    style: str | None = Field(None, examples=["pump"])
    shop: str | None = Field(None, examples=["shop.example"])
    price: float | None = Field(None, examples=[89.95])
    currency: str | None = Field(None, examples=["EUR"])
    rating: float | None = Field(None, examples=[4.5])
    in_stock: bool | None = Field(None, examples=[True])
    url: str | None = Field(None, description="Where to buy it: http or https.", examples=["https://shop.example/pump"])


class Milliseconds(BaseModel):
    """How long the parts of the work took."""

    decode: float = Field(examples=[3.1])
    embed: float = Field(examples=[11.9])
    search: float = Field(examples=[4.2])
    all: float = Field(description="With what lies between them, and the fetching of an address.", examples=[19.4])


class Listing(BaseModel):
    """Products that look alike."""

    release: str = Field(description="NAME/ID of the release that answered.", examples=[RELEASE])
    catalog: str = Field(description="NAME@version of the catalog that it holds.", examples=["boots@3f2a9c41"])
    query: str = Field(description="What was seen, for the next question.", examples=[QUERY])
    color_weight: float = Field(description="Where the dial stood.", examples=[0.3])
    crop: list[float] | None = Field(description="What was cut out, as it was asked.", examples=[None])
    proposal: list[float] | None = Field(
        description="Where the product seems to be, for a `crop`; null where that is everywhere, or one was given.",
        examples=[[0.12, 0.2, 0.9, 0.83]],
    )
    hits: list[Hit]
    next: str | None = Field(description="The `cursor` of what follows; null at the end.", examples=[None])
    milliseconds: Milliseconds


class View(BaseModel):
    """One picture of a product."""

    picture: str = Field(description="Where it is.", examples=[f"/v1/pictures/{PICTURE}.jpg?release={RELEASE}"])
    view: str = Field(description="Its name; empty where it has none.", examples=["side"])


class Shown(BaseModel):
    """A product and its pictures."""

    release: str = Field(examples=[RELEASE])
    product: Facts
    pictures: list[View]


class Likelihood(BaseModel):
    """A brand, and how probable it is."""

    brand: str = Field(examples=[BRAND])
    probability: float = Field(examples=[0.72])


class Named(BaseModel):
    """The brand of a picture."""

    release: str = Field(examples=[RELEASE])
    brand: str | None = Field(description="The most probable; null where that is none that is known.", examples=[BRAND])
    unknown: float = Field(description="How probable it is that it is none that is known.", examples=[0.08])
    nearest: float | None = Field(
        description="The cosine to the nearest picture of the catalog that tells a brand; null where there is none.",
        examples=[0.83],
    )
    brands: list[Likelihood] = Field(description="The most probable first.")


class Facets(BaseModel):
    """What there is to choose from, with as many products as each value would leave."""

    release: str = Field(examples=[RELEASE])
    products: int = Field(description="That the filters let through.", examples=[1284])
    brand: dict[str, int] = Field(examples=[{BRAND: 93}])
    category: dict[str, int] = Field(examples=[{"pumps": 402}])
    color: dict[str, int] = Field(examples=[{"dark red": 31}])
    shop: dict[str, int] = Field(examples=[{"shop.example": 1284}])
    currency: dict[str, int] = Field(description="Of the prices.", examples=[{"EUR": 1284}])
    price: list[float] | None = Field(
        description="The least and the greatest, by the other filters; null where they are of several currencies.",
        examples=[[9, 480]],
    )
    rating: list[float] | None = Field(description="The least and the greatest.", examples=[[1, 5]])
    in_stock: int | None = Field(description="How many are; null where no shop says so.", examples=[1100])


class Passed(BaseModel):
    """A release that could not be put on the counter."""

    release: str = Field(examples=[RELEASE])
    why: str = Field(examples=["its manifest was altered"])


class Version(BaseModel):
    """What is on the counter."""

    lookalike: str | None = Field(description="The version of this server.", examples=["0.1.0"])
    release: str = Field(examples=[RELEASE])
    catalog: str = Field(examples=["boots@3f2a9c41"])
    model: str | None = Field(description="int8 or float32.", examples=["int8"])
    index: str | None = Field(description="exact, hnsw or ivf.", examples=["exact"])
    products: int = Field(examples=[1284])
    pictures: int = Field(examples=[5120])
    made: str | None = Field(examples=["2026-03-02T08:30:00Z"])
    commit: str | None = Field(examples=["9b1c2d3e"])
    card: str | dict[str, Any] | None = Field(None, description="What else its makers say of it.")
    refused: Passed | None = Field(description="A newer release that failed to open; the one before stays.")
    image_urls: bool = Field(description="Whether pictures may be given by address.")
    key_needed: bool = Field(description="Whether a key must be sent.")
    brands: bool = Field(description="Whether brands can be named.")


class Health(BaseModel):
    """This server answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """A release is on the counter."""

    status: Literal["ready"] = "ready"
    release: str = Field(examples=[RELEASE])
    refused: Passed | None = Field(None, description="A newer release that failed to open; the one before stays.")
