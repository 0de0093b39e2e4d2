"""From raw files to cleaned plays, a seeded split and the weighted matrix."""
