# The trained 135M model against its independent reference on the cpu, in f32: plain, and with both optimizers.
set -eu
golden=$2/../shared/golden/smollm2
model=${XDG_CACHE_HOME:-$HOME/.cache}/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf
[ -d "$golden" ] || { echo "skipped: the golden references are not beside this checkout"; exit 77; }
[ -e "$model" ] || { echo "skipped: the model is not at $model (./bootstrap check obtains it)"; exit 77; }
"$1" verify llm "$golden"
"$1" verify llm "$golden" --opt attention --opt fusion
