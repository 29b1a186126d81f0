/** Jobs in services, farms, trades and factories (codes 405 to 905), and years without one, as `synonyms.ts` reads them. */
export const SERVICE_SYNONYMS = `
  405: housekeeper, maid, house cleaner, hotel housekeeper, room attendant, butler, domestic
    worker, cleaning lady, chambermaid, home cleaner, residential cleaner
  408: laundry worker, dry cleaner, laundry attendant, laundromat attendant
  415: security supervisor, guard supervisor, security shift supervisor
  417: firefighter, fireman, fire inspector, fire captain, fire chief, fire fighter paramedic, fire
    marshal, wildland firefighter
  418: police officer, detective, policeman, cop, state trooper, police sergeant, private
    investigator, police detective, fbi agent, criminal investigator, special agent, police chief,
    private detective, patrol officer, transit police, game warden, police lieutenant, fraud
    investigator police
  423: correctional officer, prison guard, sheriff, deputy sheriff, bailiff, corrections officer,
    jailer, detention officer, sheriff deputy, prison officer
  425: crossing guard, school crossing guard
  426: security guard, security officer, guard, bouncer, night watchman, gate guard, loss
    prevention officer, casino surveillance officer, unarmed security, loss prevention associate,
    armed guard, doorman nightclub, security, armored car guard, asset protection associate
  427: lifeguard, animal control officer, protective service worker, ski patrol, parking
    enforcement officer, transportation security officer, tsa agent, pool lifeguard, transportation
    security screener
  433: kitchen manager, food service supervisor, shift supervisor restaurant, restaurant
    supervisor, fast food manager, kitchen supervisor, restaurant shift leader, fast food shift
    manager, restaurant assistant manager, catering manager, fast food supervisor, pastry chef
    supervisor, shift leader fast food
  434: bartender, barkeeper, mixologist, barman, barmaid
  435: waiter, waitress, restaurant server, server, cocktail waitress, food server, banquet server,
    wait staff
  436: cook, chef, head chef, executive chef, sous chef, head cook, chef de cuisine, line cook,
    short order cook, fry cook, prep cook, kitchen staff, grill cook, pizza maker, fast food cook,
    institutional cook, chef de partie, pizza cook, sushi chef, private chef, commis chef, pizza
    chef, school cook
  439: food preparation worker, fast food worker, sandwich maker, kitchen helper, food prep, food
    prep worker, crew member fast food, crew member, salad maker, fast food crew, team member fast
    food, mcdonalds crew member, burger flipper, sandwich artist, fast food team member, kitchen
    porter prep, deli worker
  444: barista, busser, busboy, dishwasher, counter attendant, cafeteria worker, food runner,
    caterer assistant, coffee shop worker, kitchen hand, coffee maker cafe, food service worker,
    ice cream scooper, kitchen porter, dining room attendant, room service attendant, cafe
    attendant, lunch lady, catering assistant, dietary aide, food service assistant, cafeteria
    attendant, bar back, coffee server
  445: dental assistant, dental nurse, orthodontic assistant
  447: nursing aide, nursing assistant, certified nursing assistant, cna, home health aide,
    caregiver, medical assistant, orderly, personal care aide, care assistant, phlebotomist,
    healthcare assistant, psychiatric aide, patient care technician, direct support professional,
    home care aide, care worker, caretaker elderly, hospital aide, nurse aide, physical therapy
    aide, companion, home health care worker, certified medical assistant, personal care assistant,
    carer, medical aide, health aide, support worker, elderly care worker, patient care assistant,
    pct, hha, occupational therapy aide, companion caregiver, hospital porter care, ward assistant
  448: housekeeping supervisor, janitorial supervisor, custodial supervisor, cleaning supervisor,
    executive housekeeper, head custodian
  450: landscaping supervisor, groundskeeping supervisor, lawn service supervisor, landscaping
    foreman, landscaping business owner, lawn service manager
  451: gardener, groundskeeper, landscaper, landscape worker, lawn care worker, lawn mower, tree
    trimmer, arborist, greenskeeper, grounds maintenance worker, landscape laborer, golf course
    maintenance, landscape gardener
  453: janitor, custodian, cleaner, office cleaner, building cleaner, school custodian, cleaning
    staff, porter building, janitorial worker, window cleaner, cleaning
  455: exterminator, pest control technician, pest controller
  457: barber
  458: hairdresser, hair stylist, cosmetologist, beautician, nail technician, manicurist,
    esthetician, stylist, makeup artist, hairstylist, beauty therapist, colorist, pedicurist, skin
    care specialist, lash technician, salon assistant
  459: amusement park attendant, recreation attendant, ride operator, casino dealer, dealer casino,
    golf caddie, blackjack dealer, locker room attendant, bowling alley attendant, croupier, arcade
    attendant, theme park worker, ski lift operator, slot attendant, caddy, pool attendant
  461: tour guide, guide, museum guide, travel guide, docent, tour leader, fishing guide, tour
    escort
  462: usher, ticket taker, lobby attendant, movie theater attendant, theater usher
  464: bellhop, concierge, baggage porter, bellman, hotel porter, doorman hotel, baggage handler
    hotel, bell attendant, valet hotel bell, doorman
  466: fitness trainer, personal trainer, yoga instructor, recreation worker, fitness instructor,
    camp counselor, aerobics instructor, pilates instructor, group fitness instructor, recreation
    leader, activities director, activities coordinator, spin instructor, recreation coordinator,
    gym instructor, recreation program leader, summer camp counselor, after school program leader,
    zumba instructor, youth camp leader
  467: projectionist, film projectionist
  468: childcare worker, nanny, babysitter, daycare worker, daycare provider, au pair, childminder,
    child care provider, daycare teacher, childcare assistant, nursery assistant, preschool aide,
    nursery nurse, after school care worker, day care assistant, daycare assistant, childcare
  469: host, hostess, restaurant host, personal service worker, residential advisor, resident
    assistant, wedding officiant, psychic, funeral attendant, massage therapist, dietetic
    technician, house sitter, personal attendant, funeral assistant
  470: spa manager, salon manager, personal service supervisor, casino supervisor, salon owner,
    gaming supervisor, pit boss, beauty salon manager
  471: flight attendant, airline steward, cabin crew, stewardess, train attendant, air hostess,
    cabin attendant, bus attendant, school bus monitor, transportation attendant
  472: dog groomer, animal caretaker, kennel attendant, pet sitter, dog walker, dog trainer,
    zookeeper, animal trainer, pet groomer, horse groom, animal care attendant, kennel worker,
    animal shelter worker, horse trainer, veterinary assistant, stable hand
  473: farmer, rancher, farm manager, dairy farmer, farm owner, orchard manager, ranch manager,
    grower, vineyard manager, nursery manager plants, winegrower
  475: animal breeder, dog breeder, horse breeder, cattle breeder
  479: farm worker, farmhand, farm laborer, fruit picker, ranch hand, agricultural worker, crop
    picker, greenhouse worker, field worker agriculture, nursery worker plants, fish farm worker,
    farm hand, harvest worker, milker, vineyard worker, berry picker, orchard worker, tractor
    driver farm, farm labourer, picker farm
  488: produce sorter, fruit grader, egg grader, fruit sorter
  489: agricultural inspector, grain inspector, produce inspector
  496: logger, lumberjack, forestry worker, timber worker, tree feller, forest worker, log grader,
    forestry technician logging
  498: fisherman, commercial fisherman, hunter, trapper, deckhand fishing, fisher, crab fisherman
  503: maintenance supervisor, mechanic supervisor, service manager automotive, maintenance
    manager, auto shop foreman, repair supervisor, shop foreman mechanic, service manager
  505: auto mechanic, automobile mechanic, car mechanic, automotive technician, auto technician,
    mechanic automotive, mechanic, automotive service technician, lube technician, brake mechanic,
    transmission mechanic, vehicle technician, oil change technician, motor mechanic
  507: diesel mechanic, truck mechanic, bus mechanic, diesel technician, fleet mechanic, stationary
    engine mechanic
  508: aircraft mechanic, airplane mechanic, aviation mechanic, avionics technician, aircraft
    technician, aircraft maintenance engineer
  509: small engine mechanic, motorcycle mechanic, lawn mower repairer, boat mechanic, outboard
    motor mechanic
  514: auto body repairer, auto body technician, collision repair technician, windshield installer,
    body shop technician, panel beater, dent repair technician
  516: heavy equipment mechanic, farm equipment mechanic, tractor mechanic, construction equipment
    mechanic
  518: industrial mechanic, industrial machinery mechanic, plant mechanic, machine repairer,
    machinery mechanic
  519: machinery maintenance worker, machine maintenance, machine oiler, equipment maintenance
    technician
  523: industrial electronics repairer, tv repairman, home theater installer, electronic home
    entertainment repairer
  525: computer repair technician, copier technician, atm technician, office machine repairer,
    computer technician, pc technician, computer repairer
  526: appliance repair technician, appliance technician, washing machine repairer, power tool
    repairer, appliance repairman
  527: cable installer, telecommunications installer, lineman telecom, cable technician, telephone
    installer, telecommunications technician, telecom technician, fiber optic technician, cable
    guy, phone line installer, satellite installer
  533: alarm installer, car stereo installer, electronics repair technician, phone repair
    technician, security system installer, solar panel installer, electronics repairer
  534: hvac technician, hvac mechanic, hvac installer, air conditioning technician, refrigeration
    technician, heating technician, heating and cooling technician, hvac
  535: camera repairer, watchmaker, medical equipment repairer, piano tuner, musical instrument
    repairer, jeweler, biomedical equipment technician, goldsmith, watch repairer, instrument
    repairer
  536: locksmith, safe technician
  539: valve repairer, control valve mechanic, garage door installer, valve technician
  543: elevator mechanic, elevator installer, elevator technician, escalator mechanic
  544: millwright
  549: maintenance worker, maintenance technician, handyman, building maintenance worker, general
    maintenance, facilities technician, maintenance mechanic, maintenance man, maintenance, vending
    machine repairer, wind turbine technician, apartment maintenance, field service technician, field service engineer, field engineer,
    bicycle mechanic, rigger, facility maintenance technician, service technician
  558: construction supervisor, construction foreman, construction superintendent, site supervisor
    construction, site manager, general contractor, contractor construction, building contractor,
    site superintendent, construction site manager, foreman construction, contractor
  563: mason, bricklayer, tiler, tile setter, carpet installer, floor installer, stonemason, brick
    mason, flooring installer, tile installer, floor layer
  567: carpenter, framer, finish carpenter, carpenter apprentice, joiner
  573: drywall installer, drywaller, drywall hanger, sheetrock hanger, drywall taper
  575: electrician, electrician apprentice, journeyman electrician, industrial electrician,
    electrical contractor, wireman
  577: lineman, power line installer, lineworker, electrical power line installer, electric motor
    repairer, power lineman, substation technician
  579: house painter, painter, painting contractor, commercial painter, industrial painter
    buildings
  583: paperhanger, wallpaper hanger
  584: plasterer, stucco mason
  585: plumber, pipefitter, steamfitter, plumbing contractor, plumber apprentice, sprinkler fitter,
    pipelayer, gas fitter
  588: concrete finisher, cement mason, concrete worker, cement finisher, terrazzo worker, concrete
    laborer
  589: glazier, window installer, glass installer
  593: insulation installer, insulation worker, asbestos removal worker
  594: paving operator, asphalt paver, paver operator, road paver
  595: roofer, roofing contractor
  597: ironworker, structural steel worker, steel erector, iron worker, rebar worker, structural
    metal fabricator
  598: well driller, water well driller, earth driller
  599: fence installer, solar installer, septic tank servicer, sewer cleaner, gutter installer,
    highway maintenance worker, road worker, rail track layer, hazmat worker, fence erector, road
    maintenance worker
  614: oil driller, roughneck, derrickhand, roustabout driller, oil rig worker, oil well driller,
    oilfield worker
  615: blaster, explosives technician, demolition explosives expert, ordnance handler
  616: miner, coal miner, mine worker, mining machine operator
  617: roof bolter, roustabout, mining laborer, mine helper, quarry worker
  628: production supervisor, manufacturing supervisor, foreman, factory supervisor, production
    foreman, line lead manufacturing, plant supervisor, shift supervisor factory, assembly
    supervisor, production team leader, floor supervisor factory, supervisor
  634: tool and die maker, toolmaker, die setter, die maker
  637: machinist, machine shop worker, maintenance machinist, precision machinist
  643: boilermaker
  644: tool grinder, precision grinder, tool sharpener, precision fitter
  645: patternmaker, model maker, metal patternmaker
  649: engraver, etcher, laser engraver
  653: sheet metal worker, sheet metal fabricator, tinsmith, sheet metal mechanic
  657: cabinetmaker, woodworker, bench carpenter, furniture maker, cabinet installer
  658: furniture finisher, furniture refinisher, wood finisher
  666: tailor, seamstress, dressmaker, sewer, alterations specialist, sewist, custom tailor
  668: upholsterer, furniture upholsterer
  669: shoemaker, cobbler, shoe repairer, leather worker, saddle maker
  675: hand molder, sand caster, mold maker, foundry molder
  677: optician, lens grinder, dispensing optician, optical technician, eyeglass maker
  678: dental lab technician, prosthetist, orthotist, medical appliance technician, denture maker,
    dental technician, ophthalmic laboratory technician
  679: bindery worker, bookbinder, print finisher, print finishing worker
  684: precision worker, multiple machine tool setter, tool setter
  686: butcher, meat cutter, meat packer, slaughterer, fish cutter, meat processing worker, poultry
    processing worker, meatcutter, slaughterhouse worker
  687: baker, pastry chef, pastry cook, bread baker, cake decorator, bakery worker
  688: food batchmaker, cheese maker, candy maker, brewer, batch maker, winemaker, chocolatier, ice
    cream maker, food production worker
  694: water treatment operator, wastewater operator, sewage plant operator, water plant operator,
    wastewater treatment plant operator
  695: power plant operator, nuclear reactor operator, power distributor, power plant technician,
    nuclear operator
  696: stationary engineer, boiler operator, building engineer, boiler technician
  699: refinery operator, chemical plant operator, gas plant operator, plant operator, petroleum
    refinery operator
  703: lathe operator, turning machine operator
  706: punch press operator, stamping press operator, press brake operator, metal press operator,
    press operator metal
  707: rolling mill operator, steel roller, rolling machine operator, steel mill worker
  708: drill press operator, boring machine operator
  709: grinder operator, polisher, buffer metal, metal polisher, grinding machine operator, sander
  713: forge operator, blacksmith, hammer operator, forging machine operator
  719: injection molding operator, molding machine operator, casting machine operator, mold
    operator, die caster, foundry worker, injection molder
  723: metal plater, electroplater, plating operator, galvanizer
  724: heat treater, heat treat operator, annealing operator
  727: sawyer, sawmill worker, saw operator, sawmill operator, lumber mill worker
  729: nailing machine operator, wood router operator
  733: woodworking machine operator, planer operator wood
  734: printing press operator, printer, press operator printing, screen printer, print operator,
    pressman, offset press operator
  736: typesetter, prepress technician, compositor, prepress operator
  738: textile winder, spinning machine operator, yarn spinner
  739: knitter, weaver, loom operator, knitting machine operator
  743: textile cutter, fabric cutter, dyeing machine operator
  744: sewing machine operator, garment worker, stitcher, sewing operator, garment factory worker
  745: shoe machine operator, shoe factory worker
  747: clothes presser, garment presser, ironer, presser laundry
  749: textile machine operator, textile worker, textile mill worker
  753: gluing machine operator, cementing machine operator
  754: packaging machine operator, filling machine operator, packaging operator, bottling line
    operator, bottling operator, machine packer, wrapping machine operator
  755: extruder operator, extrusion operator, forming machine operator
  756: mixing machine operator, mixer operator, blender operator, crusher operator, compounder
  757: distillation operator, chemical operator, filter operator, separator operator, still
    operator, chemical process operator
  763: coffee roaster, oven operator food, roasting machine operator, baking machine operator
  764: washing machine operator industrial, pickling operator, parts washer
  765: paper machine operator, paper folding machine operator, box maker, paper mill worker
  766: furnace operator, kiln operator, oven operator, steel furnace operator
  769: slicing machine operator, cutting machine operator, die cutter, cutter
  774: photo lab technician, photographic processor, darkroom technician, photo processor
  779: machine operator, factory worker, production worker, manufacturing worker, production
    operator, production associate, machine tender, manufacturing associate, machine setter, plant
    worker, manufacturing operator, semiconductor processor, process operator, line operator,
    production technician, tire builder, operator, manufacturing technician
  783: welder, solderer, metal cutter, brazer, mig welder, tig welder, pipe welder, welder
    fabricator, flame cutter, fabricator welder
  785: assembler, electronics assembler, assembly line worker, assembly worker, product assembler,
    electrical assembler, fabricator, assembly technician, line assembler, wire harness assembler
  789: spray painter, auto painter, paint sprayer, automotive painter, coating machine operator
  799: quality control inspector, inspector manufacturing, product tester, quality inspector,
    quality assurance inspector, quality technician, quality control technician, production
    inspector, qc inspector, tester, quality controller, inspector
  803: transportation supervisor, fleet manager, trucking supervisor, warehouse supervisor, dock
    supervisor, fleet supervisor, warehouse shift supervisor
  804: truck driver, delivery driver, long haul trucker, trucker, cdl driver, forklift operator,
    forklift driver, van driver, driver, route driver, delivery man, semi truck driver, pizza
    delivery driver, lorry driver, package delivery driver, tractor trailer driver, ups driver,
    amazon delivery driver, fedex driver, route sales driver, owner operator truck, food delivery
    driver, hgv driver, tow truck driver, delivery
  808: bus driver, school bus driver, coach driver, transit operator, city bus operator, bus
    operator
  809: taxi driver, chauffeur, uber driver, limousine driver, cab driver, rideshare driver, lyft
    driver, shuttle driver, ambulance driver, cabbie, private hire driver
  813: parking attendant, valet, parking lot attendant, valet parking attendant, parking valet
  823: train conductor, railroad conductor, yardmaster
  824: train driver, locomotive engineer, train engineer, locomotive operator, train operator,
    subway driver
  825: brakeman, railroad switch operator, railroad worker, signal operator rail
  829: sailor, deckhand, merchant mariner, ship captain, boat captain, ship engineer, marine
    engineer, ship mate, tugboat captain, ferry captain, seaman
  834: bridge tender, lock tender, traffic technician, bridge operator
  844: heavy equipment operator, operating engineer, bulldozer operator, grader operator,
    construction equipment operator, backhoe operator, plant operator construction, pile driver
    operator
  848: crane operator, hoist operator, winch operator, tower crane operator
  853: excavator operator, dredge operator, loading machine operator, excavating operator, digger
    driver
  859: conveyor operator, material moving equipment operator, shuttle car operator, pump operator,
    tank car loader
  865: construction helper
  866: surveyor helper, carpenter helper, electrician helper, plumber helper, roofer helper, mason
    helper, electrician assistant
  869: construction laborer, construction worker, general laborer construction, builder, demolition
    worker, labourer construction, building laborer, bricklayer laborer, day laborer construction
  873: production helper, factory helper, machine shop helper
  875: garbage collector, trash collector, sanitation worker, refuse collector, recycling
    collector, garbage man, dustman, bin man, waste collector
  878: machine feeder, machine loader, offbearer
  885: gas station attendant, service station attendant, tire changer, tire technician, filling
    station attendant, petrol station attendant, lube rack attendant
  887: car washer, car wash attendant, vehicle cleaner, auto detailer, car detailer, equipment
    cleaner, vehicle washer, detailer
  888: packer, packager, hand packer, bagger, grocery bagger, packaging worker, package handler
    packing, packing associate
  889: laborer, warehouse worker, warehouse associate, freight handler, material handler, mover,
    loader, dock worker, stevedore, longshoreman, package handler, warehouse operative, baggage
    handler, general laborer, furniture mover, unloader, amazon warehouse associate, fulfillment
    associate, day laborer, labourer, ramp agent, warehouse, removals worker, fulfillment center
    associate, warehouse laborer, freight loader
  905: soldier, military officer, army officer, navy sailor, air force officer, marine corps,
    military, army, infantryman, armed forces, us army, us navy, us air force, army sergeant,
    sergeant military, national guard, petty officer navy, military service member, air crew
    officer, platoon leader, army captain, us marine, infantry, enlisted soldier, naval officer
  education: student, graduate student, college student, university student, phd student, studying,
    in school, undergraduate student, high school student, phd candidate, master student, doctoral
    student, full time student, exchange student, medical student, law student, pupil, doctoral
    candidate
  not_in_labor_force: homemaker, stay at home mom, stay at home parent, retired, retiree,
    housewife, disabled, parental leave, sabbatical, career break, full time parent, stay at home
    dad, maternity leave, househusband, stay at home mother, family caregiver unpaid, pensioner,
    gap year, stay at home father, not working
  unemployed: unemployed, looking for work, job seeker, laid off, seeking new opportunities,
    between jobs, seeking employment, open to work, out of work, actively looking for a job,
    actively seeking employment, jobless
`;
