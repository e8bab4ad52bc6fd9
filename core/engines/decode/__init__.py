"""What the engines that decode have in common: prompts, sampling, batches, and tokens to text."""
