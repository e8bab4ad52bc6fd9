"""The screens that open over the panes: forms, readers, questions and help."""
