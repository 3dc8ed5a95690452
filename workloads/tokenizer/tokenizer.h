/* tokenizer.h: text to token ids and back, by the components that the file declares, never by model name.
 *
 * Sources: a tokenizer.json of the `tokenizers` library, or the metadata of a GGUF file. Supported now:
 * model BPE (byte-level, or SentencePiece style with byte fallback), normalisers Prepend / Replace / Sequence
 * / NFC / NFD / NFKC / NFKD / Lowercase / Strip, pre-tokenizers ByteLevel / Split / Digits / Sequence / Metaspace,
 * post-processors TemplateProcessing / ByteLevel / Sequence, decoders ByteLevel / Replace / ByteFallback / Fuse
 * / Strip / Sequence / Metaspace. Any other component is refused by its name. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_TOKENIZER_H
#define ASSAY_WORKLOADS_TOKENIZER_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

struct checkpoint;
struct tokenizer; /* opaque: owns compiled expressions and tables */

struct token_list {
    int32_t *ids;
    size_t count, capacity;
};
void token_list_free(struct token_list *l);

/* Errors: IO; INPUT malformed; UNSUPPORTED component (its type and place are named). */
enum status tokenizer_open_json(const char *path, struct tokenizer **out, struct error *e);
enum status tokenizer_parse_json(const char *data, size_t length, struct tokenizer **out, struct error *e);
enum status tokenizer_open_gguf(const struct checkpoint *c, struct tokenizer **out, struct error *e);
void tokenizer_close(struct tokenizer *t);

/* Appends the ids of `text` (UTF-8, may hold NUL; invalid bytes become U+FFFD) to `out`.
 * Added tokens inside the text are recognised; the post-processor's template is applied only with_special. */
enum status tokenizer_encode(struct tokenizer *t, const char *text, size_t length, int with_special,
                             struct token_list *out, struct error *e);

/* Appends the text of ids; special tokens are left out when skip_special. Unknown ids are INPUT errors. */
enum status tokenizer_decode(struct tokenizer *t, const int32_t *ids, size_t n, int skip_special,
                             struct text *out, struct error *e);

size_t tokenizer_vocabulary(const struct tokenizer *t);
/* -1 where no token has this text. */
int32_t tokenizer_id(const struct tokenizer *t, const char *token);

#endif
