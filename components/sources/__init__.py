"""Candidate sources over the in-memory stores; each answers best first, as of the time of the request."""
