"""`gigawatt deals`: companies and contracts over time; who pays whom when, how circular it is, who breaks first."""
