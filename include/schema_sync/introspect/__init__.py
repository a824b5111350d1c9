"""Ask each (database, schema) of a data source once."""
