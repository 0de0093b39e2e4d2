"""Tags and audio features over time, and what goes with popularity, as assets."""
