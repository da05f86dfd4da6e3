"""The colors that are named in a shop's words for a color, and what to draw them with.

In: "Black/White", "Dark Mocha Suede". Out: "black" and "white", "mocha"; and their hexadecimal codes. Never: guesses a
color that is not named.
"""

import re
from typing import Final

MOST = 3  # of one name

_CODES = """
black 1f1e20|onyx 29282b|white f4f4f2|off white ece8dc|ivory ebe4d2|cream efe6cf|ecru e2d8c0|bone e3dac9
beige d8c7a5|nude d7b195|natural d9c4a0|oatmeal d8ccb4|sand d2b98f|stone cbc3b4|taupe 93836f|mushroom a89787
khaki a39a6d|tan b98555|camel c09a66|wheat d3ad68|honey c98d3c|caramel a9682f|cognac 96552b|whiskey a8622d
chestnut 7f4528|saddle 8a5a33|brown 6b4529|tobacco 75502f|mocha 5d4333|chocolate 4b3025|coffee 4a3428|espresso 382620
grey 8a8b8d|charcoal 47484c|graphite 4c4e52|slate 5d6670|anthracite 393c40|pewter 8d8f8c|gunmetal 53565c
silver b9bbbf|gold c4a25e|rose gold cb9a84|bronze 8c6239|copper b0673a|metallic b1aea9
navy 202c49|blue 2f5fa5|denim 4d6a8f|indigo 31346b|cobalt 2346a0|sky a3bfd6|light blue a3c4e0|turquoise 3fb3ab|teal 21646a
green 3b7a45|olive 5f6040|forest 2a4a3a|sage a0ad93|mint b2dcc4|emerald 1f7a55|army 585b3c
red b0232a|burgundy 5f1f2b|bordeaux 5a1e2c|wine 652233|oxblood 511b1f|maroon 60202a|cherry 94202c|coral e0715d
rust 9b4724|orange dd7a2b|mustard c8962f|yellow e3c33f|lemon ecd873
pink e29bb0|blush e2bbb0|rose d18f95|fuchsia b92f6c|magenta b3307f|purple 6a4585|plum 503049|lilac b3a3c9|lavender b9aed6
"""
CODES: Final = {
    name.strip(): "#" + code
    for name, _, code in (one.rpartition(" ") for line in _CODES.split("\n") for one in line.split("|") if one)
}
_NAMED = re.compile(r"\b(?:" + "|".join(sorted(CODES, key=len, reverse=True)) + r")\b")


def named(color: str) -> tuple[str, ...]:
    """The colors that are named, in their order, none twice; () where none is known."""
    words = re.sub(r"[\s_-]+", " ", color.casefold()).replace("gray", "grey")
    return tuple(dict.fromkeys(_NAMED.findall(words)))[:MOST]
