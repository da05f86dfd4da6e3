"""What there is to be made: for every category its kinds, each a table of what varies and how far.

In: nothing. Out: recipes. Never: draws a random number, or picks a color.
"""

from dataclasses import dataclass, field
from typing import Any

Reach = dict[str, tuple[float, float]]  # parameter: middle, and how far from it a style may stray
Picks = dict[str, tuple[Any, ...]]  # parameter: one of these; what stands there twice is twice as likely


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A kind of product. In `pick` and `cloth` the word "brand" stands for the maker's own mark or leather."""

    words: str
    price: int
    near: Reach
    pick: Picks = field(default_factory=dict)
    panels: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()  # panels that some styles have
    share: float = 0.25  # how many of them
    straps: tuple[tuple[str, ...], ...] = ()  # one of each group; "" for none
    cloth: Picks = field(default_factory=dict)


LEATHERS: Picks = {
    "main": ("brand", "brand", "brand", "brand", "leather", "suede", "pebbled", "patent", "waxed"),
    "main_pattern": (*["plain"] * 26, "croc", "snake", "leopard", "quilted", "woven"),
    "second": ("brand", "brand", "leather", "suede", "patent"),
    "heel": ("leather", "wood"),
}
SPORTY: Picks = {
    "main": ("brand", "leather", "canvas", "suede"),
    "second": ("suede", "leather", "canvas"),
    "contrast": (0.55,),
    "soles": (("White", "White", "White", "Ivory", "Tan", "same"), ("White", "Ivory", "Black", "same")),
}
CARRIED: Picks = {
    **LEATHERS,
    "main_pattern": (*["plain"] * 24, "croc", "quilted", "quilted", "woven", "stripes", "check", "dots", "leopard"),
}

ANKLE: Reach = {
    "back": (0.37, 0.02),
    "side": (0.37, 0.02),
    "front": (0.41, 0.02),
    "throat": (0.39, 0.03),
    "opening": (0.11, 0.008),
    "toe": (0.35, 0.3),
    "wide": (1.0, 0.06),
    "toe_box": (0.14, 0.02),
    "panel_at": (0.5, 0.5),
}
LOW: Reach = {
    "heel": (0.03, 0.015),
    "platform": (0.09, 0.02),
    "toe": (0.1, 0.1),
    "toe_box": (0.15, 0.02),
    "front": (0.31, 0.02),
    "back": (0.25, 0.02),
    "side": (0.185, 0.02),
    "throat": (0.4, 0.02),
    "opening": (0.1, 0.006),
    "lace_from": (0.44, 0.01),
    "lace_to": (0.65, 0.03),
    "panel_at": (0.5, 0.5),
}
CUT: Reach = {
    "front": (0.085, 0.02),
    "back": (0.2, 0.02),
    "side": (0.1, 0.02),
    "throat": (0.72, 0.05),
    "opening": (0.1, 0.006),
    "toe": (0.55, 0.4),
    "toe_box": (0.105, 0.01),
    "platform": (0.025, 0.008),
    "strap_width": (0.05, 0.015),
    "panel_at": (0.5, 0.5),
}
BARE: Reach = {
    "toe": (0.15, 0.15),
    "strap_width": (0.055, 0.02),
    "platform": (0.035, 0.01),
    "panel_at": (0.5, 0.5),
}
BODY: Reach = {"belly": (0.05, 0.04), "panel_at": (0.5, 0.5), "corner": (6, 2.5)}

BOOTS = (
    Recipe(
        words="Chelsea Boot",
        price=130,
        near=ANKLE | {"shaft": (0.16, 0.07), "calf": (1.05, 0.06), "heel": (0.1, 0.05), "platform": (0.05, 0.02)},
        pick={"sole": ("thin", "thin", "lug"), "pull": (True, True, False)},
        panels=("gore",),
        maybe=("cap", "counter"),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Lug-Sole Boot",
        price=150,
        near=ANKLE
        | {"shaft": (0.28, 0.16), "calf": (1.08, 0.06), "heel": (0.05, 0.03), "platform": (0.09, 0.03)}
        | {"lace_from": (0.46, 0.01), "lace_to": (0.62, 0.04), "toe": (0.12, 0.1)},
        pick={"sole": ("lug",), "laces": (3, 4, 5), "pull": (True, False)},
        panels=("eyestay",),
        maybe=("cap", "moc", "counter", "cuff", "sidezip"),
        share=0.35,
        cloth=LEATHERS | {"soles": (("Black", "Chocolate"), ("Black", "Tan", "White"))},
    ),
    Recipe(
        words="Block-Heel Bootie",
        price=140,
        near=ANKLE
        | {"shaft": (0.2, 0.12), "calf": (1.08, 0.1), "heel": (0.26, 0.09), "heel_wide": (0.72, 0.2)}
        | {"toe": (0.55, 0.35), "scallop": (0.02, 0.05), "platform": (0.03, 0.012)},
        pick={"heel_shape": ("block", "block", "cone", "flare", "stiletto"), "belted": (True, False, False, False)},
        panels=("sidezip",),
        maybe=("cap", "vamp", "counter", "saddle"),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Western Boot",
        price=190,
        near=ANKLE
        | {"shaft": (0.55, 0.25), "calf": (1.3, 0.08), "heel": (0.19, 0.06), "heel_wide": (0.7, 0.1)}
        | {"toe": (0.75, 0.2), "scallop": (0.13, 0.05), "platform": (0.025, 0.005)},
        pick={"heel_shape": ("cone", "block"), "pull": (True, False)},
        panels=("western",),
        maybe=("cap", "wing", "vamp", "counter"),
        share=0.35,
        cloth=LEATHERS | {"heel": ("wood",)},
    ),
    Recipe(
        words="Tall Boot",
        price=220,
        near=ANKLE
        | {"shaft": (0.95, 0.2), "calf": (1.34, 0.08), "heel": (0.14, 0.11), "heel_wide": (0.8, 0.15)}
        | {"scallop": (0.0, 0.06), "platform": (0.03, 0.01)},
        pick={"heel_shape": ("block", "cone"), "belted": (True, False)},
        panels=("sidezip",),
        maybe=("counter", "cuff", "cap", "vamp"),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Shearling Boot",
        price=160,
        near=ANKLE
        | {"shaft": (0.3, 0.15), "calf": (1.15, 0.06), "heel": (0.02, 0.01), "platform": (0.06, 0.02)}
        | {"toe": (0.05, 0.05), "wide": (1.1, 0.05), "toe_box": (0.17, 0.01)},
        pick={"sole": ("cup", "lug"), "pull": (True, False)},
        panels=("cuff",),
        maybe=("counter", "mudguard", "cap"),
        share=0.4,
        cloth={
            "main": ("suede", "suede", "leather"),
            "second": ("suede",),
            "accent": ("fleece",),
            "contrast": (0.6,),
            "soles": (("Tan", "Ivory", "Black"),),
        },
    ),
)
SNEAKERS = (
    Recipe(
        words="Court Sneaker",
        price=90,
        near=LOW | {"platform": (0.1, 0.03)},
        pick={"sole": ("cup",), "laces": (4, 5, 6), "knitted_collar": (True, False), "mark": ("brand", "brand", "")},
        panels=("eyestay",),
        maybe=("counter", "heeltab", "cap", "perforated", "mudguard", "quarter"),
        share=0.4,
        cloth=SPORTY,
    ),
    Recipe(
        words="Runner",
        price=110,
        near=LOW | {"heel": (0.08, 0.03), "platform": (0.1, 0.025)},
        pick={
            "sole": ("runner",),
            "laces": (4, 5, 6),
            "knitted_collar": (True,),
            "pull": (True, False),
            "mark": ("brand", "brand", ""),
        },
        panels=("mudguard", "eyestay"),
        maybe=("heeltab", "saddle", "counter", "cap"),
        share=0.5,
        cloth=SPORTY
        | {"main": ("mesh", "mesh", "canvas"), "main_pattern": ("plain", "plain", "knit"), "contrast": (0.6,)},
    ),
    Recipe(
        words="High-Top Sneaker",
        price=85,
        near=LOW
        | {"front": (0.4, 0.01), "back": (0.36, 0.01), "side": (0.36, 0.01), "throat": (0.39, 0.015)}
        | {"shaft": (0.12, 0.05), "calf": (1.03, 0.02)},
        pick={
            "sole": ("cup",),
            "laces": (4, 5),
            "knitted_collar": (True, False, False),
            "mark": ("brand", "brand", ""),
        },
        panels=("eyestay",),
        maybe=("cap", "counter", "heeltab", "saddle", "mudguard"),
        share=0.4,
        cloth=SPORTY,
    ),
    Recipe(
        words="Slip-On Sneaker",
        price=65,
        near=LOW | {"front": (0.22, 0.02), "throat": (0.5, 0.04)},
        pick={"sole": ("cup",)},
        panels=("gore",),
        maybe=("cap", "heeltab", "mudguard", "perforated", "vamp", "quarter"),
        share=0.35,
        cloth=SPORTY | {"main_pattern": ("plain", "plain", "plain", "check", "woven", "leopard", "snake")},
    ),
)
PUMPS = (
    Recipe(
        words="Pointed Pump",
        price=120,
        near=CUT | {"heel": (0.32, 0.07), "toe": (0.75, 0.2)},
        pick={"heel_shape": ("stiletto", "stiletto", "cone"), "ornament": ("", "", "", "bow", "buckle")},
        maybe=("cap", "topband"),
        share=0.15,
        straps=(("ankle", "", "", ""),),
        cloth=LEATHERS | {"heel": ("leather",)},
    ),
    Recipe(
        words="Block-Heel Pump",
        price=110,
        near=CUT | {"heel": (0.22, 0.08), "heel_wide": (0.7, 0.2), "toe": (0.35, 0.3)},
        pick={"heel_shape": ("block", "flare"), "square": (0.0, 0.0, 1.0), "ornament": ("", "bow", "buckle", "bit")},
        maybe=("cap", "topband", "counter"),
        straps=(("maryjane", "maryjane", "", "", ""),),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Slingback",
        price=125,
        near=CUT | {"back": (0.06, 0.01), "side": (0.055, 0.01), "heel": (0.17, 0.06), "toe": (0.75, 0.2)},
        pick={"heel_shape": ("stiletto", "cone"), "ornament": ("", "bow", "buckle")},
        maybe=("cap",),
        share=0.45,
        straps=(("slingback",),),
        cloth=LEATHERS | {"heel": ("leather",)},
    ),
    Recipe(
        words="Ballet Flat",
        price=80,
        near=CUT | {"heel": (0.03, 0.012), "toe": (0.25, 0.25), "back": (0.17, 0.02)},
        pick={"ornament": ("bow", "bow", "", "buckle", "pompom")},
        maybe=("cap", "topband"),
        share=0.4,
        straps=(("maryjane", "ankle", "", "", "", ""),),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Loafer",
        price=105,
        near=CUT
        | {"front": (0.2, 0.02), "side": (0.14, 0.02), "throat": (0.52, 0.03), "heel": (0.08, 0.05)}
        | {"toe": (0.25, 0.25), "toe_box": (0.13, 0.01), "platform": (0.05, 0.02), "heel_wide": (0.95, 0.03)},
        pick={"sole": ("thin", "thin", "lug"), "ornament": ("bit", "tassel", "buckle", "")},
        panels=("moc",),
        maybe=("counter", "saddle"),
        share=0.4,
        cloth=LEATHERS,
    ),
)
SANDALS = (
    Recipe(
        words="Heeled Sandal",
        price=95,
        near=BARE | {"heel": (0.27, 0.1), "heel_wide": (0.7, 0.2)},
        pick={"upper": (False,), "square": (0.0, 0.0, 1.0), "heel_shape": ("block", "stiletto", "flare", "cone")},
        straps=(("toe", "toe", "cross", "slide"), ("ankle", "slingback"), ("heelcup", "")),
        cloth=LEATHERS,
    ),
    Recipe(
        words="Slide",
        price=60,
        near=BARE | {"heel": (0.03, 0.02), "platform": (0.08, 0.03)},
        pick={"upper": (False,), "sole": ("cup", "wedge")},
        straps=(("slide", "double", "cross"),),
        cloth=LEATHERS | {"soles": (("Black", "White", "Tan", "Chocolate", "same"),)},
    ),
    Recipe(
        words="Espadrille Wedge",
        price=85,
        near=BARE | {"heel": (0.24, 0.1), "platform": (0.1, 0.03)},
        pick={"upper": (False,), "sole": ("espadrille",)},
        straps=(("toe", "cross", "slide"), ("ankle",), ("heelcup", "")),
        cloth=LEATHERS
        | {"main": ("canvas", "suede", "leather"), "sole": ("canvas",), "soles": (("Camel", "Camel", "Tan"),)},
    ),
    Recipe(
        words="Strappy Sandal",
        price=70,
        near=BARE | {"heel": (0.025, 0.012)},
        pick={"upper": (False,)},
        straps=(("gladiator", "thong", "tbar", "double"), ("ankle", ""), ("heelcup", "", "")),
        cloth=LEATHERS,
    ),
)
BAGS = (
    Recipe(
        words="Tote",
        price=180,
        near=BODY
        | {"wide": (1.05, 0.12), "tall": (0.8, 0.15), "deep": (0.36, 0.06), "taper": (1.12, 0.1), "thin": (0.45, 0.2)}
        | {"handle_high": (0.45, 0.15), "handle_apart": (0.22, 0.05)},
        pick={"handles": ("double",), "clasp": ("", "turn", "disc"), "charm": ("", "", "tassel", "tag")},
        maybe=("base", "pocket", "bands", "topband", "center", "side", "stripe", "studs"),
        share=0.22,
        cloth=CARRIED,
    ),
    Recipe(
        words="Satchel",
        price=240,
        near=BODY
        | {"wide": (1.0, 0.12), "tall": (0.65, 0.1), "deep": (0.4, 0.06), "taper": (0.9, 0.08), "thin": (0.7, 0.15)}
        | {"handle_high": (0.24, 0.06), "handle_apart": (0.18, 0.04)},
        pick={
            "flap": (0.0, 0.0, 0.4, 0.55, 0.7),
            "flap_shape": ("straight", "round", "point"),
            "handles": ("top", "double"),
            "clasp": ("turn", "bar", "disc", "ring"),
            "charm": ("", "", "tassel", "tag"),
        },
        maybe=("base", "pocket", "side", "corners", "contrastflap"),
        cloth=CARRIED,
    ),
    Recipe(
        words="Crossbody",
        price=150,
        near=BODY
        | {"wide": (0.75, 0.12), "tall": (0.52, 0.08), "deep": (0.22, 0.05), "taper": (1.0, 0.06), "thin": (0.75, 0.15)}
        | {"flap": (0.62, 0.25), "strap_high": (0.7, 0.25), "round_base": (0.14, 0.08)},
        pick={
            "flap_shape": ("straight", "round", "point"),
            "strap": ("leather", "chain"),
            "clasp": ("turn", "bar", "disc", "ring", ""),
            "charm": ("", "", "", "tassel"),
        },
        maybe=("side", "contrastflap", "base"),
        cloth=CARRIED,
    ),
    Recipe(
        words="Bucket Bag",
        price=170,
        near=BODY
        | {"wide": (0.72, 0.1), "tall": (0.8, 0.12), "deep": (0.55, 0.08), "taper": (0.98, 0.15), "thin": (0.9, 0.15)}
        | {"corner": (2.4, 0.4), "strap_high": (0.6, 0.2)},
        pick={"strap": ("leather", "leather", "chain"), "clasp": ("", "turn", "disc"), "charm": ("", "tassel", "tag")},
        maybe=("base", "topband", "stripe", "center", "studs"),
        share=0.35,
        cloth=CARRIED,
    ),
    Recipe(
        words="Hobo",
        price=190,
        near=BODY
        | {"wide": (1.1, 0.12), "tall": (0.75, 0.1), "deep": (0.4, 0.06), "taper": (0.95, 0.08), "thin": (0.25, 0.1)}
        | {"corner": (3.2, 0.2), "dip": (0.25, 0.1), "strap_high": (0.32, 0.12), "round_base": (0.4, 0.1)},
        pick={"strap": ("leather",), "charm": ("", "", "tassel", "tag")},
        maybe=("zip", "base", "side", "topband"),
        share=0.3,
        cloth=CARRIED,
    ),
    Recipe(
        words="Clutch",
        price=110,
        near=BODY
        | {"wide": (0.9, 0.12), "tall": (0.46, 0.07), "deep": (0.14, 0.03), "thin": (0.6, 0.2)}
        | {"flap": (0.6, 0.3), "strap_high": (0.55, 0.15)},
        pick={
            "flap_shape": ("straight", "round", "point"),
            "strap": ("", "chain"),
            "clasp": ("turn", "bar", "ring", "disc"),
        },
        maybe=("contrastflap", "studs"),
        share=0.3,
        cloth=CARRIED,
    ),
)
RECIPES = {"Boots": BOOTS, "Sneakers": SNEAKERS, "Pumps": PUMPS, "Sandals": SANDALS, "Bags": BAGS}
