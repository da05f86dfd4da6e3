"""A shop on this machine that sells the drawn catalog, in the clothes of one of the real ones."""
