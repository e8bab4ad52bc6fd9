"""Outputs made elsewhere become runs: read (`formats`), matched, graded and scanned (`graded`), then stored (`store`)."""
