//! Machines, the internet, money, the state, the arts and everyday life.

use super::Question;
use super::question as q;

pub(super) const QUESTIONS: [Question; 27] = [
    q(
        "What is the internet?",
        "It is a network that joins computers in the whole world.",
        "It is a big web that lets all our machines talk.",
        "The internet interconnects autonomous networks through packet switching and standardized communication protocols.",
    ),
    q(
        "How do I choose a safe password?",
        "Use a long phrase that nobody else could ever guess.",
        "Pick four odd words that no one but you would know.",
        "Maximize entropy through randomly generated passphrases and complementary multifactor authentication mechanisms.",
    ),
    q(
        "How does wireless internet reach my phone?",
        "A small radio in the router sends data to it.",
        "A box in your home talks to the phone through the air.",
        "Modulated electromagnetic carriers transmit encoded frames between the access point and the client transceiver.",
    ),
    q(
        "How does a battery work?",
        "Chemical reactions push electrons around a circuit as a current.",
        "Stuff in it mixes and makes the power run through a wire.",
        "Spontaneous redox reactions generate electromotive force between electrodes separated by an ionic electrolyte.",
    ),
    q(
        "Why do phone batteries get weak with age?",
        "Each charge wears the materials inside a little bit more.",
        "It gets worn a bit each time you fill it up.",
        "Cyclic lithium intercalation degrades electrode microstructure and progressively thickens the interfacial electrolyte layer.",
    ),
    q(
        "How do solar panels make power?",
        "Light frees electrons in silicon, and they flow as current.",
        "The sun hits a flat plate, and the plate makes power.",
        "Photovoltaic semiconductors generate electron-hole pairs, which the junction's electric field subsequently separates.",
    ),
    q(
        "How do airplanes stay in the air?",
        "Their wings push air down, and so the plane stays up.",
        "The wings push air down, so the air pushes the plane up.",
        "Aerodynamic lift results from circulation and momentum transfer deflecting the oncoming airflow downward.",
    ),
    q(
        "How do boats float although they are heavy?",
        "A boat pushes away water that weighs as much as itself.",
        "The boat is full of air, and the water holds it up.",
        "Hydrostatic equilibrium requires displaced fluid of equivalent weight, following Archimedes' fundamental principle.",
    ),
    q(
        "Why does a moving bicycle not fall over?",
        "The rider and the front wheel steer under each lean.",
        "When it tips, you turn the wheel, and it comes back up.",
        "Trail geometry, gyroscopic precession and continuous steering corrections collectively stabilize lateral inclination.",
    ),
    q(
        "How does a phone know where it is?",
        "It measures how long signals from several satellites take.",
        "It hears a few things up in space and works it out.",
        "Trilateration using satellite pseudoranges determines position after relativistic and ionospheric corrections.",
    ),
    q(
        "How does a microwave heat food?",
        "Its waves make the water in the food move fast.",
        "It shakes the water in your food till it gets hot.",
        "Dielectric heating induces rotational oscillation of polar molecules under alternating electromagnetic fields.",
    ),
    q(
        "What does a camera lens do?",
        "A lens bends light so that it forms a sharp image.",
        "It is a round glass that makes the picture clear.",
        "Refractive elements converge divergent rays onto the focal plane while minimizing chromatic aberration.",
    ),
    q(
        "What is an algorithm?",
        "An algorithm is a list of clear steps for a task.",
        "It is a list of steps, like how to bake a cake.",
        "An algorithm is a finite, deterministic procedure computing outputs from formally specified inputs.",
    ),
    q(
        "How does a search engine find pages?",
        "It keeps an index of words and ranks the matches.",
        "It has a big list of all pages and picks the best.",
        "Crawlers construct inverted indices, and probabilistic ranking functions subsequently evaluate document relevance.",
    ),
    q(
        "How do computers learn from examples?",
        "They adjust many numbers until their guesses match the examples.",
        "They guess, see what was wrong, and do it better next time.",
        "Gradient-based optimization iteratively minimizes an empirical loss function over parameterized hypotheses.",
    ),
    q(
        "What is inflation?",
        "Inflation means that prices rise and money buys less.",
        "It is when the same sweets cost more than last year.",
        "Inflation denotes a sustained increase in aggregate prices, diminishing monetary purchasing power.",
    ),
    q(
        "How can I save more money each month?",
        "Write down your costs and put some money aside first.",
        "Put some coins in a jar first, and spend what is left.",
        "Implement automated contributions and systematically categorize discretionary expenditure against predetermined budgetary allocations.",
    ),
    q(
        "Why do banks pay interest?",
        "Banks pay for the use of the money we lend.",
        "The bank uses your money, so it gives you a bit back.",
        "Depository institutions compensate creditors for liquidity provision, opportunity cost and inflationary expectations.",
    ),
    q(
        "Why do people vote?",
        "People vote so that they can choose who leads them.",
        "We all pick who we want, and the most picked one wins.",
        "Electoral participation legitimizes representative institutions and systematically aggregates heterogeneous political preferences.",
    ),
    q(
        "What are taxes for?",
        "Taxes pay for schools, roads and other things we share.",
        "We all give some money, and it pays for roads and schools.",
        "Taxation finances public expenditure, redistributes income and internalizes negative economic externalities.",
    ),
    q(
        "What does a judge do?",
        "A judge hears both sides and decides by the law.",
        "A judge hears both sides and then says what is fair.",
        "The judiciary adjudicates controversies, interpreting statutory provisions and evaluating admissible evidence impartially.",
    ),
    q(
        "Why does music make us feel things?",
        "Music stirs the same brain parts that our feelings use.",
        "A slow song makes us sad, and a fast one makes us dance.",
        "Auditory expectation and its violation modulate dopaminergic reward circuitry and autonomic arousal.",
    ),
    q(
        "How do I start to learn the guitar?",
        "Learn three chords and practise them a little every day.",
        "Learn where to put your hands, and play a bit each day.",
        "Establish fundamental chord vocabulary through deliberate, metronome-regulated repetition and progressive repertoire acquisition.",
    ),
    q(
        "What makes a good story?",
        "A good story has someone who wants something hard to get.",
        "You need a hero who wants a thing that is hard to get.",
        "Compelling narratives establish protagonist motivation, escalating conflict and thematically satisfying resolution.",
    ),
    q(
        "How can I make new friends?",
        "Join a group, show interest in others and come again.",
        "Say hi, ask what they like, and play with them a lot.",
        "Repeated proximity, reciprocal self-disclosure and shared participation facilitate interpersonal attachment formation.",
    ),
    q(
        "How do I write a good letter of thanks?",
        "Name the gift, say what it means and keep it honest.",
        "Say thank you, say what for, and say why you like it.",
        "Acknowledge the contribution specifically, articulate its personal significance and conclude with appropriate formality.",
    ),
    q(
        "How should I prepare for a job interview?",
        "Study the company and practise your answers out loud.",
        "Read up on the place, and say what you will say.",
        "Investigate organizational objectives, anticipate competency-based questions and rehearse structured behavioral responses.",
    ),
];
