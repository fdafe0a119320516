"""Damaged tables that nobody tuned a reader for, and a judge of what is made of them."""
