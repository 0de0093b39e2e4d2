"""Rating error, the effect of weighting, and LightFM over its epochs, as assets."""
