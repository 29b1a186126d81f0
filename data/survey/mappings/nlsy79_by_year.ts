/** NLSY79 as tables of one variable each, with columns named by year, beside plain extracts. */
export const NLSY79_BY_YEAR = `# NLSY79: occupations (Census 1980) and grades in tables whose columns are years,
# the rest in plain extracts. Waves with occupations of Census 1980: 1982-1994, 1996, 1998, 2000.
survey: NLSY79
format: nls
years: [1982-1994, 1996, 1998, 2000]
id:
  from: [{ column: R0000100 }]
gender:
  from: [{ column: R0214800 }]
  values: { 1: male, 2: female }
ethnicity:
  from: [{ column: R0214700 }]
  values: { 1: hispanic, 2: black, 3: non-black non-hispanic }
birth_year: # two digits
  from: [{ column: R0000500 }]
  add: 1900
education: # highest grade completed, asked only where it has changed
  - from: [{ column: "{year}", file: original_highest_grade_completed }]
    values:
      0..11: less than high school
      12: high school
      13..15: some college
      16: college
      17..20: any graduate
      95: unknown # ungraded
enrollment: # as of May 1: in high school, in college
  from: [{ question: ENROLLMT }]
  values: { 1: false, 2: true, 3: true, 4: false }
occupation: # the current or most recent job; none (-4) is out of the labor force
  - coding: census1980
    from: [{ column: "{year}", file: CPS80_occ_codes }]
    missing: { -4: not_in_labor_force }
`;
