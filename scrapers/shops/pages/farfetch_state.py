"""What a Farfetch product page holds about its product: the newest state that has it, and the JSON-LD beside it. Pure.

In: the text of a page, and the id that its address names. Out: Sources, with their JSON text. Never: takes a product that
the page recommends for its own.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from shops.pages.farfetch_places import CACHE, LINKED, MODEL, Source
from shops.pages.found import tree
from shops.pages.page import PageError
from shops.pages.state import at, count, loaded, raw_state, said, several, walked

STATES: Final = (
    ("hydration", "window.__HYDRATION_STATE__"),
    ("initial_state", "window['__initialState__']"),
    ("slice_pdp", "window['__initialState_slice-pdp__']"),
)
MOST_ESCAPES: Final = 3  # times that JSON may be a string inside JSON; two are known


def state_of(text: str, wanted: str) -> tuple[Source | None, str]:
    """The newest state that tells of a product, and its JSON text."""
    for generation, mark in STATES:
        if raw := raw_state(text, mark):
            raw, state = _unpacked(raw, mark)
            if source := _source(generation, state, wanted):
                return source, raw
    return None, ""


def _unpacked(raw: str, mark: str) -> tuple[str, Any]:
    """The JSON inside the JSON strings, and its value. Half an emoji becomes a question mark: no file could keep it."""
    value = loaded(raw, mark)
    for _ in range(MOST_ESCAPES):
        if isinstance(value, str):
            raw = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = loaded(raw, mark)
    return raw, value


def _source(generation: str, state: Any, wanted: str) -> Source | None:
    """What a state tells of the page's product. It may hold the recommendations too, in the same words."""
    if models := [one for node in walked(state) if isinstance(one := at(node, "productViewModel"), dict)]:
        model = next((one for one in models if said(one, "details", "productId") == wanted), models[0])
        return Source(name=generation, places=MODEL, node=model)
    cache = at(state, "apolloInitialState")
    if isinstance(cache, dict) and (own := _own(cache, wanted)):
        return Source(name="apollo", places=CACHE, node=own, step=partial(_follow, cache))
    return None


def _own(cache: dict[str, Any], wanted: str) -> dict[str, Any]:
    """The variations (sizes) of the page's product, and the product: the one that is wanted, or the only one."""
    kinds = ("Variation", "VariationUnavailable")
    every = [(_product_id(cache, one), one) for name, one in cache.items() if name.partition(":")[0] in kinds]
    ids = {product for product, _ in every}
    if wanted not in ids and len(ids) == 1:
        wanted = ids.pop()
    own = [one for product, one in every if product == wanted]
    if not own:
        return {}
    first = next((one for one in own if count(one, "quantity")), own[0])
    return {"variation": first, "variations": own, "product": _follow(cache, first, "product")}


def _product_id(cache: dict[str, Any], variation: Any) -> str:
    return said(_follow(cache, variation, "product"), "id") or said(variation, "internalProductId")


def _follow(cache: dict[str, Any], node: Any, name: str) -> Any:
    """What a field of the cache holds: a `__ref` is another entry, and a field may be written with its arguments."""
    entry = _resolved(cache, node)
    if not isinstance(entry, dict):
        return None
    written = name if name in entry else next((key for key in entry if key.startswith(f"{name}(")), name)
    held = _resolved(cache, entry.get(written))
    return [_resolved(cache, one) for one in held] if isinstance(held, list) else held


def _resolved(cache: dict[str, Any], node: Any) -> Any:
    return cache.get(ref) if isinstance(ref := at(node, "__ref"), str) else node


def linked_data(text: str, product: str) -> tuple[Source | None, str]:
    """What the JSON-LD says of this product and of the way to it, and the JSON text of the product."""
    first: dict[str, Any] = {}
    kept = ""
    for raw, one in _json_ld(text):
        kind = said(one, "@type")
        if kind in ("Product", "BreadcrumbList") and kind not in first and _may_be(one, product):
            first[kind] = one
            kept = raw if kind == "Product" else kept
    return (Source(name="json_ld", places=LINKED, node=first) if first else None), kept


def _may_be(linked: Any, product: str) -> bool:
    """Whether it can be about the product: it names this one, or none."""
    names = {said(linked, name) for name in ("productID", "sku")} - {""}
    return not names or not product or product in names


def _json_ld(text: str) -> Iterator[tuple[str, Any]]:
    for raw in tree(text).xpath('//script[@type="application/ld+json"]/text()').getall():
        try:
            data = loaded(raw, "JSON-LD")
        except PageError:  # it repeats what the state tells
            continue
        for one in data if isinstance(data, list) else [data, *several(data, "@graph")]:
            yield raw, one
