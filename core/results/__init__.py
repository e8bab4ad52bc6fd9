"""What the stored responses say: scores, lengths and loops, as pandas DataFrames, plain rows and tables."""
