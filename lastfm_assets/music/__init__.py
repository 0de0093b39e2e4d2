"""Tags over time, what is popular, and audio features. Nothing here changes a list."""
