"""The engine openai: any server that speaks the protocol of OpenAI."""
