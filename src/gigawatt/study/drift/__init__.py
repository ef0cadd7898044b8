"""Architecture drift: what a scenario says may come, and what it is worth to own what runs it."""
