"""What explains models: rating error, weighting and epochs. Nothing here changes a list."""
