"""Where listening files come from: a folder, an archive, a URL, or the bundled sample."""
