"""The site of a scenario: what a user says of it, and what it offers the plan."""
