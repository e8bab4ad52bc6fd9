"""The joins that many queries share, so that each says only what it selects."""

MODEL_OF_VARIANT = "JOIN models m ON m.id = v.model_id"
VARIANT_OF_JOB = f"JOIN variants v ON v.id = j.variant_id {MODEL_OF_VARIANT}"
JOBS = f"jobs j {VARIANT_OF_JOB}"
"""Jobs `j`, each with its variant `v` and model `m`."""
