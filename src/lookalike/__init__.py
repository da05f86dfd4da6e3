"""lookalike: learns when two photographs show the same fashion product, proves how well, and serves the search.

Data walks one way: page -> Product -> catalog -> frozen data set -> batch -> embedding -> index -> hits -> report or release.
Rooms stand on floors and import lower floors only; `build.py` is the one table of everything that can be chosen.
"""
