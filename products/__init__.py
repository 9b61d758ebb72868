"""Products: flows, their parameters and their command lines."""
