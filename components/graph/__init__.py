"""Algorithms over graphs of accounts: reputation, tie strength, walks and link prediction."""
