/** NLSY97 as the NLS Investigator hands it out. */
export const NLSY97 = `# National Longitudinal Survey of Youth 1997, a download of the NLS Investigator.
# Variables are found by their question names (from the .sdf or .cdb of the download, or
# from headers such as CV_HGC_EVER_EDT_2010), else by reference numbers. docs/surveys.md
# says where the numbers are from.
survey: NLSY97
format: nls
years: [1997-2011, 2013, 2015, 2017, 2019, 2021]
id:
  from: [{ column: R0000100 }, { question: PUBID }]
gender:
  from: [{ column: R0536300 }, { question: KEY!SEX }]
  values: { 1: male, 2: female }
ethnicity:
  from: [{ column: R1482600 }, { question: KEY!RACE_ETHNICITY }]
  values:
    1: black or african american
    2: hispanic
    3: mixed race non-hispanic
    4: non-black non-hispanic
birth_year:
  from: [{ column: R0536402 }, { question: KEY!BDATE_Y }]
region: # the first year that tells one
  optional: true
  from:
    - question: CV_CENSUS_REGION
    - by_year:
        1997: R1200300
        1998: R2558800
        1999: R3880300
        2000: R5459400
        2001: R7222400
        2002: S1535500
        2003: S2005400
        2004: S3805700
        2005: S5405600
        2006: S7506100
        2007: T0009400
        2008: T2012100
        2009: T3602100
        2010: T5202300
        2011: T6652100
        2013: T8123700
        2015: U0001900
        2017: U1838600
        2019: U3438000
  values: { 1: northeast, 2: northcentral, 3: south, 4: west }
education: # the higher of grades completed and degrees received
  - optional: true
    from:
      - question: CV_HGC_EVER_EDT
      - by_year:
          1998: R2563101
          1999: R3884701
          2000: R5463901
          2001: R7227601
          2002: S1541501
          2003: S2011301
          2004: S3812201
          2005: S5412600
          2006: S7513500
          2007: T0013900
          2008: T2016000
          2009: T3606300
          2010: T5206700
          2011: T6656500
          2013: T8128900
          2015: U0008800
          2017: U1845400
          2019: U3443900
      - question: CV_HGC_EVER
    values:
      0..11: less than high school
      12: high school
      13..15: some college
      16: college
      17..20: any graduate
      95: unknown # ungraded
  - optional: true
    from:
      - question: CV_HIGHEST_DEGREE_EVER_EDT
      - by_year:
          1998: R2564001
          1999: R3885601
          2000: R5464801
          2001: R7228501
          2002: S1542401
          2003: S2012201
          2004: S3813701
          2005: S5413300
          2006: S7514200
          2007: T0014600
          2008: T2016700
          2009: T3607000
          2010: T5207400
          2011: T6657200
          2013: T8129600
          2015: U0009400
          2017: U1846000
          2019: U3444500
      - question: CV_HIGHEST_DEGREE_EVER
    values:
      0: less than high school # none
      1: high school # GED
      2: high school # diploma
      3: some college # associate
      4: college # bachelor
      5..7: any graduate # master, PhD, professional
enrollment: # at the interview: grades 1-12, two years, four years, graduate
  from:
    - question: CV_ENROLLSTAT_EDT
    - by_year:
        1997: R1201400
        1998: R2560001
        1999: R3881501
        2000: R5460601
        2001: R7224201
        2002: S1538001
        2003: S2007701
        2004: S3808501
        2005: S5408900
        2006: S7509700
        2007: T0013000
        2008: T2015900
        2009: T3606200
        2010: T5206600
        2011: T6656400
        2013: T8128800
        2015: U0008700
        2017: U1845300
        2019: U3443800
    - question: CV_ENROLLSTAT
  values: { 1..7: false, 8..11: true }
occupation: # the first job of the roster, Census 2002 with four digits
  - coding: census2002
    from:
      - question: YEMP_OCCODE-2002.01
      - question: YEMP-OCCODE-2002.01
      - by_year:
          1997: S3659000
          1998: S3681000
          1999: S3697000
          2000: S3713000
          2001: S3729000
          2002: S1603000
          2003: S3757000
          2004: S5041700
          2005: S6783100
          2006: S8689700
          2007: T1109400
          2008: T3186900
          2009: T4597800
          2010: T6231000
          2011: T7732100
          2013: T9133500
          2015: U1127100
          2017: U1719400
          2019: U3315700
    missing: { -4: not_in_labor_force } # no job since the last interview
status: # weeks of the event history; the most frequent status that tells something
  optional: true
  from: [{ question: "EMP_STATUS_{year}.{week}" }]
  values:
    0: unknown # no information
    1: unknown # no employer, and no search for one
    2: unknown # not working, whether searching or not
    3: employed # with an employer, weeks off unknown
    4: unemployed
    5: not_in_labor_force
    6: employed # active military service
    9701..299999: employed # number of the employer
`;
