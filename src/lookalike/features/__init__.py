"""Floor 1: what a picture shows without any learning: its luminance, its foreground, its colors, and itself at one size.

In: pixels. Out: pixels, masks, unit vectors. Never: a tensor, a file, or anything kept from one picture to the next.
"""
