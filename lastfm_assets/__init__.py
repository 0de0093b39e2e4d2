"""Raw Last.fm listening files in, checked top-10 artists for every user out."""
