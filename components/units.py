"""Lengths of time in milliseconds, in which all moments are counted."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
