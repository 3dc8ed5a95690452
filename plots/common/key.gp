# A key of runs above the plot, for figures of lines: a piece of each run's line and its label. Expects the block
# rows (run, label) and common/key_height.gp before begin.gp. gnuplot's own key cannot span panels.
do for [i = 1:rows_rows] {
    key_x = 14 + ((i - 1) % key_columns) * key_step
    key_y = 14 + 18 * ((i - 1) / key_columns)
    set arrow 7000 + i from screen key_x / width, screen 1 - real(key_y) / height \
        to screen (key_x + 34) / width, screen 1 - real(key_y) / height nohead lw 2 dt dash(i) lc rgb colour(i)
    if (key_points) {
        set label 7500 + i '' at screen (key_x + 17) / width, screen 1 - real(key_y) / height \
            point pt point(i) ps 0.8 lc rgb colour(i)
    }
    set label 7000 + i rows_label[i] at screen (key_x + 42) / width, screen 1 - real(key_y) / height left font small
}
