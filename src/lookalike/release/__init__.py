"""From a run to what ships: export, parity, release, registry."""
