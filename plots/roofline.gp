# Hollow: the first run; filled: the last. Area grows with the share of the time; operations under 0.2 % of it are left
# out.
key_rows = (series_rows + 3) / 4
strip = 18 * key_rows + 34
height = strip + 440
load begin
set lmargin at screen 74.0 / width
set rmargin at screen 1 - 24.0 / width
set tmargin at screen 1 - real(strip) / height
set bmargin at screen bottom + 64.0 / height
set key at screen 0.5, \
    screen 1 - 22.0 / height center top horizontal Left reverse maxcols 4 samplen 1 spacing 1.1 font small
set label 8000 ''.(frame_first_label[1] eq frame_last_label[1] ? 'filled: '.frame_first_label[1] : \
    'hollow: '.frame_first_label[1].'     filled: '.frame_last_label[1]) at screen 0.5, \
        screen 1 - 12.0 / height center font small
set logscale xy
set grid xtics ytics linestyle 100
set border 3
set tics font small
set format '%g'
set xlabel 'arithmetic intensity, flop/byte' offset 0, 0.3
set ylabel 'rate, GFLOP/s' offset 1.5, 0

# Where the machine's limits were never measured there is one of each that is not drawn.
if (slopes_rows == 0) { array slopes_rate[1] = [NaN] }
if (flats_rows == 0) { array flats_rate[1] = [NaN] }
roof = frame_top[1]
if (flats_rows > 0) { if (flats_rate[1] > roof) { roof = flats_rate[1] } }
x_low = frame_left[1] / 4
x_high = frame_right[1] * 6
if (slopes_rows > 0) { if (roof / slopes_rate[1] * 4 > x_high) { x_high = roof / slopes_rate[1] * 4 } }
y_low = frame_bottom[1] / 3
y_high = roof * 2
set xrange [x_low:x_high]
set yrange [y_low:y_high]

# Screen pixels of a point, for what must not overlap.
frame_width = width - 98.0
frame_height = (1 - bottom) * height - strip - 64.0
across(x) = frame_width * log10(x / x_low) / log10(x_high / x_low)
up(y) = frame_height * log10(y / y_low) / log10(y_high / y_low)
from_across(p) = x_low * 10 ** (p / frame_width * log10(x_high / x_low))
lifted(y, p) = y * 10 ** (p / frame_height * log10(y_high / y_low))

# A slope is named where it enters the frame, along it.
angle = atan2(frame_height / log10(y_high / y_low), frame_width / log10(x_high / x_low)) * 180 / pi
start(rate) = from_across(16 + across(rate * x_low > y_low ? x_low : y_low / rate))
do for [i = 1:slopes_rows] {
    set label 100 + i slopes_text[i] at start(slopes_rate[i]), lifted(start(slopes_rate[i]) * slopes_rate[i], 12) \
        rotate by angle left font small tc rgb '#505050'
}
# A flat is named under its left end, where an operation would be faster than memory; where another flat is close
# below, above it.
flat_start(rate) = slopes_rows > 0 && rate / slopes_rate[slopes_rows] > x_low ? rate / slopes_rate[slopes_rows] : x_low
do for [i = 1:flats_rows] {
    is_crowded = i < flats_rows ? up(flats_rate[i]) - up(flats_rate[i + 1]) < 20 : 0
    set label 200 + i flats_text[i] at from_across(across(flat_start(flats_rate[i])) + (is_crowded ? 36 : 14)), \
        first lifted(flats_rate[i], is_crowded ? 10 : -10) left font small tc rgb '#505050'
}
roofed(x, i) = slopes_rate[i] * x <= roof ? slopes_rate[i] * x : NaN
# A name stands right of its point, else left of it, else nowhere: whatever does not hit one already placed.
array taken_left[64]
array taken_right[64]
array taken_height[64]
taken = flats_rows
hits = 0
do for [i = 1:flats_rows] {
    taken_left[i] = across(flat_start(flats_rate[i]))
    taken_right[i] = taken_left[i] + 36 + 6.6 * strlen(flats_text[i])
    taken_height[i] = up(flats_rate[i])
}
do for [i = 1:names_rows] {
    is_placed = 0
    do for [side = 0:1] {
        from = across(names_intensity[i]) + (side ? -12 - 6.6 * strlen(names_text[i]) : 12)
        to = from + 6.6 * strlen(names_text[i])
        hits = from < 0 || to > frame_width
        do for [k = 1:taken] {
            if (from < taken_right[k] && to > taken_left[k] && \
                abs(up(names_rate[i]) - taken_height[k]) < 15) { hits = 1 }
        }
        if (!hits && !is_placed) {
            is_placed = 1
            taken = taken + 1
            taken_left[taken] = from
            taken_right[taken] = to
            taken_height[taken] = up(names_rate[i])
            set label 300 + i names_text[i] at from_across(from), first names_rate[i] left font small front
        }
    }
}
hollow(i) = int(word('6 4 8 12 10 14', 1 + (int(i) - 1) % 6))
set samples 400
plot for [i = 1:slopes_rows] roofed(x, i) with lines lw 1.6 dt i lc rgb '#505050' notitle, \
    for [i = 1:flats_rows] (x < flat_start(flats_rate[i]) ? NaN : flats_rate[i]) \
        with lines lw 1.6 dt 1 + i lc rgb '#505050' notitle, \
    for [i = 1:series_rows] points using ($1 == i && $2 == 0 ? $3 : NaN):4:(0.5 + 2.2 * sqrt($5)) \
        with points pt (frame_first_label[1] eq frame_last_label[1] ? hollow(i) + 1 : \
            hollow(i)) ps variable lw 1.6 lc rgb colour(i) notitle, \
    for [i = 1:series_rows] points using ($1 == i && $2 == 1 ? $3 : NaN):4:(0.5 + 2.2 * sqrt($5)) \
        with points pt hollow(i) + 1 ps variable lc rgb colour(i) notitle, \
    for [i = 1:series_rows] NaN with points pt hollow(i) + 1 ps 1.2 lc rgb colour(i) title series_name[i]
