# Left is nearer to the plain form, up is faster; the stair is the most speed that each loss of quality can buy. Points have
# numbers, and the table below says whose.
row_height = 18
is_listed = points_rows <= 64
listed = is_listed ? (points_rows + 1) * row_height + 14 : 0
chart = 380
height = 34 + chart + 58 + listed
load begin
table_top = foot + listed
set lmargin at screen 70.0 / width
set rmargin at screen 1 - 24.0 / width
set tmargin at screen 1 - 34.0 / height
set bmargin at screen (table_top + 58.0) / height
unset key
set border 3
set tics font small

# Decades of the divergence; at the left edge what diverges less than all of them.
first_decade = floor(log10(frame_least[1]))
last_decade = log10(frame_most[1] > frame_least[1] ? frame_most[1] : frame_least[1])
edge = first_decade - 0.7
x(kl) = kl >= 10 ** first_decade ? log10(kl) : edge
span = last_decade - edge
left = edge - 0.06 * span
right = last_decade + 0.1 * span
set xrange [left:right]
# The medians set the scale: an interval that is wider than half of their span leaves the frame.
low = frame_bottom[1] < 1 ? frame_bottom[1] : 1
high = frame_top[1] > 1 ? frame_top[1] : 1
reach = high - low > 0.2 ? 0.5 * (high - low) : 0.1
bottom_y = (frame_low[1] > low - reach ? (frame_low[1] < low ? frame_low[1] : low) : low - reach) - 0.1 * reach
top_y = (frame_high[1] < high + reach ? (frame_high[1] > high ? frame_high[1] : high) : high + reach) + 0.2 * reach
set yrange [bottom_y:top_y]
set xtics (sprintf('< %g', 10 ** first_decade) edge)
do for [d = first_decade:floor(right)] { set xtics add (sprintf('%g', 10.0 ** d) d) }
do for [d = first_decade:floor(right)] { do for [k = 2:9] {
    if (d + log10(k) < right) { set xtics add ('' d + log10(k) 1) }
} }
set ytics round_step(top_y - bottom_y, 6) format '×%g'
set grid xtics ytics linestyle 100
set xlabel 'KL divergence from the plain form, nats a token (less is nearer)' offset 0, 0.3
set ylabel 'speed-up, end to end' offset 0.4, 0
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead ls 101
set label 8000 'filled: within its fidelity bound'.(frame_has_past[1] ? '     hollow: past it, no speed-up to count on' : ''). \
    '     line: Pareto front (black in the table)     bars: 99 % interval' at screen 70.0 / width, screen 1 - 14.0 / height left font small

hollow(i) = int(word('6 4 8 12 10 14', 1 + (int(i) - 1) % 6))
shape(series, is_past) = is_past == 1 ? hollow(series) : hollow(series) + 1

# A number stands beside its point where it hits neither a point nor a number: four places are tried.
frame_width = width - 94.0
frame_height = chart
across(v) = frame_width * (v - left) / span_x
up(v) = frame_height * (v - bottom_y) / (top_y - bottom_y)
span_x = right - left
array place_x[256]
array place_y[256]
placed = 0
if (is_listed) {
    do for [i = 1:points_rows] {
        placed = placed + 1
        place_x[placed] = across(x(points_kl[i]))
        place_y[placed] = up(points_ratio[i])
    }
    do for [i = 1:points_rows] {
        best_hits = 99
        do for [side = 1:8] {
            at_x = across(x(points_kl[i])) + int(word('13 -13 13 -13 13 -13 27 -27', side))
            at_y = up(points_ratio[i]) + int(word('0 0 13 13 -13 -13 0 0', side))
            hits = at_x < 4 || at_x > frame_width
            do for [k = 1:placed] {
                if (abs(at_x - place_x[k]) < 14 && abs(at_y - place_y[k]) < 12) { hits = hits + 1 }
            }
            if (hits < best_hits) { best_hits = hits; best_x = at_x; best_y = at_y }
        }
        placed = placed + 1
        place_x[placed] = best_x
        place_y[placed] = best_y
        set label 300 + i sprintf('%d', points_number[i]) at left + best_x / frame_width * span_x, \
            bottom_y + best_y / frame_height * (top_y - bottom_y) center font small front
    }
}

# The table: what each number is, in the same order.
column_x(k) = int(word('24 46 338 474 534 640 702', k))
if (is_listed) {
    row_y(i) = (table_top - 12.0 - row_height * i) / height
    do for [k = 1:6] {
        set label 400 + k word('run speed-up KL nll top-1 cloze', k) at screen column_x(k + 1) / real(width), screen row_y(0) left \
            font small tc rgb '#606060'
    }
    shade(i) = points_is_front[i] ? 0x000000 : 0x606060
    do for [i = 1:points_rows] {
        set label 500 + 10 * i sprintf('%d', points_number[i]) at screen (column_x(1) + 8.0) / width, screen row_y(i) right font small tc rgb shade(i)
        set label 501 + 10 * i '' at screen (column_x(1) + 16.0) / width, screen row_y(i) point \
            pt (points_is_past[i] ? hollow(points_series[i]) : hollow(points_series[i]) + 1) ps 0.8 lc rgb colour(points_series[i])
        set label 502 + 10 * i points_label[i] at screen (column_x(2) + 2.0) / width, screen row_y(i) left font small tc rgb shade(i)
        set label 503 + 10 * i notes_speed[i] at screen column_x(3) / real(width), screen row_y(i) left font small tc rgb shade(i)
        set label 504 + 10 * i notes_kl[i] at screen column_x(4) / real(width), screen row_y(i) left font small tc rgb shade(i)
        set label 505 + 10 * i notes_nll[i] at screen column_x(5) / real(width), screen row_y(i) left font small tc rgb shade(i)
        set label 506 + 10 * i notes_top1[i] at screen column_x(6) / real(width), screen row_y(i) left font small tc rgb shade(i)
        set label 507 + 10 * i notes_cloze[i] at screen column_x(7) / real(width), screen row_y(i) left font small tc rgb shade(i)
    }
}
do for [i = 1:fronts_rows] {
    if (fronts_rows > 1) {
        set label 200 + i fronts_label[i] at last_decade, fronts_ratio[i] right offset 0, character (i % 2 ? 0.6 : -0.6) font small tc rgb '#606060'
    }
}
plot for [i = 1:fronts_rows] stairs using ($1 == i ? x($2) : NaN):3 with steps lw 2.2 dt dash(i) lc rgb '#9a9a9a' notitle, \
    points using (x($3)):4:($5 > bottom_y ? $5 : bottom_y):($6 < top_y ? $6 : top_y):(colour($2)) with yerrorbars pt 0 lw 1.2 lc rgb variable notitle, \
    points using (x($3)):4:(shape($2, $7)):(colour($2)) with points pt variable ps 1.25 lw 1.6 lc rgb variable notitle
