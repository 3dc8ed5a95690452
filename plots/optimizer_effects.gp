# A forest plot: right of the line is faster. Ratios on a logarithmic axis, where ×2 and ×0.5 lie equally far.
height = 96 + 22 * (frame_last[1] + 1)
load begin
named = 40 + 7.4 * effects_chars
titled = 24 + 6.4 * groups_chars
set lmargin at screen (named > titled ? named : titled) / width
set rmargin at screen 1 - 150.0 / width
set tmargin at screen 1 - 30.0 / height
set bmargin at screen bottom + 60.0 / height
set key at screen 0.5, \
    screen 1 - 4.0 / height center top horizontal Left reverse maxrows 1 samplen 2 spacing 1.1 font small
set logscale x
low = frame_low[1] < 0.95 ? frame_low[1] : 0.95
high = frame_high[1] > 1.05 ? frame_high[1] : 1.05
set xrange [low / 1.02:high * 1.02]
set yrange [frame_last[1] + 0.8:0.2]
set xtics font small
# Round steps, named one by one: a logarithmic axis would offer decades.
step = round_step(high - low, 6)
set xtics ('×1' 1)
do for [k = ceil(low / step):floor(high / step)] { set xtics add (sprintf('×%.3g', k * step) k * step) }
unset ytics
set border 1
set grid xtics linestyle 100
set xlabel 'speed-up (more than ×1 is faster), 95 % interval' offset 0, 0.3
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead ls 101
do for [i = 1:effects_rows] { set label i effects_label[i] at graph 0, first effects_row[i] right \
    offset character -1, 0 }
do for [i = 1:groups_rows] {
    set label 1000 + i groups_label[i] at screen 10.0 / width, first groups_row[i] left font small tc rgb '#606060'
}
do for [i = 1:effects_rows] {
    set label 2000 + i ''.(effects_low[i] == effects_low[i] ? sprintf('×%.2f [%.2f, %.2f]', effects_ratio[i], \
        effects_low[i], effects_high[i]) : \
        sprintf('×%.2f', effects_ratio[i])) at graph 1, first effects_row[i] left offset character 1, 0 font small
}
plot effects using 2:($1 - 0.13):3:4 \
    with xerrorbars pt 7 ps 0.9 lw 1.6 lc rgb '#1f4e79' title 'main effect, averaged over the others', \
    shares using 2:($1 + 0.2):3:4 with xerrorbars pt 4 ps 0.8 lw 1.2 lc rgb '#b06a00' title 'Shapley share'
