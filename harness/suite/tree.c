#include "harness/suite/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "kernels/base/file.h"

enum { MOST_BYTES = 1 << 20, MOST_DEPTH = 16 };

/* ---- errors ---- */

enum status tree_blame(const struct tree *t, const struct node *at, struct error *e) {
    return error_prefix(e, "%s:%d:%d", t->file, at->line, at->column);
}

enum status tree_error(const struct tree *t, const struct node *at, struct error *e, const char *format, ...) {
    char text[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(e, STATUS_INPUT, "%s", text);
    return tree_blame(t, at, e);
}

static struct node place_of(yaml_mark_t mark) { return (struct node){.line = (int)mark.line + 1, .column = (int)mark.column + 1}; }

/* The library counts bytes where it cannot decode them. */
static struct node place_of_byte(const char *bytes, size_t offset) {
    struct node at = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n') at.line++, at.column = 1;
        else at.column += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return at;
}

/* ---- events to nodes ---- */

struct builder {
    struct tree *tree;
    yaml_parser_t parser;
    const char *bytes;
    size_t length;
    struct error *e;
};

static enum status no_yaml(struct builder *b) {
    const yaml_parser_t *p = &b->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    int is_byte = p->error == YAML_READER_ERROR;
    struct node at = is_byte ? place_of_byte(b->bytes, p->problem_offset < b->length ? p->problem_offset : b->length) : place_of(p->problem_mark);
    return tree_error(b->tree, &at, b->e, "%s%s%s", problem, p->context ? " " : "", p->context ? p->context : "");
}

static enum status next(struct builder *b, yaml_event_t *event) { return yaml_parser_parse(&b->parser, event) ? STATUS_OK : no_yaml(b); }

static enum status build(struct builder *b, yaml_event_t *event, int depth, struct node *out);

static enum status refuse(struct builder *b, const yaml_event_t *event, const char *what) {
    struct node at = place_of(event->start_mark);
    return tree_error(b->tree, &at, b->e, "%s", what);
}

static enum status build_text(struct builder *b, const yaml_event_t *event, struct node *out) {
    const char *value = (const char *)event->data.scalar.value;
    if (event->data.scalar.tag) return refuse(b, event, "tags are not read; leave it out");
    if (event->data.scalar.anchor) return refuse(b, event, "anchors are not read; what entries share belongs into 'defaults'");
    if (strlen(value) != event->data.scalar.length) return refuse(b, event, "a text with a zero byte");
    out->kind = NODE_TEXT;
    out->text = arena_copy_string(&b->tree->arena, value);
    out->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return STATUS_OK;
}

static enum status build_list(struct builder *b, int depth, struct node *out) {
    yaml_event_t event;
    out->kind = NODE_LIST;
    for (;;) {
        enum status s = next(b, &event);
        if (s != STATUS_OK) return s;
        int is_over = event.type == YAML_SEQUENCE_END_EVENT;
        if (!is_over) {
            LIST_GROW(out->items, out->n, out->item_capacity);
            out->items[out->n] = (struct node){0};
            s = build(b, &event, depth, &out->items[out->n++]);
        }
        yaml_event_delete(&event);
        if (is_over || s != STATUS_OK) return s;
    }
}

static enum status check_key(struct builder *b, const struct node *map, const struct node *key) {
    if (key->kind != NODE_TEXT || !*key->text) return tree_error(b->tree, key, b->e, "a key must be a word");
    for (size_t i = 0; i + 1 < map->n; i++)
        if (strcmp(map->keys[i].text, key->text) == 0) return tree_error(b->tree, key, b->e, "'%s' stands here twice; the first is in line %d", key->text, map->keys[i].line);
    return STATUS_OK;
}

static enum status build_map(struct builder *b, int depth, struct node *out) {
    yaml_event_t event;
    out->kind = NODE_MAP;
    for (;;) {
        enum status s = next(b, &event);
        if (s != STATUS_OK) return s;
        int is_over = event.type == YAML_MAPPING_END_EVENT;
        if (!is_over) {
            LIST_GROW(out->keys, out->n, out->key_capacity);
            LIST_GROW(out->items, out->n, out->item_capacity);
            out->keys[out->n] = out->items[out->n] = (struct node){0};
            out->n++;
            s = build(b, &event, depth, &out->keys[out->n - 1]);
            if (s == STATUS_OK) s = check_key(b, out, &out->keys[out->n - 1]);
        }
        yaml_event_delete(&event);
        if (is_over || s != STATUS_OK) return s;
        if ((s = next(b, &event)) != STATUS_OK) return s;
        s = build(b, &event, depth, &out->items[out->n - 1]);
        yaml_event_delete(&event);
        if (s != STATUS_OK) return s;
    }
}

static enum status build(struct builder *b, yaml_event_t *event, int depth, struct node *out) {
    *out = place_of(event->start_mark);
    if (depth == MOST_DEPTH) return refuse(b, event, "nested too deeply");
    if (event->type == YAML_ALIAS_EVENT) return refuse(b, event, "aliases are not read; what entries share belongs into 'defaults'");
    if (event->type == YAML_SCALAR_EVENT) return build_text(b, event, out);
    int is_list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor = is_list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const yaml_char_t *tag = is_list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    if (anchor) return refuse(b, event, "anchors are not read; what entries share belongs into 'defaults'");
    if (tag) return refuse(b, event, "tags are not read; leave it out");
    return is_list ? build_list(b, depth + 1, out) : build_map(b, depth + 1, out);
}

/* ---- the document ---- */

/* Events up to and with the given one; others are of no document. */
static enum status expect(struct builder *b, yaml_event_type_t type, const char *otherwise) {
    yaml_event_t event;
    enum status s = next(b, &event);
    if (s != STATUS_OK) return s;
    if (event.type != type) s = refuse(b, &event, otherwise);
    yaml_event_delete(&event);
    return s;
}

static enum status build_document(struct builder *b) {
    yaml_event_t event;
    enum status s = expect(b, YAML_STREAM_START_EVENT, "not YAML");
    if (s == STATUS_OK) s = expect(b, YAML_DOCUMENT_START_EVENT, "there is nothing in this file");
    if (s == STATUS_OK) s = next(b, &event);
    if (s != STATUS_OK) return s;
    s = build(b, &event, 0, &b->tree->root);
    yaml_event_delete(&event);
    if (s == STATUS_OK) s = expect(b, YAML_DOCUMENT_END_EVENT, "not YAML");
    return s == STATUS_OK ? expect(b, YAML_STREAM_END_EVENT, "a second document; a file holds one") : s;
}

enum status tree_parse(const char *file, const char *bytes, size_t length, struct tree *out, struct error *e) {
    *out = (struct tree){.file = file};
    struct builder b = {.tree = out, .bytes = bytes, .length = length, .e = e};
    if (!yaml_parser_initialize(&b.parser)) return error_set(e, STATUS_NO_MEMORY, "%s: no memory to read it", file);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)bytes, length);
    enum status s = build_document(&b);
    yaml_parser_delete(&b.parser);
    if (s != STATUS_OK) tree_free(out);
    return s;
}

enum status tree_read(const char *file, struct tree *out, struct error *e) {
    char *bytes;
    size_t length;
    *out = (struct tree){.file = file};
    enum status s = file_read(file, MOST_BYTES, &bytes, &length, e);
    if (s != STATUS_OK) return s;
    s = tree_parse(file, bytes, length, out, e);
    mem_free(bytes);
    return s;
}

static void node_free(struct node *n) {
    for (size_t i = 0; i < n->n; i++) {
        node_free(&n->items[i]);
        if (n->keys) node_free(&n->keys[i]);
    }
    mem_free(n->items);
    mem_free(n->keys);
}

void tree_free(struct tree *t) {
    node_free(&t->root);
    arena_free(&t->arena);
    t->root = (struct node){0};
}

const struct node *tree_find(const struct node *map, const char *key) {
    for (size_t i = 0; map->kind == NODE_MAP && i < map->n; i++)
        if (strcmp(map->keys[i].text, key) == 0) return &map->items[i];
    return NULL;
}
