/**
 * From a survey's table to packed batches: careers, resumes, tokens.
 *
 * @module
 */
export * from "./archive/mod.ts";
export * from "./batch.ts";
export * from "./career.ts";
export { careerProblem } from "./career_check.ts";
export { careersToJsonl, careerToJson } from "./career_json.ts";
export { careersToTsv } from "./career_tsv.ts";
export * from "./chat_template.ts";
export { type Coding, CODINGS, crosswalkEntries, toOcc1990dd } from "./crosswalk/mod.ts";
export * from "./encode_resume.ts";
export {
  isOccupation,
  isStatus,
  NUM_OCCUPATIONS,
  type Occupation,
  occupationIndex,
  OCCUPATIONS,
  STATUSES,
} from "./occupations.ts";
export * from "./pack.ts";
export * from "./parse_resume.ts";
export * from "./personal/mod.ts";
export * from "./prompt_context.ts";
export * from "./random.ts";
export * from "./read_careers.ts";
export {
  END_MARK,
  type Question,
  renderPrompt,
  renderResume,
  type Resume,
  type ResumeOptions,
  type ResumeTitle,
  resumeTitles,
} from "./resume.ts";
export * from "./split.ts";
export { type Gpt2VocabularyOptions, readGpt2Vocabulary } from "./tokenizer/gpt2_vocabulary.ts";
export { type Llama2cVocabularyOptions, readLlama2cVocabulary } from "./tokenizer/llama2c.ts";
export { RESUME_PATTERN } from "./tokenizer/pieces.ts";
export { readSentencePiece } from "./tokenizer/sentencepiece.ts";
export { TextStream, type TextStreamOptions } from "./tokenizer/text_stream.ts";
export {
  type DecodeOptions,
  type Decoding,
  type EncodeOptions,
  PAD_TOKEN,
  Tokenizer,
  type TokenizerOptions,
  type TokenizerRoles,
} from "./tokenizer/tokenizer.ts";
export type { AddedToken, ByteLevelJson, TokenizerJson } from "./tokenizer/tokenizer_json.ts";
export { trainBpe, type TrainBpeOptions } from "./tokenizer/train_bpe.ts";
export type { GgufVocabulary, TokenType } from "./tokenizer/vocabulary_data.ts";
export {
  type Json,
  type JsonRecord,
  tokenizerJsonOfVocabulary,
} from "./tokenizer/vocabulary_json.ts";
export { vocabularyOfTokenizerJson } from "./tokenizer/vocabulary_of_json.ts";
export * from "./synthetic/mod.ts";
export * from "./variations.ts";
export * from "./wording.ts";
export * from "./survey/mod.ts";
