"""What may be shown to whom: ordered rules at two levels, inherited through quoted, reposted and answered posts."""
