/* page.c: nothing reaches the page unescaped but what this file and gnuplot wrote. */
#include <string.h>

#include "harness/report/page.h"

void page_escape(struct text *out, const char *s) {
    for (; *s; s++) {
        switch (*s) {
        case '<': text_append(out, "&lt;"); break;
        case '>': text_append(out, "&gt;"); break;
        case '&': text_append(out, "&amp;"); break;
        case '"': text_append(out, "&quot;"); break;
        case '\'': text_append(out, "&#39;"); break;
        default:
            /* Control characters are not allowed in HTML at all. */
            text_append(out, "%c", (unsigned char)*s < ' ' && *s != '\n' && *s != '\t' ? ' ' : *s);
        }
    }
}

void page_paragraph(struct page *p, const char *class, const char *text) {
    text_append(&p->out, "<p class=\"%s\">", class);
    page_escape(&p->out, text);
    text_append(&p->out, "</p>\n");
}

void page_section_begin(struct page *p, const char *id, const char *title) {
    text_append(&p->out, "<section id=\"%s\">\n<h2>", id);
    page_escape(&p->out, title);
    text_append(&p->out, "</h2>\n");
    if (p->banner) page_paragraph(p, "banner", p->banner);
}

void page_section_end(struct page *p) { text_append(&p->out, "</section>\n"); }

void page_table_begin(struct page_table *t, const char *const *names, int n) {
    *t = (struct page_table){.n_columns = n};
    t->names = mem_alloc((size_t)n * sizeof *t->names);
    t->is_number = mem_alloc((size_t)n * sizeof *t->is_number);
    for (int i = 0; i < n; i++) {
        t->is_number[i] = names[i][0] == '#';
        t->names[i] = names[i] + t->is_number[i];
    }
}

/* A bar would end the cell and a line break the row; angle brackets would be taken for HTML. */
static void append_markdown(struct text *out, const char *s) {
    for (; *s; s++) {
        if (*s == '|' || *s == '<' || *s == '\\') text_append(out, "\\");
        text_append(out, "%c", (unsigned char)*s < ' ' ? ' ' : *s);
    }
}

/* Numbers stand to the right; a column of long texts has room, beside the columns that do not wrap. */
static const char *cell_class(const struct page_table *t, const char *text) {
    enum { LONG_BYTES = 40 };
    if (t->is_number[t->column]) return " class=\"n\"";
    return text && strlen(text) > LONG_BYTES ? " class=\"long\"" : "";
}

void page_table_cell(struct page_table *t, const char *text) {
    int i = t->column;
    if (i == 0) text_append(&t->html, "<tr>");
    text_append(&t->html, "<td%s>", cell_class(t, text));
    page_escape(&t->html, text ? text : "–");
    text_append(&t->html, "</td>");
    text_append(&t->markdown, i ? " | " : "| ");
    append_markdown(&t->markdown, text ? text : "–");
    if (++t->column < t->n_columns) return;
    text_append(&t->html, "</tr>\n");
    text_append(&t->markdown, " |\n");
    t->column = 0;
    t->n_rows++;
}

static void append_head(struct page *p, const struct page_table *t, struct text *markdown) {
    text_append(&p->out, "<thead><tr>");
    for (int i = 0; i < t->n_columns; i++) {
        text_append(&p->out, "<th%s>", t->is_number[i] ? " class=\"n\"" : "");
        page_escape(&p->out, t->names[i]);
        text_append(&p->out, "</th>");
        text_append(markdown, i ? " | " : "| ");
        append_markdown(markdown, t->names[i]);
    }
    text_append(&p->out, "</tr></thead>");
    text_append(markdown, " |\n");
    for (int i = 0; i < t->n_columns; i++)
        text_append(markdown, "%s%s", i ? " | " : "| ", t->is_number[i] ? "---:" : "---");
    text_append(markdown, " |\n");
}

void page_table_end(struct page *p, struct page_table *t, const char *title) {
    if (t->n_rows) {
        struct text markdown = {0};
        if (title) {
            text_append(&p->out, "<h3>");
            page_escape(&p->out, title);
            text_append(&p->out, "</h3>\n");
        }
        text_append(&p->out, "<div class=\"wide\"><table>");
        append_head(p, t, &markdown);
        text_append(&p->out, "<tbody>\n");
        text_append_bytes(&p->out, t->html.data, t->html.length);
        text_append(&p->out, "</tbody></table></div>\n<details class=\"markdown\"><summary>as Markdown</summary><pre>");
        text_append_bytes(&markdown, t->markdown.data, t->markdown.length);
        page_escape(&p->out, markdown.data);
        text_append(&p->out, "</pre></details>\n");
        text_free(&markdown);
    }
    text_free(&t->html);
    text_free(&t->markdown);
    mem_free(t->names);
    mem_free(t->is_number);
}

/* Where an id begins that must become this figure's own: after id=", href="# and url(#. */
static size_t id_mark(const char *s) {
    static const char *const marks[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#", "url('#"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t n = strlen(marks[i]);
        if (strncmp(s, marks[i], n) == 0) return n;
    }
    return 0;
}

void page_figure(struct page *p, const char *svg, const char *title) {
    static const char gnuplots_title[] = "<title>Gnuplot</title>";
    const char *start = strstr(svg, "<svg");
    p->n_figures++;
    for (const char *s = start ? start : ""; *s;) {
        size_t n = id_mark(s);
        if (n) {
            text_append_bytes(&p->out, s, n);
            text_append(&p->out, "f%d-", p->n_figures);
            s += n;
        } else if (strncmp(s, gnuplots_title, sizeof gnuplots_title - 1) == 0) {
            text_append(&p->out, "<title>");
            page_escape(&p->out, title);
            text_append(&p->out, "</title>");
            s += sizeof gnuplots_title - 1;
        } else {
            size_t plain = strcspn(s + 1, " hu<") + 1;
            text_append_bytes(&p->out, s, plain);
            s += plain;
        }
    }
}
