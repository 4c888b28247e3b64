"""Rows of any columns written as tables: in lines of text, as JSON, as Parquet."""
