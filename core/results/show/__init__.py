"""Tables and plots in the formats that people read: terminal, Markdown, LaTeX, HTML, CSV, SVG, PNG."""
