"""Floor 1: what is sold and how it looks, from a source's rows to a frozen data set version."""
