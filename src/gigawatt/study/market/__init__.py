"""The market's questions: forecasts of a vendor's quarters, what limits supply, rents, token prices, a ramp."""
