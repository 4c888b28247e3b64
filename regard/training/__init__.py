"""Training: one explicit loop, and how it reports."""
