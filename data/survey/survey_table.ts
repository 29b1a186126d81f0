/** A variable of a survey: a column of one of its files, with what the codebook says of it. */
export interface SurveyVariable {
  /** Name of the column, as in the file: `"R0214700"`, `"1982"`, `"ER30001"`. */
  readonly name: string;
  /** File that it stands in, without folders: `"CPS80_occ_codes.csv"`. */
  readonly file: string;
  /** Year that the codebook gives, where it gives one. */
  readonly year?: number;
  /** Name of the question, which years share: `"HGC"`. */
  readonly question?: string;
  /** What the variable is, in the codebook's words. */
  readonly description?: string;
  /** What its values mean, where the codebook lists them: `"2"` is `"FEMALE"`. */
  readonly labels?: ReadonlyMap<string, string>;
}

/** What the files of a survey say of one person. */
export interface SurveyRow {
  /** Where the person stands, for reports: `"CPS80_occ_codes.csv, line 17"`. */
  readonly place: string;
  /**
   * Values of the variables that were asked for, in that order, as the file writes them and
   * without spaces around; undefined where the person is in no row of that variable's file.
   */
  readonly values: readonly (string | undefined)[];
}

/** The files of a survey as one table: a row a person, whatever the files look like. */
export interface SurveyTable {
  /** What the table is called in errors: the folder or archive. */
  readonly name: string;
  /** All variables of all files. A name may occur in several files. */
  readonly variables: readonly SurveyVariable[];
  /**
   * Reads the people, each once. Only the variables asked for are kept.
   *
   * @param wanted Some of {@linkcode variables}, the id among them.
   * @param id The variable that tells people apart, of the same name in each file.
   * @throws {SyntaxError} At the first row that does not parse, naming file and line.
   */
  rows(
    wanted: readonly SurveyVariable[],
    id: SurveyVariable,
  ): AsyncGenerator<SurveyRow, void, undefined>;
}
