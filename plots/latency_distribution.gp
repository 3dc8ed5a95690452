# Three panels side by side under one key; a dot with bars is the median and its interval.
load plots.'/common/key_height.gp'
height = strip + 300
load begin
set multiplot
set tmargin at screen 1 - real(strip) / height
set bmargin at screen bottom + 60.0 / height
set yrange [0:1]
set grid xtics ytics linestyle 100
set border 3
set tics font small
unset key
key_points = 1
load plots.'/common/key.gp'
panel_width = (width - 58.0) / 3
do for [p = 1:3] {
    set lmargin at screen (58.0 + (p - 1) * panel_width) / width
    set rmargin at screen (58.0 + p * panel_width - 26) / width
    set xlabel panels_title[p] offset 0, 0.2
    if (p == 1) {
        set ylabel 'share of values at or below' offset 1.2, 0
    } else {
        # Once is enough for what stands outside the panels.
        unset ylabel
        unset arrow
        unset label
        set format y ''
    }
    span = panels_high[p] - panels_low[p]
    if (span <= 0) { span = 0.1 * panels_low[p] + 0.001 }
    set xrange [panels_low[p] - 0.06 * span:panels_high[p] + 0.06 * span]
    set xtics round_step(span, 4)
    if (panels_n[p] == 0) { set label 1 'no value' at graph 0.5, 0.5 center tc rgb '#808080' } else { unset label 1 }
    plot for [i = 1:rows_rows] ecdf using ($1 == p && $2 == i ? $3 : NaN):4 \
        with steps lw 1.8 dt dash(i) lc rgb colour(i), \
        for [i = 1:rows_rows] medians using ($1 == p && $2 == i ? $3 : NaN):(0.5):4:5 \
            with xerrorbars pt point(i) ps 0.8 lw 1.2 lc rgb colour(i)
}
unset multiplot
