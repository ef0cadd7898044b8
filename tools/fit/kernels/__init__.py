"""Fits the constants of `physics/chip` to measured kernel tables: read, filter, fit, hold out, write catalog data."""
