"""Simulators of a converted network: `nengodl` (the reference) and `event` (exact and fast)."""
