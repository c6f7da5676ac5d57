"""Objects to values: terms, transforms, combination, conditions, adapters."""
