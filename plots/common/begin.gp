# Every figure loads this once it has set `height` (and perhaps `width`), in pixels of a screen.
# Terminal, fonts, caption and the one palette, whose lightness alternates so that neighbours differ in greyscale.
if (!exists('width')) { width = 780 }
foot = 16 * caption_rows + 10
height = height + foot
bottom = real(foot) / height

if (format eq 'svg') {
    if (is_inline) {
        set terminal svg size width, height dynamic noenhanced dashlength 0.6 font 'sans-serif,13'
    } else {
        set terminal svg size width, height dynamic noenhanced dashlength 0.6 font 'sans-serif,13' background 'white'
    }
}
if (format eq 'png') {
    set terminal pngcairo size 2 * width, 2 * height noenhanced font 'sans-serif,19' linewidth 2 pointscale 2 \
        dashlength 0.6 background 'white'
}
if (format eq 'pdf') {
    set terminal pdfcairo size width / 96.0, height / 96.0 noenhanced font 'sans-serif,9.5' fontscale 0.8 dashlength 0.7 \
        pointscale 1 linewidth 1.2 background 'white'
}
set output output
small = format eq 'svg' ? 'sans-serif,11' : format eq 'png' ? 'sans-serif,16' : 'sans-serif,8'

set encoding utf8
set datafile separator tab
set datafile missing '?'
set border linewidth 0.8
set tics nomirror out scale 0.6
set style line 100 lc rgb '#d0d0d0' lw 0.6
set style line 101 lc rgb '#808080' lw 1.2 dt 2
do for [i = 1:caption_rows] {
    set label 9000 + i caption_text[i] at screen 10.0 / width, screen (foot - 16.0 * (i - 0.5)) / height \
        left tc rgb '#808080' font small
}

# Of a series' position: colour, dash, point; `ink` reads on the colour.
colours = '1f4e79 f2b134 7d5a94 8fc1e3 8a3b12 c8d96f 2b6e5f e8a0a8 '. \
    '3d3d3d cfcfcf 5a4fcf ffd9a0 004d40 b0bec5 880e4f aed581'
colour(i) = int('0x'.word(colours, 1 + (int(i) - 1) % 16))
ink(i) = int(i) % 2 ? 0xffffff : 0x111111
dash(i) = 1 + (int(i) - 1) % 5
point(i) = int(word('7 4 9 6 5 8 13 12', 1 + (int(i) - 1) % 8))

# A round step (1, 2 or 5 times a power of ten) that makes about n ticks of a span.
magnitude(x) = 10 ** floor(log10(x))
round_up(x) = x <= magnitude(x) ? magnitude(x) : x <= 2 * magnitude(x) ? 2 * magnitude(x) : x <= 5 * magnitude(x) ? \
    5 * magnitude(x) : 10 * magnitude(x)
round_step(span, n) = round_up(real(span) / n)
