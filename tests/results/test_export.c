/* Tables, raw samples and the trace, to the letter where scripts rely on them. */
#include "check_main.h"

#include "fixture.h"
#include "results/document/document.h"
#include "results/export/export.h"
#include "results/export/human.h"

static char *path;
static struct store *store;

static void setup(void) {
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
    fixture_fill(store);
}

static void teardown(void) {
    store_close(store);
    fixture_remove(path);
}

static char *exported(json_t *d, enum export_format format) {
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    FIXTURE_OK(export_document(d, format, f, e));
    fclose(f);
    return text;
}

static json_t *run_document(int i) {
    json_t *d = NULL;
    struct id run = fixture_id(fixture_runs[i]);
    FIXTURE_OK(document_run(store, &run, &d, e));
    return d;
}

static json_t *experiment_document(void) {
    json_t *d = NULL;
    struct id x = fixture_id(fixture_experiment);
    FIXTURE_OK(document_experiment(store, &x, 0, &d, e));
    return d;
}

#define EXPECT_LINE(text, line) ck_assert_msg(strstr(text, line) != NULL, "no line '%s' in\n%s", line, text)

START_TEST(formats) {
    enum export_format f;
    FIXTURE_OK(export_format_parse("trace", &f, e));
    ck_assert_int_eq(f, EXPORT_TRACE);
    struct error e = {0};
    ck_assert_int_eq(export_format_parse("xml", &f, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "csv, json, jsonl, md or trace") != NULL, "%s", e.text);
}
END_TEST

START_TEST(json_and_lines) {
    setup();
    json_t *d = run_document(1);
    char *json = exported(d, EXPORT_JSON), *line = exported(d, EXPORT_JSONL);
    json_t *a = json_loads(json, 0, NULL), *b = json_loads(line, 0, NULL);
    ck_assert(a && b && json_equal(a, b)); /* both round to 15 digits */
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    free(json);
    free(line);
    json_decref(a);
    json_decref(b);
    json_decref(d);
    FIXTURE_OK(document_run_list(store, 0, &d, e));
    line = exported(d, EXPORT_JSONL);
    int lines = 0;
    for (char *p = line; *p; p++) lines += *p == '\n';
    ck_assert_int_eq(lines, 4);
    free(line);
    struct error e = {0};
    ck_assert_int_eq(export_document(d, EXPORT_TRACE, stdout, &e), STATUS_INPUT);
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(csv) {
    setup();
    json_t *d = run_document(3);
    char *text = exported(d, EXPORT_CSV);
    EXPECT_LINE(
        text,
        "run,label,model,dtype,backend,state,is_synthetic,truncated_layers,metric,unit,median,low,high,p90,p99,samples,"
        "processes,interval_of,fidelity,is_past_bound\r\n");
    EXPECT_LINE(text, "\r\nb2b2c3c3000000000000000000000003,attention+fusion,tiny,bf16,null,noisy,true,2,peak_bytes,"
                      "bytes,700000000.0,,,,,"
                      "1,1,samples,reordered,false\r\n");
    EXPECT_LINE(text, "\r\nb2b2c3c3000000000000000000000003,attention+fusion,tiny,bf16,null,noisy,true,2,nll,"
                      "nats/token,5.5,,,,,99,,,reordered,false\r\n");
    free(text);
    json_decref(d);
    d = experiment_document();
    text = exported(d, EXPORT_CSV);
    EXPECT_LINE(text, "a0a0a0a0000000000000000000000000,plain,tiny,bf16,null,ok,true,2,itl_ns,ns,6000000.0,6000000.0,"
                      "6000000.0,7000000.0,,18,3,"
                      "processes,,,,,,reordered,false,\r\n");
    EXPECT_LINE(text, "7000000.0,,18,3,processes,equivalent,1.0,1.0,1.0,0.01,reordered,false,\r\n");
    EXPECT_LINE(text, ",attention+fusion,tiny,bf16,null,noisy,true,2,nll,nats/token,5.5,,,,,99,,,,,,,,reordered,false,3.0\r\n");
    free(text);
    json_decref(d);
    d = json_pack("{s:s,s:[{s:s,s:s,s:n,s:b},{s:s,s:s,s:i,s:b}]}", "format", "assay-runs", "runs", "id", "a,b",
                  "reason", "he said \"no\"\n", "n", "x", 1, "id", "plain", "reason", "", "n", 3, "x", 0);
    text = exported(d, EXPORT_CSV);
    ck_assert_str_eq(text, "id,reason,n,x\r\n\"a,b\",\"he said \"\"no\"\"\n\",,true\r\nplain,,3,false\r\n");
    free(text);
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(samples) {
    setup();
    struct id run = fixture_id(fixture_runs[0]);
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    FIXTURE_OK(export_samples(store, &run, f, e));
    fclose(f);
    EXPECT_LINE(text, "run,label,block,phase,sample,metric,position,value\r\n");
    EXPECT_LINE(text, "\r\na0a0a0a0000000000000000000000000,plain,0,timed,0,e2e_ns,0,99997500\r\n");
    EXPECT_LINE(text, "\r\na0a0a0a0000000000000000000000000,plain,2,timed,5,itl_ns,1048577,6000000\r\n");
    EXPECT_LINE(text, "\r\na0a0a0a0000000000000000000000000,plain,2,timed,5,unknown_ns,0,\r\n");
    free(text);
    teardown();
}
END_TEST

START_TEST(markdown_of_a_run) {
    setup();
    json_t *d = run_document(3);
    char *text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "# llm: tiny, attention+fusion\n");
    EXPECT_LINE(text, "| metric (synthetic weights, cut to 2 layers) | median | 95 % interval | of | p90 | p99 | "
                      "samples | processes |\n|---|---:|");
    EXPECT_LINE(text, "| e2e_ns | 40.00 ms | 39.01 – 40.99 ms | processes | 40.40 ms | – | 18 | 3 |\n");
    EXPECT_LINE(text, "| peak_bytes | 700.0 MB | – | samples | – | – | 1 | 1 |\n");
    EXPECT_LINE(text, "| team of 2 (synthetic weights, cut to 2 layers) | time | share | linear | attention | "
                      "idle:dispatch | residual |\n");
    EXPECT_LINE(text, "| decode | 24.00 ms | 60.0 % | 20.00 ms | 4.000 ms | – | – |\n");
    EXPECT_LINE(text, "| (no stage) | 4.000 ms | 10.0 % | – | – | 2.400 ms | 1.600 ms |\n");
    EXPECT_LINE(text, "| decode linear | 20.00 ms | 50.0 % | 1.000 GFLOP | – | 80.0 % | read 96 MB |\n");
    EXPECT_LINE(text, "| fusion | NO-OP | – |\n");
    EXPECT_LINE(text, "| reordered | yes | 1.00e-06 | 9.00e-07 | 1.80e-06 | 64 positions |\n");
    EXPECT_LINE(text, "| nll | 5.500 | nats/token | 99 |\n");
    EXPECT_LINE(text, "> Hello | world\n");
    EXPECT_LINE(text, "- warning: steal 3 %\n");
    free(text);
    json_decref(d);
    teardown();
}
END_TEST

/* A lossy run past its bound keeps its state and times; where a speed-up would stand, the reason does, in every format. */
START_TEST(past_its_bound) {
    setup();
    fixture_past_bound(store, 1);
    json_t *d = run_document(1);
    char *text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "| state | ok |");
    EXPECT_LINE(text, "| lossy | past its bound | 0.5000 | 0.01000 | 0.4000 | 64 positions |");
    free(text);
    json_decref(d);
    d = experiment_document();
    text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "| ok | 80.00 ms | past its bound | – | – | lossy (error 0.5000, past its bound 0.4000) | "
                      "nll 3.500 nats/token (+1) |");
    free(text);
    text = exported(d, EXPORT_CSV);
    EXPECT_LINE(text, ",attention,tiny,bf16,null,ok,true,2,e2e_ns,ns,80000000.0,");
    EXPECT_LINE(text, "18,3,processes,,,,,,lossy,true,\r\n"); /* no verdict, no ratio */
    free(text);
    json_decref(d);
    teardown();
}
END_TEST

/* Every line of a table begins and ends with a bar and has as many cells as its header; none shows a bare 0. */
static void check_tables(const char *text) {
    int bars = 0;
    char *copy = mem_copy_string(text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (line[0] != '|') {
            bars = 0;
            continue;
        }
        int n = 0;
        for (char *p = line; *p; p++) n += *p == '|' && (p == line || p[-1] != '\\');
        if (bars == 0) bars = n;
        ck_assert_msg(n == bars && line[strlen(line) - 1] == '|', "%s", line);
        ck_assert_msg(!strstr(line, "| 0 |") && !strstr(line, "|  |"), "%s", line);
    }
    mem_free(copy);
}

START_TEST(markdown_of_an_experiment) {
    setup();
    json_t *d = experiment_document();
    char *text = exported(d, EXPORT_MD);
    check_tables(text);
    EXPECT_LINE(text, "# llm: made up, design full, 3 blocks (experiment e0e0e0e00000)\n");
    EXPECT_LINE(text, "| attention (synthetic weights, cut to 2 layers) | ok | 80.00 ms | 1.250× | 1.250 – 1.250 | "
                      "faster | reordered (error 1.00e-06) | nll 3.500 nats/token (+1) | 20.00 ms |");
    EXPECT_LINE(text, "| ok | 50.00 ms | not engaged | – | – |"); /* no speed-up without a receipt */
    EXPECT_LINE(text, "| reordered (error 1.00e-06) | nll 3.500 nats/token (+1) |");
    EXPECT_LINE(text, "| e2e_ns batch=8 | attention | 1.250× (1.250 – 1.250) | 1.250× (1.250 – 1.250) | 1.250× (1.250 "
                      "– 1.250) | 1.250× (1.250 – 1.250) |\n");
    EXPECT_LINE(text, "| e2e_ns batch=8 | fusion=norm | not engaged | not engaged | not engaged | not engaged |\n");
    free(text);
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(markdown_of_a_comparison_and_lists) {
    setup();
    json_t *d;
    enum verdict_kind kind;
    struct id a = fixture_id(fixture_runs[0]), b = fixture_id(fixture_runs[2]);
    FIXTURE_OK(document_compare(store, &a, &b, &(struct compare_options){0}, &kind, &d, e));
    char *text = exported(d, EXPORT_MD);
    check_tables(text);
    EXPECT_LINE(text, "# B is faster: e2e_ns 0.500× (0.500 – 0.500");
    EXPECT_LINE(text, "| e2e_ns | 100.0 ms | 50.00 ms | 0.500× |");
    EXPECT_LINE(text, "| metric (synthetic weights, cut to 2 layers) |");
    EXPECT_LINE(text, "- warning: run b2b2b2b20000: fusion is NO-OP");
    EXPECT_LINE(text, "| nll 4.500 nats/token (+2) |");
    free(text);
    text = exported(d, EXPORT_CSV);
    EXPECT_LINE(text, "a,b,metric,unit,a_median,b_median,verdict,ratio,low,high,detectable,pairing,blocks,reason,delta\r\n");
    EXPECT_LINE(text, ",nll,nats/token,2.5,4.5,,,,,,,,,2.0\r\n");
    free(text);
    json_decref(d);
    FIXTURE_OK(document_run_list(store, 0, &d, e));
    text = exported(d, EXPORT_MD);
    check_tables(text);
    EXPECT_LINE(text, "| b2b2c3c30000 | 1970-01-01T00:00:00Z | llm | tiny (synthetic weights, cut to 2 layers) | "
                      "attention+fusion | bf16 | noisy | 18 | made up |");
    free(text);
    json_decref(d);
    FIXTURE_OK(document_experiment_list(store, 0, &d, e));
    text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "| e0e0e0e00000 | 1970-01-01T00:00:00Z | llm | made up | full | 4 | 4 | 3 |");
    free(text);
    json_decref(d);
    const struct ceiling_record items[] = {{"read", "", "streams", 2, 96e6, 20.5e9, 20e9, 21e9},
                                           {"matrix", "bf16", NULL, 2, NAN, 1.5e12, NAN, NAN}};
    d = document_ceilings(&(struct ceiling_set){0, NAN, items, 2});
    text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "| read | 2 | 96.00 MB | 20.50 GB/s | 20.00 – 21.00 GB/s | streams |");
    EXPECT_LINE(text, "| matrix bf16 | 2 | – | 1.500 TFLOP/s | – | – |");
    free(text);
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(a_bar_in_a_cell_does_no_harm) {
    json_t *d = json_pack("{s:s,s:[{s:s,s:s}]}", "format", "assay-runs", "runs", "id", "a", "label", "x|y\nz");
    char *text = exported(d, EXPORT_MD);
    EXPECT_LINE(text, "| x\\|y z |");
    check_tables(text);
    free(text);
    json_decref(d);
}
END_TEST

START_TEST(trace) {
    setup();
    struct id run = fixture_id(fixture_runs[0]);
    const struct span_record spans[] = {
        {"linear", "linear", "prefill", 0, 0, 0, 1000, 500},    {"linear", "linear", "prefill", 0, 1, 0, 1001, 700},
        {"soft \"max\"", "attention", "decode", 0, 0, 1, 1600, 300}, {"wait", "idle:dispatch", NULL, 0, 0, 1, 1900, 5},
        {"linear", "linear", "decode", 0, 0, 1, 1905, 95}};
    struct error e = {0};
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    ck_assert_int_eq(export_trace(store, &run, f, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "kept no spans") != NULL, "%s", e.text);
    fclose(f);
    free(text);
    FIXTURE_OK(store_spans(store, &run, spans, 5, e));
    f = open_memstream(&text, &n);
    FIXTURE_OK(export_trace(store, &run, f, e));
    fclose(f);
    json_t *d = json_loads(text, 0, NULL), *events = json_object_get(d, "traceEvents"), *x;
    ck_assert(json_is_array(events));
    size_t i, n_lanes = 0, n_stages = 0, n_spans = 0;
    json_array_foreach(events, i, x) {
        const char *ph = json_string_value(json_object_get(x, "ph"));
        if (strcmp(ph, "M") == 0) n_lanes += strcmp(json_string_value(json_object_get(x, "name")), "thread_name") == 0;
        else if (json_integer_value(json_object_get(x, "tid")) == 0) n_stages++;
        else n_spans++;
    }
    ck_assert(n_lanes == 3 && n_stages == 2 && n_spans == 5);
    EXPECT_LINE(text, "{\"ph\":\"X\",\"name\":\"linear\",\"cat\":\"linear\",\"ts\":1.001,\"dur\":0.700,\"pid\":0,"
                      "\"tid\":2,\"args\":{\"step\":0,\"stage\":\"prefill\"}}");
    EXPECT_LINE(text,
                "\"name\":\"prefill\",\"ts\":1.000,\"dur\":0.600,\"pid\":0,\"tid\":0"); /* cut where decode begins */
    EXPECT_LINE(text,
                "\"name\":\"decode\",\"ts\":1.600,\"dur\":0.400,\"pid\":0,\"tid\":0"); /* idle pieces do not part it */
    EXPECT_LINE(text, "\"name\":\"soft \\\"max\\\"\"");
    EXPECT_LINE(text, "\"args\":{\"name\":\"lane 1\"}");
    json_decref(d);
    free(text);
    teardown();
}
END_TEST

START_TEST(units_for_people) {
    ck_assert_str_eq(human_value(999, "ns").text, "999.0 ns");
    ck_assert_str_eq(human_value(1234567, "ns").text, "1.235 ms");
    ck_assert_str_eq(human_value(83.5e9, "bytes/s").text, "83.50 GB/s");
    ck_assert_str_eq(human_value(12345, "tokens/s").text, "12345 tokens/s");
    ck_assert_str_eq(human_value(0, "bytes").text, "0 B");
    ck_assert_str_eq(human_value(NAN, "ns").text, "–");
    ck_assert_str_eq(human_interval(900, 1100, 1000, "ns").text, "0.900 – 1.100 µs");
    ck_assert_str_eq(human_interval(900, NAN, 1000, "ns").text, "–");
    ck_assert_str_eq(human_percent(0.1234).text, "12.3 %");
    ck_assert_str_eq(human_percent(NAN).text, "–");
    ck_assert_str_eq(human_factor(1.25).text, "1.250×");
}
END_TEST

TEST_MAIN("results.export", formats, json_and_lines, csv, samples, markdown_of_a_run, past_its_bound, markdown_of_an_experiment,
          markdown_of_a_comparison_and_lists, a_bar_in_a_cell_does_no_harm, trace, units_for_people)
