"""Nearest neighbours by inner product: one interface, exact search, and quantised search with exact re-ranking.

Nothing is imported here, so that exact search never pays for faiss.
"""
