"""Rankers of candidates that the in-memory stores describe."""
