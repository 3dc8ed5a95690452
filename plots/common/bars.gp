# Stacked horizontal bars, one row a run: the drawing of every breakdown. Expects the blocks
#   bars (row, series, low, high, share, text)   series (name, kind)   rows (row, label)   wall (row, median, low, high)
#   basis (n_timed, n_profiled, high, chars): of the wall times, and the longest name of a series
# Kinds: 0 busy, solid; 1 idle, hatched; 2 residual, empty.
key_columns = int(780 / (7.0 * basis_chars[1] + 60))
key_columns = key_columns > 4 ? 4 : key_columns < 1 ? 1 : key_columns
key_rows = (series_rows + key_columns - 1) / key_columns
strip = 18 * key_rows + 22
height = strip + 30 * rows_rows + 72
load begin
set lmargin at screen (24 + 7.4 * (rows_chars > 6 ? rows_chars : 6)) / width
set rmargin at screen 1 - 24.0 / width
set tmargin at screen 1 - real(strip) / height
set bmargin at screen bottom + 60.0 / height
set key at screen 0.5, \
    screen 1 - 4.0 / height center top horizontal Left reverse maxcols key_columns samplen 1.6 spacing 1.1 font small

stats bars using 4 nooutput
far = STATS_max
if (basis_high[1] > far) { far = basis_high[1] }
set xrange [0:far * 1.03]
set yrange [rows_rows + 0.6:0.4]
profiled = 'mean of the profiled samples'
timed = 'timed median (dot, 95 % interval), shared out by the profiled pass'
set xlabel 'ms a sample: '.(basis_n_timed[1] == 0 ? profiled : basis_n_profiled[1] == 0 ? timed : \
    'timed median (dot, 95 % interval); without one the '.profiled) offset 0, 0.3
set xtics font small
set grid xtics linestyle 100
set border 1
unset ytics
do for [i = 1:rows_rows] {
    set label i rows_label[i] at graph 0, first rows_row[i] right offset character -0.8, 0
}

fill(i) = series_kind[i] == 0 ? 3 : series_kind[i] == 1 ? 4 + i % 4 : 0
# patterns repeat after four: the next four are lighter
tone(i) = series_kind[i] == 0 ? colour(i) : (i / 4) % 2 ? 0x606060 : 0xa0a0a0
plot for [i = 1:series_rows] bars using ($2 == i ? $3 : NaN):1:3:4:($1 - 0.33):($1 + 0.33) \
        with boxxyerror fillstyle pattern fill(i) border lc rgb '#404040' lc rgb tone(i) lw 0.6 \
        title series_name[i], \
    bars using (0.5 * ($3 + $4)):1:6:(ink($2)) with labels tc rgb variable font small notitle, \
    wall using 2:1:3:4 with xerrorbars lc rgb '#000000' lw 1.4 pt 7 ps 0.45 notitle
