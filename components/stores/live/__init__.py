"""Stores inside the process that follow the event log: fed while they are read, bounded, safe over a restart."""
