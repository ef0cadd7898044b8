"""Units, sourced values, errors with positions, tables. Knows nothing else of the engine."""
