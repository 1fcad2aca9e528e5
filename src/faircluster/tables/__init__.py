"""Tables in CSV and Parquet files: columns in, one more column out, everything else as it was.

The cells of a CSV file are text and stay text, so that what is written back is what was read: leading zeros,
dates, empty cells, quotes, line breaks inside quotes. Only the columns that are asked for as numbers are
converted. The columns of a Parquet file keep their types.
"""

from faircluster.tables.files import check_suffix, is_formula, read_table, write_table
from faircluster.tables.table import Table

__all__ = ["Table", "check_suffix", "is_formula", "read_table", "write_table"]
