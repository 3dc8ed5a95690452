# How high the key of common/key.gp will be: as many columns as the longest label leaves room for.
key_step = 62 + 6.9 * (rows_chars > 6 ? rows_chars : 6)
key_columns = int(760.0 / key_step)
if (key_columns < 1) { key_columns = 1 }
if (key_columns > rows_rows) { key_columns = rows_rows }
strip = 18 * ((rows_rows + key_columns - 1) / key_columns) + 18
