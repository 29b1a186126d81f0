/**
 * Which of several files is a model by itself, if they are not those of a folder.
 *
 * @param names Of files that lie together, without their folder.
 */
export function singleModel(names: readonly string[]): string | undefined {
  const gguf = names.find((name) => isModelFile(name) && !name.endsWith(".bin"));
  const hasWeights = names.some((name) => /\.safetensors(\.index\.json)?$/.test(name));
  // Folders of GGUF files have a config.json, too; folders of safetensors have files named .bin.
  if (names.includes("config.json")) return hasWeights ? undefined : gguf;
  return gguf ?? names.find(isModelFile);
}

/** Whether a file beside a model of one file is a tokenizer to take in place of its own. */
export function isTokenizerOf(name: string, model: string): boolean {
  if (!name.endsWith(".bin")) return name === "tokenizer.json";
  return model.endsWith(".bin") || /tok/i.test(name);
}

/** Whether a file is a model by itself; pickles of others are refused when they are read. */
export function isModelFile(name: string): boolean {
  return /\.gguf$/i.test(name) || (name.endsWith(".bin") && !/tok|pytorch_model/i.test(name));
}
