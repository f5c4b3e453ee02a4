"""Files to model: inventory, matrix, diagnostics."""
