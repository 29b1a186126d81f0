/** NLSY79 as the NLS Investigator hands it out. */
export const NLSY79 = `# National Longitudinal Survey of Youth 1979, a download of the NLS Investigator.
# Variables are found by their question names (from the .sdf or .cdb of the download, or
# from headers such as HGCREV85_1985), else by reference numbers. docs/surveys.md says
# which of them were seen in a real download.
survey: NLSY79
format: nls
years: [1979-1994, 1996, 1998, 2000, 2002, 2004, 2006, 2008, 2010, 2012, 2014, 2016, 2018, 2020, 2022]
id:
  from: [{ column: R0000100 }, { question: CASEID }]
gender:
  from: [{ column: R0214800 }, { question: SAMPLE_SEX }]
  values: { 1: male, 2: female }
ethnicity:
  from: [{ column: R0214700 }, { question: SAMPLE_RACE }]
  values: { 1: hispanic, 2: black or african american, 3: non-black non-hispanic }
birth_year: # two digits
  from: [{ column: R0000500 }, { column: R0410300 }, { question: Q1-3_A~Y }]
  add: 1900
region: # the first year that tells one
  optional: true
  from:
    - question: REGION
    - by_year:
        1979: R0216400
        1980: R0405700
        1981: R0602810
        1982: R0897910
        1983: R1144800
        1984: R1520000
        1985: R1890700
        1986: R2257800
        1987: R2445200
        1988: R2870800
  values: { 1: northeast, 2: northcentral, 3: south, 4: west }
education: # highest grade completed as of May 1, revised, else as first told
  - from:
      - question: HGCREV{yy}
      - by_year:
          1979: R0216701
          1980: R0406401
          1981: R0618901
          1982: R0898201
          1983: R1145001
          1984: R1520201
          1985: R1890901
          1986: R2258001
          1987: R2445401
          1988: R2871101
          1989: R3074801
          1990: R3401501
          1991: R3656901
          1992: R4007401
          1993: R4418501
          1994: R5103900
          1996: R5166901
          1998: R6479600
          2000: R7007300
          2002: R7704600
          2004: R8497000
          2006: T0988800
          2008: T2210700
          2010: T3108600
      - question: HGC
      - question: HGC_EVER*
    values:
      0..11: less than high school
      12: high school
      13..15: some college
      16: college
      17..20: any graduate
      95: unknown # ungraded
enrollment: # as of May 1: in high school, in college
  from:
    - question: ENROLLMTREV{yy}
    - question: ENROLLMT
    - by_year:
        1979: R0216600
        1980: R0406500
        1981: R0619000
        1982: R0898300
        1983: R1145100
        1984: R1520300
        1985: R1891000
        1986: R2258100
        1987: R2445500
        1988: R2871200
        1989: R3074900
        1990: R3401600
        1991: R3657000
        1992: R4007500
        1993: R4418600
        1994: R5081600
        1996: R5166900
        1998: R6479500
        2000: R7007200
        2002: R7704500
        2004: R8496900
        2006: T0988700
  values: { 1: false, 2: true, 3: true, 4: false }
occupation: # the current or most recent job
  - coding: census1980
    optional: true
    from:
      - question: CPSOCC80
      - question: CPSOCC80.01
    missing: { -4: not_in_labor_force }
  - coding: census1970 # 1979-1981, before Census 1980
    optional: true
    from:
      - question: CPSOCC70
      - by_year:
          1979: R0046400
          1980: R0263400
          1981: R0446400
    missing: { -4: not_in_labor_force }
  - coding: census2000 # three digits, 2002 alone
    optional: true
    from: [{ by_year: { 2002: R7209600 } }]
    missing: { -4: not_in_labor_force }
  - coding: census2002 # four digits
    optional: true
    from:
      - by_year:
          2004: R7898000
          2006: T0138400
          2008: T1298000
          2010: T2326500
          2012: T3308700
          2014: T4282800
          2016: T5256900
          2018: T7818600
          2020: T8428300
          2022: T8982400
    missing: { -4: not_in_labor_force }
status: # weeks from January 1, 1978; the most frequent status of a year that tells something
  optional: true
  from: [{ question: "STATUS_WK_NUM{week}", week_one: 1978-01-01 }]
  values:
    0: unknown # no information
    2: unknown # not working, whether searching or not
    3: employed # with an employer, weeks off unknown
    4: unemployed
    5: not_in_labor_force
    7: employed # active military service
    100..99999: employed # number of the job
`;
