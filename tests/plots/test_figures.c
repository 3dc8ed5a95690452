/* Every figure in every format, from stores that hold much, little and hostile text. */
#include "check_main.h"
#include "plots/fixture.c"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/plot/plot.h"
#include "kernels/base/file.h"

static const char *const formats[] = {"svg", "png", "pdf"};
static const char *const all[] = {"category_breakdown", "crossing", "cumulative_ladder", "interaction_matrix",
    "latency_distribution",
                                  "optimizer_effects", "quality", "roofline", "stage_breakdown", "token_timeline"};
enum { N_FIGURES = sizeof all / sizeof *all };

static char folder[] = "/tmp/assay-test-XXXXXX";

static char *make_store(const char *name, struct fixture_options o) {
    struct error e = {0};
    char *path = mem_printf("%s/%s.db", folder, name);
    ck_assert_msg(fixture_write(path, &o, &e) == STATUS_OK, "%s", e.text);
    return path;
}

static char *read_whole(const char *path) {
    char *text;
    size_t length;
    struct error e = {0};
    ck_assert_msg(file_read(path, 1 << 26, &text, &length, &e) == STATUS_OK, "%s", e.text);
    return text;
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static enum status draw(const char *store, const char *figure, const char *format, struct error *e) {
    char *output = mem_printf("%s/out.%s", folder, format);
    unlink(output);
    *e = (struct error){0};
    struct plot_request r = {.store = store, .figure = figure, .output = output,
        .data_folder = ASSAY_SOURCE_DIR "/plots"};
    enum status status = plot_figure(&r, e);
    if (status == STATUS_OK) {
        char *bytes = read_whole(output);
        const char *start = format[0] == 's' ? "<?xml" : format[1] == 'n' ? "\x89PNG" : "%PDF";
        ck_assert_msg(strncmp(bytes, start, strlen(start)) == 0, "%s is no %s", figure, format);
        mem_free(bytes);
    } else {
        ck_assert_int_eq(file_exists(output), 0);
    }
    mem_free(output);
    return status;
}

/* But the figure of sparse weights, which has a store of its own. */
static void draw_all(const char *store) {
    struct error e;
    for (int i = 0; i < N_FIGURES; i++)
        for (int k = 0; k < 3 && strcmp(all[i], "crossing") != 0; k++)
            ck_assert_msg(draw(store, all[i], formats[k], &e) == STATUS_OK, "%s.%s: %s", all[i], formats[k], e.text);
}

START_TEST(lists_what_the_folder_holds) {
    struct figure_list l;
    struct error e = {0};
    ck_assert_int_eq(plot_list(ASSAY_SOURCE_DIR "/plots", &l, &e), STATUS_OK);
    ck_assert_int_eq(l.count, N_FIGURES);
    for (int i = 0; i < l.count; i++) {
        ck_assert_str_eq(l.items[i].name, all[i]);
        ck_assert_uint_gt(strlen(l.items[i].summary), 20);
        char *gp = mem_printf(ASSAY_SOURCE_DIR "/plots/%s.gp", l.items[i].name);
        ck_assert_int_eq(file_exists(gp), 1);
        mem_free(gp);
    }
    plot_list_free(&l);
}
END_TEST

START_TEST(draws_two_factors) {
    char *store = make_store("two", (struct fixture_options){.n_factors = 2});
    draw_all(store);
    mem_free(store);
}
END_TEST

START_TEST(draws_sixteen_cells) {
    char *store = make_store("four", (struct fixture_options){.n_factors = 4, .is_synthetic = 1});
    draw_all(store);
    mem_free(store);
}
END_TEST

/* One run has no effects; an axis makes each effect twice. */
START_TEST(draws_one_run_and_axes) {
    struct error e;
    char *store = make_store("one", (struct fixture_options){.n_factors = 0});
    ck_assert_msg(draw(store, "stage_breakdown", "svg", &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(draw(store, "roofline", "svg", &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(draw(store, "token_timeline", "svg", &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(draw(store, "optimizer_effects", "svg", &e), STATUS_INPUT);
    ck_assert_int_eq(draw(store, "cumulative_ladder", "svg", &e), STATUS_INPUT);
    mem_free(store);
    store = make_store("axes", (struct fixture_options){.n_factors = 2, .has_axis = 1});
    draw_all(store);
    mem_free(store);
}
END_TEST

/* A cell without values, and a store without a profiled pass: gaps, or a refusal that says why. */
START_TEST(shows_gaps) {
    struct error e;
    char *store = make_store("gap", (struct fixture_options){.n_factors = 2, .has_gap = 1});
    ck_assert_msg(draw(store, "stage_breakdown", "svg", &e) == STATUS_OK, "%s", e.text);
    char *output = mem_printf("%s/out.svg", folder), *svg = read_whole(output);
    ck_assert_ptr_nonnull(strstr(svg, "fusion (skipped)"));
    mem_free(svg);
    mem_free(output);
    mem_free(store);
    store = make_store("bare", (struct fixture_options){.n_factors = 1, .is_bare = 1});
    ck_assert_int_eq(draw(store, "stage_breakdown", "svg", &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "no selected run has a profiled pass"));
    ck_assert_int_eq(draw(store, "interaction_matrix", "svg", &e), STATUS_INPUT);
    ck_assert_int_eq(draw(store, "roofline", "svg", &e), STATUS_INPUT);
    ck_assert_msg(draw(store, "latency_distribution", "svg", &e) == STATUS_OK, "%s", e.text);
    mem_free(store);
}
END_TEST

/* Labels reach gnuplot as data: no shell, no markup. */
START_TEST(survives_hostile_labels) {
    char *store = make_store("hostile", (struct fixture_options){.n_factors = 2, .is_hostile = 1});
    char here[4096];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(folder), 0);
    draw_all(store);
    ck_assert_int_eq(file_exists("x"), 0);
    struct error e;
    ck_assert_int_eq(draw(store, "stage_breakdown", "svg", &e), STATUS_OK);
    char *svg = read_whole("out.svg");
    ck_assert_ptr_null(strstr(svg, "<b>"));
    mem_free(svg);
    ck_assert_int_eq(chdir(here), 0);
    mem_free(store);
}
END_TEST

/* The parts of each bar sum to the timed median, which the dot marks. */
START_TEST(bars_conserve) {
    char *store = make_store("sum", (struct fixture_options){.n_factors = 2});
    char *output = mem_printf("%s/kept.svg", folder);
    struct plot_request r = {.store = store, .figure = "category_breakdown", .output = output, .keep_folder = folder,
                             .data_folder = ASSAY_SOURCE_DIR "/plots"};
    struct error e = {0};
    ck_assert_msg(plot_figure(&r, &e) == STATUS_OK, "%s", e.text);
    double end[4] = {0}, median[4] = {0};
    const char *const files[] = {"bars.dat", "wall.dat"};
    for (int k = 0; k < 2; k++) {
        char line[512], *path = mem_printf("%s/%s", folder, files[k]);
        FILE *f = fopen(path, "r");
        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof line, f)) {
            double a, b, c, d = 0;
            if (line[0] == '#' || sscanf(line, "%lf %lf %lf %lf", &a, &b, &c, &d) != 4) continue;
            ck_assert(a >= 1 && a <= 4);
            if (k == 0 && d > end[(int)a - 1]) end[(int)a - 1] = d;
            if (k == 1) median[(int)a - 1] = b;
        }
        fclose(f);
        mem_free(path);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_double_gt(median[i], 10);
        ck_assert_double_eq_tol(end[i], median[i], 1e-6 * median[i]);
    }
    mem_free(output);
    mem_free(store);
}
END_TEST

/* Rows of a kept data file as numbers, text as NAN; how many. */
static int read_rows(const char *name, double rows[][9], int most) {
    char line[512], *path = mem_printf("%s/%s.dat", folder, name);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    int n = 0;
    while (n < most && fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        char *rest = line, *field;
        for (int k = 0; k < 9 && (field = strsep(&rest, "\t\n")) != NULL; k++) rows[n][k] = *field == '?' || *field == '"' ? NAN : atof(field);
        n++;
    }
    fclose(f);
    mem_free(path);
    return n;
}

static void draw_kept(const char *store, const char *figure) {
    char *output = mem_printf("%s/kept.svg", folder);
    struct plot_request r = {.store = store, .figure = figure, .output = output, .keep_folder = folder, .data_folder = ASSAY_SOURCE_DIR "/plots"};
    struct error e = {0};
    ck_assert_msg(plot_figure(&r, &e) == STATUS_OK, "%s", e.text);
    mem_free(output);
}

/* attention, fusion, quantize in full: points are numbered from the plain form on, the front has no point that another beats, and
 * what is past its bound is drawn but not on it. */
START_TEST(quality_beside_speed) {
    double points[16][9], stairs[16][9];
    for (int is_past = 0; is_past < 2; is_past++) {
        char *store = make_store("quality", (struct fixture_options){.n_factors = 3, .is_past = is_past});
        draw_kept(store, "quality");
        ck_assert_int_eq(read_rows("points", points, 16), 8);
        int n_past = 0, n_front = 0;
        for (int i = 0; i < 8; i++) {
            const double *p = points[i]; /* number series kl ratio low high is_past is_front */
            n_past += p[6] > 0;
            n_front += p[7] > 0;
            ck_assert(p[0] == i + 1 && !(p[6] > 0 && p[7] > 0));
            ck_assert(i == 0 ? p[2] == 0 && p[3] == 1 : p[2] >= points[i - 1][2] && p[4] <= p[3] && p[3] <= p[5]);
            for (int k = 0; k < 8; k++)
                ck_assert(!(p[7] > 0 && points[k][6] == 0 && points[k][2] <= p[2] && points[k][3] > p[3]));
        }
        ck_assert_int_eq(n_past, is_past ? 4 : 0);
        ck_assert_int_eq(n_front, is_past ? 2 : 4);
        ck_assert_int_eq(read_rows("stairs", stairs, 16), n_front + 1);
        mem_free(store);
    }
    struct error e;
    char *store = make_store("none", (struct fixture_options){.n_factors = 1, .is_bare = 1});
    ck_assert_int_eq(draw(store, "quality", "svg", &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "no selected run has both") != NULL, "%s", e.text);
    mem_free(store);
}
END_TEST

/* The crossings that the made-up times imply: at 1/9, below the least share; at 4/12; at 16/24. */
START_TEST(sparse_forms_cross_dense_ones) {
    struct error e = {0};
    double lines[8][9], points[16][9];
    char *store = mem_printf("%s/sparse.db", folder);
    ck_assert_msg(fixture_write_sparse(store, &e) == STATUS_OK, "%s", e.text);
    for (int k = 0; k < 3; k++) ck_assert_msg(draw(store, "crossing", formats[k], &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(draw(store, "quality", "svg", &e) == STATUS_OK, "%s", e.text); /* a front for each number of rows */
    draw_kept(store, "crossing");
    ck_assert_int_eq(read_rows("lines", lines, 8), 3); /* label rows is_prefill share always never */
    ck_assert_int_eq(read_rows("points", points, 16), 12);
    ck_assert(lines[0][1] == 1 && isnan(lines[0][3]) && lines[0][4] == 0.2);
    ck_assert(lines[1][1] == 4 && isnan(lines[1][4]));
    ck_assert_double_eq_tol(lines[1][3], 4.0 / 12, 0.03);
    ck_assert_double_eq_tol(lines[2][3], 16.0 / 24, 0.03);
    mem_free(store);
    store = make_store("dense", (struct fixture_options){.n_factors = 2});
    ck_assert_int_eq(draw(store, "crossing", "svg", &e), STATUS_INPUT);
    mem_free(store);
}
END_TEST

START_TEST(says_what_is_wrong) {
    struct error e;
    char *store = make_store("wrong", (struct fixture_options){.n_factors = 1});
    ck_assert_int_eq(draw(store, "pie", "svg", &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "roofline"));
    ck_assert_int_eq(draw(store, "../plots/roofline", "svg", &e), STATUS_INPUT);
    struct plot_request r = {.store = store, .figure = "roofline", .output = "x.bmp"};
    e = (struct error){0};
    ck_assert_int_eq(plot_figure(&r, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "bmp"));
    const char *const nothing[] = {"ffffffff"};
    r = (struct plot_request){.store = store, .figure = "roofline", .output = "x.svg", .runs = nothing, .n_runs = 1};
    e = (struct error){0};
    ck_assert_int_eq(plot_figure(&r, &e), STATUS_INPUT);
    char *path = mem_copy_string(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    ck_assert_int_eq(draw(store, "stage_breakdown", "svg", &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "gnuplot-nox"));
    setenv("PATH", path, 1);
    mem_free(path);
    mem_free(store);
}
END_TEST

/* Two files are a figure; what is wrong in them is told. */
START_TEST(a_figure_is_two_files) {
    char *store = make_store("new", (struct fixture_options){.n_factors = 1});
    char *plots = mem_printf("%s/plots", folder), *sql = mem_printf("%s/plots/mine.sql", folder);
    char *gp = mem_printf("%s/plots/mine.gp", folder), *output = mem_printf("%s/mine.svg", folder);
    mkdir(plots, 0700);
    write_file(sql, "-- my figure\n-- block: rows\nselect position as row, label, null as gap from selected;\n");
    write_file(gp, "set terminal svg\nset output output\nplot rows using 1:1\n");
    struct plot_request r = {.store = store, .figure = "mine", .output = output, .data_folder = plots,
        .keep_folder = folder};
    struct error e = {0};
    ck_assert_msg(plot_figure(&r, &e) == STATUS_OK, "%s", e.text);
    char *dat = mem_printf("%s/rows.dat", folder), *rows = read_whole(dat);
    ck_assert_str_eq(rows, "# row\tlabel\tgap\n1\t\"plain\"\t?\n2\t\"attention\"\t?\n");
    write_file(gp, "plot nonsense(\n");
    ck_assert_int_eq(plot_figure(&r, &e), STATUS_BACKEND);
    ck_assert_ptr_nonnull(strstr(e.text, "mine"));
    write_file(sql, "-- my figure\n-- block: rows\nselect missing_one from selected;\n");
    e = (struct error){0};
    ck_assert_int_eq(plot_figure(&r, &e), STATUS_STORE);
    ck_assert_msg(strstr(e.text, "no such column: missing_one") != NULL, "%s", e.text);
    mem_free(rows);
    mem_free(dat);
    mem_free(plots);
    mem_free(sql);
    mem_free(gp);
    mem_free(output);
    mem_free(store);
}
END_TEST

/* First of all: a folder to write in, and gnuplot. */
START_TEST(set_up) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    if (system("command -v gnuplot >/dev/null 2>&1") != 0) SKIP_TEST_PROGRAM("gnuplot is not installed (gnuplot-nox)");
}
END_TEST

START_TEST(clean_up) {
    char *command = mem_printf("rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    mem_free(command);
}
END_TEST

TEST_MAIN("plots.figures", set_up, lists_what_the_folder_holds, draws_two_factors, draws_sixteen_cells,
    draws_one_run_and_axes, shows_gaps,
          survives_hostile_labels, bars_conserve, quality_beside_speed, sparse_forms_cross_dense_ones, says_what_is_wrong, a_figure_is_two_files, clean_up)
