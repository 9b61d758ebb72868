"""Judge the products on logged requests: the same flows as on line, at moments of the past, beside baselines."""
