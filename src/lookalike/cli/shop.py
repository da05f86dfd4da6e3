"""`lookalike shop`: serves the drawn catalog on this machine, in the clothes of one of the shops, until it is stopped."""

from lookalike.cli import places, show
from lookalike.settings import Shop
from lookalike.toy.shop.faults import FAULTS, LISTINGS, Fault
from lookalike.toy.shop.serve import ToyShop, serving
from lookalike.toy.shop.stock import Stock, stock


def run(settings: Shop) -> int:
    """Fill the shelf, open, and wait for Ctrl-C."""
    fault = Fault(name=settings.fault, after=settings.after, slow=settings.slow) if settings.fault else None
    shelf = stock(
        products=settings.products,
        views=settings.views,
        size=settings.size,
        per_page=settings.per_page,
        seed=settings.seed,
        day=settings.day,
        added=settings.added,
        gone=settings.gone,
        repriced=settings.repriced,
    )
    pictures = places.drawn(settings.paths)
    with serving(shelf, pictures=pictures, layout=settings.layout, fault=fault, port=settings.port) as shop:
        named = settings.layout.partition("_")[0]
        show.facts(
            f"a shop that looks like {settings.layout}",
            {
                "address": shop.start,
                "on the shelf": f"{len(shelf.items)} products on day {shelf.day}",
                "fault": _says(fault, shelf) if fault else "none",
                "next": f"lookalike scrape shop={named} shop.site={shop.site} {_start(shop)} delay=0 name=toy",
                "to end it": "Ctrl-C",
            },
        )
        shop.wait()
    return 0


def _start(shop: ToyShop) -> str:
    """The first page, in words that a shell hands on as they are."""
    return f"\"shop.start=['{shop.start.removeprefix(shop.site)}']\""


def _says(fault: Fault, shelf: Stock) -> str:
    """What goes wrong, and when; a shop has few pages of a listing, and `after` may be more than it has."""
    first, pages = fault.begins(shelf), -(-len(shelf.items) // shelf.per_page)
    never = f", but there are only {pages}: give after=0" if fault.spoils == LISTINGS and first >= pages else ""
    kinds = " or ".join(sorted(fault.spoils))
    return f"{fault.name}: {FAULTS[fault.name].says}; from the {first + 1}. request for a {kinds} on{never}"
