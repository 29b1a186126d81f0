import type { Column, Layout } from "../../../../data/survey/setup_files/layout.ts";

/** A variable of a file that a test makes up; fields stand side by side. */
export interface Variable {
  readonly name: string;
  readonly width: number;
  readonly label?: string;
}

/** How setup files are written. */
export const SETUP_KINDS = ["sas", "sps", "do", "dct"] as const;

/** The layout that the variables have, side by side from column 1. */
export function placed(variables: readonly Variable[]): Column[] {
  let next = 1;
  return variables.map(({ name, width, label }) => {
    const first = next;
    next += width;
    return {
      name,
      first,
      last: next - 1,
      type: "number" as const,
      decimals: 0,
      ...(label !== undefined && { label }),
    };
  });
}

/** What {@linkcode placed} gives, as a layout to compare with. */
export function layoutOfVariables(variables: readonly Variable[], file: string): Layout {
  const columns = placed(variables);
  return {
    file,
    recordLength: columns.at(-1)!.last,
    columns: new Map(columns.map((column) => [column.name, column])),
  };
}

/** A setup file in the form in which the archive writes it. */
export function writeSetup(
  kind: (typeof SETUP_KINDS)[number],
  variables: readonly Variable[],
  stem: string,
): string {
  const columns = placed(variables);
  const length = columns.at(-1)!.last;
  const ranges = columns.map(
    ({ name, first, last }) => `      ${name.padEnd(14)} ${first} - ${last}`,
  );
  const inRows = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i % 3 === 2 ? `${cell}  \n` : cell)).join("");
  const labels = columns.filter(({ label }) => label !== undefined);
  switch (kind) {
    case "sas":
      return [
        `/* PSID DATA CENTER *****************************************************`,
        `   JOBID            : 1`,
        `   DATE & TIME      : today; it's a comment`,
        `************************************************************************/`,
        ``,
        `FILENAME ${stem} "[path]\\${stem}.txt" ;`,
        ``,
        `DATA ${stem} ;`,
        `   ATTRIB`,
        ...columns.map(
          ({ name, first, last, label }) =>
            `      ${name}  FORMAT=F${last - first + 1}.` +
            (label === undefined ? "" : `   LABEL="${label.replaceAll('"', '""')}"   `),
        ),
        `   ;`,
        `   INFILE ${stem} LRECL = ${length} ; `,
        `   INPUT `,
        inRows(ranges),
        `   ;`,
        `run ;`,
        ``,
      ].join("\n");
    case "sps":
      return [
        ``,
        `**************************************************************************`,
        `   Label           : A family file, with a "quote" and more`,
        `   Rows            : 5`,
        `*************************************************************************.`,
        ``,
        `FILE HANDLE PSID / NAME = '[PATH]\\${stem}.TXT' LRECL = ${length} .`,
        `DATA LIST FILE = PSID FIXED /`,
        inRows(ranges),
        `   .`,
        `   EXECUTE .`,
        ...(labels.length === 0
          ? []
          : [
              `   VARIABLE LABELS `,
              ...labels.map(
                ({ name, label }) => `      ${name}   "${label!.replaceAll('"', '""')}"   `,
              ),
              `   .`,
            ]),
        ``,
      ].join("\n");
    case "do":
      return [
        `#delimit ;`,
        `*  PSID DATA CENTER *****************************************************`,
        `   MAX_REC_LENGTH   : ${length}`,
        `*************************************************************************`,
        `;`,
        ``,
        `infix`,
        inRows(ranges.map((range, i) => (i % 4 === 3 ? ` long ${range.trim()}` : range))),
        `using [path]\\${stem}.txt, clear `,
        `;`,
        ...labels.map(({ name, label }) =>
          label!.includes('"')
            ? `label variable ${name}  \`"${label}"' ;`
            : `label variable ${name}  "${label}"  ;`,
        ),
        ``,
      ].join("\n");
    case "dct":
      return [
        `infile dictionary using ${stem}.txt {`,
        `* a comment of one line`,
        `_lrecl(${length})`,
        ...columns.map(
          ({ name, first, last, label }) =>
            `  _column(${first}) long ${name} %${last - first + 1}f` +
            (label === undefined ? "" : ` \`"${label}"'`),
        ),
        `}`,
        ``,
      ].join("\n");
  }
}
