"""The lists: who should hear what, why, and what readers see of it."""
