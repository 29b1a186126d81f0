/**
 * How kernels are run, where several ways are right: what may be asked, and what is fastest.
 *
 * @module
 */
export * from "./device_identity.ts";
export * from "./store.ts";
export {
  mergeTuning,
  parseTuning,
  type StoredChoice,
  storedChoice,
  type StoredTuning,
  TunedChoices,
  tuningToText,
} from "./stored_choices.ts";
export * from "./traits.ts";
export * from "./tunable.ts";
export * from "./tune.ts";
