"""The screens over the panes: forms, readers, questions and help."""
