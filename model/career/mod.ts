/**
 * CAREER: a transformer over person-years with a two-stage head, its data, training objective and
 * files.
 *
 * @module
 */
export * from "./career_model.ts";
export * from "./checkpoint.ts";
export * from "./config.ts";
export * from "./covariates.ts";
export * from "./inputs.ts";
export * from "./occupation_model.ts";
export * from "./pack.ts";
export * from "./person_years.ts";
export * from "./transfer.ts";
