/** Name of the file with an adapter's weights. */
export const PEFT_WEIGHTS_FILE = "adapter_model.safetensors";

/** What PEFT puts before the names of the adapted model's modules. */
const PREFIX = "base_model.model.";

/** Key in the metadata of the weights under which we note ranks that were joined. */
export const JOINED_KEY = "tenure.joined";

/** Names of a module's tensors. */
export function peftKeys(module: string): { readonly a: string; readonly b: string } {
  return {
    a: `${PREFIX}${module}.lora_A.weight`,
    b: `${PREFIX}${module}.lora_B.weight`,
  };
}

/** The module and the side of a tensor, if its name is one of {@linkcode peftKeys}. */
export function moduleOfKey(
  key: string,
): { readonly module: string; readonly side: "a" | "b" } | undefined {
  const [, module, side] = /^base_model\.model\.(.+)\.lora_(A|B)\.weight$/.exec(key) ?? [];
  if (module === undefined) return undefined;
  return { module, side: side === "A" ? "a" : "b" };
}
