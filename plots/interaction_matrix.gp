# Text carries the numbers; the shade only points: light blue helps, darker orange hurts, white is not told
# from nothing.
side = mains_rows > 6 ? 74 : 96
left_pixels = 30 + 7.4 * (mains_chars > 6 ? mains_chars : 6)
width = left_pixels + side * mains_rows + 40
if (width < 780) { width = 780 }
height = 34 + 0.62 * side * mains_rows + 42
load begin
set lmargin at screen left_pixels / width
set rmargin at screen (left_pixels + side * mains_rows) / width
set tmargin at screen 1 - 34.0 / height
set bmargin at screen bottom + 40.0 / height
set xrange [0.5:mains_rows + 0.5]
set yrange [mains_rows + 0.5:0.5]
unset tics
unset border
unset key
set label 8000 'below: what the speed-up of each is multiplied by while the other is on; '. \
    'diagonal: main effect; 95 % intervals' \
    at screen 10.0 / width, screen 1 - 14.0 / height left font small
do for [i = 1:mains_rows] {
    set label i mains_label[i] at graph 0, first i right offset character -0.8, 0
    set label 50 + i mains_label[i] at first i, graph 0 center offset 0, character -0.9 font small
}
tint(ratio, low, high) = (low > 1) ? 0xd3e6f5 : (high < 1) ? 0xe9ad62 : 0xffffff
text(ratio) = ratio == ratio ? sprintf('×%.3f', ratio) : 'no value'
bounds(low, high) = low == low ? sprintf('%.3f … %.3f', low, high) : ''
plot mains using 1:1:($1 - 0.47):($1 + 0.47):($1 - 0.45):($1 + 0.45) \
    with boxxyerror fillstyle solid 1 border lc rgb '#404040' lc rgb '#e4e4e4' notitle, \
    cells using 2:1:($2 - 0.47):($2 + 0.47):($1 - 0.45):($1 + 0.45):(tint($3, $4, $5)) \
        with boxxyerror fillstyle solid 1 border lc rgb '#404040' lc rgb variable notitle, \
    mains using 1:1:(text($2)) with labels offset 0, 0.5 tc rgb '#111111' notitle, \
    mains using 1:1:(bounds($3, $4)) with labels offset 0, -0.6 font small tc rgb '#333333' notitle, \
    cells using 2:1:(text($3)) with labels offset 0, 0.5 tc rgb '#111111' notitle, \
    cells using 2:1:(bounds($4, $5)) with labels offset 0, -0.6 font small tc rgb '#333333' notitle
