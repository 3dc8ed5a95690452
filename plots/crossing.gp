# Left: each line is a number of rows, and pays where it is above ×1. Right: the same crossings, rows against share; sparse pays
# above the line.
key_rows = lines_rows
strip = 18 * ((lines_rows + 1) / 2) + 30
height = strip + 370
load begin
set multiplot
set tmargin at screen 1 - real(strip) / height
set bmargin at screen bottom + 62.0 / height
set border 3
set tics font small
unset key

# The key, which says each crossing in words.
do for [i = 1:lines_rows] {
    key_x = 14 + ((i - 1) % 2) * 370
    key_y = 14 + 18 * ((i - 1) / 2)
    set arrow 7000 + i from screen key_x / real(width), screen 1 - real(key_y) / height \
        to screen (key_x + 34) / real(width), screen 1 - real(key_y) / height nohead lw 2 dt dash(i) lc rgb colour(i)
    set label 7500 + i '' at screen (key_x + 17) / real(width), screen 1 - real(key_y) / height point pt point(i) ps 0.8 lc rgb colour(i)
    set label 7000 + i lines_label[i] at screen (key_x + 42) / real(width), screen 1 - real(key_y) / height left font small
}

# ---- left: speeds ----
# The medians set the scale: an interval that is much wider leaves the frame.
low = frame_bottom[1] < 0.95 ? frame_bottom[1] : 0.95
high = frame_top[1] > 1.05 ? frame_top[1] : 1.05
reach = (high / low) ** 0.4
if (frame_low[1] < low) { low = frame_low[1] > low / reach ? frame_low[1] : low / reach }
if (frame_high[1] > high) { high = frame_high[1] < high * reach ? frame_high[1] : high * reach }
low = low / 1.06
high = high * 1.06
# Side by side, so that intervals of one share can be told apart.
dodge(i) = 0.45 * (i - 0.5 * (lines_rows + 1))
set lmargin at screen 62.0 / width
set rmargin at screen 452.0 / width
set logscale y
set yrange [low:high]
set ytics ('×1' 1)
do for [step in '0.1 0.2 0.3 0.5 0.7 1.5 2 3 4 5 7 10 15 20'] { set ytics add ('×'.step real(step)) }
pad = frame_right[1] > frame_left[1] ? 0.05 * (frame_right[1] - frame_left[1]) : 0.05
set xrange [100 * (frame_left[1] - pad):100 * (frame_right[1] + pad)]
set xtics round_step(100 * (frame_right[1] - frame_left[1] + 2 * pad), 7) format '%g %%'
set grid xtics ytics linestyle 100
set xlabel 'share of weights that are zero' offset 0, 0.3
set ylabel 'speed: sparse form over best dense form' offset 0.4, 0
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lw 1.4 dt 2 lc rgb '#606060'
plot for [i = 1:lines_rows] knots using ($1 == i ? 100 * $2 + dodge(i) : NaN):3 with lines lw 2 dt dash(i) lc rgb colour(i), \
    for [i = 1:lines_rows] points using ($1 == i ? 100 * $2 + dodge(i) : NaN):3:($4 > low ? $4 : low):($5 < high ? $5 : high) with yerrorbars pt 0 lw 1.2 lc rgb colour(i), \
    for [i = 1:lines_rows] points using ($1 == i && $6 == 0 ? 100 * $2 + dodge(i) : NaN):3 with points pt point(i) ps 0.8 lc rgb colour(i), \
    for [i = 1:lines_rows] points using ($1 == i && $6 == 1 ? 100 * $2 + dodge(i) : NaN):3 with points pt 6 ps 0.9 lw 1.5 lc rgb colour(i), \
    for [i = 1:lines_rows] lines using ($0 == i - 1 ? 100 * $4 : NaN):(1) with points pt 2 ps 1.4 lw 2.4 lc rgb '#000000'

# ---- right: the boundary ----
# What stands outside the panels is there already.
unset arrow
unset label
set lmargin at screen 530.0 / width
set rmargin at screen 1 - 24.0 / width
unset logscale y
set yrange [0:100]
set ytics 20 format '%g %%'
set logscale x 2
set xrange [frame_least_rows[1] / 1.5:frame_most_rows[1] * 1.5]
rows_step = frame_most_rows[1] > 64 * frame_least_rows[1] ? 4 : 2
set xtics rows_step format '%g'
set xlabel 'rows at once' offset 0, 0.3
if (frame_has_beyond[1]) { set label 3 'arrow: beyond the shares measured' at graph 1, graph 1.04 right font small tc rgb '#606060' }
set ylabel 'share of zeros from which sparse pays' offset 0.8, 0
set label 1 'sparse is faster' at graph 0.04, graph 0.95 left font small tc rgb '#606060'
set label 2 'dense is faster' at graph 0.96, graph 0.05 right font small tc rgb '#606060'
set style fill transparent solid 0.18 noborder
plot boundary using ($1 == 0 ? $2 : NaN):3:(100) with filledcurves lc rgb '#8fc1e3', \
    for [k = 0:1] boundary using ($1 == k ? $2 : NaN):3 with lines lw 2 dt 1 + k lc rgb (k ? '#8a3b12' : '#1f4e79'), \
    boundary using 2:3:4 with labels right offset character 0.4, 1.0 font small tc rgb '#606060', \
    for [i = 1:lines_rows] lines using ($0 == i - 1 ? $2 : NaN):(100 * $4) with points pt point(i) ps 1.1 lc rgb colour(i), \
    for [i = 1:lines_rows] lines using ($0 == i - 1 ? $2 : NaN):(100 * $5):(0):(-100 * $5) with vectors nofilled lw 1.6 lc rgb colour(i), \
    for [i = 1:lines_rows] lines using ($0 == i - 1 ? $2 : NaN):(100 * $6):(0):(100 - 100 * $6) with vectors nofilled lw 1.6 lc rgb colour(i)
unset multiplot
