/** Jobs of managers, professionals, technicians, sales and offices (codes 4 to 389), as `synonyms.ts` reads them. */
export const OFFICE_SYNONYMS = `
  4: chief executive, chief executive officer, ceo, legislator, mayor, senator, member of
    parliament, congressman, city councilor, governor, president and ceo, public administrator,
    managing director
  7: financial manager, finance manager, finance director, chief financial officer, cfo, treasurer,
    bank manager, branch manager bank, controller, financial controller, vp finance, credit
    manager, head of finance
  8: human resources manager, hr manager, hr director, human resources director, head of people,
    chief people officer, labor relations manager, talent acquisition manager, people operations
    manager
  13: marketing manager, marketing director, sales and marketing manager, public relations manager,
    pr manager, advertising manager, brand manager, chief marketing officer, cmo, sales manager,
    sales director, communications manager, communications director, product marketing manager,
    head of marketing, head of sales, vp sales, vp marketing, social media manager, digital
    marketing manager, regional sales manager, national sales manager, business development
    manager, growth manager, campaign manager, head of communications
  14: school principal, principal, assistant principal, headmaster, headteacher, dean, school
    administrator, college administrator, education administrator, superintendent of schools,
    provost, registrar, daycare director, preschool director, director of admissions, academic
    director
  15: medical manager, hospital administrator, health services manager, clinic manager, nursing
    home administrator, nurse manager, director of nursing, healthcare administrator, practice
    manager, medical director
  18: property manager, real estate manager, apartment manager, leasing manager, community
    association manager, building manager, landlord, leasing consultant, leasing agent
  19: funeral director, mortician, undertaker, embalmer
  22: manager, general manager, operations manager, project manager, program manager, product
    manager, product owner, owner, business owner, founder, cofounder, entrepreneur, restaurant
    manager, hotel manager, construction manager, it manager, engineering manager, software
    engineering manager, chief operating officer, coo, chief technology officer, cto, chief
    information officer, cio, director, director of operations, vice president, president, plant
    manager, production manager, manufacturing manager, director of engineering, vp engineering,
    food service manager, cafe manager, bar manager, nonprofit director, executive director, scrum
    master, postmaster, gym manager, small business owner, agile coach, delivery manager, technical
    program manager, chief of staff, computer and information systems manager, partner, facilities manager, quality
    manager, security manager, self employed business owner, account director, managing partner,
    area manager, district manager
  23: accountant, auditor, certified public accountant, cpa, tax accountant, internal auditor,
    staff accountant, tax preparer, tax consultant, cost accountant, accounting manager, chartered
    accountant, tax advisor
  24: underwriter, insurance underwriter, mortgage underwriter
  25: financial analyst, credit analyst, loan officer, personal financial advisor, financial
    planner, budget analyst, investment analyst, mortgage broker, mortgage loan officer, financial
    examiner, risk analyst, loan counselor, financial consultant, investment associate, wealth
    manager, equity analyst, financial specialist, fundraiser, real estate appraiser, portfolio
    manager, private equity associate, fund manager
  26: management analyst, management consultant, consultant, business consultant, strategy
    consultant, business analyst, business process analyst, organizational consultant, strategy
    manager, strategy analyst
  27: hr specialist, human resources specialist, recruiter, technical recruiter, trainer, corporate
    trainer, training specialist, talent acquisition specialist, hr generalist, human resources
    generalist, hr business partner, compensation analyst, benefits specialist, training
    coordinator, employment specialist, hr coordinator, labor relations specialist, headhunter,
    personnel specialist, job placement officer, training manager, learning and development
    specialist, people partner, talent partner
  28: grain buyer, farm products buyer, livestock buyer
  29: retail buyer, wholesale buyer, buyer, merchandise buyer, fashion buyer, merchandise manager
  33: purchasing agent, purchasing manager, procurement manager, procurement specialist, purchasing
    specialist, sourcing manager, contract specialist, procurement officer, category manager
  34: talent agent, booking agent, artist manager, literary agent, sports agent, business agent
  35: building inspector, construction inspector, home inspector, code inspector
  36: compliance officer, compliance manager, health inspector, customs inspector, environmental
    compliance inspector, food inspector, safety inspector, regulatory affairs specialist,
    immigration officer, license examiner, compliance analyst, health and safety officer, coroner
  37: emergency management director, event planner, meeting planner, event manager, event
    coordinator, wedding planner, management support
  43: architect, landscape architect, architectural designer, building architect
  44: aerospace engineer, aeronautical engineer
  45: materials engineer, metallurgical engineer
  47: petroleum engineer, mining engineer, geological engineer, reservoir engineer
  48: chemical engineer, process engineer
  53: civil engineer, structural engineer, transportation engineer, geotechnical engineer
  55: electrical engineer, electronics engineer, hardware engineer, computer hardware engineer,
    firmware engineer, telecommunications engineer, embedded engineer, rf engineer, chip designer,
    power engineer
  56: industrial engineer, manufacturing engineer, quality engineer, safety engineer, process
    improvement engineer
  57: mechanical engineer, hvac engineer, automotive engineer
  59: engineer, environmental engineer, biomedical engineer, nuclear engineer, agricultural
    engineer, marine engineer design, naval architect, robotics engineer
  64: systems analyst, computer scientist, computer systems analyst, it support, it support
    specialist, help desk technician, it specialist, database administrator, dba, network
    administrator, network engineer, systems administrator, sysadmin, system engineer, it analyst,
    it consultant, web developer, web designer, webmaster, data scientist, data engineer, security
    analyst, cybersecurity analyst, information security analyst, devops engineer, site reliability
    engineer, cloud engineer, solutions architect, machine learning engineer, ai engineer, computer
    support specialist, it technician, data analyst, technical support engineer, desktop support,
    network technician, infrastructure engineer, front end web developer, ux engineer, machine
    learning researcher, ai researcher, cloud architect, enterprise architect, business
    intelligence analyst, data architect, it administrator, information technology, penetration
    tester
  65: operations research analyst, logistician, operations analyst, operations researcher, supply
    chain analyst, logistics analyst
  66: actuary, actuarial analyst
  68: mathematician, statistician, biostatistician, quantitative analyst, quant
  69: physicist, astronomer, astrophysicist, medical physicist
  73: chemist, research chemist, materials scientist, analytical chemist
  74: meteorologist, atmospheric scientist, climatologist, weather forecaster
  75: geologist, geoscientist, environmental scientist, hydrologist, geophysicist
  76: physical scientist
  77: agricultural scientist, food scientist, agronomist, soil scientist, animal scientist
  78: biologist, microbiologist, zoologist, wildlife biologist, ecologist, marine biologist,
    botanist, biological scientist, molecular biologist, bioinformatician, geneticist,
    neuroscientist
  79: forester, conservation scientist, park ranger naturalist, conservationist, park ranger
  83: medical scientist, postdoctoral researcher, postdoctoral fellow, postdoc, researcher, clinical researcher, epidemiologist, biochemist, biomedical researcher,
    immunologist, clinical research scientist, research scientist, scientist
  84: physician, doctor, medical doctor, surgeon, pediatrician, psychiatrist, anesthesiologist,
    cardiologist, radiologist, family doctor, general practitioner, resident physician, medical
    resident, neurologist, dermatologist, oncologist, obstetrician, gynecologist, pathologist,
    hospitalist, emergency medicine physician, internist, orthopedic surgeon
  85: dentist, orthodontist, oral surgeon
  86: veterinarian, vet
  87: optometrist
  88: podiatrist
  89: chiropractor, acupuncturist, naturopath, osteopath, midwife health practitioner
  95: registered nurse, rn, nurse, staff nurse, icu nurse, emergency room nurse, er nurse, nurse
    practitioner, charge nurse, school nurse, clinical nurse specialist, nurse anesthetist,
    midwife, nurse midwife, pediatric nurse, operating room nurse, travel nurse, hospice nurse,
    critical care nurse, public health nurse, bsn nurse
  96: pharmacist, clinical pharmacist
  97: dietitian, dietician, nutritionist
  98: respiratory therapist
  99: occupational therapist, occupational therapy assistant
  103: physical therapist, physiotherapist, physical therapist assistant, physical therapy
    assistant
  104: speech therapist, speech language pathologist, speech pathologist, audiologist
  105: therapist, recreational therapist, massage therapist therapeutic, art therapist, music
    therapist, radiation therapist, behavior therapist, exercise physiologist, aba therapist
  106: physician assistant, physician associate
  154: professor, assistant professor, associate professor, college professor, university lecturer,
    lecturer, adjunct professor, adjunct instructor, teaching fellow, faculty member, college
    instructor, university teacher, teaching assistant university, graduate teaching assistant,
    graduate student instructor, professor of economics, professor of law, postdoctoral lecturer
  155: kindergarten teacher, preschool teacher, nursery school teacher, early childhood educator,
    pre k teacher, montessori teacher, early years teacher, early childhood teacher
  156: primary school teacher, elementary school teacher, elementary teacher, grade school teacher,
    middle school teacher, second grade teacher, third grade teacher, first grade teacher, fourth
    grade teacher, fifth grade teacher, grade teacher, teacher, school teacher, schoolteacher
  157: secondary school teacher, high school teacher, high school math teacher, math teacher, english teacher, science
    teacher, history teacher, chemistry teacher, biology teacher, physics teacher, spanish teacher,
    foreign language teacher, mathematics teacher, social studies teacher, secondary teacher
  158: special education teacher, special ed teacher, special needs teacher, resource teacher
  159: tutor, private tutor, substitute teacher, music teacher, piano teacher, esl teacher, adult
    education teacher, art teacher, dance teacher, instructor, teacher private, guitar teacher,
    self enrichment teacher, ged instructor, language tutor, math tutor, driving instructor,
    vocational instructor, curriculum developer, instructional designer, instructional coordinator,
    english as a foreign language teacher, tefl teacher, educator, swim teacher
  163: guidance counselor, school counselor, counselor, career counselor, academic advisor,
    vocational counselor, educational counselor, rehabilitation counselor, mental health counselor,
    substance abuse counselor, college counselor, career coach, admissions counselor, life coach,
    marriage counselor, addiction counselor
  164: librarian, library director, media specialist library, reference librarian
  165: archivist, curator, museum curator, museum technician, conservator
  166: economist, market researcher, market research analyst, survey researcher,
    marketing specialist, marketing coordinator, marketing associate, marketing analyst,
    seo specialist, marketing research analyst, research economist, consumer insights analyst, user
    researcher, ux researcher
  167: psychologist, clinical psychologist, school psychologist, psychotherapist
  169: social scientist, sociologist, anthropologist, archaeologist, historian, political
    scientist, geographer, policy analyst, policy researcher, research assistant social science,
    think tank fellow
  173: urban planner, city planner, regional planner, town planner, transportation planner
  174: social worker, case worker, caseworker, clinical social worker, child protection worker,
    lcsw, youth social worker
  176: clergy, pastor, priest, minister, rabbi, imam, chaplain, church minister, youth pastor,
    missionary, reverend, religious worker, religious education director
  177: social services assistant, probation officer, case manager, welfare worker, parole officer,
    community health worker, community organizer, outreach worker, human services assistant, victim
    advocate, youth worker, social service worker, residential counselor, outreach coordinator,
    social and human service assistant, community worker, volunteer coordinator, peer support
    specialist
  178: lawyer, attorney, judge, solicitor, barrister, counsel, general counsel, public defender,
    prosecutor, magistrate, attorney at law, corporate counsel, district attorney, legal counsel,
    associate attorney, arbitrator, in house counsel
  183: writer, author, novelist, copywriter, content writer, screenwriter, playwright, poet,
    blogger, speechwriter, grant writer, content creator, content strategist
  184: technical writer, documentation specialist, technical author
  185: designer, graphic designer, interior designer, fashion designer, ux designer, ui designer,
    product designer, industrial designer, floral designer, florist, set designer, visual designer,
    interior decorator, window dresser, user experience designer, merchandise displayer, art
    director fashion, visual merchandiser, creative designer, interaction designer, game designer,
    user interface designer, fashion stylist
  186: musician, composer, singer, pianist, guitarist, conductor orchestra, songwriter, choir
    director, music director, violinist, drummer, rapper
  187: actor, actress, director film, film director, producer, film producer, theater director, tv
    producer, video producer, voice actor, stage manager, casting director, executive producer,
    filmmaker, stunt performer
  188: artist, painter artist, sculptor, illustrator, art director, animator, craft artist, fine
    artist, ceramicist, potter, cartoonist, multimedia artist, 3d artist, creative director, visual
    artist, tattoo artist, glass artist, print maker, concept artist
  189: photographer, wedding photographer, photojournalist
  193: dancer, choreographer, ballet dancer
  194: entertainer, performer, comedian, magician, clown, public relations specialist, pr
    specialist, communications specialist, publicist, interpreter, translator, communications
    coordinator, public relations coordinator, media relations specialist, sign language
    interpreter, communications officer, public affairs specialist, circus performer, press
    officer, influencer, youtuber, streamer
  195: editor, reporter, journalist, news editor, copy editor, news reporter, film editor, video
    editor, camera operator, cinematographer, managing editor, editorial assistant, correspondent,
    videographer, editor in chief, news anchor, book editor
  198: announcer, radio announcer, dj, disc jockey, radio host, tv host, broadcaster, television
    presenter, podcast host, presenter
  199: athlete, coach, sports coach, football coach, basketball coach, professional athlete,
    umpire, referee, soccer player, sports instructor, ski instructor, swim coach, athletic coach,
    sports official, head coach, athletic director, swimming instructor, tennis instructor, soccer
    coach, scout sports, golf pro, football player, assistant coach
  203: medical technologist, lab technician medical, clinical laboratory technician, medical
    laboratory scientist, medical laboratory technician, histotechnologist, clinical lab scientist,
    mlt, cytotechnologist, medical lab technician
  204: dental hygienist
  205: medical records technician, health information technician, medical coder, medical records
    clerk, medical coding specialist, health information specialist, cancer registrar
  206: radiologic technologist, x ray technician, radiology technician, mri technologist,
    sonographer, ultrasound technician, ct technologist, radiographer, diagnostic medical
    sonographer, cardiovascular technologist, mammographer, nuclear medicine technologist
  207: licensed practical nurse, lpn, lvn, licensed vocational nurse, practical nurse, vocational
    nurse
  208: emergency medical technician, emt, paramedic, pharmacy technician, surgical technologist,
    health technician, veterinary technician, vet tech, psychiatric technician, dialysis
    technician, ambulance paramedic, scrub tech, athletic trainer, anesthesia technician, surgical
    tech, ekg technician, operating department practitioner
  214: engineering technician, electronics technician, mechanical engineering technician, civil
    engineering technician, electrical technician, science technician, engineering tech, test
    technician, calibration technician, electronic technician
  217: drafter, draftsman, cad drafter, cad technician, architectural drafter, autocad operator
  218: surveyor, land surveyor, cartographer, mapping technician, gis analyst, gis specialist,
    survey technician, photogrammetrist, gis technician
  223: biological technician, laboratory technician biology, agricultural technician, food science
    technician, biology lab technician, research technician biology, lab technician, laboratory
    technician, lab assistant, laboratory assistant
  224: chemical technician, chemistry lab technician, chemical lab technician
  225: geological technician, petroleum technician, environmental field technician geology
  226: airplane pilot, pilot, airline pilot, flight engineer, commercial pilot, first officer,
    helicopter pilot, navigator aircraft, flight instructor, airline captain, copilot, drone pilot
  227: air traffic controller
  228: broadcast technician, sound engineer, audio engineer, audio technician, sound technician,
    audio visual technician, av technician, broadcast engineer, radio operator, recording engineer,
    lighting technician, sound designer
  229: computer programmer, software engineer, software developer, programmer, developer, full
    stack developer, front end developer, backend developer, mobile developer, ios developer,
    android developer, java developer, game developer, application developer, programmer analyst,
    frontend engineer, backend engineer, full stack engineer, python developer, software architect,
    coder, software programmer, qa engineer, quality assurance analyst, qa analyst, quality assurance engineer, qa tester, test engineer software, embedded software engineer,
    software consultant, app developer, php developer, software development engineer, sde, swe,
    software tester, platform engineer, member of technical staff, software quality assurance
    engineer, blockchain developer, net developer
  233: cnc programmer, numerical control programmer, cnc operator, cnc machinist
  234: paralegal, legal assistant, law clerk, title examiner, legal secretary paralegal, legal
    aide, title abstractor
  235: technician, nuclear technician, research assistant, research technician, forensic
    technician, crime scene technician, social science research assistant, graduate research
    assistant, forensic scientist, research associate, research coordinator
  243: store manager, retail manager, sales supervisor, retail store manager, shop manager,
    assistant store manager, department manager retail, shop owner, retail supervisor, sales team
    lead, store owner, retail assistant manager, deli manager, bakery manager, department
    supervisor, grocery manager, supermarket manager, shift supervisor retail, convenience store
    manager, key holder, liquor store owner
  253: insurance agent, insurance sales agent, insurance broker, insurance producer
  254: real estate agent, realtor, real estate broker, real estate sales agent, estate agent
  255: stockbroker, investment banker, securities trader, financial services sales, trader, broker,
    stock trader, commodities trader, financial advisor, investment advisor, bank sales
    representative, investment banking analyst
  256: advertising sales, media sales, ad sales executive, advertising sales agent, advertising
    account executive, media buyer
  258: sales engineer, presales engineer, technical sales engineer
  274: sales representative, sales rep, sales, account executive, account manager, salesperson,
    outside sales representative, business development representative, sales development
    representative, sdr, sales executive, sales associate business, sales consultant,
    pharmaceutical sales representative, medical sales representative, territory manager, inside
    sales, travel agent, sales agent, business development, key account manager, salesman, client
    executive, commercial agent, sales specialist, recruiting sales consultant, business developer
  275: retail sales associate, sales associate, shop assistant, retail salesperson, sales clerk,
    store clerk, counter clerk, rental clerk, retail worker, retail associate, store associate, car
    salesman, retail assistant, telemarketer, parts salesperson, sales assistant, shop clerk,
    retail clerk, sales floor associate, clothing store clerk, video store clerk, beauty advisor,
    retail sales consultant, sales advisor, sales attendant, team member retail, store assistant,
    salesgirl, crew member retail, bookseller
  276: cashier, checkout operator, checker cashier, head cashier, till operator, casino cashier,
    supermarket cashier, gas station cashier, front end cashier
  277: door to door salesperson, street vendor, newspaper vendor, door to door sales, news vendor,
    canvasser sales, avon lady, newspaper delivery
  283: model, fashion model, product demonstrator, brand ambassador, promoter, sales promoter,
    demonstrator, product promoter
  303: office supervisor, office manager, administrative supervisor, customer service supervisor,
    customer service manager, clerical supervisor, administrative manager, call center manager,
    call center supervisor, front office manager, business office manager, administrative services
    supervisor, customer success team lead
  308: computer operator, mainframe operator, data center operator
  313: secretary, administrative assistant, executive assistant, personal assistant, office
    assistant administrative, admin assistant, pa, executive secretary, medical secretary, legal
    secretary, school secretary, administrative coordinator, administrative secretary, office
    administrator, virtual assistant, administrative officer, office coordinator, unit secretary,
    administrator, executive administrator, admin
  315: typist, word processor, transcriptionist, medical transcriptionist, desktop publisher,
    stenographer typist
  316: interviewer, enumerator, survey interviewer, census taker, survey taker, loan interviewer,
    admissions clerk, credit checker, patient access representative, telephone interviewer, census
    enumerator
  317: hotel clerk, hotel receptionist, front desk agent hotel, hotel front desk clerk, night
    auditor, guest service agent, desk clerk, front desk agent, hotel front desk, guest services
    representative, reservations clerk hotel
  318: ticket agent, reservation agent, airline ticket agent, travel clerk, airline customer
    service agent, gate agent, reservations agent, check in agent
  319: receptionist, front desk receptionist, information clerk, medical receptionist, front desk,
    dental receptionist, front desk coordinator, greeter, front desk attendant
  326: order clerk, correspondence clerk, order processor, order entry clerk
  328: hr assistant, human resources assistant, personnel clerk, human resources clerk, hr clerk,
    hr administrator
  329: library assistant, library clerk, library technician, library aide, library page
  335: file clerk, filing clerk, records filing clerk
  336: records clerk, brokerage clerk, records specialist, record keeper, records technician
  337: bookkeeper, accounting clerk, accounts payable clerk, accounts receivable clerk, auditing
    clerk, accounting assistant, accounts assistant, accounts payable specialist, accounts
    receivable specialist, accounts clerk, bookkeeping clerk, accounting technician, finance
    assistant, accounts payable
  338: payroll clerk, payroll specialist, timekeeper, payroll administrator, payroll manager
  344: billing clerk, medical biller, billing specialist, billing coordinator, invoice clerk,
    medical billing specialist, posting clerk, statement clerk
  346: mail sorter postal, postal sorter, mail processing clerk usps, postal machine operator, mail
    handler postal
  347: office machine operator, copy machine operator, photocopy operator
  348: telephone operator, switchboard operator, answering service operator, phone operator
  349: telecom operator, telegraph operator, communications equipment operator
  354: postal clerk, post office clerk, usps clerk, postal service clerk, post office worker
  355: mail carrier, postman, letter carrier, mailman, rural carrier, postal carrier, mail
    deliverer, city carrier
  356: mail clerk, mailroom clerk, mail room worker
  357: messenger, courier, bike messenger, bicycle courier, runner messenger
  359: dispatcher, 911 dispatcher, police dispatcher, truck dispatcher, emergency dispatcher, taxi
    dispatcher
  364: shipping clerk, receiving clerk, shipping and receiving clerk, freight agent, cargo agent,
    shipping associate, freight forwarder, shipping coordinator
  365: stock clerk, merchandiser, retail merchandiser, order filler, stocker, inventory clerk, order picker, stock associate, shelf
    stacker, stockroom clerk, inventory specialist, warehouse picker, night stocker, picker packer
    warehouse, personal shopper grocery, inventory control specialist, stock handler shelf, grocery
    stocker, shelf stocker, stock replenishment associate
  366: meter reader, utility meter reader
  368: weigher, weighing clerk, measurer, sampler recordkeeping
  373: production planner, expediter, production scheduler, planning clerk, logistics manager,
    warehouse manager, supply chain manager, material planner, production planning clerk, logistics
    coordinator, supply chain planner, distribution manager, transportation manager, demand
    planner, production coordinator, storage and distribution manager, supply chain coordinator
  375: claims adjuster, insurance claims adjuster, claims examiner, insurance adjuster, claims
    investigator, insurance appraiser, claims handler, insurance claims clerk, policy processing
    clerk, claims representative, claims specialist
  376: customer service representative, customer service rep, customer support, call center agent,
    customer service, customer support specialist, csr, loan processor, call center representative,
    customer success manager, client services representative, customer care representative,
    customer advisor, customer service agent, customer service associate, loan clerk, credit
    authorizer, call center operator, contact center agent, member services representative,
    customer success specialist, client support specialist, customer experience associate
  377: eligibility worker, eligibility specialist, benefits eligibility interviewer, welfare
    eligibility clerk
  378: bill collector, debt collector, collections agent, collections specialist, collector,
    account collector
  379: office clerk, general office clerk, clerk, office assistant, clerical assistant, office
    worker, clerical worker, administrative clerk, office helper, office junior, file and office
    clerk
  383: bank teller, teller, bank clerk, bank cashier
  384: proofreader, copy marker
  385: data entry clerk, data entry operator, data entry, data entry specialist, data processor,
    keypunch operator
  386: statistical clerk, statistical assistant, data clerk statistics
  387: teacher aide, teacher assistant, teaching assistant, paraprofessional, paraeducator,
    classroom aide, instructional aide, classroom assistant, special education aide, learning
    support assistant, teacher helper, education assistant, school aide
  389: court clerk, municipal clerk, license clerk, administrative support worker, city clerk,
    program assistant, program coordinator, project coordinator, project assistant, title clerk,
    operations coordinator, marketing assistant, admissions assistant, administrative support
    specialist, office support, operations assistant, legal clerk, new accounts clerk, coordinator,
    project administrator
`;
