/**
 * The mapping for the PSID of 1981 to 2021, as YAML; docs/psid.md says what each variable is known
 * from, and how to change it.
 */
export const PSID_MAPPING = `
survey: PSID
format: psid

# The person's id: the interview number of 1968 and the person's number within it.
id: { interview: ER30001, person: ER30002 }
sex: { variable: ER32000, codes: { male: 1, female: 2 } }

# Heads (reference persons) and spouses or partners of these ages.
ages: [18, 80]
# Sequence numbers of those who live with the family; others moved out, are in institutions, or died.
present: 1-20
unknown: { age: [0, 999], born: [0, 9999] }

codes:
  relationship:
    - { years: [1968, 1982], head: 1, spouse: 2 }
    - { years: [1983, 2023], head: 10, spouse: [20, 22] }
  # Temporarily laid off, on sick or maternity leave (2) is employed; retired, disabled, keeping
  # house and other (4, 5, 6, 8) are not in the labor force.
  status:
    - years: [1976, 2023]
      employed: [1, 2]
      unemployed: 3
      not_in_labor_force: [4, 5, 6, 8]
      student: 7
      missing: [0, 9, 98, 99]
  # Years of schooling completed; 0 is "does not apply" and therefore no level.
  education:
    - years: [1968, 2023]
      less than high school: 1-11
      high school: 12
      some college: 13-15
      college: 16
      any graduate: 17
      missing: [0, 98, 99]
  # First mention.
  race:
    - years: [1968, 1984]
      codes: { white: 1, black or african american: 2, hispanic or latino: 3, other: 7, missing: [0, 9] }
    - years: [1985, 1989]
      codes:
        white: 1
        black or african american: 2
        american indian or alaska native: 3
        asian or pacific islander: 4
        other: [7, 8]
        missing: [0, 9]
    - years: [1990, 1993]
      codes:
        white: 1
        black or african american: 2
        american indian or alaska native: 3
        asian or pacific islander: 4
        hispanic or latino: 5
        other: [6, 7, 8]
        missing: [0, 9]
    - years: [1994, 2003]
      codes:
        white: 1
        black or african american: 2
        american indian or alaska native: 3
        asian or pacific islander: 4
        hispanic or latino: 5
        other: [6, 7]
        missing: [0, 8, 9]
    - years: [2005, 2023]
      codes:
        white: 1
        black or african american: 2
        american indian or alaska native: 3
        asian or pacific islander: [4, 5]
        other: 7
        missing: [0, 8, 9]
  # Alaska and Hawaii (5) are in the West; abroad (6) is no region.
  region:
    - { years: [1968, 2023], northeast: 1, northcentral: 2, south: 3, west: [4, 5], missing: [0, 6, 9] }
  occupation:
    - { years: [1968, 2001], coding: census1970, missing: [0, 999] }
    - { years: [2003, 2015], coding: census2000, missing: [0, 999] }
    - { years: [2017, 2023], coding: census2010, missing: [0, 9999] }

years:
  1981:
    individual: { interview: ER30343, sequence: ER30344, relationship: ER30345, age: ER30346, education: ER30356 }
    family: { interview: V7502, region: V8071 }
    head: { status: V7706, occupation: V7712, race: V8099 }
    spouse: { status: V7879, occupation: V7885 }
  1982:
    individual: { interview: ER30373, sequence: ER30374, relationship: ER30375, age: ER30376, education: ER30384 }
    family: { interview: V8202, region: V8695 }
    head: { status: V8374, occupation: V8380, race: V8723 }
    spouse: { status: V8538, occupation: V8544 }
  1983:
    individual: { interview: ER30399, sequence: ER30400, relationship: ER30401, age: ER30402, education: ER30413, born: ER30404 }
    family: { interview: V8802, region: V9381 }
    head: { status: V9005, occupation: V9011, race: V9408 }
    spouse: { status: V9188, occupation: V9194 }
  1984:
    individual: { interview: ER30429, sequence: ER30430, relationship: ER30431, age: ER30432, education: ER30443, born: ER30434 }
    family: { interview: V10002, region: V11028 }
    head: { status: V10453, occupation: V10460, race: V11055 }
    spouse: { status: V10671, occupation: V10678 }
  1985:
    individual: { interview: ER30463, sequence: ER30464, relationship: ER30465, age: ER30466, education: ER30478, born: ER30468 }
    family: { interview: V11102, region: V12379 }
    head: { status: V11637, occupation: V11651, race: V11938 }
    spouse: { status: V12000, occupation: V12014, race: V12293 }
  1986:
    individual: { interview: ER30498, sequence: ER30499, relationship: ER30500, age: ER30501, education: ER30513, born: ER30503 }
    family: { interview: V12502, region: V13631 }
    head: { status: V13046, occupation: V13054, race: V13565 }
    spouse: { status: V13225, occupation: V13233, race: V13500 }
  1987:
    individual: { interview: ER30535, sequence: ER30536, relationship: ER30537, age: ER30538, education: ER30549, born: ER30540 }
    family: { interview: V13702, region: V14678 }
    head: { status: V14146, occupation: V14154, race: V14612 }
    spouse: { status: V14321, occupation: V14329, race: V14547 }
  1988:
    individual: { interview: ER30570, sequence: ER30571, relationship: ER30572, age: ER30573, education: ER30584, born: ER30575 }
    family: { interview: V14802, region: V16152 }
    head: { status: V15154, occupation: V15162, race: V16086 }
    spouse: { status: V15456, occupation: V15464, race: V16021 }
  1989:
    individual: { interview: ER30606, sequence: ER30607, relationship: ER30608, age: ER30609, education: ER30620, born: ER30611 }
    family: { interview: V16302, region: V17538 }
    head: { status: V16655, occupation: V16663, race: V17483 }
    spouse: { status: V16974, occupation: V16982, race: V17418 }
  1990:
    individual: { interview: ER30642, sequence: ER30643, relationship: ER30644, age: ER30645, education: ER30657, born: ER30647 }
    family: { interview: V17702, region: V18889 }
    head: { status: V18093, occupation: V18101, race: V18814 }
    spouse: { status: V18395, occupation: V18403, race: V18749 }
  1991:
    individual: { interview: ER30689, sequence: ER30690, relationship: ER30691, age: ER30692, education: ER30703, born: ER30694 }
    family: { interview: V19002, region: V20189 }
    head: { status: V19393, occupation: V19401, race: V20114 }
    spouse: { status: V19695, occupation: V19703, race: V20049 }
  1992:
    individual: { interview: ER30733, sequence: ER30734, relationship: ER30735, age: ER30736, education: ER30748, born: ER30738 }
    family: { interview: V20302, region: V21495 }
    head: { status: V20693, occupation: V20701, race: V21420 }
    spouse: { status: V20995, occupation: V21003, race: V21355 }
  1993:
    individual: { interview: ER30806, sequence: ER30807, relationship: ER30808, age: ER30809, education: ER30820, born: ER30811 }
    family: { interview: V21602, region: V23327 }
    head: { status: V22448, occupation: V22456, race: V23276 }
    spouse: { status: V22801, occupation: V22809, race: V23212 }
  1994:
    individual: { interview: ER33101, sequence: ER33102, relationship: ER33103, age: ER33104, education: ER33115, born: ER33106 }
    family: { interview: ER2002, region: ER4157E }
    head: { status: ER2069, occupation: ER4017, race: ER3944 }
    spouse: { status: ER2563, occupation: ER4048, race: ER3883 }
  1995:
    individual: { interview: ER33201, sequence: ER33202, relationship: ER33203, age: ER33204, education: ER33215, born: ER33206 }
    family: { interview: ER5002, region: ER6997E }
    head: { status: ER5068, occupation: ER6857, race: ER6814 }
    spouse: { status: ER5562, occupation: ER6888, race: ER6753 }
  1996:
    individual: { interview: ER33301, sequence: ER33302, relationship: ER33303, age: ER33304, education: ER33315, born: ER33306 }
    family: { interview: ER7002, region: ER9248E }
    head: { status: ER7164, occupation: ER9108, race: ER9060 }
    spouse: { status: ER7658, occupation: ER9139, race: ER8999 }
  1997:
    individual: { interview: ER33401, sequence: ER33402, relationship: ER33403, age: ER33404, education: ER33415, born: ER33406 }
    family: { interview: ER10002, region: ER12221E }
    head: { status: ER10081, occupation: ER12085, race: ER11848 }
    spouse: { status: ER10563, occupation: ER12116, race: ER11760 }
  1999:
    individual: { interview: ER33501, sequence: ER33502, relationship: ER33503, age: ER33504, education: ER33516, born: ER33506 }
    family: { interview: ER13002, region: ER16430 }
    head: { status: ER13205, occupation: ER13215, race: ER15928 }
    spouse: { status: ER13717, occupation: ER13727, race: ER15836 }
  2001:
    individual: { interview: ER33601, sequence: ER33602, relationship: ER33603, age: ER33604, education: ER33616, born: ER33606 }
    family: { interview: ER17002, region: ER20376 }
    head: { status: ER17216, occupation: ER17226, race: ER19989 }
    spouse: { status: ER17786, occupation: ER17796, race: ER19897 }
  2003:
    individual: { interview: ER33701, sequence: ER33702, relationship: ER33703, age: ER33704, education: ER33716, born: ER33706 }
    family: { interview: ER21002, region: ER24143 }
    head: { status: ER21123, occupation: ER21145, race: ER23426 }
    spouse: { status: ER21373, occupation: ER21395, race: ER23334 }
  2005:
    individual: { interview: ER33801, sequence: ER33802, relationship: ER33803, age: ER33804, education: ER33817, born: ER33806 }
    family: { interview: ER25002, region: ER28042 }
    head: { status: ER25104, occupation: ER25127, race: ER27393 }
    spouse: { status: ER25362, occupation: ER25385, race: ER27297 }
  2007:
    individual: { interview: ER33901, sequence: ER33902, relationship: ER33903, age: ER33904, education: ER33917, born: ER33906 }
    family: { interview: ER36002, region: ER41032 }
    head: { status: ER36109, occupation: ER36132, race: ER40565 }
    spouse: { status: ER36367, occupation: ER36390, race: ER40472 }
  2009:
    individual: { interview: ER34001, sequence: ER34002, relationship: ER34003, age: ER34004, education: ER34020, born: ER34006 }
    family: { interview: ER42002, region: ER46974 }
    head: { status: ER42140, occupation: ER42167, race: ER46543 }
    spouse: { status: ER42392, occupation: ER42419, race: ER46449 }
  2011:
    individual: { interview: ER34101, sequence: ER34102, relationship: ER34103, age: ER34104, education: ER34119, born: ER34106 }
    family: { interview: ER47302, region: ER52398 }
    head: { status: ER47448, occupation: ER47479, race: ER51904 }
    spouse: { status: ER47705, occupation: ER47736, race: ER51810 }
  2013:
    individual: { interview: ER34201, sequence: ER34202, relationship: ER34203, age: ER34204, education: ER34230, born: ER34206 }
    family: { interview: ER53002, region: ER58215 }
    head: { status: ER53148, occupation: ER53179, race: ER57659 }
    spouse: { status: ER53411, occupation: ER53442, race: ER57549 }
  2015:
    individual: { interview: ER34301, sequence: ER34302, relationship: ER34303, age: ER34305, education: ER34349, born: ER34307 }
    family: { interview: ER60002, region: ER65451 }
    head: { status: ER60163, occupation: ER60194, race: ER64810 }
    spouse: { status: ER60426, occupation: ER60457, race: ER64671 }
  2017:
    individual: { interview: ER34501, sequence: ER34502, relationship: ER34503, age: ER34504, education: ER34548, born: ER34506 }
    family: { interview: ER66002, region: ER71530 }
    head: { status: ER66164, occupation: ER66195, race: ER70882 }
    spouse: { status: ER66439, occupation: ER66470, race: ER70744 }
  2019:
    individual: { interview: ER34701, sequence: ER34702, relationship: ER34703, age: ER34704, education: ER34752, born: ER34706 }
    family: { interview: ER72002, region: ER77591 }
    head: { status: ER72164, occupation: ER72195, race: ER76897 }
    spouse: { status: ER72441, occupation: ER72472, race: ER76752 }
  2021:
    individual: { interview: ER34901, sequence: ER34902, relationship: ER34903, age: ER34904, education: ER34952, born: ER34906 }
    family: { interview: ER78002, region: ER81918 }
    head: { status: ER78167, occupation: ER78198, race: ER81144 }
    spouse: { status: ER78481, occupation: ER78512, race: ER81017 }
`;
