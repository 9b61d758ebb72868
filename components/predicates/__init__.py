"""Candidate predicates over what is known about the viewer."""
