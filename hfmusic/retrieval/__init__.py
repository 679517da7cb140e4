"""Finding and following scores: indexes of vectors, votes, and alignment in time. Arrays in, arrays out; no torch."""
