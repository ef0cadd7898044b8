"""The space of configurations of a model on a chip, what meets a service level, and what would."""
