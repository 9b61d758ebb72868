"""Hydrators: columns for candidates out of the in-memory stores, as of the time of the request."""
