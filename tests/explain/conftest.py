"""The cases are made once a session: see `explain_sample`."""
