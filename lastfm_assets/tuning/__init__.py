"""Searching each model's parameters with one budget, on pairs that nothing is judged on."""
