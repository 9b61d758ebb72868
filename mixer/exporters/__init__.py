"""Where stats and traces go; each module needs the extra of its name and is imported by those who want it."""
