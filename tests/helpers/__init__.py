"""What tests share: tiny models, servers that misbehave, stores with rows, and processes to end."""
