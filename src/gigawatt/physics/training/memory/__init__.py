"""Bytes of an accelerator's memory that a mapping needs, by kind."""
