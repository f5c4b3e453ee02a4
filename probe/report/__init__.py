"""Results to terminal, JSON, HTML and JUnit."""
