"""The queue: what users may ask of it, with which models, engines and presets, and what runs would take."""
