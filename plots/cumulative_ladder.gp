# Each bar is a measured cell; the ratio is against the plain form, not the bar above.
height = 30 + 34 * steps_rows + 68
load begin
set lmargin at screen (24 + 7.4 * (steps_chars > 6 ? steps_chars : 6)) / width
set rmargin at screen 1 - 160.0 / width
set tmargin at screen 1 - 12.0 / height
set bmargin at screen bottom + 60.0 / height
unset key
stats steps using 5 nooutput
far = STATS_records > 0 ? STATS_max : 1
stats steps using 3 nooutput
if (STATS_max > far) { far = STATS_max }
set xrange [0:far * 1.03]
set yrange [steps_rows + 0.6:0.4]
set border 1
unset ytics
set xtics font small
set grid xtics linestyle 100
set xlabel 'end-to-end time of a request, ms: median and 95 % interval' offset 0, 0.3
do for [i = 1:steps_rows] {
    set label i steps_label[i] at graph 0, first i right offset character -0.8, 0
    set label 100 + i ''.(i == 1 ? 'reference' : steps_ratio_low[i] == steps_ratio_low[i] ? \
        sprintf('×%.2f [%.2f, %.2f]', steps_ratio[i], steps_ratio_low[i], steps_ratio_high[i]) : sprintf('×%.2f', \
            steps_ratio[i])) \
        at graph 1, first i left offset character 1, 0 font small
}
shade(i) = i == 1 ? 0x808080 : 0x8fc1e3
plot steps using 3:1:(0):3:($1 - 0.32):($1 + 0.32):(shade($1)) \
    with boxxyerror fillstyle solid 1 border lc rgb '#404040' lc rgb variable notitle, \
    steps using 3:1:4:5 with xerrorbars pt 7 ps 0.5 lw 1.5 lc rgb '#000000' notitle
