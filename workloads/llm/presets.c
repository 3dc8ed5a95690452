/* presets.c: shapes of public models, one row each. Sources: torchtune's model builders and gpt-fast's
 * configurations for the Llama 2 / 3 and Code Llama rows; the model card's config.json for SmolLM2; the 1.1B
 * shape is TinyLlama's. */
#include "workloads/llm/model.h"

#define PRESET(id, L, D, H, G, K, F, V, ctx, e, theta, tied, from) \
    {.name = id, .source = from, .config = {.layers = L, .width = D, .heads = H, .kv_heads = G, .head_width = K, \
        .feed_forward = F, .vocabulary = V, .context = ctx, .eps = e, .rope_theta = theta, .is_tied = tied}}

static const struct llm_preset presets[] = {
    PRESET("smollm2-135m", 30, 576, 9, 3, 64, 1536, 49152, 8192, 1e-5, 1e5, 1, "SmolLM2-135M"),
    PRESET("llama-1.1b", 22, 2048, 32, 4, 64, 5632, 32000, 2048, 1e-5, 1e4, 0, "TinyLlama 1.1B"),
    PRESET("llama2-7b", 32, 4096, 32, 32, 128, 11008, 32000, 4096, 1e-5, 1e4, 0, "Llama 2 7B"),
    PRESET("llama3-8b", 32, 4096, 32, 8, 128, 14336, 128256, 8192, 1e-5, 5e5, 0, "Llama 3 8B"),
    PRESET("codellama-7b", 32, 4096, 32, 32, 128, 11008, 32016, 16384, 1e-5, 1e6, 0, "Code Llama 7B"),
    PRESET("codellama-34b", 48, 8192, 64, 8, 128, 22016, 32000, 16384, 1e-5, 1e6, 0, "Code Llama 34B"),
};

const struct llm_preset *llm_preset_at(int i) {
    return i >= 0 && (size_t)i < sizeof presets / sizeof *presets ? &presets[i] : NULL;
}
