"""Side effects on the in-memory stores."""
