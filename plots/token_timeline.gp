# The steeper, the faster: tokens over time, a line a run; the band is the middle 80 % of the samples.
load plots.'/common/key_height.gp'
height = strip + 330
load begin
key_points = 0
load plots.'/common/key.gp'
set lmargin at screen 62.0 / width
set rmargin at screen 1 - 24.0 / width
set tmargin at screen 1 - real(strip) / height
set bmargin at screen bottom + 60.0 / height
unset key
set grid xtics ytics linestyle 100
set border 3
set tics font small
set xlabel 'time since the request began, ms' offset 0, 0.3
set ylabel 'tokens out' offset 1, 0
set xrange [0:*]
set yrange [0:*]
set style fill transparent solid 0.22 noborder
plot for [i = 1:rows_rows] band using ($1 == i ? $2 : NaN):3 with filledcurves closed lc rgb colour(i), \
    for [i = 1:rows_rows] timeline using ($1 == i ? $3 : NaN):2 with lines lw 2 dt dash(i) lc rgb colour(i)
