"""The configuration: strict models of conf/, checked without Spark."""
