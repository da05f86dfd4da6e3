"""`lookalike audit`: what is wrong with a data set version: a table, a page with the pictures, exit 1 on a leak."""
