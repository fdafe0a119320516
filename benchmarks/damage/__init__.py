"""Damaged tables as they come from offices, and a judge of what a reader makes of them."""
