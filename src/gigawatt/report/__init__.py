"""What people read of a run: terminal, charts, one self-contained page, spreadsheet, run folder, generated docs.

The report reads a `RunResult` (named tables, metrics, sentences, manifest) and computes nothing about the factory:
every number it shows stands in a table of the run folder.
"""
