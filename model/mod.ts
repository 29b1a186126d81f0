/**
 * Transformers, their training and checkpoints, and occupation models.
 *
 * @module
 */
export {
  careerFiles,
  careerFromBase,
  CareerModel,
  careerObjective,
  CareerOccupationModel,
  CAREER_CONFIG,
  CAREER_MODEL_TYPE,
  type CareerBatch,
  type CareerConfig,
  type CareerOccupationOptions,
  type CareerOptions,
  type CareerParts,
  type CovariateVocabulary,
  countCareerWeights,
  covariatesOf,
  packPeople,
  PersonYearBatches,
  type PersonYears,
  personYears,
  readCareerModel,
} from "./career/mod.ts";
export * from "./bag_of_jobs/bag_features.ts";
export * from "./bag_of_jobs/bag_files.ts";
export * from "./bag_of_jobs/bag_model.ts";
export * from "./bag_of_jobs/fit_bag.ts";
export * from "./checkpoint/byte_source.ts";
export { checkpointFiles, type CheckpointSource } from "./checkpoint/checkpoint_files.ts";
export {
  configFromJson,
  configToJson,
  MODEL_TYPES,
  type ModelType,
} from "./checkpoint/config_json.ts";
export * from "./checkpoint/export_hugging_face.ts";
export type { FloatDtype } from "./checkpoint/float_conversion.ts";
export type { Generation } from "./checkpoint/generation_config.ts";
export {
  encodeGguf,
  GGUF_OUTPUT_TYPES,
  type GgufModel,
  type GgufOutputType,
} from "./checkpoint/gguf/encode.ts";
export { type GgufOptions, storedGgufModel } from "./checkpoint/gguf/stored_model.ts";
export { toFloat32 } from "./checkpoint/gguf/to_float32.ts";
export { readGgufVocabulary } from "./checkpoint/gguf/vocabulary.ts";
export { storedLlama2cModel } from "./checkpoint/llama2c.ts";
export * from "./checkpoint/manifest.ts";
export {
  type Moment,
  openRun,
  type ReadMoment,
  type RunSource,
  type StoredRun,
  type TrainerRecord,
} from "./checkpoint/run_state.ts";
export * from "./checkpoint/safetensors.ts";
export * from "./checkpoint/safetensors_file.ts";
export * from "./checkpoint/stored_hugging_face.ts";
export type { EncodedWeight, StoredModel, StoredWeight } from "./checkpoint/stored_model.ts";
export type { JsonObject, JsonValue } from "./checkpoint/strict_json.ts";
export { wordingFromJson, wordingOfSettings, wordingToJson } from "./checkpoint/wording_json.ts";
export * from "./embedding_logit/embedding_files.ts";
export { EmbeddingLogit, type EmbeddingLogitWeights } from "./embedding_logit/embedding_model.ts";
export * from "./embedding_logit/fit_embedding.ts";
export * from "./embedding_logit/pca.ts";
export * from "./embedding_logit/prompt_states.ts";
export * from "./embedding_logit/symmetric_eigen.ts";
export * from "./evaluation/calibration.ts";
export * from "./evaluation/distributions.ts";
export * from "./evaluation/measures.ts";
export * from "./evaluation/moves.ts";
export * from "./evaluation/predictions.ts";
export * from "./evaluation/resampling.ts";
export * from "./evaluation/selection.ts";
export * from "./evaluation/subgroups.ts";
export * from "./evaluation/truth.ts";
export * from "./forecast/career_model.ts";
export * from "./forecast/gap_years.ts";
export * from "./forecast/judge_paths.ts";
export * from "./forecast/sample_paths.ts";
export * from "./forecast/valid_titles.ts";
export * from "./generate/embed.ts";
export type { ContinuationScores, ScoreRequest } from "./generate/score.ts";
export {
  type Covariate as LogitCovariate,
  COVARIATES as LOGIT_COVARIATES,
  DEFAULT_COVARIATES as DEFAULT_LOGIT_COVARIATES,
  Features,
  featureSpace,
  type FeatureSpace,
} from "./logit/covariates.ts";
export type { DenseColumns, Design } from "./logit/design.ts";
export * from "./logit/fit_logit.ts";
export * from "./logit/fit_softmax.ts";
export {
  type Evaluation as MinimizeEvaluation,
  minimize,
  type MinimizeOptions,
  type MinimizeProgress,
  type Minimum,
  type Objective as MinimizeObjective,
} from "./logit/lbfgs.ts";
export { logitFiles, readLogit } from "./logit/logit_files.ts";
export { logitModel, type LogitWeights } from "./logit/logit_model.ts";
export * from "./logit/softmax_regression.ts";
export * from "./lora/adapter.ts";
export * from "./lora/adapter_weights.ts";
export * from "./lora/config.ts";
export * from "./lora/export_peft.ts";
export * from "./lora/merge.ts";
export {
  familyModules,
  type FamilyModule,
  type LinearModule,
  linearModules,
} from "./lora/modules.ts";
export * from "./lora/read_peft.ts";
export * from "./occupation/bootstrap.ts";
export * from "./occupation/empirical.ts";
export * from "./occupation/history.ts";
export * from "./occupation/language_model.ts";
export {
  countOf,
  evaluate,
  type Evaluation,
  type Kind,
  kindOf,
  KINDS,
  perplexity,
  type PerplexityOptions,
  type Variant as ScoreVariant,
} from "./occupation/metrics.ts";
export * from "./occupation/occupation_model.ts";
export * from "./occupation/table.ts";
export * from "./occupation/text_table.ts";
export * from "./pretrained/file_sets.ts";
export * from "./pretrained/load_pretrained.ts";
export * from "./pretrained/load_transformer.ts";
export * from "./pretrained/open_model.ts";
export * from "./pretrained/text_model.ts";
export type { LossScale, LossScaleOptions } from "./train/loss_scale.ts";
export { languageObjective, type Trainable } from "./train/language_objective.ts";
export * from "./train/loss_step.ts";
export * from "./train/objective.ts";
export * from "./train/schedule.ts";
export * from "./train/trainer.ts";
export * from "./train/training_step.ts";
export type { ActivationDType } from "./transformer/activation_dtype.ts";
export * from "./transformer/config.ts";
export * from "./transformer/known_configs.ts";
export * from "./transformer/flops.ts";
export * from "./transformer/inputs.ts";
export * from "./transformer/transformer.ts";
export type {
  BlockWeights,
  LinearWeights,
  NormWeights,
  TransformerWeights,
} from "./transformer/weights.ts";
